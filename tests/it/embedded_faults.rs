//! The embedded marketplace: its switches, its faults, its journal.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use marketsync::embedded::{
    self, DeleteFiles, EmbeddedError, Fault, FaultKind, JournalError, ListRows, ManifestForm,
    PartialFailure, Reapply, Route, RowOrder, Settings, Switches, TenantMismatch, UnknownKeys,
    UnknownVersions, Upsert, WrittenDefaults,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::embedded::upload;
use crate::support::market::{COMPANY, Market, PNG, key, path_of, plugin, sidecar};

async fn with(switches: Switches) -> Market {
    Market::start(Settings { switches, ..Settings::default() }).await
}

fn flags(body: &Value) -> (bool, bool, bool) {
    let row = &body["items"][0];
    let flag = |name: &str| row[name].as_bool().unwrap();
    (flag("done"), flag("inserted"), flag("updated"))
}

#[tokio::test]
async fn upsert_replaces_or_merges() {
    let mut slim = sidecar("a");
    slim.as_object_mut().unwrap().remove("description");
    for (upsert, kept) in [(Upsert::Replace, false), (Upsert::Merge, true)] {
        let market = with(Switches { upsert, ..Switches::default() }).await;
        market.apply(&[sidecar("a")]).await;
        let before = market.handle.item(COMPANY, &key("a", "NA")).unwrap();
        market.apply(&[slim.clone()]).await;
        let after = market.handle.item(COMPANY, &key("a", "NA")).unwrap();
        assert_eq!(after.get("description").is_some(), kept, "{upsert:?}");
        assert_eq!(before["releaseDate"], after["releaseDate"]);
    }
}

#[tokio::test]
async fn unknown_keys_are_rejected_dropped_or_kept() {
    let mut item = sidecar("a");
    item["descripton"] = json!("A typo");
    for (unknown_keys, done, stored) in [
        (UnknownKeys::Reject, false, false),
        (UnknownKeys::Drop, true, false),
        (UnknownKeys::Keep, true, true),
    ] {
        let market = with(Switches { unknown_keys, ..Switches::default() }).await;
        let (_, body) = market.apply(&[item.clone()]).await;
        assert_eq!(flags(&body).0, done, "{unknown_keys:?}: {body}");
        let kept = market
            .handle
            .item(COMPANY, &key("a", "NA"))
            .is_some_and(|item| item.get("descripton").is_some());
        assert_eq!(kept, stored, "{unknown_keys:?}");
    }
    let mut item = sidecar("a");
    item["$schema"] = json!("../manifest.schema.json");
    let market = with(Switches::default()).await;
    let (_, body) = market.apply(&[item]).await;
    assert!(flags(&body).0, "as the public catalogue has it: {body}");
    assert_eq!(market.handle.item(COMPANY, &key("a", "NA")).unwrap().get("$schema"), None);
}

#[tokio::test]
async fn a_reapply_sets_the_flag_that_was_chosen() {
    let market = with(Switches { reapply: Reapply::Neither, ..Switches::default() }).await;
    market.apply(&[sidecar("a")]).await;
    assert_eq!(flags(&market.apply(&[sidecar("a")]).await.1), (true, false, false));
    let mut changed = sidecar("a");
    changed["name"] = json!("Another");
    assert_eq!(flags(&market.apply(&[changed]).await.1), (true, false, true));
}

#[tokio::test]
async fn rows_may_come_the_other_way_round() {
    let market = with(Switches { order: RowOrder::Reversed, ..Switches::default() }).await;
    let (_, body) = market.apply(&[sidecar("a"), sidecar("b")]).await;
    assert_eq!(
        (&body["items"][0]["itemId"], &body["items"][1]["itemId"]),
        (&json!("b"), &json!("a"))
    );
}

#[tokio::test]
async fn a_partial_failure_may_fail_the_request() {
    for (partial_failure, status, stored) in [
        (PartialFailure::PerItem, 200, true),
        (PartialFailure::RefuseAll, 422, false),
        (PartialFailure::StoreRest, 422, true),
    ] {
        let market = with(Switches { partial_failure, ..Switches::default() }).await;
        let mut bad = sidecar("bad");
        bad["resources"] = json!({});
        let (answered, body) = market.apply(&[sidecar("a"), bad]).await;
        assert_eq!(answered.as_u16(), status, "{partial_failure:?}: {body}");
        assert_eq!(
            market.handle.item(COMPANY, &key("a", "NA")).is_some(),
            stored,
            "{partial_failure:?}"
        );
        if status == 422 {
            assert!(body["message"].as_str().unwrap().starts_with("item bad:"), "{body}");
        }
    }
}

