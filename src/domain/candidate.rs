//! Which files below the source path may be items (`practice.md` §3): the one
//! rule that the git walk and the directory walk share.

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::domain::follow;
use crate::domain::item::RepoPath;
use crate::domain::tree::{Target, Tree};

/// The file at the source path that names what is no item, in gitignore
/// syntax.
pub const IGNORE_FILE: &str = ".marketsyncignore";

/// The file name of marketsync's own configuration. A person may well keep it
/// beside the items, so it is passed over with a notice, not taken for an
/// item that lacks its fields.
pub const CONFIGURATION_FILE: &str = "marketsync.yaml";

/// The largest [`IGNORE_FILE`] in bytes. The longest ignore files of large
/// public repositories have some 10 KiB.
pub const MAX_IGNORE_BYTES: u64 = 64 * 1024;

/// The most patterns of one list. All of them are compiled into one automaton
/// whose size is the product of their number and length.
pub const MAX_PATTERNS: usize = 1_000;

/// What a file is to the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It has to be an item.
    Candidate,
    /// It is called [`CONFIGURATION_FILE`]: no item, but worth a notice.
    Configuration,
    /// It is none of our business.
    No,
}

/// A list of patterns cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// A pattern is none.
    #[error("line {line} of {list} is no gitignore pattern")]
    Pattern {
        /// `.marketsyncignore` or `--exclude`.
        list: &'static str,
        /// Counted from 1; of `--exclude` the number of the flag.
        line: usize,
        /// What the pattern lacks.
        #[source]
        source: ignore::Error,
    },
    /// Each pattern is one, but all of them are too much.
    #[error("the patterns of {list} are too complex together; use fewer or simpler ones")]
    Complex {
        /// `.marketsyncignore` or `--exclude`.
        list: &'static str,
        /// What the matcher says.
        #[source]
        source: ignore::Error,
    },
    /// There are more than [`MAX_PATTERNS`] lines.
    #[error("{list} has more than {MAX_PATTERNS} lines; exclude folders instead of single files")]
    Long {
        /// `.marketsyncignore` or `--exclude`.
        list: &'static str,
    },
    /// The ignore file has more than [`MAX_IGNORE_BYTES`].
    #[error("{IGNORE_FILE} has {size} bytes, more than the {MAX_IGNORE_BYTES} that are read")]
    Large {
        /// Its size in bytes.
        size: u64,
    },
    /// The ignore file is not UTF-8.
    #[error("{IGNORE_FILE} is not UTF-8 text; save it as UTF-8")]
    Encoding,
    /// There is something of that name that is no readable file.
    #[error("{IGNORE_FILE} is there but cannot be read as a file: it is {found}")]
    NotAFile {
        /// What it is instead.
        found: &'static str,
    },
}

/// The rule, with the patterns of one commit and one command line.
#[derive(Debug, Clone)]
pub struct Filter {
    source: RepoPath,
    ignored: Gitignore,
    excluded: Gitignore,
}

impl Filter {
    /// The rule for files below `source`, with the text of the ignore file and
    /// the patterns of `--exclude`. Both are matched relative to the source;
    /// a file that either of them names is out.
    pub fn new(
        source: RepoPath,
        ignore_text: Option<&str>,
        excludes: &[String],
    ) -> Result<Self, FilterError> {
        let text = ignore_text.unwrap_or_default();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Ok(Self {
            source,
            ignored: patterns(IGNORE_FILE, text.lines())?,
            excluded: patterns("--exclude", excludes.iter().map(String::as_str))?,
        })
    }

    /// The folder that it looks below.
    pub fn source(&self) -> &RepoPath {
        &self.source
    }

    /// What the file at `path` is, judged by its name alone.
    pub fn admits(&self, path: &RepoPath) -> Admission {
        // Most names are none of an item's: those need no look at the folders.
        if kind_of_name(path.file_name()).is_none() || path == &self.source {
            return Admission::No;
        }
        self.admits_in(path, self.prunes(&path.parent()))
    }

    /// The same for a walk that knows whether the file's folder is out
    /// ([`Filter::prunes`]), at the cost of one name, however deep it lies.
    pub fn admits_in(&self, path: &RepoPath, folder_is_out: bool) -> Admission {
        match kind_of_name(path.file_name()) {
            Some(kind) if !folder_is_out && !self.names_away(path, false) => kind,
            _ => Admission::No,
        }
    }

