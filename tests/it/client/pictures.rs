use std::collections::BTreeMap;

use marketsync::domain::event::{Action, Reason};
use marketsync::domain::images::{ImageLocation, ImageLocations, ImageName};
use marketsync::domain::item::{ImageSlot, Item};
use marketsync::domain::plan::Look;
use marketsync::edge::marketplace::{CallError, SendError, Sent};
use serde_json::{Value, json};
use std::sync::Arc;

use super::{market, observe, send, send_with};
use crate::support::scripted::{Answer, Scripted, Seen, json_answer, text_answer};
use crate::support::shop::{Shop, change, create, document};

const NEW: &str = "POST /api/tenants/acme/marketplace/files";
const OLD: &str = "POST /api/backend/marketplace/tenants/acme/files";
const POST: &str = "POST /api/tenants/acme/marketplace/items";

fn pictured(shop: &mut Shop, item_id: &str, version: &str, bytes: &[u8]) -> Arc<Item> {
    let mut document = document(item_id, version);
    document["image"] = json!({ "localPath": "img/a.png" });
    let picture = shop.picture(ImageSlot::Image, "items/img/a \"b\".png", bytes);
    shop.put(&document, vec![picture])
}

fn name(item: &Item) -> ImageName {
    ImageName {
        digest: item.images[0].digest,
        item_id: item.key.item_id.clone(),
        slot: item.images[0].slot,
    }
}

/// The parts of a form: their headers and bodies.
fn parts(body: &[u8]) -> Vec<(String, String)> {
    let body = String::from_utf8_lossy(body).into_owned();
    let boundary = body.lines().next().unwrap().to_owned();
    let parts = body
        .split(&boundary)
        .filter_map(|part| part.trim_start_matches("\r\n").split_once("\r\n\r\n"));
    parts
        .map(|(head, value)| (head.to_owned(), value.trim_end_matches("\r\n").to_owned()))
        .collect()
}

/// A part that is no file.
fn plain(name: &str, value: &str) -> (String, String) {
    let head = format!("Content-Disposition: form-data; name=\"{name}\"");
    (head, value.to_owned())
}

#[tokio::test]
async fn a_picture_goes_up_once_and_as_the_vendors_client_sends_it() {
    let server = Scripted::start().await;
    let mut shop = Shop::new();
    let changes =
        ["1.0.0", "2.0.0"].map(|version| create(&pictured(&mut shop, "a", version, b"\x89PNG!")));
    let mut locations = ImageLocations::default();
    let market = market(&server);
    let (told, result) =
        send_with(&market, &mut shop, changes.to_vec(), &mut locations, &BTreeMap::new()).await;
    result.unwrap();
    let uploads = server.seen(NEW);
    assert_eq!(uploads.len(), 1);
    assert!(uploads[0].header("content-type").starts_with("multipart/form-data; boundary="));
    assert_eq!(uploads[0].header("content-length"), uploads[0].body.len().to_string());
    let file = "Content-Disposition: form-data; name=\"marketplace_image\"; filename=\"items/img/a \\\"b\\\".png\"\r\nContent-Type: image/png";
    let expected = [
        (file.to_owned(), "\u{fffd}PNG!".to_owned()),
        plain("itemId", "a"),
        plain("assetType", "imageAssetType"),
        plain("tenantId", "acme"),
        plain("version", "1.0.0"),
    ];
    assert_eq!(parts(&uploads[0].body), expected);
    let Some(Sent::Uploaded(ImageLocation { location, .. })) = told.sent.first() else {
        panic!("{:?}", told.sent)
    };
    let rows = server.seen(POST)[0].json();
    for row in rows["resources"].as_array().unwrap() {
        assert_eq!((row["imageUrl"].as_str(), row.get("image")), (Some(location.as_str()), None));
    }
    // What is known and still there is not sent again, and looked at once.
    let files = |seen: &Seen| {
        seen.path.starts_with("/v2/").then(|| Answer::Whole {
            status: 200,
            headers: Vec::new(),
            body: b"\x89PNG!".to_vec(),
        })
    };
    server.rule(files);
    let (told, _) =
        send_with(&market, &mut shop, changes.to_vec(), &mut locations, &BTreeMap::new()).await;
    assert_eq!((server.seen(NEW).len(), told.sent.len()), (1, 1));
    assert!(locations.take_fresh().is_empty());
    assert_eq!(server.seen("GET /v2/").len(), 1);
}

