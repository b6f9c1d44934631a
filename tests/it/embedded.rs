//! The embedded marketplace, spoken to as `miactl` speaks (`marketplace-api.md`).

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use marketsync::embedded::{Client, ClientKey, ConsoleVersion, Route, Settings};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::market::{COMPANY, Market, PNG, answer, key, path_of, plugin, sidecar};

fn with_clients(clients: Vec<Client>) -> Settings {
    Settings { clients, ..Settings::default() }
}

#[tokio::test]
async fn basic_credentials_are_form_url_encoded_first() {
    let client =
        Client { id: "my id".to_owned(), secret: Some("s:ecret/+".to_owned().into()), key: None };
    let market = Market::start_signed_out(with_clients(vec![client])).await;
    let granted = market.ask_token("my+id", "s%3Aecret%2F%2B").await;
    assert!(granted.headers()["content-type"].to_str().unwrap().starts_with("application/json"));
    let (status, body) = answer(granted).await;
    assert_eq!(
        (status.as_u16(), &body["token_type"], &body["expires_in"]),
        (200, &json!("Bearer"), &json!(3600))
    );
    let (status, body) = answer(market.ask_token("my+id", "wrong").await).await;
    assert_eq!(
        (status.as_u16(), &body["statusCode"], &body["error"]),
        (401, &json!(401), &json!("Unauthorized"))
    );
}

const KEY: &str = include_str!("support/client-key.pem");
const PUBLIC_KEY: &str = include_str!("support/client-key.pub.pem");

async fn ask_by_assertion(market: &Market, kid: &str, audience: &str, jti: &str) -> u16 {
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some(kid.to_owned());
    let issued = jiff::Timestamp::now().as_second() - 10;
    let claims = json!({
        "iss": "robot", "sub": "robot", "aud": audience, "iat": issued, "exp": issued + 3600, "jti": jti,
    });
    let key = EncodingKey::from_rsa_pem(KEY.as_bytes()).unwrap();
    let assertion = jsonwebtoken::encode(&header, &claims, &key).unwrap();
    let form = [
        ("client_assertion", assertion.as_str()),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_id", "robot"),
        ("grant_type", "client_credentials"),
        ("token_endpoint_auth_method", "private_key_jwt"),
    ];
    let url = format!("{}/api/m2m/oauth/token", market.url);
    market.http.post(url).form(&form).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn an_assertion_is_checked_and_good_once() {
    let key = ClientKey { id: "k1".to_owned(), public_key: PUBLIC_KEY.to_owned() };
    let client = Client { id: "robot".to_owned(), secret: None, key: Some(key) };
    let market = Market::start_signed_out(with_clients(vec![client])).await;
    let right = "console-client-credentials";
    assert_eq!(ask_by_assertion(&market, "k1", right, "a").await, 200);
    assert_eq!(ask_by_assertion(&market, "k1", right, "a").await, 401, "the same jti again");
    assert_eq!(ask_by_assertion(&market, "k2", right, "b").await, 401, "another key id");
    assert_eq!(ask_by_assertion(&market, "k1", "somebody", "c").await, 401, "another audience");

    let other = ClientKey { id: "k1".to_owned(), public_key: OTHER_PUBLIC_KEY.to_owned() };
    let client = Client { id: "robot".to_owned(), secret: None, key: Some(other) };
    let market = Market::start_signed_out(with_clients(vec![client])).await;
    assert_eq!(ask_by_assertion(&market, "k1", right, "a").await, 401, "signed with another key");
}

const OTHER_PUBLIC_KEY: &str = include_str!("support/other-key.pub.pem");

#[tokio::test]
async fn the_console_version_decides_which_paths_exist() {
    let market = Market::start(Settings::default()).await;
    let (status, body) = market.get("/api/version").await;
    assert_eq!((status.as_u16(), &body["major"], &body["minor"]), (200, &json!("14"), &json!("1")));
    market.handle.set_console("404".parse().unwrap());
    let (status, body) = market.get("/api/version").await;
    assert_eq!((status.as_u16(), &body["statusCode"]), (404, &json!(404)));
    assert_eq!(market.apply(&[sidecar("a")]).await.0.as_u16(), 404);
    market.handle.set_console(ConsoleVersion::Is(15, 0));
    assert_eq!(market.apply_legacy(&[sidecar("a")]).await.0.as_u16(), 404);
}

#[tokio::test]
async fn an_item_is_created_read_updated_listed_and_deleted() {
    let market = Market::start(Settings::default()).await;
    let (status, first) = market.apply(&[sidecar("my-sidecar")]).await;
    assert_eq!((status.as_u16(), &first["done"]), (200, &json!(true)));
    let id = first["items"][0]["_id"].as_str().unwrap().to_owned();
    assert!(id.len() == 24 && id.chars().all(|c| c.is_ascii_hexdigit()), "{id}");
    assert_eq!(
        first["items"][0],
        json!({
            "_id": id, "itemId": "my-sidecar", "name": "My sidecar", "done": true, "inserted": true,
            "updated": false, "isLatest": true, "isUsingVersion": false, "errors": [],
        })
    );
    let (_, again) = market.apply(&[sidecar("my-sidecar")]).await;
    let row = &again["items"][0];
    assert_eq!(
        (&row["_id"], &row["inserted"], &row["updated"]),
        (&json!(id), &json!(false), &json!(true))
    );

    let (_, item) = market.get(&path_of("my-sidecar", "NA")).await;
    assert_eq!(item["version"], json!({ "name": "NA", "releaseNote": "-" }));
    assert_eq!(
        (&item["type"], &item["isLatest"], &item["_id"]),
        (&json!("sidecar"), &json!(true), &json!(id))
    );
    assert!(item["releaseDate"].is_string());

    let listed =
        market.request(Method::GET, "/api/marketplace/?page=1&tenantId=acme").send().await.unwrap();
    assert_eq!(listed.headers()["x-total-items"], "1");
    assert_eq!(listed.headers()["x-total-pages"], "1");
    let (_, rows) = answer(listed).await;
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["_id"]), (1, &json!(id)));
    assert!(rows[0].get("version").is_none() && rows[0].get("resources").is_none());

    let deleted = market.delete(&path_of("my-sidecar", "NA")).await;
    assert_eq!(
        (deleted.status().as_u16(), deleted.headers().contains_key("content-type")),
        (204, false)
    );
    assert_eq!(market.delete(&path_of("my-sidecar", "NA")).await.status().as_u16(), 404);
    assert_eq!(market.get(&path_of("my-sidecar", "NA")).await.0.as_u16(), 404);
}

