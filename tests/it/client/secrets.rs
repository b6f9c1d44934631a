//! No secret is told, whatever a server repeats of it.

use std::collections::BTreeMap;

use marketsync::domain::images::ImageLocations;
use marketsync::domain::plan::Look;
use marketsync::edge::marketplace::{Credential, Marketplace};
use marketsync::edge::secret::Secret;
use serde_json::{Value, json};

use super::{connection, observe, send_with};
use crate::support::scripted::{Answer, Scripted, inserted, json_answer, text_answer};
use crate::support::shop::{Shop, create, document};

const TOKEN: &str = "eyJ/tok+en=";

fn with_token(server: &Scripted) -> Marketplace {
    let credential = Credential::Token { token: Secret::Text(TOKEN.into()) };
    Marketplace::new(connection(server, credential)).unwrap()
}

/// What is told of an item that the server answers with this row added.
async fn told_of(row: &Value) -> String {
    let server = Scripted::start().await;
    let row = row.clone();
    server.rule(move |seen| {
        seen.path.ends_with("/marketplace/items").then(|| {
            let mut answer = inserted(seen);
            for (field, value) in row.as_object().unwrap() {
                answer["items"][0][field] = value.clone();
            }
            json_answer(200, &answer)
        })
    });
    let mut shop = Shop::new();
    let changes = vec![create(&shop.item("a", "NA"))];
    let market = with_token(&server);
    let (told, result) =
        send_with(&market, &mut shop, changes, &mut ImageLocations::default(), &BTreeMap::new())
            .await;
    result.unwrap();
    format!("{:?}", told.sent)
}

#[tokio::test]
async fn rows_of_a_good_answer_tell_no_token() {
    let message = format!("upstream said: Bearer {TOKEN}");
    let long = format!("{} {TOKEN}", "x".repeat(490));
    for row in [
        json!({ "done": false, "errors": [{ "message": message }] }),
        json!({ "done": false, "errors": [{ "message": long }] }),
        json!({ "done": false, "validationErrors": [message] }),
        json!({ "done": false, "errors": [{ "message": "bad", "instancePath": format!("/{TOKEN}") }] }),
    ] {
        let told = told_of(&row).await;
        assert!(told.contains("***") && !told.contains("eyJ"), "{told}");
    }
    let told = told_of(&json!({ "_id": TOKEN })).await;
    assert!(told.contains("Created") && !told.contains("eyJ"), "{told}");
}

async fn version_error(answer: Answer) -> String {
    let server = Scripted::start().await;
    server.once("GET /api/version", answer);
    let err = with_token(&server).generation().await.unwrap_err();
    format!("{err} {err:?}")
}

#[tokio::test]
async fn an_answer_that_is_no_json_tells_no_token() {
    let echo = format!("GET /api/version\r\nauthorization: Bearer {TOKEN}");
    for answer in [
        text_answer(200, &echo),
        text_answer(200, &format!("{}{TOKEN}", "x".repeat(195))),
        text_answer(302, "").with("location", &format!("https://{}.example/", "eyJ%2Ftok")),
    ] {
        let text = version_error(answer).await;
        assert!(!text.contains("eyJ"), "{text}");
    }
}

#[tokio::test]
async fn escapes_do_not_hide_a_token() {
    for body in [
        r#"{"message":"no: Bearer eyJ\/tok+en="}"#,
        r#"{"message":"no: Bearer \u0065yJ\u002ftok\u002Ben="}"#,
        r#"{"message":"no: {\"auth\":\"eyJ\\/tok+en=\"}"}"#,
        r"no JSON: eyJ\/tok\u002ben=",
        r#"{"error":"no: eyJ%2ftok%2Ben%3D"}"#,
    ] {
        let text = version_error(text_answer(403, body)).await;
        assert!(text.contains("***") && !text.contains("tok"), "{text}");
    }
}

#[tokio::test]
async fn no_form_of_the_client_secret_is_told() {
    for said in [
        "bad pair robot:p%2Fa%2Bs-w0rd".to_owned(),
        "bad secret p/a+s-w0rd".to_owned(),
        format!("{}p/a+s-w0rd", "x".repeat(495)),
        format!("{}p%2fa%2bs-w0rd", "x".repeat(495)),
    ] {
        let server = Scripted::start().await;
        server.once("POST /api/m2m/oauth/token", json_answer(401, &json!({ "message": said })));
        let credential = Credential::Basic {
            client_id: "robot".to_owned(),
            secret: Secret::Text("p/a+s-w0rd".into()),
        };
        let market = Marketplace::new(connection(&server, credential)).unwrap();
        let err = market.generation().await.unwrap_err();
        let text = format!("{err} {err:?}");
        for part in ["p/a", "p%2", "w0rd"] {
            assert!(!text.contains(part), "{text}");
        }
    }
}

#[tokio::test]
async fn what_is_there_tells_no_token() {
    let server = Scripted::start().await;
    let mut shop = Shop::new();
    let item = shop.item("a", "NA");
    let mut there = document("a", "NA");
    there["_id"] = json!(TOKEN);
    there["resources"] = json!({ (TOKEN): 1 });
    server.rule(move |seen| seen.path.contains("/versions/").then(|| json_answer(200, &there)));
    let live =
        observe(&with_token(&server), &mut shop, &mut ImageLocations::default()).await.unwrap();
    let text = format!("{live:?}");
    assert!(matches!(&live[&item.key], Look::Differs { object_id: None, .. }), "{text}");
    assert!(!text.contains("eyJ"), "{text}");
}
