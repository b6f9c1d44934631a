//! Git objects that git would not have written.

use crate::support::documents::{pretty, set, sidecar, with_image};
use crate::support::repo::Repo;

use super::site::{Expected, Row, Site};

/// How many blobs are differences to the one before.
const LINKS: usize = 1000;

pub(super) fn rows() -> Vec<Row> {
    let mut rows = forged();
    rows.extend([
        Row::new("a bomb of zeros", |site| bomb(site, 64 * 1024 * 1024)),
        Row::long("a bomb of zeros of 2 GiB", |site| bomb(site, 2 * 1024 * 1024 * 1024)),
        Row::new("a commit message of 2 MiB", |site| {
            let tree = good(site);
            let text = "x".repeat(2 * 1024 * 1024);
            let commit = site.bench.repo.git_with(&["commit-tree", &tree], text.as_bytes());
            site.bench.repo.git(&["update-ref", "refs/heads/main", &commit]);
            Expected::of(site.bench.repo.path()).fails("more than 1048576 are not read")
        }),
        Row::new("tags that name each other", |site| {
            drop(site.commit());
            let repo = &site.bench.repo;
            let mut at = repo.git(&["rev-parse", "HEAD"]);
            for number in 0..40 {
                let kind = if number == 0 { "commit" } else { "tag" };
                let text = format!(
                    "object {at}\ntype {kind}\ntag t{number}\ntagger a <a@b> 0 +0000\n\nx\n"
                );
                at = repo.git_with(&["mktag"], text.as_bytes());
            }
            repo.git(&["update-ref", "refs/tags/t", &at]);
            Expected::of(repo.path()).arg("--revision=t").fails("no commit is called")
        }),
    ]);
    rows.extend(large());
    rows.extend(absent());
    rows
}

/// Trees without end.
fn large() -> Vec<Row> {
    vec![
        Row::new("a tree of ten thousand million files", |site| {
            let repo = &site.bench.repo;
            let blob = repo.git_with(&["hash-object", "-w", "--stdin"], b"{}");
            let mut tree = many(repo, "100644", &blob, ".json");
            for _ in 0..9 {
                tree = many(repo, "40000", &tree, "");
            }
            site.commit_tree(&tree).fails("there are more than 100000 files")
        }),
        Row::new("folders without end", |site| {
            let repo = &site.bench.repo;
            let mut tree = good(site);
            for _ in 0..1000 {
                tree = forge(repo, &[("40000", b"d", &tree)]);
            }
            site.commit_tree(&tree).fails("nest too deep")
        }),
        Row::long("a tree of a million entries", |site| {
            let repo = &site.bench.repo;
            let blob = repo.git_with(&["hash-object", "-w", "--stdin"], b"{}");
            let names: Vec<String> = (0..1_000_001).map(|n| format!("{n:07}.txt")).collect();
            let entries: Vec<_> =
                names.iter().map(|name| ("100644", name.as_bytes(), blob.as_str())).collect();
            let tree = forge(repo, &entries);
            site.commit_tree(&tree).fails("files and folders below")
        }),
        Row::long("a chain of a thousand differences", chain),
    ]
}

/// What is not in the repository.
fn absent() -> Vec<Row> {
    vec![
        Row::new("objects that are not there", |site| {
            let repo = &site.bench.repo;
            repo.write("items/lost.json", pretty(&sidecar("lost")));
            drop(site.commit());
            let blob = repo.git(&["rev-parse", "HEAD:items/lost.json"]);
            repo.remove(&format!(".git/objects/{}/{}", &blob[..2], &blob[2..]));
            // Whoever would fetch it runs the trap.
            let url = format!("ext::{}", site.script().display());
            repo.git(&["config", "remote.origin.url", &url]);
            repo.git(&["config", "remote.origin.promisor", "true"]);
            repo.git(&["config", "remote.origin.partialclonefilter", "blob:none"]);
            Expected::of(repo.path()).tells("items/lost.json", "lacks its bytes")
        }),
        Row::new("submodules", |site| {
            let repo = &site.bench.repo;
            let trap = site.script();
            let evil = format!("ext::{}", trap.display());
            repo.write(
                ".gitmodules",
                format!(
                    "[submodule \"s\"]\n\tpath = items/sub\n\turl = {evil}\n\tupdate = !{0}\n\
                     [submodule \"-u{0}\"]\n\tpath = -u{0}\n\turl = --upload-pack={0}\n\
                     [submodule \"../../x\"]\n\tpath = items/x.json\n\turl = http://192.0.2.1/\n",
                    trap.display()
                ),
            );
            let image = with_image(sidecar("inside"), "sub/logo.png");
            repo.write("items/inside.json", pretty(&image));
            repo.commit("one");
            let head = repo.git(&["rev-parse", "HEAD"]);
            for path in ["items/sub", "items/x.json"] {
                repo.git(&[
                    "update-index",
                    "--add",
                    "--cacheinfo",
                    &format!("160000,{head},{path}"),
                ]);
            }
            repo.git(&["commit", "-q", "-m", "submodules"]);
            Expected::of(repo.path()).tells("items/inside.json", "submodule")
        }),
    ]
}

