//! A server that answers what a test tells it to, and remembers what it was
//! asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use url::Url;

/// What it was asked.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// `itemId version` of what a POST carries.
    pub(crate) fn items(&self) -> Vec<String> {
        let body = self.json();
        let rows = body["resources"].as_array().unwrap();
        rows.iter().map(|row| format!("{} {}", text(&row["itemId"]), version(row))).collect()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn version(document: &Value) -> &str {
    document.pointer("/version/name").and_then(Value::as_str).unwrap_or("NA")
}

/// What it answers.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Whole {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    /// Some bytes, and then the connection breaks.
    Cut,
    /// Nothing, for ever.
    Silence,
}

pub(crate) fn json_answer(status: u16, body: &Value) -> Answer {
    let headers = vec![("content-type", "application/json".to_owned())];
    Answer::Whole { status, headers, body: body.to_string().into_bytes() }
}

pub(crate) fn text_answer(status: u16, body: &str) -> Answer {
    Answer::Whole { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
}

impl Answer {
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Whole { headers, .. } = &mut self {
            headers.push((name, value.to_owned()));
        }
        self
    }
}

type Rule = Box<dyn Fn(&Seen) -> Option<Answer> + Send + Sync>;

#[derive(Default)]
struct Script {
    queues: Mutex<BTreeMap<String, VecDeque<Answer>>>,
    rules: Mutex<Vec<Rule>>,
    seen: Mutex<Vec<Seen>>,
    load: Mutex<Load>,
    /// How many requests wait for each other before any is answered.
    meet: Mutex<Option<Arc<tokio::sync::Barrier>>>,
}

#[derive(Default)]
struct Load {
    now: usize,
    most: usize,
}

/// The server. It ends with the test.
pub(crate) struct Scripted {
    pub(crate) url: Url,
    script: Arc<Script>,
    task: JoinHandle<()>,
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Scripted {
    /// A marketplace of Console 14 that has nothing, takes everything, and
    /// gives out the token `t1`.
    pub(crate) async fn start() -> Self {
        let script = Arc::new(Script::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let router = Router::new()
            .fallback(answer)
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(script.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, script, task }
    }

    /// Answers the next such request with this, once. `at` is the verb and the
    /// whole path.
    pub(crate) fn once(&self, at: &str, answer: Answer) {
        self.script.queues.lock().unwrap().entry(at.to_owned()).or_default().push_back(answer);
    }

    /// Answers every request for which the rule has an answer.
    pub(crate) fn rule(&self, rule: impl Fn(&Seen) -> Option<Answer> + Send + Sync + 'static) {
        self.script.rules.lock().unwrap().push(Box::new(rule));
    }

    /// From now on, this many requests must be there before one is answered.
    pub(crate) fn meet(&self, parties: usize) {
        *self.script.meet.lock().unwrap() = Some(Arc::new(tokio::sync::Barrier::new(parties)));
    }

    /// The requests whose verb and path begin so.
    pub(crate) fn seen(&self, at: &str) -> Vec<Seen> {
        let seen = self.script.seen.lock().unwrap();
        let begins = |seen: &&Seen| format!("{} {}", seen.method, seen.path).starts_with(at);
        seen.iter().filter(begins).cloned().collect()
    }

    /// The most requests that were being answered at one time.
    pub(crate) fn most_at_once(&self) -> usize {
        self.script.load.lock().unwrap().most
    }
}

async fn answer(
    State(script): State<Arc<Script>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let (path, query) = (uri.path().to_owned(), uri.query().unwrap_or_default().to_owned());
    let seen = Seen { method, path, query, headers, body };
    {
        let mut load = script.load.lock().unwrap();
        load.now += 1;
        load.most = load.most.max(load.now);
    }
    script.seen.lock().unwrap().push(seen.clone());
    let meet = script.meet.lock().unwrap().clone();
    if let Some(meet) = meet {
        meet.wait().await;
    }
    let at = format!("{} {}", seen.method, seen.path);
    let queued = script.queues.lock().unwrap().get_mut(&at).and_then(VecDeque::pop_front);
    let ruled = || script.rules.lock().unwrap().iter().find_map(|rule| rule(&seen));
    let number = script.seen.lock().unwrap().len();
    let answer = queued.or_else(ruled).unwrap_or_else(|| by_default(&seen, number));
    script.load.lock().unwrap().now -= 1;
    match answer {
        Answer::Whole { status, headers, body } => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body)).unwrap()
        }
        Answer::Cut => {
            let chunks: [Result<&str, std::io::Error>; 2] =
                [Ok("{\"done\":"), Err(std::io::Error::other("cut"))];
            Response::new(Body::from_stream(futures_util::stream::iter(chunks)))
        }
        Answer::Silence => std::future::pending().await,
    }
}

/// The rows of an apply that inserted all.
pub(crate) fn inserted(seen: &Seen) -> Value {
    let body = seen.json();
    let rows = body["resources"].as_array().unwrap().iter().map(|document| {
        json!({
            "itemId": document["itemId"], "name": "n", "version": version(document), "done": true,
            "inserted": true, "updated": false, "errors": [], "_id": format!("id-{}", text(&document["itemId"])),
        })
    });
    json!({ "done": true, "items": rows.collect::<Vec<_>>() })
}

fn by_default(seen: &Seen, number: usize) -> Answer {
    let path = seen.path.as_str();
    if path.ends_with("/oauth/token") {
        json_answer(
            200,
            &json!({ "access_token": "t1", "token_type": "Bearer", "expires_in": 3600 }),
        )
    } else if path.ends_with("/api/version") {
        json_answer(200, &json!({ "version": "14.1.0", "major": "14", "minor": "1" }))
    } else if path.ends_with("/files") {
        let location = format!("/v2/files/download/{number}.png");
        json_answer(
            200,
            &json!({ "_id": "f", "name": "n", "file": "f", "size": 1, "location": location }),
        )
    } else if seen.method == Method::POST {
        json_answer(200, &inserted(seen))
    } else if seen.method == Method::DELETE {
        text_answer(204, "")
    } else {
        json_answer(
            404,
            &json!({ "statusCode": 404, "error": "Not Found", "message": "no such item" }),
        )
    }
}