#[tokio::test]
async fn an_item_comes_back_as_the_manifest_that_was_applied() {
    let market = Market::start(Settings::default()).await;
    market.apply(&[sidecar("a")]).await;
    let ask = |accept: &'static str| {
        market.request(Method::GET, &path_of("a", "NA")).header("accept", accept).send()
    };
    // `header` adds a second value; the first media type that fits decides.
    let url = format!("{}{}", market.url, path_of("a", "NA"));
    let manifest = market.http.get(&url).header("accept", "application/json; as=manifest");
    let manifest = manifest.bearer_auth(market.token.as_ref().unwrap()).send().await.unwrap();
    let (_, mut manifest) = answer(manifest).await;
    assert!(manifest.as_object_mut().unwrap().remove("releaseDate").is_some());
    assert_eq!(manifest.as_object_mut().unwrap().remove("type"), Some(json!("sidecar")));
    assert_eq!(manifest, sidecar("a"));
    let yaml = market.http.get(&url).header("accept", "application/yaml; as=manifest");
    let yaml = yaml
        .bearer_auth(market.token.as_ref().unwrap())
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let yaml: Value = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(yaml["resources"], sidecar("a")["resources"]);
    assert_eq!(ask("application/json").await.unwrap().status().as_u16(), 200);
}

#[tokio::test]
async fn the_walk_through_of_the_user_document_works_on_the_legacy_api() {
    let market = Market::start(Settings::default()).await;
    let mut item = json!({
        "name": "My sidecar", "itemId": "my-sidecar", "description": "A very simple sidecar", "type": "sidecar",
        "tenantId": "my-tenant-id",
        "documentation": { "type": "externalLink", "url": "https://github.com/my-sidecar/docs" },
        "resources": {
            "name": "my-sidecar", "dockerImage": "ghcr.io/my-sidecar:1.0",
            "containerPorts": [{ "from": 80, "name": "http", "protocol": "TCP", "to": 5000 }],
        },
    });
    let (_, created) = market.apply_legacy(&[item.clone()]).await;
    let row = created["items"][0].clone();
    assert_eq!((&row["inserted"], &row["validationErrors"]), (&json!(true), &json!([])));
    item["resources"]["dockerImage"] = json!("ghcr.io/my-sidecar:2.0");
    let (_, updated) = market.apply_legacy(&[item]).await;
    assert_eq!(
        (&updated["items"][0]["updated"], &updated["items"][0]["_id"]),
        (&json!(true), &row["_id"])
    );

    let legacy = "/api/backend/marketplace/tenants/acme/resources/my-sidecar/versions/NA";
    let (_, read) = market.get(legacy).await;
    assert_eq!((&read["releaseStage"], &read["comingSoon"]), (&json!("stable"), &json!(false)));
    assert!(read.get("lifecycleStatus").is_none());
    let by_id = format!("/api/backend/marketplace/{}", row["_id"].as_str().unwrap());
    assert_eq!(market.get(&by_id).await.1, read);
    let (_, read) = market.get(&path_of("my-sidecar", "NA")).await;
    assert_eq!(
        read["lifecycleStatus"],
        json!("published"),
        "the same store, seen through the new API"
    );
    let (_, rows) = market.get("/api/backend/marketplace/?tenantId=acme").await;
    assert_eq!(rows[0]["itemId"], json!("my-sidecar"));
}