#[tokio::test]
async fn a_foreign_tenant_is_written_over_accepted_or_refused() {
    let mut item = sidecar("a");
    item["tenantId"] = json!("other");
    for (tenant_mismatch, status, owner) in [
        (TenantMismatch::Overwrite, 200, Some(COMPANY)),
        (TenantMismatch::Accept, 200, Some("other")),
        (TenantMismatch::RejectItem, 200, None),
        (TenantMismatch::BadRequest, 400, None),
        (TenantMismatch::Forbidden, 403, None),
    ] {
        let market = with(Switches { tenant_mismatch, ..Switches::default() }).await;
        let (answered, _) = market.apply(&[item.clone()]).await;
        assert_eq!(answered.as_u16(), status, "{tenant_mismatch:?}");
        let names: Vec<String> = market.handle.items().into_keys().collect();
        assert_eq!(
            names,
            owner.map(|owner| format!("{owner} a NA")).into_iter().collect::<Vec<_>>()
        );
    }
}

#[tokio::test]
async fn the_switches_of_reading() {
    let market = with(Switches {
        list_rows: ListRows::Version,
        unknown_versions: UnknownVersions::Empty,
        written_defaults: WrittenDefaults::On,
        manifest_form: ManifestForm::Off,
        ..Switches::default()
    })
    .await;
    market.apply(&[plugin("p", "1.0.0"), plugin("p", "1.1.0"), sidecar("a")]).await;
    assert_eq!(market.get("/api/marketplace/").await.1.as_array().unwrap().len(), 3);
    assert_eq!(
        market.get("/api/tenants/acme/marketplace/items/nobody/versions").await,
        (200.try_into().unwrap(), json!([]))
    );
    let (_, item) = market.get(&path_of("a", "NA")).await;
    assert_eq!(item["resources"]["containerPorts"][0]["protocol"], json!("TCP"));
    assert_eq!(item["visibility"], json!({ "public": false, "allTenants": false }));
    let url = format!("{}{}", market.url, path_of("a", "NA"));
    let asked = market.http.get(url).header("accept", "application/json; as=manifest");
    let item: Value = asked
        .bearer_auth(market.token.as_ref().unwrap())
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert!(item["_id"].is_string(), "the manifest form is off");
}

#[tokio::test]
async fn a_delete_may_take_the_images_along() {
    let market = with(Switches { delete_files: DeleteFiles::On, ..Switches::default() }).await;
    let (_, file) = upload(&market, "/api/tenants/acme/marketplace/files", "image/png", PNG).await;
    let (mut a, mut b) = (sidecar("a"), sidecar("b"));
    a["imageUrl"] = file["location"].clone();
    b["supportedByImageUrl"] = file["location"].clone();
    market.apply(&[a, b]).await;
    market.delete(&path_of("a", "NA")).await;
    assert_eq!(market.handle.files(), 1, "b still names it");
    market.delete(&path_of("b", "NA")).await;
    assert_eq!(market.handle.files(), 0);
}

fn stored(market: &Market) -> bool {
    !market.handle.items().is_empty()
}

/// Applies one sidecar and returns what the client saw.
async fn try_apply(market: &Market) -> Result<(u16, String), reqwest::Error> {
    let body = json!({ "resources": [sidecar("a")] }).to_string();
    let request = market.request(Method::POST, "/api/tenants/acme/marketplace/items").body(body);
    let response = request.send().await?;
    let status = response.status().as_u16();
    Ok((status, response.text().await?))
}

#[tokio::test]
async fn connections_are_cut_before_after_and_within() {
    for (kind, processed) in
        [(FaultKind::CutBefore, false), (FaultKind::CutAfter, true), (FaultKind::Truncate, true)]
    {
        let market = Market::start(Settings::default()).await;
        market.handle.fail(Fault::once(Route::Apply, kind.clone()));
        assert!(try_apply(&market).await.is_err(), "{kind:?}");
        assert_eq!(stored(&market), processed, "{kind:?}");
        assert_eq!(try_apply(&market).await.unwrap().0, 200, "{kind:?}: the next one works");
        let log = market.handle.log();
        assert_eq!(log[0].fault, Some(kind.clone()));
        let answered = (kind == FaultKind::Truncate).then_some(200);
        assert_eq!((log[0].status, log.len()), (answered, 2), "{kind:?}");
    }
}