    /// Whether nothing below this folder can be a candidate: it lies outside
    /// the source, or it or a folder above it is out. As in git, a pattern
    /// cannot bring back what lies in a folder that is out.
    pub fn prunes(&self, folder: &RepoPath) -> bool {
        if !folder.is_within(&self.source) {
            return true;
        }
        let mut at = folder.clone();
        while at != self.source {
            if self.prunes_in(&at, false) {
                return true;
            }
            at = at.parent();
        }
        false
    }

    /// The same for a walk that knows whether the folder's parent is out, at
    /// the cost of one name, however deep it lies.
    pub fn prunes_in(&self, folder: &RepoPath, parent_is_out: bool) -> bool {
        if *folder == self.source {
            return false;
        }
        let name = folder.file_name();
        parent_is_out
            || name.starts_with('.')
            || name == "node_modules"
            || self.names_away(folder, true)
    }

    fn names_away(&self, path: &RepoPath, is_folder: bool) -> bool {
        let relative = path.as_str().strip_prefix(self.source.as_str()).unwrap_or(path.as_str());
        let relative = relative.strip_prefix('/').unwrap_or(relative);
        self.ignored.matched(relative, is_folder).is_ignore()
            || self.excluded.matched(relative, is_folder).is_ignore()
    }
}

fn kind_of_name(name: &str) -> Option<Admission> {
    let is_data = [".json", ".yaml", ".yml"].iter().any(|end| name.ends_with(end));
    if !is_data || name.starts_with('.') || name.ends_with(".schema.json") {
        return None;
    }
    Some(if name == CONFIGURATION_FILE { Admission::Configuration } else { Admission::Candidate })
}

fn patterns<'a>(
    list: &'static str,
    lines: impl Iterator<Item = &'a str>,
) -> Result<Gitignore, FilterError> {
    // The empty root: every path that is asked about is relative already.
    let mut builder = GitignoreBuilder::new("");
    for (index, line) in lines.enumerate() {
        if index >= MAX_PATTERNS {
            return Err(FilterError::Long { list });
        }
        let line = line.strip_suffix('\r').unwrap_or(line);
        builder.add_line(None, line).map_err(|source| FilterError::Pattern {
            list,
            line: index + 1,
            source,
        })?;
    }
    builder.build().map_err(|source| FilterError::Complex { list, source })
}