#[tokio::test]
async fn a_published_version_keeps_its_resources_and_its_type() {
    let market = Market::start(Settings::default()).await;
    market.apply(&[plugin("p", "1.0.0")]).await;
    let mut changed = plugin("p", "1.0.0");
    changed["resources"]["services"]["one"]["replicas"] = json!(2);
    changed["name"] = json!("New name");
    let (status, body) = market.apply(&[changed.clone(), plugin("p", "1.1.0")]).await;
    assert_eq!((status.as_u16(), &body["done"]), (200, &json!(false)));
    assert_eq!(
        (&body["items"][0]["done"], &body["items"][1]["done"]),
        (&json!(false), &json!(true))
    );
    assert!(body["items"][0].get("_id").is_none());
    let message = body["items"][0]["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("resources of version 1.0.0 cannot be changed"), "{message}");
    assert_eq!(
        market.handle.item(COMPANY, &key("p", "1.0.0")).unwrap()["name"],
        json!("My plugin")
    );

    let mut template = plugin("p", "1.0.0");
    template["type"] = json!("template");
    assert_eq!(market.apply(&[template]).await.1["items"][0]["done"], json!(false));

    // Equal by value, and other fields, may be applied again and again.
    let mut same = plugin("p", "1.0.0");
    same["resources"]["services"]["one"]["replicas"] = json!(1.0);
    same["description"] = json!("now described");
    assert_eq!(market.apply(&[same]).await.1["items"][0]["done"], json!(true));

    // A draft may change, even as it is published.
    let mut draft = plugin("d", "1.0.0");
    draft["lifecycleStatus"] = json!("draft");
    market.apply(&[draft]).await;
    changed["itemId"] = json!("d");
    assert_eq!(market.apply(&[changed]).await.1["items"][0]["updated"], json!(true));
}

#[tokio::test]
async fn an_invalid_item_says_what_is_wrong_where() {
    let market = Market::start(Settings::default()).await;
    let failures = |item: Value| {
        let market = &market;
        async move {
            let (_, body) = market.apply(&[item]).await;
            assert_eq!(body["items"][0]["done"], json!(false), "{body}");
            body["items"][0]["errors"].clone()
        }
    };
    let mut item = sidecar("a");
    item["resources"].as_object_mut().unwrap().remove("name");
    let errors = failures(item).await;
    assert_eq!(
        errors[0],
        json!({
            "message": "resources must have required property 'name'",
            "ajvError": {
                "instancePath": "/resources", "keyword": "required", "message": "must have required property 'name'",
                "params": { "missingProperty": "name" }, "schemaPath": "#/required",
            },
        })
    );
    for (pointer, value) in [
        ("/itemId", json!("-a")),
        ("/lifecycleStatus", json!("ready")),
        ("/resources/dockerImage", json!("a@sha256:00")),
        ("/resources/containerPorts/0/from", json!(70_000)),
        ("/itemTypeDefinitionRef/name", json!("unheard-of")),
    ] {
        let mut item = sidecar("a");
        *item.pointer_mut(pointer).unwrap() = value;
        assert!(!failures(item).await.as_array().unwrap().is_empty(), "{pointer}");
    }
    for (field, value) in [
        ("version", json!({ "name": "1.0.0", "releaseNote": "-" })),
        ("surprise", json!(1)),
        ("visibility", json!({ "everybody": true })),
    ] {
        let mut item = sidecar("a");
        item[field] = value;
        failures(item).await;
    }
    let mut two_services = plugin("p", "1.0.0");
    two_services["resources"]["services"]["two"] = json!({});
    failures(two_services).await;
    let mut without_status = sidecar("a");
    without_status.as_object_mut().unwrap().remove("lifecycleStatus");
    failures(without_status).await;
    assert!(market.handle.items().is_empty());
    let (_, legacy) = market.apply_legacy(&[json!({ "itemId": "a", "name": "A" })]).await;
    assert!(legacy["items"][0]["validationErrors"][0]["instancePath"].is_string());
}

#[tokio::test]
async fn a_request_that_is_wrong_as_a_whole_is_refused_as_a_whole() {
    let mut market = Market::start(Settings { apply_limit: 2000, ..Settings::default() }).await;
    let path = "/api/tenants/acme/marketplace/items";
    for body in [json!({}), json!({ "resources": {} }), json!([])] {
        let (status, error) = market.post(path, &body).await;
        assert_eq!((status.as_u16(), error["message"].is_string()), (400, true), "{body}");
    }
    let (status, _) = market.apply(&[json!({ "name": "x".repeat(3000) })]).await;
    assert_eq!(status.as_u16(), 413);
    assert_eq!(market.get("/api/tenants/acme/marketplace/items//versions/").await.0.as_u16(), 404);
    assert_eq!(market.request(Method::PUT, path).send().await.unwrap().status().as_u16(), 405);
    // The claims of a good token, signed by somebody else.
    let token = market.token.clone().unwrap();
    let (claims, mac) = token.split_once('.').unwrap();
    market.token = Some(format!("{claims}.{}", "0".repeat(mac.len())));
    assert_eq!(market.apply(&[]).await.0.as_u16(), 401);
    market.token = Some("not.ours".to_owned());
    assert_eq!(market.apply(&[]).await.0.as_u16(), 401);
    market.token = None;
    assert_eq!(market.apply(&[]).await.0.as_u16(), 401);
}

#[tokio::test]
async fn without_a_token_only_public_items_are_visible() {
    let mut market = Market::start(Settings::default()).await;
    let mut open = sidecar("open");
    open["visibility"] = json!({ "public": true });
    market.apply(&[sidecar("closed"), open]).await;
    market.token = None;
    let (_, rows) = market.get("/api/marketplace").await;
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["itemId"]), (1, &json!("open")));
    assert_eq!(rows[0]["visibility"], json!({ "public": true, "allTenants": false }));
    assert_eq!(market.get(&path_of("closed", "NA")).await.0.as_u16(), 404);
}