#[tokio::test]
async fn answers_are_replaced() {
    let html = || "<html>busy</html>".to_owned();
    let status = |processed| FaultKind::Status {
        code: 503,
        body: Some(html()),
        content_type: None,
        retry_after: Some("7".to_owned()),
        processed,
    };
    for (kind, code, body, processed) in [
        (status(false), 503, "<html>busy</html>", false),
        (status(true), 503, "<html>busy</html>", true),
        (FaultKind::WrongBody { body: html() }, 200, "<html>busy</html>", true),
        (FaultKind::EmptyBody, 200, "", true),
    ] {
        let market = Market::start(Settings::default()).await;
        market.handle.fail(Fault::always(Route::Apply, kind.clone()));
        assert_eq!(try_apply(&market).await.unwrap(), (code, body.to_owned()), "{kind:?}");
        assert_eq!(stored(&market), processed, "{kind:?}");
    }
    let market = Market::start(Settings::default()).await;
    market.handle.fail(Fault::once(Route::Version, status(false)));
    market.handle.fail(Fault::once(
        Route::Version,
        FaultKind::Redirect { to: "/elsewhere".to_owned(), code: 307 },
    ));
    market.handle.fail(Fault::once(
        Route::Version,
        FaultKind::WrongContentType { content_type: "text/plain".to_owned() },
    ));
    let mut seen = Vec::new();
    for header in ["retry-after", "location", "content-type"] {
        let response = market.request(Method::GET, "/api/version").send().await.unwrap();
        seen.push((
            response.status().as_u16(),
            response.headers()[header].to_str().unwrap().to_owned(),
        ));
    }
    let expected = [(503, "7"), (307, "/elsewhere"), (200, "text/plain")];
    assert_eq!(seen, expected.map(|(code, text)| (code, text.to_owned())));
}

