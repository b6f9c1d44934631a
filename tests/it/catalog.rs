//! One commit to a snapshot: what is wrong with files, who an item is, and
//! what is read again after a change.

use std::fmt::Write as _;
use std::path::Path;

use marketsync::domain::catalog::{Bodies, Snapshot, load};
use marketsync::domain::item::{Digest, Item, ItemType, Lifecycle};
use marketsync::domain::schema::Schemas;
use marketsync::domain::seen::Seen;
use marketsync::domain::source::{Problem, Severity};
use marketsync::domain::standards::{Standards, Tailoring};
use marketsync::domain::tree::{MAX_IMAGE_BYTES, MAX_ITEM_BYTES};
use proptest::prelude::*;

use crate::support::domain::key;
use crate::support::memory_tree::{MemoryTree, Node, path};

pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n one";
const OTHER_PNG: &[u8] = b"\x89PNG\r\n\x1a\n two";
const JPEG: &[u8] = b"\xff\xd8\xff\xe0 three";

fn standards() -> Standards {
    Standards {
        schemas: Schemas::new(&[]).unwrap(),
        tailoring: Tailoring { set_tenant: None, default_lifecycle: Lifecycle::Published },
        company: Some("acme".to_owned()),
        strict: false,
    }
}

/// A whole reading of a commit.
fn read(tree: &mut MemoryTree, standards: &Standards) -> Snapshot {
    let mut seen = Seen::empty(standards.fingerprint());
    let changes = tree.complete();
    let Ok((snapshot, _)) = load(tree, &changes, standards, &mut seen);
    snapshot
}

/// A valid sidecar; `more` goes in front of its last member.
fn sidecar(id: &str, more: &str) -> String {
    format!(
        r#"{{"itemId": "{id}", "name": "{id}", "description": "d", "tenantId": "acme", "type": "sidecar",
"documentation": {{"type": "markdown", "url": "u"}},
{more}"resources": {{"name": "{id}", "dockerImage": "i"}}}}"#
    )
}

/// A valid plugin of this version, whose members are easy to change.
fn plugin(id: &str, version: &str, resources: &str) -> String {
    format!(
        r#"{{"itemId": "{id}", "name": "{id}", "description": "d", "tenantId": "acme", "type": "plugin",
"version": {{"name": "{version}", "releaseNote": ""}},
"resources": {{"services": {{"s": {{"type": "plugin", "name": "s", "dockerImage": "i"{resources}}}}}}}}}"#
    )
}

fn brief(problem: &Problem) -> String {
    let mut out = String::new();
    if problem.severity == Severity::Warning {
        out.push_str("warning ");
    }
    out.push_str(&problem.path);
    if let Some(position) = problem.position {
        write!(out, ":{}:{}", position.line, position.column).unwrap();
    }
    if let Some(pointer) = &problem.pointer {
        write!(out, " {pointer}").unwrap();
    }
    write!(out, " {}", problem.message).unwrap();
    if let Some(found) = &problem.found {
        write!(out, " [{found}]").unwrap();
    }
    out
}

fn briefs(snapshot: &Snapshot) -> Vec<String> {
    snapshot.problems.iter().map(brief).collect()
}

fn names(snapshot: &Snapshot) -> Vec<String> {
    snapshot.items.keys().map(ToString::to_string).collect()
}

/// The only finding of a commit with this tree and a good item beside it.
fn found(tree: MemoryTree, standards: &Standards) -> (String, bool) {
    let mut tree = tree.with("zz.json", sidecar("good", ""));
    let snapshot = read(&mut tree, standards);
    assert!(
        snapshot.items.contains_key(&key("good", "NA")),
        "the other items load: {:?}",
        briefs(&snapshot)
    );
    let all = briefs(&snapshot);
    let hints = snapshot
        .problems
        .iter()
        .all(|problem| problem.hint.is_some() || problem.expected.is_some());
    assert!(hints, "what to do about {all:?}");
    (all.join(" && "), snapshot.items.len() == 2)
}

#[test]
fn a_broken_text_gives_one_problem_at_its_place() {
    let deep = "[".repeat(100) + &"]".repeat(100);
    let deep = sidecar("a", &format!("\"labels\": {deep},\n"));
    let wide = sidecar("a", "\"labels\": 99999999999999999999,\n");
    let cases: [(&str, &[u8], &str); 19] = [
        ("a.json", b"{\"itemId\": \"a\", // why\n}", "a.json:1:17 a comment; JSON has no comments"),
        ("a.json", b"{'itemId': \"a\"}", "a.json:1:2 "),
        (
            "a.json",
            b"{\n\"itemId\": \"a\"\n",
            "a.json:2:13 the file ends in the middle of the document",
        ),
        (
            "a.json",
            b"{\"itemId\": \"a\",\n\"itemId\": \"b\"}",
            "a.json:2:1 the key `itemId` stands twice",
        ),
        ("a.json", b"{\"itemId\": \"\xff\"}", "a.json:1:13 the file is not UTF-8"),
        ("a.json", b"{\"a\": [{\"b\": 1]}", "a.json:1:15 the object before this is not closed"),
        ("a.json", b"{\"a\": [1}", "a.json:1:9 the list before this is not closed"),
        ("a.json", b"{\"itemId\": NaN}", "a.json:1:12 "),
        ("a.json", b"{\"itemId\": 1e999}", "a.json:1:12 "),
        ("a.json", wide.as_bytes(), "a.json:3:11 the integer does not fit into 64 bits"),
        ("a.json", b" [1]", "a.json:1:2  an item is an object, and this file holds something else"),
        (
            "a.json",
            b"\"text\"",
            "a.json:1:1  an item is an object, and this file holds something else",
        ),
        ("a.json", b"", "a.json the file is empty"),
        ("a.json", deep.as_bytes(), "a.json:3:"),
        ("a.yaml", b"itemId: a\nitemId: b\n", "a.yaml:2:1 the key `itemId` stands twice"),
        ("a.yaml", b"itemId: .nan\n", "a.yaml:1:9 "),
        (
            "a.yaml",
            b"- a\n",
            "a.yaml:1:1  an item is an object, and this file holds something else",
        ),
        ("a.yml", b"# nothing\n", "a.yml the file holds no document, only comments or markers"),
        ("a.yml", b"itemId: \xff\n", "a.yml:1:9 the file is not UTF-8"),
    ];
    let told = cases.map(|(name, bytes, begins)| {
        (begins, found(MemoryTree::default().with(name, bytes), &standards()))
    });
    agree(told, false);
}