#[tokio::test]
async fn versions_and_the_list_know_which_is_the_latest() {
    let market = Market::start(Settings::default()).await;
    let mut soon = plugin("p", "2.0.0");
    soon["lifecycleStatus"] = json!("coming-soon");
    market.apply(&[plugin("p", "1.10.0"), plugin("p", "1.9.0"), soon]).await;
    let (_, rows) = market.get("/api/tenants/acme/marketplace/items/p/versions").await;
    let seen: Vec<_> =
        rows.as_array().unwrap().iter().map(|row| (&row["version"], &row["isLatest"])).collect();
    let (yes, no) = (json!(true), json!(false));
    assert_eq!(seen, [(&json!("2.0.0"), &no), (&json!("1.10.0"), &yes), (&json!("1.9.0"), &no)]);
    let gone = market.delete(&path_of("p", "1.10.0")).await;
    assert_eq!(
        gone.headers()["x-marketplace-item-latest-version"],
        "urn:acme:mktp:p?=version=1.9.0"
    );

    for (query, found) in [
        ("types=plugin", 1),
        ("types=urn:mia-platform:mktp:itd:sidecar", 0),
        ("name=%5EMy", 1),
        ("lifecycleStatus=draft,archived", 0),
        ("itemUrns=urn:acme:mktp:p?=version=2.0.0", 1),
        ("page=2", 0),
        ("tenantId=other", 0),
    ] {
        let (status, rows) = market.get(&format!("/api/marketplace/?{query}")).await;
        assert_eq!((status.as_u16(), rows.as_array().map(Vec::len)), (200, Some(found)), "{query}");
    }
    for query in
        ["page=0", "perPage=201", "name=(", "sort=size", "includeTenantId=a&availableTo=public"]
    {
        assert_eq!(
            market.get(&format!("/api/marketplace/?{query}")).await.0.as_u16(),
            400,
            "{query}"
        );
    }
}

