//! An embedded marketplace on loopback, and a client that speaks as `miactl`
//! does (`marketplace-api.md` §1.2).

use marketsync::domain::item::ItemKey;
use marketsync::embedded::{self, Handle, Settings};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The company of all tests.
pub(crate) const COMPANY: &str = "acme";

/// The first bytes of a PNG; the marketplace looks no further.
pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\nand so on";

/// A running marketplace.
pub(crate) struct Market {
    pub(crate) url: String,
    pub(crate) handle: Handle,
    pub(crate) http: reqwest::Client,
    pub(crate) token: Option<String>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Market {
    /// Starts one and signs in.
    pub(crate) async fn start(settings: Settings) -> Self {
        let mut market = Self::start_signed_out(settings).await;
        let answer = market.ask_token("id", "secret").await;
        market.token =
            answer.json::<Value>().await.unwrap()["access_token"].as_str().map(str::to_owned);
        market.handle.clear_log();
        market
    }

    /// Starts one without a token.
    pub(crate) async fn start_signed_out(settings: Settings) -> Self {
        let handle = embedded::open(settings).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let served = handle.clone();
        let task = tokio::spawn(async move {
            embedded::serve(listener, served, async { drop(stopped.await) }).await.unwrap();
        });
        let http =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { url, handle, http, token: None, stop, task }
    }

    /// Stops it and waits for its end.
    pub(crate) async fn stop(self) {
        drop((self.http, self.handle));
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }

    /// A token request with `client_secret_basic`.
    pub(crate) async fn ask_token(&self, id: &str, secret: &str) -> Response {
        self.http
            .post(format!("{}/api/m2m/oauth/token", self.url))
            .basic_auth(id, Some(secret))
            .form(&[("grant_type", "client_credentials")])
            .send()
            .await
            .unwrap()
    }

    /// A request with the headers of `miactl`.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .header("client-key", "miactl")
            .header("user-agent", "miactl (linux/amd64)");
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Response {
        self.request(Method::DELETE, path).send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path).body(body.to_string()).send().await.unwrap()).await
    }

    /// `miactl catalog apply`.
    pub(crate) async fn apply(&self, items: &[Value]) -> (StatusCode, Value) {
        self.post(
            &format!("/api/tenants/{COMPANY}/marketplace/items"),
            &json!({ "resources": items }),
        )
        .await
    }

    /// `miactl marketplace apply`.
    pub(crate) async fn apply_legacy(&self, items: &[Value]) -> (StatusCode, Value) {
        let path = format!("/api/backend/marketplace/tenants/{COMPANY}/resources");
        self.post(&path, &json!({ "resources": items })).await
    }
}

/// The status and the JSON body; null if there is none.
pub(crate) async fn answer(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// The path of one version.
pub(crate) fn path_of(item_id: &str, version: &str) -> String {
    format!("/api/tenants/{COMPANY}/marketplace/items/{item_id}/versions/{version}")
}

pub(crate) fn key(item_id: &str, version: &str) -> ItemKey {
    ItemKey { item_id: item_id.parse().unwrap(), version: version.parse().unwrap() }
}

/// A valid sidecar of the new model.
pub(crate) fn sidecar(item_id: &str) -> Value {
    json!({
        "itemId": item_id,
        "name": "My sidecar",
        "tenantId": COMPANY,
        "lifecycleStatus": "published",
        "itemTypeDefinitionRef": { "name": "sidecar", "namespace": "mia-platform" },
        "description": "A very simple sidecar",
        "resources": {
            "name": item_id,
            "dockerImage": "ghcr.io/my-sidecar:1.0",
            "containerPorts": [{ "name": "http", "from": 80, "to": 5000 }],
        },
    })
}

/// A valid plugin, versioned.
pub(crate) fn plugin(item_id: &str, version: &str) -> Value {
    json!({
        "itemId": item_id,
        "name": "My plugin",
        "tenantId": COMPANY,
        "lifecycleStatus": "published",
        "type": "plugin",
        "version": { "name": version, "releaseNote": "-" },
        "resources": { "services": { "one": { "sourceComponentId": "c1", "replicas": 1 } } },
    })
}
