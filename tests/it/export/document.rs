//! One live document to one file: what is left out, in which order, where.

use std::collections::BTreeMap;

use marketsync::domain::canon::{Generation, same};
use marketsync::domain::export::{Place, document, item_type, text};
use marketsync::domain::item::{Digest, ImageFormat, ImageSlot, ItemKey, ItemType, RepoPath};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::market::key;

fn file(live: &Value, generation: Generation) -> Value {
    document(live, generation, &BTreeMap::new())
}

/// An item as it is read from the new API (`marketplace-api.md` §8.1).
fn read() -> Value {
    json!({
        "_id": "66423781fdd3d6dd3ca62b7b", "__v": 3, "isLatest": true, "componentsIds": ["c"],
        "createdAt": "2024-01-01T00:00:00Z", "__STATE__": "PUBLIC",
        "itemId": "alpha", "name": "Alpha", "tenantId": "acme", "type": "plugin",
        "itemTypeDefinitionRef": { "namespace": "mia-platform", "name": "plugin" },
        "category": { "id": "devportal", "label": "Dev portal" },
        "lifecycleStatus": "published", "releaseDate": "2024-01-01T00:00:00.000Z",
        "releaseStage": "stable", "comingSoon": false, "publishOnMiaDocumentation": true,
        "version": { "name": "1.0.0", "releaseNote": "first", "security": true },
        "visibility": { "public": true, "allTenants": false },
        "imageUrl": "https://example.com/a.png", "repositoryUrl": null, "typo": 1,
        "labels": { "b": "2", "a": "1" },
        "resources": { "services": { "s": { "z": [], "name": "s", "a": { "y": 1.5, "name": "n" } } } },
    })
}