/// The form as `miactl` writes it, and a part that nobody knows.
fn upload_form(mime: &str, bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    let disposition = "Content-Disposition: form-data; name=";
    body.extend(
        format!("--XX\r\n{disposition}\"marketplace_image\"; filename=\"img/pic.png\"\r\n").bytes(),
    );
    body.extend(format!("Content-Type: {mime}\r\n\r\n").bytes());
    body.extend(bytes);
    for (name, value) in [
        ("itemId", "a"),
        ("assetType", "imageAssetType"),
        ("tenantId", COMPANY),
        ("version", "1.0.0"),
        ("more", ""),
    ] {
        body.extend(format!("\r\n--XX\r\n{disposition}\"{name}\"\r\n\r\n{value}").bytes());
    }
    body.extend(b"\r\n--XX--\r\n");
    body
}

pub(crate) async fn upload(market: &Market, path: &str, mime: &str, bytes: &[u8]) -> (u16, Value) {
    let request = market.http.post(format!("{}{path}", market.url));
    let request = request.bearer_auth(market.token.as_ref().unwrap());
    let request = request
        .header("content-type", "multipart/form-data; boundary=XX")
        .body(upload_form(mime, bytes));
    let (status, body) = answer(request.send().await.unwrap()).await;
    (status.as_u16(), body)
}

#[tokio::test]
async fn an_image_is_uploaded_on_both_paths_and_served() {
    let market = Market::start(Settings::default()).await;
    let old = "/api/backend/marketplace/tenants/acme/files";
    for path in [old, "/api/tenants/acme/marketplace/files"] {
        let (status, body) = upload(&market, path, "image/png", PNG).await;
        assert_eq!(
            (status, &body["name"], &body["size"]),
            (200, &json!("img/pic.png"), &json!(PNG.len())),
            "{path}"
        );
        let location = body["location"].as_str().unwrap();
        assert!(
            location.starts_with("/v2/files/download/")
                && location.rsplit_once('.').unwrap().1 == "png",
            "{location}"
        );
        let served = reqwest::get(format!("{}{location}", market.url)).await.unwrap();
        assert_eq!(served.headers()["content-type"], "image/png");
        assert_eq!(served.bytes().await.unwrap(), PNG);
    }
    assert_eq!(market.handle.files(), 2, "equal bytes, two locations");
    let logged = &market.handle.log()[0];
    assert_eq!(
        (logged.route, logged.items.as_slice()),
        (Route::Upload, &["a 1.0.0".to_owned()][..])
    );
    assert_eq!(
        upload(&market, old, "image/jpeg", PNG).await.0,
        400,
        "the type is not that of the bytes"
    );
    assert_eq!(upload(&market, old, "image/png", b"GIF89a").await.0, 400);
    assert_eq!(upload(&market, old, "image/png", &vec![0; 9 * 1024 * 1024]).await.0, 413);
}

#[tokio::test]
async fn the_log_says_what_was_asked() {
    let market = Market::start(Settings::default()).await;
    market.apply(&[plugin("p", "1.0.0"), sidecar("a")]).await;
    market.get(&path_of("a", "NA")).await;
    let log = market.handle.log();
    let brief: Vec<_> =
        log.iter().map(|e| (e.route, e.resources, e.status, e.items.join(","))).collect();
    assert_eq!(
        brief,
        [
            (Route::Apply, 2, Some(200), "p 1.0.0,a NA".to_owned()),
            (Route::Get, 1, Some(200), "a NA".to_owned()),
        ]
    );
    assert_eq!((market.handle.calls(Route::Apply), market.handle.calls(Route::Delete)), (1, 0));
    assert_eq!(log[0].headers["client-key"], "miactl");
    assert!(log[0].ended.unwrap() < log[1].began, "one after the other");
}

#[tokio::test]
async fn the_types_of_the_platform_can_be_read() {
    let market = Market::start(Settings::default()).await;
    let (_, rows) =
        market.get("/api/marketplace/item-type-definitions/?visibility=console,acme&page=1").await;
    assert_eq!(rows.as_array().unwrap().len(), 10);
    let (_, one) =
        market.get("/api/tenants/mia-platform/marketplace/item-type-definitions/plugin/").await;
    assert_eq!(one["spec"]["isVersioningSupported"], json!(true));
    let path = "/api/tenants/acme/marketplace/item-type-definitions/";
    assert_eq!(market.request(Method::PUT, path).send().await.unwrap().status().as_u16(), 501);
    assert_eq!(market.get("/api/marketplace/categories").await.1.as_array().unwrap().len(), 35);
}
