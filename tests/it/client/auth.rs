use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use marketsync::domain::canon::Generation;
use marketsync::domain::images::ImageLocations;
use marketsync::domain::plan::Look;
use marketsync::edge::marketplace::{CallError, Connection, Credential, Marketplace, SetupError};
use marketsync::edge::secret::Secret;
use serde_json::{Value, json};

use super::{basic, connection, market, observe};
use crate::support::scripted::{Scripted, Seen, json_answer, text_answer};
use crate::support::shop::Shop;

const KEY: &str = include_str!("../support/client-key.pem");
const PUBLIC_KEY: &str = include_str!("../support/client-key.pub.pem");

fn form(seen: &Seen) -> Vec<(String, String)> {
    url::form_urlencoded::parse(&seen.body).into_owned().collect()
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let server = Scripted::start().await;
    server.once(
        "POST /api/m2m/oauth/token",
        json_answer(200, &json!({ "access_token": "old", "expires_in": 3600 })),
    );
    server.rule(|seen| {
        (seen.header("authorization") == "Bearer old")
            .then(|| json_answer(401, &json!({ "message": "expired" })))
    });
    let market = market(&server);
    assert_eq!(market.generation().await, Ok(Generation::New));
    assert_eq!(market.generation().await, Ok(Generation::New));
    let tokens = server.seen("POST /api/m2m/oauth/token");
    assert_eq!(tokens.len(), 2);
    assert_eq!(
        tokens[0].header("authorization"),
        format!("Basic {}", STANDARD.encode("robot:s3cret-of-robot"))
    );
    assert_eq!(form(&tokens[0]), [("grant_type".to_owned(), "client_credentials".to_owned())]);
    let versions = server.seen("GET /api/version");
    let headers: Vec<_> = versions.iter().map(|seen| seen.header("authorization")).collect();
    assert_eq!(headers, ["Bearer old", "Bearer t1"]);
    assert_eq!(versions[1].header("accept"), "application/json");
    assert!(versions[1].header("user-agent").starts_with("marketsync/"));
}

#[tokio::test]
async fn a_token_that_stays_refused_ends_the_pass_and_is_not_shown() {
    let server = Scripted::start().await;
    for token in ["token-1", "token-2"] {
        let answer = json_answer(200, &json!({ "access_token": token }));
        server.once("POST /api/m2m/oauth/token", answer);
    }
    server.rule(|seen| {
        let echoed = format!("you sent {}", seen.header("authorization"));
        (!seen.path.ends_with("/token")).then(|| json_answer(401, &json!({ "message": echoed })))
    });
    let err = market(&server).generation().await.unwrap_err();
    assert!(matches!(err, CallError::Auth { .. }) && !err.is_transient());
    let text = format!("{err} {err:?}");
    assert!(
        text.contains("service account robot") && text.contains("you sent Bearer ***"),
        "{text}"
    );
    assert_eq!(server.seen("GET /api/version").len(), 2);
}

#[tokio::test]
async fn no_secret_is_in_any_text() {
    let server = Scripted::start().await;
    server.rule(|seen| {
        let text = format!(
            "no: {} s3cret-of-robot {}",
            seen.header("authorization"),
            String::from_utf8_lossy(&seen.body)
        );
        seen.path.ends_with("/token").then(|| json_answer(401, &json!({ "message": text })))
    });
    for credential in [
        basic(),
        Credential::PrivateKeyJwt {
            client_id: "robot".to_owned(),
            key_id: "k".to_owned(),
            key: Secret::Text(KEY.into()),
        },
        Credential::Token { token: Secret::Text("s3cret-of-robot\nx".into()) },
        Credential::PrivateKeyJwt {
            client_id: "robot".to_owned(),
            key_id: "k".to_owned(),
            key: Secret::Text("s3cret-of-robot".into()),
        },
    ] {
        let connection = connection(&server, credential.clone());
        let shown = format!("{connection:?}");
        let err = Marketplace::new(connection).unwrap().generation().await.unwrap_err();
        assert!(!err.is_transient(), "{err}");
        let assertion =
            server.seen("POST").last().map(|seen| String::from_utf8_lossy(&seen.body).into_owned());
        let texts = format!("{shown} {err} {err:?}");
        if matches!(credential, Credential::Basic { .. }) {
            assert!(!texts.contains("s3cret-of-robot"), "{texts}");
            assert!(!texts.contains(&STANDARD.encode("robot:s3cret-of-robot")), "{texts}");
        }
        assert!(!shown.contains("s3cret") && !texts.contains("MIIE"), "{texts}");
        let assertion = assertion.unwrap();
        if let Some(jwt) =
            assertion.split('&').find_map(|field| field.strip_prefix("client_assertion="))
        {
            assert!(jwt.len() > 100 && !texts.contains(jwt), "{texts}");
        }
    }
}

