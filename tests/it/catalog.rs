//! One commit to a snapshot: what is wrong with its files.

use std::fmt::Write as _;
use std::path::Path;

use marketsync::domain::catalog::{Bodies, Snapshot, load};
use marketsync::domain::item::Lifecycle;
use marketsync::domain::schema::Schemas;
use marketsync::domain::seen::Seen;
use marketsync::domain::source::{Problem, Severity};
use marketsync::domain::standards::{Standards, Tailoring};
use marketsync::domain::tree::{MAX_IMAGE_BYTES, MAX_ITEM_BYTES};

use crate::support::domain::key;
use crate::support::memory_tree::{MemoryTree, Node, path};

pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n one";
pub(crate) const OTHER_PNG: &[u8] = b"\x89PNG\r\n\x1a\n two";
pub(crate) const JPEG: &[u8] = b"\xff\xd8\xff\xe0 three";

pub(crate) fn standards() -> Standards {
    Standards {
        schemas: Schemas::new().unwrap(),
        tailoring: Tailoring { set_tenant: None, default_lifecycle: Lifecycle::Published },
        company: Some("acme".to_owned()),
        strict: false,
    }
}

/// A whole reading of a commit.
pub(crate) fn read(tree: &mut MemoryTree, standards: &Standards) -> Snapshot {
    let mut seen = Seen::empty(standards.fingerprint());
    let changes = tree.complete();
    let Ok((snapshot, _)) = load(tree, &changes, standards, &mut seen);
    snapshot
}

/// A valid sidecar; `more` goes in front of its last member.
pub(crate) fn sidecar(id: &str, more: &str) -> String {
    format!(
        r#"{{"itemId": "{id}", "name": "{id}", "description": "d", "tenantId": "acme", "type": "sidecar",
"documentation": {{"type": "markdown", "url": "u"}},
{more}"resources": {{"name": "{id}", "dockerImage": "i"}}}}"#
    )
}

/// A valid plugin of this version, whose members are easy to change.
pub(crate) fn plugin(id: &str, version: &str, resources: &str) -> String {
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

pub(crate) fn briefs(snapshot: &Snapshot) -> Vec<String> {
    snapshot.problems.iter().map(brief).collect()
}

pub(crate) fn names(snapshot: &Snapshot) -> Vec<String> {
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
#[expect(clippy::too_many_lines, reason = "a table, read row by row")]
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
        (
            versioned(&format!("1.0.0-{}", "a".repeat(200))),
            "a.json:2:21 /version/name version.name has 206 bytes",
        ),
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

pub(crate) const COMPANY: &str = r#"{"properties": {"name": {"maxLength": 3}}}"#;

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