/// Each finding is one, begins like this, and stops its item or does not.
fn agree<'a>(told: impl IntoIterator<Item = (&'a str, (String, bool))>, goes: bool) {
    let wrong: Vec<(&str, (String, bool))> = told
        .into_iter()
        .filter(|(begins, (told, both))| {
            !told.starts_with(begins) || told.contains("&&") || *both != goes
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_wrong_document_gives_one_problem_at_its_place() {
    let swap = |from: &str, to: &str| sidecar("a", "").replacen(from, to, 1);
    let versioned = |name: &str| plugin("a", name, "");
    let cases = [
        (swap("\"itemId\": \"a\", ", ""), "a.json:1:1  no itemId"),
        (
            swap("\"itemId\": \"a\"", "\"itemId\": \"a/b\""),
            "a.json:1:12 /itemId this is no item id [`a/b`]",
        ),
        (
            swap("\"itemId\": \"a\"", "\"itemId\": 5"),
            "a.json:1:12 /itemId the value has the wrong type [5]",
        ),
        (swap("\"type\": \"sidecar\",\n", "\n"), "a.json:1:1  no type"),
        (swap("\"sidecar\"", "7"), "a.json:1:78 /type the type is a text"),
        (
            swap("\"sidecar\"", "\"sidcar\""),
            "a.json:1:78 /type the platform has no item type `sidcar`",
        ),
        (
            swap("\"type\": \"sidecar\"", "\"itemTypeDefinitionRef\": {\"name\": \"sidecar\"}"),
            "a.json:1:95 /itemTypeDefinitionRef the type needs a namespace and a name",
        ),
        (
            swap(
                "\"type\": \"sidecar\"",
                "\"itemTypeDefinitionRef\": {\"name\": \"sidcar\", \"namespace\": \"mia-platform\"}",
            ),
            "a.json:1:104 /itemTypeDefinitionRef/name the platform has no item type `sidcar`",
        ),
        (
            sidecar("a", "\"version\": {\"name\": \"1.0.0\", \"releaseNote\": \"\"},\n"),
            "a.json:3:1 /version items of type sidecar carry no version",
        ),
        (versioned("1.0"), "a.json:2:21 /version/name version.name is no semantic version: "),
        (versioned("v1.0.0"), "a.json:2:21 /version/name version.name is no semantic version: "),
        (versioned("NA"), "a.json:2:21 /version/name version.name is no semantic version: "),
        (
            versioned("99999999999999999999.0.0"),
            "a.json:2:21 /version/name version.name is no semantic version: ",
        ),
        (
            plugin("a", "1.0.0", "").replace("\"releaseNote\": \"\"", "\"releaseNote\": 1"),
            "a.json:2:45 /version/releaseNote the value has the wrong type [1]",
        ),
        (
            sidecar("a", "\"image\": {\"localPath\": \"x.png\"}, \"imageUrl\": \"/x\",\n"),
            "a.json:3:1 /image `image` and `imageUrl` are both given",
        ),
        (
            sidecar("a", "\"image\": \"x.png\",\n"),
            "a.json:3:10 /image the value has the wrong type",
        ),
        (sidecar("a", "\"image\": {},\n"), "a.json:3:10 /image `localPath` is missing"),
        (
            sidecar("a", "\"lifecycleStatus\": \"publisht\",\n"),
            "a.json:3:20 /lifecycleStatus the value is not one of those allowed",
        ),
    ];
    agree(
        cases.map(|(text, begins)| {
            (begins, found(MemoryTree::default().with("a.json", text), &standards()))
        }),
        false,
    );
    let mut tree = MemoryTree::default().with("a.json", swap("\"sidecar\"", "\"sidcar\""));
    let problem = &read(&mut tree, &standards()).problems[0];
    assert_eq!(problem.hint.as_deref(), Some("did you mean `sidecar`?"));
}

#[test]
fn what_deserves_a_look_still_goes() {
    let tenant = sidecar("a", "").replace("acme", "other");
    let cases = [
        (
            tenant.clone(),
            "warning a.json:1:62 /tenantId tenantId is not the company acme [`other`]",
        ),
        (
            sidecar("a", "\"itemID\": 1,\n"),
            "warning a.json:3:1 /itemID the marketplace has no field `itemID`",
        ),
        (
            sidecar("a", "\"a/b~c\": 1,\n"),
            "warning a.json:3:1 /a~1b~0c the marketplace has no field `a/b~c`",
        ),
        (
            sidecar("a", "\"$schema\": \"https://acme.example/s.json\",\n"),
            "warning a.json:3:12 /$schema a schema is not fetched from a URL",
        ),
        (sidecar("a", "").replace("\"i\"}}", "\"i\",}}"), "warning a.json:3:"),
        (format!("\u{feff}{}", sidecar("a", "")), "warning a.json"),
    ];
    for (text, begins) in cases {
        let strict = Standards { strict: true, ..standards() };
        let (told, both) = found(MemoryTree::default().with("a.json", &text), &standards());
        agree([(begins, (told.clone(), both))], true);
        let (strictly, both) = found(MemoryTree::default().with("a.json", &text), &strict);
        assert_eq!(format!("warning {strictly}"), told);
        assert!(!both, "{told}");
    }
    let tailoring = Tailoring { set_tenant: Some("acme".to_owned()), ..standards().tailoring };
    let set = Standards { tailoring, ..standards() };
    assert_eq!(found(MemoryTree::default().with("a.json", &tenant), &set), (String::new(), true));
    let nobody = Standards { company: None, ..standards() };
    assert_eq!(
        found(MemoryTree::default().with("a.json", &tenant), &nobody),
        (String::new(), true)
    );
}

#[test]
fn thousands_of_unknown_fields_are_a_few_warnings() {
    let fields = (0..20_000).fold(String::new(), |mut out, number| {
        writeln!(out, "\"field{number}\": 1,").unwrap();
        out
    });
    let snapshot =
        read(&mut MemoryTree::default().with("a.json", sidecar("a", &fields)), &standards());
    assert_eq!((snapshot.items.len(), snapshot.problems.len()), (1, 20));
}

#[test]
fn an_image_that_cannot_be_used_is_named_with_its_reason() {
    let item = |local: &str| sidecar("a", &format!("\"image\": {{\"localPath\": \"{local}\"}},\n"));
    let large = vec![b'x'; usize::try_from(MAX_IMAGE_BYTES).unwrap() + 1];
    let base = || {
        MemoryTree::default()
            .with("text.png", "hello")
            .with("gif.png", b"GIF89a")
            .with("svg.png", "<svg/>")
            .with("empty.png", "")
            .with("lfs.png", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
            .with("large.png", &large)
            .with("folder/x.png", PNG)
            .link("loop.png", "pool.png")
            .link("pool.png", "loop.png")
            .link("out.png", "../../out.png")
            .link("root.png", "/etc/passwd")
            .link("dangling.png", "nothing.png")
            .node("module", Node::Submodule)
            .node("fifo.png", Node::Special)
            .node("lost.png", Node::Lost(PNG.to_vec()))
    };
    let cases = [
        ("../../x.png", "the path leads out of the checkout"),
        ("/x.png", "the path is absolute"),
        ("missing.png", "no such file in this commit"),
        ("dangling.png", "no such file in this commit"),
        ("text.png", "the file is text, and the marketplace takes PNG and JPEG"),
        ("svg.png", "the file is text (an SVG?), and the marketplace takes PNG and JPEG"),
        ("gif.png", "the file is a GIF, and the marketplace takes PNG and JPEG"),
        ("empty.png", "the file is empty, and the marketplace takes PNG and JPEG"),
        ("lfs.png", "this is a Git LFS pointer, not the file itself"),
        ("large.png", "the file has 2097153 bytes, and at most 2097152 are read"),
        ("folder", "this is a folder"),
        ("loop.png", "the symbolic links form a loop"),
        ("out.png", "a symbolic link leads out of the checkout"),
        ("root.png", "a symbolic link leads out of the checkout"),
        ("module/x.png", "the path leads into a submodule, whose files are not in this repository"),
        ("fifo.png", "this is no regular file"),
        ("lost.png", "the commit has this file, but this clone lacks its bytes (a partial clone?)"),
        ("text.png/x.png", "no such file in this commit"),
    ];
    for (local, why) in cases {
        let told = found(base().with("a.json", item(local)), &standards());
        assert_eq!(told, (format!("a.json:3:24 /image/localPath {why} [`{local}`]"), false));
    }
    let mut tree =
        base().with("sub/a.json", item("../folder/../folder//./x.png")).link("sub/b", "../folder");
    let snapshot = read(&mut tree, &standards());
    assert_eq!(briefs(&snapshot), [""; 0]);
    assert_eq!(snapshot.items[&key("a", "NA")].images[0].path, path("folder/x.png"));
    let snapshot = read(&mut tree.clone().with("sub/a.json", item("b/x.png")), &standards());
    assert_eq!(snapshot.items[&key("a", "NA")].images[0].path, path("folder/x.png"), "as resolved");
}

#[test]
fn an_item_file_that_cannot_be_read_is_named_with_its_reason() {
    let large = " ".repeat(usize::try_from(MAX_ITEM_BYTES).unwrap() + 1);
    for (tree, told) in [
        (
            MemoryTree::default().with("a.json", large),
            "a.json the file has 1048577 bytes, and at most 1048576 are read",
        ),
        (MemoryTree::default().link("a.json", "a.json"), "a.json the symbolic links form a loop"),
        (
            MemoryTree::default().link("a.json", "../a.json"),
            "a.json a symbolic link leads out of the checkout",
        ),
        (MemoryTree::default().link("a.json", "b"), "a.json no such file in this commit"),
        (
            MemoryTree::default().link("a.json", "folder").with("folder/x", ""),
            "a.json this is a folder",
        ),
        (
            MemoryTree::default().node("a.json", Node::Lost(b"{}".to_vec())),
            "a.json the commit has this file, but this clone lacks its bytes (a partial clone?)",
        ),
    ] {
        assert_eq!(found(tree, &standards()), (told.to_owned(), false));
    }
    let mut changes = MemoryTree::default().complete();
    changes.unreadable.push("caf\u{fffd}.json".to_owned());
    let mut seen = Seen::empty(standards().fingerprint());
    let Ok((snapshot, _)) = load(&mut MemoryTree::default(), &changes, &standards(), &mut seen);
    assert_eq!(briefs(&snapshot), ["caf\u{fffd}.json the name of the file is not UTF-8"]);
    assert!(snapshot.is_broken());
}

#[test]
fn a_linked_item_file_is_read_where_it_leads() {
    let mut tree = MemoryTree::default()
        .link("items/a.json", "../data/a")
        .link("data", "v1")
        .with("v1/a", sidecar("a", ""));
    let standards = standards();
    let snapshot = read(&mut tree, &standards);
    assert_eq!(names(&snapshot), ["a NA"]);
    let item = &snapshot.items[&key("a", "NA")];
    assert_eq!(item.path, path("items/a.json"));
    let document =
        Bodies { tree: &mut tree, tailoring: &standards.tailoring }.document(item).unwrap();
    assert_eq!(document["itemId"], "a", "its body can be read again");
}

const COMPANY: &str = r#"{"properties": {"name": {"maxLength": 3}}}"#;

#[test]
fn a_schema_of_the_commit_is_obeyed_and_nothing_else_is_fetched() {
    let item = |name: &str| sidecar("a", &format!("\"$schema\": \"{name}\",\n"));
    let long = |name: &str| item(name).replace("\"name\": \"a\", ", "\"name\": \"long\", ");
    let reference = |to: &str| format!(r#"{{"properties": {{"name": {{"$ref": "{to}"}}}}}}"#);
    let base = || {
        MemoryTree::default()
            .with("s/good.schema.json", COMPANY)
            .with("s/my own ü%.schema.json", COMPANY)
            .with("s/n ü%.schema.json", r#"{"maxLength": 3}"#)
            .with("s/ref2.schema.json", reference("n%20%c3%BC%25.schema.json"))
            .with("s/broken.schema.json", "{")
            .with("s/nonsense.schema.json", r#"{"type": 5}"#)
            .with("s/short.schema.json", r#"{"definitions": {"n": {"maxLength": 3}}}"#)
            .with("s/ref.schema.json", reference("short.schema.json#/definitions/n"))
            .with("s/url.schema.json", reference("https://acme.example/x.json"))
            .with("s/dangling.schema.json", reference("none.schema.json"))
            .with("s/out.schema.json", reference("../../x.schema.json"))
            .with("s/cycle.schema.json", reference("cycle.schema.json"))
            .link("s/link.schema.json", "good.schema.json")
    };
    for name in ["good", "ref", "ref2", "my own ü%", "link"] {
        let name = format!("s/{name}.schema.json");
        assert_eq!(
            found(base().with("a.json", item(&name)), &standards()),
            (String::new(), true),
            "{name}"
        );
        let (told, both) = found(base().with("a.json", long(&name)), &standards());
        assert_eq!(
            (told.as_str(), both),
            ("a.json:1:25 /name the text is too long [\"long\"]", false),
            "{name}"
        );
    }
    for (name, why) in [
        ("s/none.schema.json", "no such file in this commit"),
        ("s/broken.schema.json", "it is not valid JSON"),
        ("s/nonsense.schema.json", ""),
        ("s/url.schema.json", "nothing is fetched"),
        ("s/dangling.schema.json", "s/none.schema.json: no such file in this commit"),
        ("s/out.schema.json", "the path leads out of the checkout"),
        ("../s.schema.json", "the path leads out of the checkout"),
        ("/s.schema.json", "the path is absolute"),
        ("s", "this is a folder"),
    ] {
        let (told, both) = found(base().with("a.json", item(name)), &standards());
        let begins = format!("a.json:3:12 /$schema the schema `{name}` cannot be used: ");
        assert!(
            told.starts_with(&begins) && told.contains(why) && !told.contains("&&") && !both,
            "{told}"
        );
    }
    let (told, both) = found(base().with("a.json", item("s/cycle.schema.json")), &standards());
    assert!(!told.contains("&&") && (both || told.contains("/$schema")), "{told}");
}

#[test]
fn two_files_of_one_identity_are_both_named_and_neither_is_wanted() {
    let mut tree = MemoryTree::default()
        .with("a.json", sidecar("same", ""))
        .with("b/b.yaml", "itemId: same\nname: n\ndescription: d\ntenantId: acme\ntype: sidecar\ndocumentation: {type: markdown, url: u}\nresources: {name: n, dockerImage: i}\n")
        .with("c.json", sidecar("c", ""))
        .with("d.json", sidecar("d", ""));
    let snapshot = read(&mut tree, &standards());
    assert_eq!(
        briefs(&snapshot),
        [
            "a.json:1:12 /itemId item same NA is also in b/b.yaml",
            "b/b.yaml:1:9 /itemId item same NA is also in a.json"
        ]
    );
    assert_eq!(names(&snapshot), ["c NA", "d NA"]);
    let snapshot = read(&mut tree.clone().with("e.json", sidecar("same", "")), &standards());
    assert_eq!(snapshot.problems.len(), 3);
    assert!(snapshot.problems[0].message.ends_with("is also in b/b.yaml, e.json"));
    let many = (0..20).fold(MemoryTree::default(), |tree, number| {
        tree.with(&format!("{number}.json"), sidecar("same", ""))
    });
    let snapshot = read(&mut many.clone(), &standards());
    assert_eq!(snapshot.problems.len(), 20);
    assert!(
        snapshot.problems[0].message.ends_with("10.json, 11.json, 12.json, 13.json, more"),
        "{}",
        snapshot.problems[0].message
    );
    // Another version is another item, and so is another case.
    let mut apart = MemoryTree::default()
        .with("1.json", plugin("p", "1.0.0", ""))
        .with("2.json", plugin("p", "1.0.1", ""))
        .with("3.json", plugin("P", "1.0.0", ""));
    assert_eq!(names(&read(&mut apart, &standards())), ["P 1.0.0", "p 1.0.0", "p 1.0.1"]);
}

// Identity and digest.

fn only(tree: &mut MemoryTree, standards: &Standards) -> Item {
    let snapshot = read(tree, standards);
    assert!(!snapshot.is_broken(), "{:?}", briefs(&snapshot));
    assert_eq!(snapshot.items.len(), 1);
    snapshot.items.values().next().unwrap().as_ref().clone()
}

const PICTURED: &str = r#"{"itemId": "a", "name": "n", "description": "d", "tenantId": "acme", "type": "sidecar",
"documentation": {"type": "markdown", "url": "u"},
"image": {"localPath": "x.png"}, "rank": {"n": 1},
"resources": {"name": "n", "dockerImage": "i"}}"#;

fn pictured() -> MemoryTree {
    MemoryTree::default().with("a.json", PICTURED).with("x.png", PNG)
}

#[test]
fn what_the_marketplace_would_not_see_leaves_the_digest() {
    let base = only(&mut pictured(), &standards());
    let text = |from: &str, to: &str| {
        assert!(PICTURED.contains(from), "{from}");
        pictured().with("a.json", PICTURED.replace(from, to))
    };
    let value: serde_json::Value = serde_json::from_str(PICTURED).unwrap();
    let yaml = "# An item.\nresources: {dockerImage: 'i', name: n}\nrank:\n  n: 1\nimage:\n  localPath: ./x.png\nitemId: a\nname: n\ndescription: d\ntenantId: acme\ntype: sidecar\ndocumentation: {url: u, type: markdown}\n";
    let same = [
        ("reformatted", pictured().with("a.json", serde_json::to_string_pretty(&value).unwrap())),
        ("compact, keys sorted", pictured().with("a.json", value.to_string())),
        ("renamed", pictured().rename("a.json", "b.json")),
        (
            "moved with its image",
            pictured().rename("a.json", "c/b.json").rename("x.png", "c/x.png"),
        ),
        ("image moved", text("x.png", "img/y.png").rename("x.png", "img/y.png")),
        ("image through a link", pictured().rename("x.png", "y.png").link("x.png", "y.png")),
        ("1 and 1.0", text("\"n\": 1}", "\"n\": 1.0}")),
        ("1 and 1e0", text("\"n\": 1}", "\"n\": 1e0}")),
        ("escapes", text("\"d\"", "\"\\u0064\"")),
        ("trailing comma", text("\"n\": 1}", "\"n\": 1,}")),
        ("YAML", pictured().without("a.json").with("a.yml", yaml)),
        (
            "$schema",
            text("{\"itemId\"", "{\"$schema\": \"s.schema.json\", \"itemId\"")
                .with("s.schema.json", "{}"),
        ),
        (
            "the default lifecycle stated",
            text(
                "\"type\": \"sidecar\",",
                "\"type\": \"sidecar\", \"lifecycleStatus\": \"published\",",
            ),
        ),
    ];
    for (what, mut tree) in same {
        let item = only(&mut tree, &standards());
        assert_eq!(
            (&item.key, item.digest, item.sealed_digest),
            (&base.key, base.digest, base.sealed_digest),
            "{what}"
        );
    }
}

#[test]
fn what_the_marketplace_would_see_changes_the_digest() {
    let text = |from: &str, to: &str| {
        assert!(PICTURED.contains(from), "{from}");
        pictured().with("a.json", PICTURED.replace(from, to))
    };
    let tailored = |set_tenant: Option<&str>, default_lifecycle| {
        let tailoring = Tailoring { set_tenant: set_tenant.map(str::to_owned), default_lifecycle };
        only(&mut pictured(), &Standards { tailoring, ..standards() })
    };
    let plain = |mut tree: MemoryTree| only(&mut tree, &standards());
    let two = text("\"rank\"", "\"supportedByImage\": {\"localPath\": \"x.png\"}, \"rank\"");
    let items = [
        plain(pictured()),
        plain(pictured().with("x.png", OTHER_PNG)),
        plain(pictured().with("x.png", JPEG)),
        plain(text("\"image\"", "\"supportedByImage\"")),
        plain(two),
        plain(text("\"image\": {\"localPath\": \"x.png\"}", "\"imageUrl\": \"/x.png\"")),
        plain(text("\"acme\"", "\"other\"")),
        tailored(Some("globex"), Lifecycle::Published),
        tailored(None, Lifecycle::Draft),
        plain(text("\"d\"", "\"e\"")),
        plain(text("{\"n\": 1}", "{\"n\": 2}")),
        plain(text("{\"n\": 1}", "{\"n\": \"1\"}")),
        plain(text("{\"n\": 1}", "{}")),
        plain(text("\"dockerImage\": \"i\"", "\"dockerImage\": \"j\"")),
    ];
    let digests: std::collections::BTreeSet<Digest> =
        items.iter().map(|item| item.digest).collect();
    assert_eq!(digests.len(), items.len(), "each is another");
    let sealed: std::collections::BTreeSet<Digest> =
        items.iter().map(|item| item.sealed_digest).collect();
    assert_eq!(sealed.len(), 2, "only `resources` differ there");
    assert_eq!(tailored(Some("acme"), Lifecycle::Published).digest, items[0].digest);
    assert_eq!(items[8].lifecycle, Lifecycle::Draft);
}

#[test]
fn the_type_is_sealed_whatever_names_it() {
    let of = |text: &str| only(&mut MemoryTree::default().with("a.json", text), &standards());
    let bare = plugin("a", "1.0.0", "");
    let named = |namespace: &str, name: &str| {
        bare.replace("\"type\": \"plugin\",\n", &format!("\"itemTypeDefinitionRef\": {{\"namespace\": \"{namespace}\", \"name\": \"{name}\"}},\n"))
    };
    let (bare, plugin) = (of(&bare), of(&named("mia-platform", "plugin")));
    assert_eq!(bare.sealed_digest, plugin.sealed_digest, "both name the same type");
    assert_eq!(bare.item_type, ItemType::platform("plugin"));
    assert_ne!(bare.digest, plugin.digest, "and the documents differ");
    let (template, custom) = (of(&named("mia-platform", "template")), of(&named("acme", "plugin")));
    assert_ne!(plugin.sealed_digest, template.sealed_digest);
    assert_ne!(plugin.sealed_digest, custom.sealed_digest);
    assert_ne!(of(&named("acme/x", "plugin")).sealed_digest, custom.sealed_digest);
}

#[test]
fn fields_that_the_legacy_api_lacks_are_noted() {
    let mut tree = MemoryTree::default()
        .with("a.json", sidecar("a", "\"tags\": [], \"labels\": {}, \"links\": [],\n"));
    assert_eq!(only(&mut tree, &standards()).not_on_legacy, ["labels", "links", "tags"]);
    let company = plugin("a", "1.0.0", "").replace(
        "\"type\": \"plugin\",\n",
        "\"itemTypeDefinitionRef\": {\"namespace\": \"acme\", \"name\": \"x\"},\n",
    );
    let mut tree = MemoryTree::default().with("a.json", company);
    assert_eq!(only(&mut tree, &standards()).not_on_legacy, ["itemTypeDefinitionRef"]);
    assert_eq!(only(&mut pictured(), &standards()).not_on_legacy, ["rank"]);
}

// What is read again.

/// A catalogue in which files share images and schemas.
fn catalogue() -> MemoryTree {
    MemoryTree::default()
        .with("items/a.json", sidecar("a", "\"image\": {\"localPath\": \"../assets/x.png\"},\n"))
        .with("items/b.json", sidecar("b", "\"image\": {\"localPath\": \"../assets/x.png\"},\n"))
        .with("items/c.json", sidecar("c", "\"image\": {\"localPath\": \"../link/y.png\"},\n"))
        .with("items/d.json", sidecar("d", "\"$schema\": \"../s/company.schema.json\",\n"))
        .with("items/e.yaml", sidecar("e", ""))
        .link("items/f.json", "../elsewhere/f")
        .with("elsewhere/f", sidecar("f", ""))
        .with("assets/x.png", PNG)
        .with("art/y.png", JPEG)
        .with("art2/y.png", PNG)
        .link("link", "art")
        .with("s/company.schema.json", r#"{"$ref": "base.schema.json"}"#)
        .with("s/base.schema.json", COMPANY)
}

/// Reads `after` once as a commit after `before` and once from a complete
/// listing; both must see what a first reading sees. Returns the item files
/// that were read.
fn reread(before: &MemoryTree, after: &MemoryTree) -> Vec<String> {
    let standards = standards();
    let fresh = read(&mut after.clone(), &standards);
    let mut seen = Seen::empty(standards.fingerprint());
    let Ok(_) = load(&mut before.clone(), &before.complete(), &standards, &mut seen);
    let since = after.since(before, &seen);
    let mut reads = Vec::new();
    for changes in [since, after.complete()] {
        let (mut tree, mut seen) = (after.clone(), seen.clone());
        let Ok((snapshot, _)) = load(&mut tree, &changes, &standards, &mut seen);
        assert_eq!(snapshot, fresh, "complete: {}", changes.complete);
        let Ok((again, untouched)) =
            load(&mut after.clone(), &after.complete(), &standards, &mut seen);
        assert_eq!((again, untouched), (fresh.clone(), Vec::new()), "and nothing is left to read");
        let items = |name: &&String| name.starts_with("items/") || name.starts_with("elsewhere/");
        let mut names: Vec<String> = tree.reads.iter().filter(items).cloned().collect();
        names.sort();
        reads.push(names);
    }
    assert_eq!(reads[0], reads[1], "both ways read the same files");
    reads.remove(0)
}

#[test]
fn a_change_reads_the_files_that_rest_on_it_and_no_other() {
    let base = catalogue();
    assert_eq!(
        names(&read(&mut base.clone(), &standards())),
        ["a NA", "b NA", "c NA", "d NA", "e NA", "f NA"]
    );
    let cases: [(&str, MemoryTree, &[&str]); 20] = [
        ("nothing", base.clone(), &[]),
        (
            "one file",
            base.clone().with("items/e.yaml", sidecar("e", "\"labels\": {},\n")),
            &["items/e.yaml"],
        ),
        ("a new file", base.clone().with("items/g.json", sidecar("g", "")), &["items/g.json"]),
        ("a removed file", base.clone().without("items/a.json"), &[]),
        ("a renamed file", base.clone().rename("items/a.json", "items/z.json"), &["items/z.json"]),
        (
            "an image",
            base.clone().with("assets/x.png", OTHER_PNG),
            &["items/a.json", "items/b.json"],
        ),
        ("an image goes", base.clone().without("assets/x.png"), &["items/a.json", "items/b.json"]),
        (
            "an image breaks",
            base.clone().with("assets/x.png", "text"),
            &["items/a.json", "items/b.json"],
        ),
        ("a folder's link", base.clone().link("link", "art2"), &["items/c.json"]),
        ("a link's target", base.clone().with("art/y.png", OTHER_PNG), &["items/c.json"]),
        ("a link goes", base.clone().without("link"), &["items/c.json"]),
        ("a link to a file", base.clone().link("link", "assets/x.png"), &["items/c.json"]),
        (
            "a folder for a link",
            base.clone().without("link").with("link/y.png", PNG),
            &["items/c.json"],
        ),
        ("a schema", base.clone().with("s/company.schema.json", COMPANY), &["items/d.json"]),
        ("a schema of a schema", base.clone().with("s/base.schema.json", "{}"), &["items/d.json"]),
        ("a schema goes", base.clone().without("s/base.schema.json"), &["items/d.json"]),
        (
            "a linked item",
            base.clone().with("elsewhere/f", sidecar("f", "\"labels\": {},\n")),
            &["elsewhere/f"],
        ),
        ("a linked item goes", base.clone().without("elsewhere/f"), &[]),
        ("a file nobody names", base.clone().with("assets/z.png", PNG), &[]),
        (
            "a link above an image",
            base.clone().rename("assets/x.png", "art/x.png").link("assets", "art"),
            &["items/a.json", "items/b.json"],
        ),
    ];
    for (what, after, expected) in cases {
        assert_eq!(reread(&base, &after), expected, "{what}");
        // The way back reads no more than what rests on the same paths.
        reread(&after, &base);
    }
}

#[test]
fn what_was_missing_is_read_when_it_appears() {
    let base =
        catalogue().without("assets/x.png").without("s/base.schema.json").without("elsewhere/f");
    assert_eq!(names(&read(&mut base.clone(), &standards())), ["c NA", "e NA"]);
    let both = ["items/a.json", "items/b.json"];
    assert_eq!(reread(&base, &base.clone().with("assets/x.png", PNG)), both);
    assert_eq!(reread(&base, &base.clone().with("art/x.png", PNG).link("assets", "art")), both);
    assert_eq!(reread(&base, &base.clone().with("s/base.schema.json", "{}")), ["items/d.json"]);
    assert_eq!(reread(&base, &base.clone().with("elsewhere/f", sidecar("f", ""))), ["elsewhere/f"]);
}

#[test]
fn bytes_that_a_clone_lacked_are_looked_for_in_every_reading() {
    let lost = catalogue()
        .node("assets/x.png", Node::Lost(PNG.to_vec()))
        .node("items/e.yaml", Node::Lost(sidecar("e", "").into_bytes()))
        .node("s/base.schema.json", Node::Lost(COMPANY.as_bytes().to_vec()));
    let standards = standards();
    let mut seen = Seen::empty(standards.fingerprint());
    let Ok((snapshot, _)) = load(&mut lost.clone(), &lost.complete(), &standards, &mut seen);
    assert_eq!(names(&snapshot), ["c NA", "f NA"]);
    // Fetched meanwhile: the commit is the same, so no path differs.
    let nothing = marketsync::domain::tree::Changes::default();
    let Ok((snapshot, _)) = load(&mut catalogue(), &nothing, &standards, &mut seen);
    assert_eq!(snapshot, read(&mut catalogue(), &standards));
    let Ok((_, touched)) = load(&mut catalogue(), &nothing, &standards, &mut seen);
    assert!(touched.is_empty());
}

#[test]
fn an_item_may_rest_on_a_file_that_is_listed_itself() {
    let base = MemoryTree::default()
        .with("items/a.json", sidecar("a", "\"$schema\": \"b.json\",\n"))
        .with("items/b.json", COMPANY);
    assert_eq!(reread(&base, &base.clone()), [""; 0]);
    assert_eq!(
        reread(&base, &base.clone().with("items/b.json", "{}")),
        ["items/a.json", "items/b.json", "items/b.json"]
    );
}

#[test]
fn a_double_that_goes_frees_the_other() {
    let base = catalogue();
    let double = base.clone().with("items/a2.json", sidecar("a", ""));
    reread(&base, &double);
    reread(&double, &base);
    reread(&double, &double.clone().without("items/a.json"));
}

#[derive(Debug, Clone)]
enum Edit {
    Put(usize, usize),
    Link(usize, usize),
    Remove(usize),
}

const PLACES: [&str; 9] = [
    "items/a.json",
    "items/b.json",
    "items/c.yaml",
    "assets/x.png",
    "art/x.png",
    "assets",
    "art",
    "s/base.schema.json",
    "s/company.schema.json",
];

fn content(number: usize) -> Vec<u8> {
    let texts = [
        sidecar("a", "\"image\": {\"localPath\": \"../assets/x.png\"},\n"),
        sidecar(
            "b",
            "\"image\": {\"localPath\": \"../art/x.png\"}, \"$schema\": \"../s/company.schema.json\",\n",
        ),
        sidecar("c", "\"$schema\": \"../s/base.schema.json\",\n"),
        COMPANY.to_owned(),
        r#"{"$ref": "base.schema.json"}"#.to_owned(),
        r#"{"properties": {"name": {"minLength": 9}}}"#.to_owned(),
        "{".to_owned(),
    ];
    texts
        .get(number)
        .map_or_else(|| [PNG, JPEG][number % 2].to_vec(), |text| text.clone().into_bytes())
}

/// What git can hold: nothing lies below a file or a link.
fn edited(mut tree: MemoryTree, edit: &Edit) -> MemoryTree {
    let (number, node) = match edit {
        Edit::Put(number, text) => (number, Some(Node::File(content(*text)))),
        Edit::Link(number, to) => {
            let up = "../".repeat(PLACES[*number].matches('/').count());
            (number, Some(Node::Link(format!("{up}{}", PLACES[*to]))))
        }
        Edit::Remove(number) => (number, None),
    };
    let at = path(PLACES[*number]);
    tree.nodes.remove(&at);
    if let Some(node) = node {
        tree.nodes.retain(|other, _| !other.is_within(&at) && !at.is_within(other));
        tree.nodes.insert(at, node);
    }
    tree
}

fn edits(most: usize) -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        6 => (0..PLACES.len(), 0..9_usize).prop_map(|(place, text)| Edit::Put(place, text)),
        2 => (0..PLACES.len(), 0..PLACES.len()).prop_map(|(place, to)| Edit::Link(place, to)),
        2 => (0..PLACES.len()).prop_map(Edit::Remove),
    ];
    proptest::collection::vec(edit, 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn reading_what_changed_is_reading_everything(first in edits(20), then in proptest::collection::vec(edits(4), 1..4)) {
        let standards = standards();
        let before = first.iter().fold(MemoryTree::default(), edited);
        let mut seen = Seen::empty(standards.fingerprint());
        let Ok(_) = load(&mut before.clone(), &before.complete(), &standards, &mut seen);
        let mut listed = seen.clone();
        let mut before = before;
        for edits in then {
            let after = edits.iter().fold(before.clone(), edited);
            let fresh = read(&mut after.clone(), &standards);
            let changes = after.since(&before, &seen);
            let Ok((snapshot, _)) = load(&mut after.clone(), &changes, &standards, &mut seen);
            prop_assert_eq!(&snapshot, &fresh);
            let Ok((snapshot, _)) = load(&mut after.clone(), &after.complete(), &standards, &mut listed);
            prop_assert_eq!(&snapshot, &fresh);
            prop_assert_eq!(&seen, &listed);
            before = after;
        }
    }
}

// The examples.

fn example(folder: &str) -> Snapshot {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(folder);
    read(&mut MemoryTree::of_folder(&folder), &standards())
}

#[test]
fn the_example_catalogue_has_no_problem() {
    let snapshot = example("catalogue");
    assert_eq!(briefs(&snapshot), [""; 0]);
    assert_eq!(snapshot.items.len(), 13);
}

#[test]
fn the_broken_examples_are_what_their_readme_says() {
    let snapshot = example("broken");
    assert_eq!(names(&snapshot), ["other-tenant NA", "trailing-comma NA"]);
    insta::assert_snapshot!(briefs(&snapshot).join("\n"), @"
    bad-indent.yaml:11:2 not valid YAML: while parsing a block mapping, did not find expected key
    comment.json:10:5 a comment; JSON has no comments [// to be replaced when 2.0.0 is out]
    duplicate-key.json:11:5 the key `dockerImage` stands twice in one object, first in line 10
    missing-brace.json:15:5 the object before this is not closed []]
    missing-image.json:8:27 /image/localPath no such file in this commit [`logo.png`]
    no-item-id.json:1:1  no itemId
    warning other-tenant.json:6:15 /tenantId tenantId is not the company acme [`acme-europe`]
    warning trailing-comma.json:12:68 a trailing comma
    twice-1.json:3:13 /itemId item twice NA is also in twice-2.json
    twice-2.json:3:13 /itemId item twice NA is also in twice-1.json
    unknown-type.json:5:11 /type the platform has no item type `sidcar`
    versioned-sidecar.json:7:3 /version items of type sidecar carry no version
    wrong-type.json:14:17 /resources/defaultProbes/liveness/port the value has the wrong type [3000]
    ");
    let no_id = snapshot.problems.iter().find(|problem| problem.path == "no-item-id.json").unwrap();
    assert_eq!(no_id.hint.as_deref(), Some("is `itemID` meant to be `itemId`?"));
    let readme = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/broken/README.md"),
    )
    .unwrap();
    let rows: Vec<Vec<&str>> = readme
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let mut expected = 0;
    for row in &rows {
        for file in row[1].split(", ").map(|file| file.trim_matches('`')) {
            expected += 1;
            let severity =
                if row[4].starts_with("warning") { Severity::Warning } else { Severity::Error };
            let place = row[3].split([',', ' ']).next().unwrap();
            let place = if place == "the" { "1:1" } else { place };
            let fits = |problem: &&Problem| {
                let position = problem.position.map(|at| format!("{}:{}", at.line, at.column));
                let pointer = problem.pointer.as_deref().unwrap_or_default();
                problem.path == file
                    && problem.severity == severity
                    && position.as_deref() == Some(place)
                    && (!row[3].contains('/') || row[3].contains(&format!("`{pointer}`")))
            };
            assert_eq!(
                snapshot.problems.iter().filter(fits).count(),
                1,
                "{row:?}: {:?}",
                briefs(&snapshot)
            );
        }
    }
    assert_eq!(snapshot.problems.len(), expected, "{:?}", briefs(&snapshot));
}