#[tokio::test]
async fn a_picture_that_went_with_its_item_goes_up_again() {
    let gone = json_answer(404, &json!({ "message": "gone" }));
    for (reason, answer, uploads) in [
        (Reason::Missing, gone.clone(), 1),
        (Reason::Missing, text_answer(200, "other"), 1),
        (Reason::Missing, text_answer(200, "same"), 0),
        (Reason::New, gone.clone(), 1),
        (Reason::Edited, gone, 0),
    ] {
        let server = Scripted::start().await;
        let mut shop = Shop::new();
        let items = ["1.0.0", "2.0.0"].map(|version| pictured(&mut shop, "a", version, b"same"));
        let known = "/v2/files/download/live.png".to_owned();
        let mut locations = ImageLocations::from_iter([ImageLocation {
            name: name(&items[0]),
            location: known.clone(),
        }]);
        server.once(DOWNLOAD, answer);
        let changes = items.iter().map(|item| change(Action::Create, reason, item)).collect();
        let (told, result) =
            send_with(&market(&server), &mut shop, changes, &mut locations, &BTreeMap::new()).await;
        result.unwrap();
        assert!(told.outcomes().iter().all(|outcome| outcome.result.is_ok()));
        assert_eq!(server.seen(NEW).len(), uploads, "{reason}");
        assert_eq!(server.seen(DOWNLOAD).len(), usize::from(reason != Reason::Edited));
        let now = locations.get(&name(&items[0])).unwrap();
        assert_eq!(now == known, uploads == 0);
        let row = &server.seen(POST)[0].json()["resources"][0];
        assert_eq!(row["imageUrl"], now);
    }
}

#[tokio::test]
async fn a_picture_that_cannot_be_seen_for_a_moment_keeps_back_its_item() {
    let server = Scripted::start().await;
    let mut shop = Shop::new();
    let item = pictured(&mut shop, "a", "NA", b"same");
    let location = "/v2/files/download/live.png".to_owned();
    let mut locations = ImageLocations::from_iter([ImageLocation { name: name(&item), location }]);
    server.once(DOWNLOAD, text_answer(502, ""));
    let changes =
        vec![change(Action::Create, Reason::Missing, &item), create(&shop.item("plain", "NA"))];
    let (told, result) =
        send_with(&market(&server), &mut shop, changes, &mut locations, &BTreeMap::new()).await;
    result.unwrap();
    assert!(told.trouble("a").0.contains("image could not be read back"));
    assert_eq!(server.seen(POST)[0].items(), ["plain NA"]);
    assert!(server.seen(NEW).is_empty() && locations.get(&name(&item)).is_some());
}

#[tokio::test]
async fn the_older_path_is_taken_where_the_new_one_is_missing() {
    let server = Scripted::start().await;
    server.rule(|seen| {
        let new = seen.path == "/api/tenants/acme/marketplace/files";
        new.then(|| json_answer(404, &json!({ "message": "no route" })))
    });
    let mut shop = Shop::new();
    let changes =
        ["a", "b", "c"].iter().map(|id| create(&pictured(&mut shop, id, "NA", b"x"))).collect();
    let (told, result) = send(&market(&server), &mut shop, changes).await;
    result.unwrap();
    assert!(told.outcomes().iter().all(|outcome| outcome.result.is_ok()));
    assert_eq!((server.seen(NEW).len(), server.seen(OLD).len()), (1, 3));
    assert!(parts(&server.seen(OLD)[0].body).iter().all(|(head, _)| !head.contains("\"version\"")));
}

#[tokio::test]
async fn a_picture_that_does_not_go_keeps_back_only_its_item() {
    let server = Scripted::start().await;
    server.once(NEW, json_answer(422, &json!({ "message": "not a picture" })));
    server.once(NEW, text_answer(500, "<html>"));
    server.once(NEW, json_answer(200, &json!({ "_id": "x" })));
    server.once(NEW, json_answer(200, &json!({ "location": "/v2/a\nb" })));
    let mut shop = Shop::new();
    let mut changes: Vec<_> = ["a", "b", "c", "d", "e"]
        .iter()
        .map(|id| create(&pictured(&mut shop, id, "NA", id.as_bytes())))
        .collect();
    changes.push(create(&shop.item("plain", "NA")));
    let (told, result) = send(&market(&server), &mut shop, changes).await;
    result.unwrap();
    assert_eq!(told.rejection("a"), "the marketplace refuses the picture: not a picture");
    assert!(told.trouble("b").0.contains("image could not be uploaded"));
    assert!(
        told.trouble("c").0.contains("names no location")
            && told.trouble("d").0.contains("names no location")
    );
    assert_eq!(server.seen(POST)[0].items(), ["e NA", "plain NA"]);
    assert!(told.of("e").is_ok() && told.of("plain").is_ok());
}

#[tokio::test]
async fn the_second_picture_of_an_item_that_is_kept_back_stays_here() {
    let server = Scripted::start().await;
    server.once(NEW, json_answer(415, &json!({ "message": "not a picture" })));
    let mut shop = Shop::new();
    let slots = ImageSlot::ALL.map(|slot| shop.picture(slot, "a.png", b"x"));
    let change = create(&shop.put(&document("a", "NA"), slots.to_vec()));
    let (told, result) = send(&market(&server), &mut shop, vec![change]).await;
    result.unwrap();
    assert!(told.rejection("a").contains("not a picture"));
    assert_eq!((server.seen(NEW).len(), server.seen(POST).len()), (1, 0));
}

#[tokio::test]
async fn nobody_may_upload_ends_the_pass() {
    let server = Scripted::start().await;
    server.once(NEW, json_answer(403, &json!({ "message": "no" })));
    let mut shop = Shop::new();
    let changes = vec![create(&pictured(&mut shop, "a", "NA", b"x"))];
    let (_, result) = send(&market(&server), &mut shop, changes).await;
    assert!(matches!(result, Err(SendError::Call(CallError::Refused { status: 403, .. }))));
}