/// The [`Filter`] of one moment: its ignore file, found at the source path
/// (links followed, as a mounted `ConfigMap` has them), and these excludes.
///
/// The outer error is the tree's (nothing can be said), the inner one is a
/// fault of the patterns.
pub fn filter_of<T: Tree>(
    tree: &mut T,
    source: &RepoPath,
    excludes: &[String],
) -> Result<Result<Filter, FilterError>, T::Error> {
    let Some(path) = follow::child(source, IGNORE_FILE) else {
        return Ok(Filter::new(source.clone(), None, excludes));
    };
    let folder = tree.resolve(source)?;
    if folder.target != Target::Folder || folder.path != *source {
        // That there is no such folder is for its reader to say.
        return Ok(Filter::new(source.clone(), None, excludes));
    }
    let resolved = tree.resolve(&path)?;
    let found = match resolved.target {
        Target::Missing => return Ok(Filter::new(source.clone(), None, excludes)),
        Target::File { size, .. } if size > MAX_IGNORE_BYTES => {
            return Ok(Err(FilterError::Large { size }));
        }
        Target::File { blob, .. } => {
            let bytes = tree.bytes(&resolved.path, blob)?;
            return Ok(match std::str::from_utf8(&bytes) {
                Ok(text) => Filter::new(source.clone(), Some(text), excludes),
                Err(_) => Err(FilterError::Encoding),
            });
        }
        Target::Folder => "a folder",
        Target::Outside => "a link that leads out of the checkout",
        Target::LinkLoop => "a loop of links",
        Target::Submodule => "in a submodule",
        Target::Repository => "in the folder .git",
        Target::Special => "a device, socket or FIFO",
        Target::BytesMissing => "missing from this partial clone",
    };
    Ok(Err(FilterError::NotAFile { found }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(source: &str, ignore: &str, excludes: &[&str], path: &str) -> Admission {
        let excludes: Vec<String> = excludes.iter().map(|&text| text.to_owned()).collect();
        let filter = Filter::new(RepoPath::new(source).unwrap(), Some(ignore), &excludes).unwrap();
        filter.admits(&RepoPath::new(path).unwrap())
    }

    #[test]
    fn names_decide() {
        let cases = [
            ("a.json", Admission::Candidate),
            ("deep/er/a.yaml", Admission::Candidate),
            ("a.yml", Admission::Candidate),
            ("schema.json", Admission::Candidate),
            ("a.schema.json", Admission::No),
            ("a.JSON", Admission::No),
            ("a.json.bak", Admission::No),
            ("json", Admission::No),
            (".json", Admission::No),
            (".hidden.json", Admission::No),
            (".git/a.json", Admission::No),
            ("x/.y/z/a.json", Admission::No),
            ("node_modules/a.json", Admission::No),
            ("x/node_modules/y/a.json", Admission::No),
            ("node_modules.json", Admission::Candidate),
            ("marketsync.yaml", Admission::Configuration),
            ("x/marketsync.yaml", Admission::Configuration),
            ("marketsync.yml", Admission::Candidate),
            ("", Admission::No),
        ];
        for (path, expected) in cases {
            assert_eq!(admission("", "", &[], path), expected, "{path}");
        }
    }

    #[test]
    fn a_walk_that_knows_the_folders_gets_the_same_answers() {
        fn check(filter: &Filter, at: &RepoPath, is_out: bool, depth: usize) {
            assert_eq!(filter.prunes(at), is_out, "{at}");
            for name in ["s", "a.json", "b.json", ".h", "x", "node_modules"] {
                let child = at.join(name).unwrap();
                assert_eq!(filter.admits_in(&child, is_out), filter.admits(&child), "{child}");
                if depth > 0 {
                    check(filter, &child, filter.prunes_in(&child, is_out), depth - 1);
                }
            }
        }
        for source in ["", "s", "x/s", ".h"] {
            let source = RepoPath::new(source).unwrap();
            let filter = Filter::new(source, Some("x/x\nb.json\n"), &["/s/".to_owned()]).unwrap();
            check(&filter, &RepoPath::root(), filter.prunes(&RepoPath::root()), 3);
        }
    }

    #[test]
    fn the_source_path_itself_may_be_hidden() {
        assert_eq!(
            admission(".catalog/node_modules", "", &[], ".catalog/node_modules/a.json"),
            Admission::Candidate
        );
        assert_eq!(admission("items", "", &[], "other/a.json"), Admission::No);
        assert_eq!(admission("items", "", &[], "items.json"), Admission::No);
    }

    #[test]
    fn patterns_are_relative_to_the_source_and_cannot_reach_into_a_pruned_folder() {
        let ignore = "# comment\n\n/top.json\r\ndrafts/\n!drafts/kept.json\n*.values.yaml\n!good.values.yaml\n";
        let cases = [
            ("s/top.json", Admission::No),
            ("s/x/top.json", Admission::Candidate),
            ("s/drafts/a.json", Admission::No),
            ("s/x/drafts/a.json", Admission::No),
            ("s/drafts/kept.json", Admission::No),
            ("s/drafts.json", Admission::Candidate),
            ("s/a.values.yaml", Admission::No),
            ("s/good.values.yaml", Admission::Candidate),
            ("s/a.json", Admission::Candidate),
        ];
        for (path, expected) in cases {
            assert_eq!(admission("s", ignore, &[], path), expected, "{path}");
        }
    }

    #[test]
    fn an_exclude_counts_beside_the_ignore_file() {
        assert_eq!(admission("s", "!a.json", &["a.json"], "s/a.json"), Admission::No);
        assert_eq!(admission("s", "a.json", &["!a.json"], "s/a.json"), Admission::No);
        assert_eq!(admission("s", "", &["*.json", "!a.json"], "s/a.json"), Admission::Candidate);
        assert_eq!(admission("s", "marketsync.yaml", &[], "s/marketsync.yaml"), Admission::No);
    }

    #[test]
    fn a_bad_or_endless_list_is_named() {
        let bad = Filter::new(RepoPath::root(), Some("ok\n{a\n"), &[]).unwrap_err();
        assert_eq!(bad.to_string(), "line 2 of .marketsyncignore is no gitignore pattern");
        let long = "x\n".repeat(MAX_PATTERNS + 1);
        assert!(matches!(
            Filter::new(RepoPath::root(), Some(&long), &[]),
            Err(FilterError::Long { .. })
        ));
    }
}
