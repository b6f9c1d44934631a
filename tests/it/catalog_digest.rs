//! Who an item is and what it hashes to.

use marketsync::domain::item::{Digest, Item, ItemType, Lifecycle};
use marketsync::domain::standards::{Standards, Tailoring};

use crate::catalog::{JPEG, OTHER_PNG, PNG, briefs, plugin, read, sidecar, standards};
use crate::support::memory_tree::MemoryTree;

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
