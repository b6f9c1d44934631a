//! What is read again after a change, and that no other reading would say
//! anything else.

use marketsync::domain::catalog::load;
use marketsync::domain::seen::{MAX_PROBLEMS, Seen};
use marketsync::domain::source::Severity;
use proptest::prelude::*;

use crate::catalog::{COMPANY, JPEG, OTHER_PNG, PNG, names, read, sidecar, standards};
use crate::support::memory_tree::{MemoryTree, Node, path};

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

/// A file with as many mistakes as are told of one.
fn mistaken(number: usize) -> String {
    let commas: Vec<String> = (0..25).map(|n| format!("\"k{n}\": [1,]")).collect();
    format!("{{{}}}{}", commas.join(", "), " ".repeat(number))
}

#[test]
fn what_is_remembered_of_mistakes_has_an_end() {
    let standards = standards();
    let mut tree = MemoryTree::default();
    for number in 0..600 {
        tree = tree.with(&format!("items/{number:03}.json"), mistaken(number));
    }
    let mut seen = Seen::empty(standards.fingerprint());
    let changes = tree.complete();
    let Ok((snapshot, _)) = load(&mut tree, &changes, &standards, &mut seen);
    let told = |seen: &Seen, at: &str| seen.files()[&path(at)].problems.len();
    let all: usize = seen.files().values().map(|reading| reading.problems.len()).sum();
    assert!(all < MAX_PROBLEMS + 600, "{all} problems are remembered");
    assert!(snapshot.is_broken() && snapshot.problems.len() <= MAX_PROBLEMS + 1);
    assert!(told(&seen, "items/000.json") > 20);
    // Each file is told, the last with the worst of it.
    assert_eq!(told(&seen, "items/599.json"), 1);
    let last = &seen.files()[&path("items/599.json")].problems[0];
    assert_eq!(last.severity, Severity::Error);
    assert!(last.hint.as_ref().unwrap().contains("more in this file"), "{last:?}");
    // When the others are mended, all of it is told.
    let mut mended = tree.clone();
    for number in 0..590 {
        mended = mended.without(&format!("items/{number:03}.json"));
    }
    let changes = mended.since(&tree, &seen);
    let Ok((snapshot, _)) = load(&mut mended, &changes, &standards, &mut seen);
    assert!(told(&seen, "items/599.json") > 20);
    assert_eq!(snapshot, read(&mut mended, &standards));
}

#[test]
fn what_rests_on_too_much_is_read_again() {
    let standards = standards();
    let name = |number| {
        format!("a-rather-long-name-of-a-schema-of-the-company-as-they-are-{number}.schema.json")
    };
    let first = format!("\"$schema\": \"{}\",\n", name(0));
    let mut tree = MemoryTree::default().with("items/a.json", sidecar("a", &first));
    for number in 0..30 {
        let next = format!("{{\"$ref\": \"{}\"}}", name(number + 1));
        tree = tree.with(&format!("items/{}", name(number)), next);
    }
    let last = format!("items/{}", name(30));
    tree = tree.with(&last, "{}");
    let mut seen = Seen::empty(standards.fingerprint());
    let changes = tree.complete();
    let Ok((snapshot, _)) = load(&mut tree, &changes, &standards, &mut seen);
    assert_eq!(names(&snapshot), ["a NA"], "{snapshot:?}");
    assert!(seen.files()[&path("items/a.json")].rests_on.len() < 30);
    // What it rests on changes, and it is noticed all the same.
    let mut after = tree.clone().with(&last, "false");
    let changes = after.since(&tree, &seen);
    let Ok((snapshot, _)) = load(&mut after, &changes, &standards, &mut seen);
    assert!(snapshot.is_broken());
}
