//! A machine of its own for what the documentation tells people to type.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A checkout with the examples, in a folder `marketsync` beside an empty home
/// folder.
pub(super) struct World {
    dir: TempDir,
}

/// What became of one script.
pub(super) struct Ran {
    /// The exit code of the first command that failed, else `0`.
    pub(super) code: String,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl World {
    pub(super) fn new() -> Self {
        let world = Self { dir: TempDir::new().unwrap() };
        for folder in ["home", "tmp", "out", "bin"] {
            fs::create_dir(world.path(folder)).unwrap();
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        copy(&root.join("examples"), &world.path("marketsync/examples"));
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_marketsync"), world.path("bin/marketsync"))
            .unwrap();
        let made = world.run(&["git init -q\ngit add .\n\
             git -c user.name=Ada -c user.email=ada@example.com commit -qm 'The examples'"
            .to_owned()]);
        assert_eq!(made[0].code, "0", "{}", made[0].stderr);
        world
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs scripts one after the other in one shell that begins in the
    /// checkout, as somebody would paste them.
    pub(super) fn run(&self, scripts: &[String]) -> Vec<Ran> {
        let mut whole = String::from("trap 'code=${code/#0/$?}' ERR\n");
        for (index, script) in scripts.iter().enumerate() {
            let out = self.path("out").join(index.to_string());
            let out = out.display();
            writeln!(
                whole,
                "code=0\n{{\n:\n{script}\n}} >{out}.out 2>{out}.err\necho $code >{out}.code"
            )
            .unwrap();
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let status = Command::new("bash")
            .args(["-c", &whole])
            .current_dir(self.path("marketsync"))
            .env_clear()
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .stdin(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{status}");
        let read = |index: usize, what| {
            fs::read_to_string(self.path("out").join(format!("{index}.{what}"))).unwrap()
        };
        let ran = |index| Ran {
            code: read(index, "code").trim().to_owned(),
            stdout: read(index, "out"),
            stderr: read(index, "err"),
        };
        (0..scripts.len()).map(ran).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// What differs from run to run, replaced by what does not: the same thing is
/// always replaced by the same words, of the same width.
#[derive(Default)]
pub(super) struct Redactions {
    object_ids: BTreeMap<String, String>,
    commits: BTreeMap<String, String>,
}

impl Redactions {
    pub(super) fn of(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            let is_hex = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_hexdigit());
            match word.len() {
                24 if is_hex => {
                    let next = 0x7b + self.object_ids.len();
                    let known = self.object_ids.entry(word.to_owned());
                    out.push_str(
                        known.or_insert_with(|| format!("66423781fdd3d6dd3ca62b{next:02x}")),
                    );
                }
                7 if is_hex && out.ends_with(" at ") => {
                    let next = 0x01a2_b3c4 + 0x0101_0101 * self.commits.len();
                    let known = self.commits.entry(word.to_owned());
                    out.push_str(known.or_insert_with(|| format!("{next:07x}")));
                }
                _ => out.push_str(word),
            }
            let next = after.chars().next().map_or(0, char::len_utf8);
            out.push_str(&after[..next]);
            rest = &after[next..];
        }
        out
    }
}