/// A tree object with these entries exactly, which git itself would not write.
pub(super) fn forge(repo: &Repo, entries: &[(&str, &[u8], &str)]) -> String {
    let mut bytes = Vec::new();
    for (mode, name, oid) in entries {
        let digits = oid.as_bytes().chunks(2);
        let digits = digits.map(|two| std::str::from_utf8(two).unwrap());
        let oid: Vec<u8> = digits.map(|two| u8::from_str_radix(two, 16).unwrap()).collect();
        bytes.extend([mode.as_bytes(), b" ", name, b"\0", &oid].concat());
    }
    repo.git_with(&["hash-object", "-t", "tree", "-w", "--literally", "--stdin"], &bytes)
}

/// Ten entries that are all the same.
fn many(repo: &Repo, mode: &str, oid: &str, end: &str) -> String {
    let names: Vec<String> = (0..10).map(|number| format!("{number}{end}")).collect();
    let entries: Vec<_> = names.iter().map(|name| (mode, name.as_bytes(), oid)).collect();
    forge(repo, &entries)
}

/// The tree with the good item.
fn good(site: &Site) -> String {
    site.bench.repo.commit("good");
    site.bench.repo.git(&["rev-parse", "HEAD^{tree}"])
}

/// Mode, name and kind of an entry.
type Entry = (&'static str, &'static [u8], &'static str);

/// What is in a tree beside `items`, and what is said.
type Forged = (&'static str, Vec<Entry>, Vec<(&'static str, &'static str)>);

/// Trees with hostile names.
fn forged_names() -> Vec<Forged> {
    vec![
        (
            "names that are none",
            vec![("100644", b".", "blob"), ("40000", b"..", "tree"), ("40000", b".git", "tree")],
            vec![("\u{fffd}/in.json", "not UTF-8")],
        ),
        (
            "names with separators",
            vec![
                // It begins with a dot: no item, whatever follows.
                ("100644", b"../../outside/secret.json", "blob"),
                ("100644", b"a/b.json", "blob"),
                ("100644", b"a\\..\\b.json", "blob"),
            ],
            vec![("a\u{fffd}b.json", "not UTF-8"), ("a\\..\\b.json", "no itemId")],
        ),
        (
            "names that are twins elsewhere",
            vec![
                ("100644", b"A.json", "blob"),
                ("100644", b"a.json", "blob"),
                ("100644", "cafe\u{301}.json".as_bytes(), "blob"),
                ("100644", "caf\u{e9}.json".as_bytes(), "blob"),
            ],
            vec![
                ("A.json", "no itemId"),
                ("a.json", "no itemId"),
                ("caf\u{e9}.json", "no itemId"),
                ("cafe\u{301}.json", "no itemId"),
            ],
        ),
    ]
}

/// Trees that say of their entries what is not so.
fn forged_entries() -> Vec<Forged> {
    vec![
        (
            "a name twice",
            vec![
                ("100644", b"a.json", "blob"),
                ("100644", b"a.json", "blob"),
                ("40000", b"a.json", "tree"),
            ],
            vec![("a.json", ""), ("a.json/in.json", "")],
        ),
        (
            "names in the wrong order",
            vec![("100644", b"z.json", "blob"), ("100644", b"b.json", "blob")],
            vec![("z.json", "no itemId"), ("b.json", "no such file")],
        ),
        (
            "modes that are none",
            vec![
                ("0", b"a.json", "blob"),
                ("100000", b"b.json", "blob"),
                ("107777", b"c.json", "blob"),
                ("20666", b"d.json", "blob"),
            ],
            vec![
                ("a.json", "no itemId"),
                ("b.json", "no itemId"),
                ("c.json", "no itemId"),
                ("d.json", "no itemId"),
            ],
        ),
        (
            "a folder in place of a file",
            vec![("100644", b"a.json", "tree")],
            vec![("a.json", "no regular file")],
        ),
        (
            "a folder in place of a link",
            vec![("120000", b"a.json", "tree")],
            vec![("a.json", "no regular file")],
        ),
    ]
}

/// Trees with a good item and something else.
fn forged() -> Vec<Row> {
    let cases = forged_names().into_iter().chain(forged_entries());
    let mut rows: Vec<Row> = cases
        .map(|(name, entries, told)| {
            let in_order = !name.contains("order");
            Row::new(name, move |site| {
                let repo = &site.bench.repo;
                let blob = repo.git_with(&["hash-object", "-w", "--stdin"], b"{}");
                let inner = forge(repo, &[("100644", b"in.json", &blob)]);
                let root = good(site);
                let items = repo.git(&["rev-parse", &format!("{root}:items")]);
                let object = |kind| if kind == "blob" { blob.as_str() } else { inner.as_str() };
                let mut all: Vec<(&str, &[u8], &str)> = vec![("40000", b"items", &items)];
                all.extend(entries.iter().map(|(mode, name, kind)| (*mode, *name, object(*kind))));
                // In git's order, but for what is out of it on purpose.
                let items = all.remove(0);
                let before = all.iter().filter(|(_, name, _)| *name < b"items".as_slice()).count();
                all.insert(if in_order { before } else { 0 }, items);
                let expected = site.commit_tree(&forge(repo, &all));
                told.iter().fold(expected, |expected, (path, words)| expected.tells(*path, *words))
            })
        })
        .collect();
    rows.push(Row::new("an empty name", |site| {
        let repo = &site.bench.repo;
        let blob = repo.git_with(&["hash-object", "-w", "--stdin"], b"{}");
        site.commit_tree(&forge(repo, &[("100644", b"", &blob)])).fails("cannot read the tree of")
    }));
    rows.push(Row::new("a file in place of a folder", |site| {
        let repo = &site.bench.repo;
        let blob = repo.git_with(&["hash-object", "-w", "--stdin"], b"{}");
        let tree = forge(repo, &[("40000", b"items", &blob)]);
        site.commit_tree(&tree).fails("items")
    }));
    rows
}

/// Small in the repository, and larger than everything.
fn bomb(site: &Site, bytes: u64) -> Expected {
    let repo = &site.bench.repo;
    let file = repo.path().join("items/bomb.json");
    let zeros = std::fs::File::create(file).unwrap();
    zeros.set_len(bytes).unwrap();
    repo.git(&["config", "core.bigFileThreshold", "10g"]);
    repo.write("items/image.json", pretty(&with_image(sidecar("image"), "bomb.json")));
    repo.write("items/schema.json", pretty(&set(sidecar("schema"), "/$schema", "bomb.json")));
    let expected = site.commit();
    for file in ["bomb.json", "image.json", "schema.json"] {
        repo.git(&["update-index", "--assume-unchanged", &format!("items/{file}")]);
    }
    ["bomb", "image", "schema"]
        .into_iter()
        .fold(expected, |expected, name| expected.tells(format!("items/{name}.json"), "are read"))
}

/// A blob that is a difference to one that is a difference to one, and so on.
fn chain(site: &Site) -> Expected {
    let repo = &site.bench.repo;
    repo.commit("good");
    let chance = &mut fastrand::Rng::with_seed(1);
    let noise: String = (0..300_000).map(|_| chance.alphanumeric()).collect();
    let mut stream = Vec::new();
    for number in 1..=LINKS {
        let text = format!("{number}{noise}");
        let item = pretty(&set(sidecar("deep"), "/description", text));
        stream.extend(format!("blob\nmark :{number}\ndata {}\n{item}\n", item.len()).bytes());
    }
    let tail = format!(
        "commit refs/heads/main\ncommitter a <a@b> 0 +0000\ndata 1\nx\n\
         from refs/heads/main^0\nM 644 :{LINKS} items/deep.json\n"
    );
    stream.extend(tail.bytes());
    repo.git_with(&["fast-import", "--quiet", "--depth=8000"], &stream);
    repo.git(&["read-tree", "HEAD"]);
    Expected::of(repo.path())
}