const DOWNLOAD: &str = "GET /v2/files/download/live.png";

/// Looks as often as said at an item with this `imageUrl`, whose bytes are to
/// be `same`; whether it agrees, and how often the picture was fetched.
async fn compared(url: &Value, answer: Answer, times: usize) -> (bool, usize) {
    let server = Scripted::start().await;
    let mut shop = Shop::new();
    let item = pictured(&mut shop, "a", "NA", b"same");
    let mut there = document("a", "NA");
    there["imageUrl"] = url.clone();
    server.rule(move |seen| seen.path.contains("/versions/").then(|| json_answer(200, &there)));
    server.once(DOWNLOAD, answer);
    let mut locations = ImageLocations::default();
    let market = market(&server);
    let mut agrees = false;
    for _ in 0..times {
        let live = observe(&market, &mut shop, &mut locations).await.unwrap();
        agrees = live[&item.key] == Look::Agrees { object_id: None };
        let fields = vec!["/image".to_owned()];
        let differs = Look::Differs { object_id: None, fields };
        assert!(agrees || live[&item.key] == differs, "{live:?}");
    }
    let known = locations.get(&name(&item)).is_some();
    assert_eq!((known, locations.take_fresh().len()), (agrees, usize::from(agrees)));
    (agrees, server.seen(DOWNLOAD).len())
}

#[tokio::test]
async fn a_live_picture_is_compared_by_its_bytes_once() {
    let file = json!("/v2/files/download/live.png");
    let same = text_answer(200, "same");
    assert_eq!(compared(&file, same.clone(), 2).await, (true, 1));
    for other in [
        text_answer(200, "other"),
        json_answer(404, &json!({ "message": "gone" })),
        text_answer(302, "").with("location", "http://127.0.0.1:1/"),
        text_answer(200, &"x".repeat(3 << 20)),
    ] {
        assert_eq!(compared(&file, other.clone(), 1).await, (false, 1), "{other:?}");
    }
    for elsewhere in ["http://127.0.0.1:1/live.png", "//127.0.0.1:1/live.png", "live.png"] {
        assert_eq!(compared(&json!(elsewhere), same.clone(), 1).await, (false, 0), "{elsewhere}");
    }
    assert_eq!(compared(&json!(null), same, 1).await, (false, 0));
}

#[tokio::test]
async fn a_live_picture_that_cannot_be_fetched_now_is_no_difference() {
    for answer in [
        Answer::Cut,
        text_answer(408, ""),
        text_answer(425, ""),
        text_answer(429, ""),
        text_answer(500, "<html>"),
        text_answer(503, ""),
    ] {
        let server = Scripted::start().await;
        let mut shop = Shop::new();
        let item = pictured(&mut shop, "a", "NA", b"same");
        let mut there = document("a", "NA");
        there["imageUrl"] = json!("/v2/files/download/live.png");
        server.rule(move |seen| seen.path.contains("/versions/").then(|| json_answer(200, &there)));
        server.once(DOWNLOAD, answer.clone());
        let mut locations = ImageLocations::default();
        let live = observe(&market(&server), &mut shop, &mut locations).await.unwrap();
        let Look::Failed { why } = &live[&item.key] else { panic!("{answer:?}: {live:?}") };
        assert!(why.starts_with("image cannot be compared: "), "{why}");
        assert!(locations.get(&name(&item)).is_none());
    }
}

#[tokio::test]
async fn who_edits_an_item_does_not_choose_what_is_fetched() {
    for url in [
        "/api/tenants/acme/marketplace/items",
        "/v2/files/download/live.png?as=other",
        "/v2/files/download/live.png#x",
        "/v2/files/download/../../../api/companies",
        "/v2/files/download/a/live.png",
        "/v2/files/live.png",
    ] {
        for is_known in [false, true] {
            let server = Scripted::start().await;
            let mut shop = Shop::new();
            let item = pictured(&mut shop, "a", "NA", b"same");
            let mut there = document("a", "NA");
            there["imageUrl"] = json!(url);
            server.rule(move |seen| {
                let is_look = seen.path.contains("/versions/");
                Some(if is_look { json_answer(200, &there) } else { text_answer(200, "same") })
                    .filter(|_| !seen.path.ends_with("/token") && !seen.path.ends_with("/version"))
            });
            // Known of another picture: what an upload named may be fetched.
            let other = ImageName { slot: ImageSlot::SupportedByImage, ..name(&item) };
            let known = ImageLocation { name: other, location: url.to_owned() };
            let mut locations: ImageLocations = is_known.then_some(known).into_iter().collect();
            let live = observe(&market(&server), &mut shop, &mut locations).await.unwrap();
            let fetched = server.seen("GET").len() - 2;
            let agrees = matches!(live[&item.key], Look::Agrees { .. });
            let may_be = is_known && !url.contains(['?', '#']) && !url.contains("..");
            assert_eq!((fetched, agrees), (usize::from(may_be), may_be), "{url} {is_known}");
        }
    }
}