#[test]
fn what_the_server_adds_is_left_out_and_the_rest_stands_in_order() {
    insta::assert_snapshot!(text(&file(&read(), Generation::New)), @r#"
    {
      "itemId": "alpha",
      "name": "Alpha",
      "itemTypeDefinitionRef": {
        "name": "plugin",
        "namespace": "mia-platform"
      },
      "version": {
        "name": "1.0.0",
        "releaseNote": "first",
        "security": true
      },
      "lifecycleStatus": "published",
      "releaseDate": "2024-01-01T00:00:00.000Z",
      "tenantId": "acme",
      "categoryId": "devportal",
      "imageUrl": "https://example.com/a.png",
      "visibility": {
        "public": true
      },
      "labels": {
        "a": "1",
        "b": "2"
      },
      "resources": {
        "services": {
          "s": {
            "name": "s",
            "a": {
              "name": "n",
              "y": 1.5
            },
            "z": []
          }
        }
      }
    }
    "#);
    assert!(text(&json!({})).ends_with("{}\n"));
}

#[test]
fn the_older_model_keeps_its_own_words_and_no_defaults() {
    let live = json!({
        "itemId": "old", "name": "Old", "tenantId": "acme", "type": "sidecar", "resources": {},
        "version": { "name": "NA", "releaseNote": "-" }, "releaseDate": "2024-01-01T00:00:00Z",
        "visibility": { "public": false, "allTenants": false }, "lifecycleStatus": "published",
        "releaseStage": "beta", "comingSoon": false, "publishOnMiaDocumentation": false,
    });
    assert_eq!(
        file(&live, Generation::Legacy),
        json!({
            "itemId": "old", "name": "Old", "tenantId": "acme", "type": "sidecar", "resources": {},
            "releaseStage": "beta", "publishOnMiaDocumentation": false,
        })
    );
    let mut soon = live.clone();
    soon["comingSoon"] = json!(true);
    let soon = file(&soon, Generation::Legacy);
    assert_eq!((&soon["comingSoon"], soon.get("releaseStage")), (&json!(true), None));
    for stage in ["stable", ""] {
        let mut live = live.clone();
        live["releaseStage"] = json!(stage);
        assert_eq!(file(&live, Generation::Legacy).get("releaseStage"), None, "{stage}");
    }
    // Console 14.0 speaks the new API and has no references.
    let of_14_0 = file(&live, Generation::New);
    assert_eq!(
        (&of_14_0["type"], &of_14_0["lifecycleStatus"], of_14_0.get("visibility")),
        (&json!("sidecar"), &json!("published"), None)
    );
}

#[test]
fn the_type_has_one_spelling() {
    let both = |namespace: &str| json!({ "type": "robot", "itemTypeDefinitionRef": { "namespace": namespace, "name": "robot" } });
    for (namespace, generation, kept, dropped) in [
        ("mia-platform", Generation::New, "itemTypeDefinitionRef", "type"),
        ("acme", Generation::New, "itemTypeDefinitionRef", "type"),
        ("acme", Generation::Legacy, "itemTypeDefinitionRef", "type"),
        ("mia-platform", Generation::Legacy, "type", "itemTypeDefinitionRef"),
    ] {
        let file = file(&both(namespace), generation);
        assert!(file.get(kept).is_some() && file.get(dropped).is_none(), "{namespace} {file}");
    }
    assert_eq!(item_type(&both("acme")).unwrap().to_string(), "acme/robot");
    assert_eq!(item_type(&json!({ "type": "plugin" })), Some(ItemType::platform("plugin")));
    assert_eq!(item_type(&json!({ "type": 1 })), None);
}

fn place(key: &ItemKey, namespace: &str, name: &str) -> Result<String, String> {
    let item_type = ItemType { namespace: namespace.to_owned(), name: name.to_owned() };
    let place = Place::of(key, &item_type).map_err(|error| error.to_string())?;
    Ok(place.file.as_str().to_owned())
}

#[test]
fn an_item_has_its_place_or_none() {
    let alpha = key("alpha", "NA");
    assert_eq!(place(&alpha, "mia-platform", "sidecar").unwrap(), "sidecar/alpha/versions/NA.json");
    let build = key("alpha", "1.0.0-rc.1+b.5");
    assert_eq!(
        place(&build, "a.b_c-1", "robot").unwrap(),
        "a.b_c-1.robot/alpha/versions/1.0.0-rc.1+b.5.json"
    );
    // A file called `….schema.json` would be passed over.
    let schema = key("alpha", "1.0.0-a.schema");
    assert_eq!(
        place(&schema, "mia-platform", "plugin").unwrap(),
        "plugin/alpha/versions/1.0.0-a.schema_.json"
    );
    for (namespace, name) in [
        ("mia-platform", "../x"),
        ("mia-platform", "a/b"),
        ("mia-platform", ".."),
        ("mia-platform", ".git"),
        ("mia-platform", "node_modules"),
        ("mia-platform", ""),
        ("..", "robot"),
        ("../..", "robot"),
        (".git", "robot"),
        ("a/b", "robot"),
        ("a\\b", "robot"),
        ("a\0b", "robot"),
        ("", "robot"),
        ("acme", ".."),
        (&"n".repeat(64), "robot"),
    ] {
        let why = place(&alpha, namespace, name).unwrap_err();
        assert!(why.contains("makes no name of a folder"), "{namespace:?} {name:?}: {why}");
    }
}

#[test]
fn pictures_are_named_by_what_they_are() {
    let place = Place::of(&key("alpha", "NA"), &ItemType::platform("sidecar")).unwrap();
    let named = |slot, format, taken| place.picture(slot, format, taken).unwrap();
    let plain = named(ImageSlot::Image, ImageFormat::Png, None);
    assert_eq!(plain.as_str(), "sidecar/alpha/assets/image.png");
    let other = named(ImageSlot::SupportedByImage, ImageFormat::Jpeg, Some(Digest::of(b"x")));
    let digits = Digest::of(b"x").to_string()[3..15].to_owned();
    assert_eq!(other.as_str(), format!("sidecar/alpha/assets/supported-by-{digits}.jpg"));

    let live = json!({ "itemId": "alpha", "imageUrl": "/v2/files/download/a", "supportedByImageUrl": "/b" });
    let pictures: BTreeMap<ImageSlot, RepoPath> = [(ImageSlot::Image, plain)].into();
    assert_eq!(
        document(&live, Generation::New, &pictures),
        json!({
            "itemId": "alpha", "image": { "localPath": "../assets/image.png" },
            "supportedByImageUrl": "/b",
        })
    );
}

#[test]
fn a_file_plays_no_tricks_and_means_the_same() {
    let evil = json!({ "name": "a\u{202e}b\u{1b}[2J\u{9b}\u{7f}\u{200d}", "\u{202e}k": ["é🦀", "</script>"] });
    let text = text(&evil);
    assert!(
        text.contains(r"a\u202eb\u001b[2J\u009b\u007f\u200d") && text.contains("é🦀"),
        "{text}"
    );
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), evil);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e300..1e300).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #[test]
    fn a_text_is_its_document(value in value()) {
        let text = text(&value);
        prop_assert!(same(&serde_json::from_str(&text).unwrap(), &value), "{}", text);
        prop_assert!(text.ends_with('\n') && !text.ends_with("\n\n"));
    }
}