#[tokio::test]
async fn rows_go_missing_double_and_turn() {
    let market = Market::start(Settings::default()).await;
    let items = [sidecar("a"), sidecar("b")];
    for (fault, ids) in [
        (Fault::once(Route::Apply, FaultKind::MissingRow).for_item("b"), vec!["a"]),
        (Fault::once(Route::Apply, FaultKind::DoubledRow), vec!["a", "b", "a"]),
        (Fault::once(Route::Apply, FaultKind::ReorderedRows), vec!["b", "a"]),
    ] {
        market.handle.fail(fault);
        let (_, body) = market.apply(&items).await;
        let rows: Vec<&str> = body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["itemId"].as_str().unwrap())
            .collect();
        assert_eq!(rows, ids);
    }
    let kind = FaultKind::RejectItem { message: "the plan is full".to_owned() };
    market.handle.fail(Fault::once(Route::Apply, kind).for_item("b"));
    let (_, body) = market.apply(&items).await;
    assert_eq!(
        (&body["items"][0]["done"], &body["items"][1]["done"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(body["items"][1]["errors"][0]["message"], json!("the plan is full"));
}

#[tokio::test]
async fn slow_and_endless_answers_end_with_the_marketplace() {
    let market = Market::start(Settings::default()).await;
    market.handle.fail(Fault::once(Route::Version, FaultKind::Delay { ms: 30 }));
    let begun = Instant::now();
    market.get("/api/version").await;
    assert!(begun.elapsed() >= Duration::from_millis(30));

    market.handle.fail(Fault::once(Route::Version, FaultKind::SlowDrip { ms: 3_600_000 }));
    let slow = market.request(Method::GET, "/api/version").send().await.unwrap();
    market.handle.fail(Fault::once(Route::Version, FaultKind::EndlessBody));
    let mut endless = market.request(Method::GET, "/api/version").send().await.unwrap();
    let mut length = 0;
    while length < 1024 * 1024 {
        length += endless.chunk().await.unwrap().expect("it never ends").len();
    }
    let reading = tokio::spawn(async move { slow.bytes().await.unwrap() });
    let draining = tokio::spawn(async move { endless.bytes().await.unwrap() });
    market.stop().await;
    assert!(reading.await.unwrap().starts_with(b"{"), "what was left came at once");
    draining.await.unwrap();
}

fn kept_in(journal: &Path) -> Settings {
    Settings { persist: Some(journal.to_owned()), ..Settings::default() }
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("market.jsonl");
    let market = Market::start(kept_in(&journal)).await;
    let (_, file) = upload(&market, "/api/tenants/acme/marketplace/files", "image/png", PNG).await;
    market.apply(&[sidecar("a"), sidecar("b")]).await;
    market.apply(&[sidecar("a")]).await;
    market.delete(&path_of("b", "NA")).await;
    let (items, id) = (market.handle.items(), market.handle.object_id(COMPANY, &key("a", "NA")));
    assert!(matches!(
        embedded::open(kept_in(&journal)).unwrap_err(),
        EmbeddedError::Journal(JournalError::Locked(_))
    ));
    let token = market.token.clone();
    market.stop().await;

    // A line that the end of the process tore.
    let mut text = fs::read_to_string(&journal).unwrap();
    assert_eq!(text.lines().count(), 6, "one line a change");
    text.push_str(r#"{"put":{"tenant":"ac"#);
    fs::write(&journal, text).unwrap();
    let mut market = Market::start_signed_out(kept_in(&journal)).await;
    assert_eq!(
        fs::read_to_string(&journal).unwrap().lines().count(),
        3,
        "compacted: key, item, image"
    );
    market.token = token;
    assert_eq!(
        (market.handle.items(), market.handle.object_id(COMPANY, &key("a", "NA"))),
        (items, id)
    );
    assert_eq!(market.get(&path_of("a", "NA")).await.0.as_u16(), 200, "the old token is good");
    let served = reqwest::get(format!("{}{}", market.url, file["location"].as_str().unwrap()))
        .await
        .unwrap();
    assert_eq!(served.bytes().await.unwrap(), PNG);
    market.stop().await;

    fs::write(&journal, "{}\n").unwrap();
    let error = embedded::open(kept_in(&journal)).unwrap_err();
    assert!(
        matches!(error, EmbeddedError::Journal(JournalError::Broken { line: 1, .. })),
        "{error}"
    );
}

#[tokio::test]
async fn a_copy_starts_with_what_is_kept_and_keeps_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("market.jsonl");
    let nothing = embedded::open_copy(kept_in(&journal)).unwrap();
    assert!(nothing.items().is_empty());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");

    let market = Market::start(kept_in(&journal)).await;
    market.apply(&[sidecar("a")]).await;
    let before = fs::read(&journal).unwrap();
    let copy = embedded::open_copy(kept_in(&journal)).expect("the lock of the other is no matter");
    assert_eq!(copy.items(), market.handle.items());
    copy.put_raw(COMPANY, &sidecar("b")).unwrap();
    assert_eq!(copy.items().len(), 2);
    assert_eq!(market.handle.items().len(), 1);
    assert_eq!(fs::read(&journal).unwrap(), before);
}

#[tokio::test]
async fn the_control_route_exists_only_on_request() {
    let closed = Market::start(Settings::default()).await;
    assert_eq!(closed.get("/__control/state").await.0.as_u16(), 404);

    let market = Market::start(Settings { control: true, ..Settings::default() }).await;
    assert_eq!(market.post("/__control/items/acme", &sidecar("a")).await.0.as_u16(), 204);
    let (_, state) = market.get("/__control/state").await;
    assert_eq!(state["acme a NA"]["description"], json!("A very simple sidecar"));
    let fault = json!({ "route": "get", "times": 1, "kind": { "status": { "code": 500 } } });
    assert_eq!(market.post("/__control/faults", &fault).await.0.as_u16(), 204);
    assert_eq!(market.get(&path_of("a", "NA")).await.0.as_u16(), 500);
    assert_eq!(market.get(&path_of("a", "NA")).await.0.as_u16(), 200);
    let (_, log) = market.get("/__control/log").await;
    assert_eq!(log.as_array().unwrap().len(), 2, "control calls are not logged: {log}");
    assert_eq!(market.delete("/__control/items/acme/a/NA").await.status().as_u16(), 204);
    assert!(!stored(&market));
    assert_eq!(
        market.post("/__control/faults", &json!({ "kind": "no-such" })).await.0.as_u16(),
        400
    );
}