#[tokio::test]
async fn the_assertion_is_signed_and_says_what_the_vendors_client_says() {
    let server = Scripted::start().await;
    for key in [KEY.to_owned(), STANDARD.encode(KEY)] {
        let credential = Credential::PrivateKeyJwt {
            client_id: "robot".to_owned(),
            key_id: "key-7".to_owned(),
            key: Secret::Text(key.into()),
        };
        Marketplace::new(connection(&server, credential)).unwrap().generation().await.unwrap();
    }
    let seen = server.seen("POST /api/m2m/oauth/token");
    let mut ids = BTreeSet::new();
    for seen in &seen {
        let form = form(seen);
        let field = |name: &str| form.iter().find(|(field, _)| field == name).unwrap().1.as_str();
        assert_eq!(field("grant_type"), "client_credentials");
        assert_eq!(field("client_id"), "robot");
        assert_eq!(field("token_endpoint_auth_method"), "private_key_jwt");
        assert_eq!(
            field("client_assertion_type"),
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        );
        assert_eq!(seen.header("authorization"), "");
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&["console-client-credentials"]);
        let key = DecodingKey::from_rsa_pem(PUBLIC_KEY.as_bytes()).unwrap();
        let token =
            jsonwebtoken::decode::<Value>(field("client_assertion"), &key, &validation).unwrap();
        assert_eq!(token.header.kid.as_deref(), Some("key-7"));
        assert_eq!(
            (&token.claims["iss"], &token.claims["sub"]),
            (&json!("robot"), &json!("robot"))
        );
        let (iat, exp) =
            (token.claims["iat"].as_i64().unwrap(), token.claims["exp"].as_i64().unwrap());
        assert_eq!(exp - iat, 3600);
        ids.insert(token.claims["jti"].to_string());
    }
    assert_eq!((seen.len(), ids.len()), (2, 2));
}

#[tokio::test]
async fn a_changed_secret_file_is_read_again() {
    let server = Scripted::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "first\n").unwrap();
    server.rule(|seen| {
        (seen.header("authorization") == "Bearer first")
            .then(|| json_answer(401, &json!({ "message": "expired" })))
    });
    let credential = Credential::Token { token: Secret::File(file.clone()) };
    let market = Marketplace::new(connection(&server, credential)).unwrap();
    let err = market.generation().await.unwrap_err();
    assert!(err.to_string().contains("put a new one in its place"), "{err}");
    assert_eq!(server.seen("GET").len(), 1);
    std::fs::write(&file, "second\n").unwrap();
    assert_eq!(market.generation().await, Ok(Generation::New));
    std::fs::remove_file(&file).unwrap();
    let credential = Credential::Token { token: Secret::File(file) };
    let err =
        Marketplace::new(connection(&server, credential)).unwrap().generation().await.unwrap_err();
    assert!(err.to_string().contains("cannot be read"), "{err}");
}

#[tokio::test]
async fn several_calls_ask_for_one_token() {
    let server = Scripted::start().await;
    server.rule(|seen| {
        let is_old = seen.header("authorization") == "Bearer t1" && server_token_is_old(&seen.path);
        is_old.then(|| json_answer(401, &json!({ "message": "expired" })))
    });
    let market = market(&server);
    market.generation().await.unwrap();
    server.once("POST /api/m2m/oauth/token", json_answer(200, &json!({ "access_token": "t2" })));
    let mut shop = Shop::new();
    for n in 0..8 {
        shop.item(&format!("i{n}"), "NA");
    }
    observe(&market, &mut shop, &mut ImageLocations::default()).await.unwrap();
    assert_eq!(server.seen("POST /api/m2m/oauth/token").len(), 2);
}

fn server_token_is_old(path: &str) -> bool {
    path.contains("/versions/")
}

#[tokio::test]
async fn the_version_of_the_console_chooses_the_api() {
    for (answer, expected) in [
        (json_answer(200, &json!({ "major": "14", "minor": "0" })), Some(Generation::New)),
        (json_answer(200, &json!({ "major": 15 })), Some(Generation::New)),
        (json_answer(200, &json!({ "major": "13", "minor": "9" })), Some(Generation::Legacy)),
        (json_answer(200, &json!({ "major": "v14" })), Some(Generation::Legacy)),
        (text_answer(404, "<html>"), Some(Generation::Legacy)),
        (text_answer(200, "<html>"), None),
        (text_answer(204, ""), None),
        (json_answer(403, &json!({ "message": "no" })), None),
        (text_answer(302, "").with("location", "https://login.example/x?token=1"), None),
    ] {
        let server = Scripted::start().await;
        server.once("GET /api/version", answer.clone());
        let got = market(&server).generation().await;
        assert_eq!(got.as_ref().ok(), expected.as_ref(), "{answer:?}: {got:?}");
        if let Err(err) = got {
            assert!(matches!(err, CallError::Refused { .. }), "{err:?}");
            assert!(!err.to_string().contains("token=1"), "{err}");
        }
    }
}

#[tokio::test]
async fn network_trouble_is_said_in_plain_words() {
    let server = Scripted::start().await;
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let host = format!("127.0.0.1:{}", server.url.port().unwrap());
    for (endpoint, words) in [
        (format!("http://{gone}"), "refuses the connection; check --endpoint".to_owned()),
        ("http://no-such-host.invalid".to_owned(), "no-such-host.invalid".to_owned()),
        (format!("https://{host}"), format!("no connection to {host}")),
    ] {
        let endpoint = endpoint.parse().unwrap();
        let market =
            Marketplace::new(Connection { endpoint, ..connection(&server, basic()) }).unwrap();
        let err = market.generation().await.unwrap_err();
        assert!(err.is_transient() && err.to_string().contains(&words), "{err}");
    }
}

#[tokio::test]
async fn what_cannot_work_is_said_before_any_request() {
    let server = Scripted::start().await;
    for bad in ["ftp://x", "https://user:pa55@x/", "https://x/?a=b", "https://x/#f"] {
        let connection =
            Connection { endpoint: bad.parse().unwrap(), ..connection(&server, basic()) };
        let err = Marketplace::new(connection).err().unwrap();
        assert!(matches!(err, SetupError::Endpoint { .. }), "{bad}: {err}");
        assert!(!format!("{err} {err:?}").contains("pa55"));
    }
    let company = Connection { company: "..".to_owned(), ..connection(&server, basic()) };
    assert!(matches!(Marketplace::new(company), Err(SetupError::Company)));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "no certificate").unwrap();
    let ca = Connection { ca_file: Some(file), ..connection(&server, basic()) };
    assert!(matches!(Marketplace::new(ca), Err(SetupError::BadCa { .. })));
}

#[tokio::test]
async fn a_path_of_the_endpoint_stands_before_every_path() {
    let server = Scripted::start().await;
    let endpoint = server.url.join("/pre/fix/").unwrap();
    let connection =
        Connection { endpoint, company: "a b/c".to_owned(), ..connection(&server, basic()) };
    let market = Marketplace::new(connection).unwrap();
    let mut shop = Shop::new();
    shop.item("x", "1.0.0-rc.1+b.2");
    observe(&market, &mut shop, &mut ImageLocations::default()).await.unwrap();
    let paths: Vec<_> = server.seen("").into_iter().map(|seen| seen.path).collect();
    let item = "/pre/fix/api/tenants/a%20b%2Fc/marketplace/items/x/versions/1.0.0-rc.1+b.2";
    assert_eq!(paths, ["/pre/fix/api/m2m/oauth/token", "/pre/fix/api/version", item]);
}

#[tokio::test]
async fn a_token_that_cannot_be_had_is_asked_for_by_one_call() {
    let server = Scripted::start().await;
    let market = market(&server);
    market.generation().await.unwrap();
    server.rule(|seen| {
        let busy = || text_answer(503, "busy");
        if seen.path.ends_with("/token") {
            return Some(busy());
        }
        let expired = || json_answer(401, &json!({ "message": "expired" }));
        server_token_is_old(&seen.path).then(expired)
    });
    let mut shop = Shop::new();
    for n in 0..4 {
        shop.item(&format!("i{n}"), "NA");
    }
    let live = observe(&market, &mut shop, &mut ImageLocations::default()).await.unwrap();
    assert!(
        live.values().all(|look| matches!(look, Look::Failed { why } if why.contains("no token")))
    );
    let asked = server.seen("POST /api/m2m/oauth/token").len() - 1;
    assert!(asked < 4, "{asked}");
}
