//! What a process shows to the outside, on a loopback port, and a client that
//! speaks to it byte by byte.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use marketsync::domain::standing::{About, Standing};
use marketsync::edge::heartbeat::Heartbeat;
use marketsync::edge::hook::Hook;
use marketsync::edge::metrics::Metrics;
use marketsync::edge::secret::Secret;
use marketsync::edge::serve::{Serving, serve};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::domain::noon;

/// What the forge knows as well: GitHub's example.
pub(crate) const HOOK_SECRET: &str = "It's a Secret to Everybody";

/// A server with everything that it shows.
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    pub(crate) standing: watch::Sender<Arc<Standing>>,
    pub(crate) heart: Heartbeat,
    pub(crate) home: TempDir,
    /// How often the webhook woke somebody.
    pub(crate) wakes: Arc<AtomicUsize>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// What can be asked of it at the start.
pub(crate) struct Wish {
    pub(crate) hook: bool,
    pub(crate) patience: Duration,
}

impl Default for Wish {
    fn default() -> Self {
        Self { hook: true, patience: Duration::from_secs(90) }
    }
}

pub(crate) fn standing() -> Standing {
    Standing::new(About {
        source: "https://git.example.com/acme/catalogue.git".to_owned(),
        endpoint: "https://console.example.com".to_owned(),
        company: "acme".to_owned(),
        started: noon(0),
    })
}

impl Front {
    pub(crate) async fn start() -> Self {
        Self::with(Wish::default()).await
    }

    pub(crate) async fn with(wish: Wish) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let home = TempDir::new().unwrap();
        std::fs::write(home.path().join("hook-secret"), format!("{HOOK_SECRET}\n")).unwrap();
        let (called, wakes) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let (sender, receiver) = watch::channel(Arc::new(standing()));
        let (metrics, heart) = (Metrics::new().unwrap(), Heartbeat::default());
        let hook = Hook {
            secret: Secret::File(home.path().join("hook-secret")),
            called: Arc::clone(&called),
        };
        let stop = watch::Sender::new(false);
        let serving = Serving {
            metrics: metrics.clone(),
            standing: receiver,
            heart: heart.clone(),
            patience: wish.patience,
            hook: wish.hook.then_some(hook),
            stop: stop.subscribe(),
            state: home.path().join("state"),
        };
        let mut stopped = stop.subscribe();
        let server = tokio::spawn(async move {
            let shutdown = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
            serve(listener, serving, shutdown).await.unwrap();
        });
        let count = Arc::clone(&wakes);
        let counter = tokio::spawn(async move {
            loop {
                called.notified().await;
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { address, standing: sender, heart, home, wakes, stop, tasks: vec![counter, server] }
    }

    /// Where the state is looked for.
    pub(crate) fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    /// Changes what it shows.
    pub(crate) fn now(&self, change: impl FnOnce(&mut Standing)) {
        self.standing.send_modify(|standing| change(Arc::make_mut(standing)));
    }

    /// Asks it to stop.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until it has stopped.
    pub(crate) async fn end(mut self) {
        self.tasks.pop().unwrap().await.unwrap();
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends these bytes and reads until the server has closed.
    pub(crate) async fn raw(&self, request: &[u8]) -> Heard {
        let mut stream = self.connect().await;
        stream.write_all(request).await.unwrap();
        hear(stream).await
    }

    pub(crate) async fn get(&self, path: &str) -> Heard {
        self.raw(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await
    }

    /// Calls the webhook with these headers and this body.
    pub(crate) async fn call(&self, headers: &[(&str, &str)], body: &[u8]) -> Heard {
        self.raw(&call(headers, body)).await
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// A call of the webhook.
pub(crate) fn call(headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut request =
        format!("POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        request.extend([name, ": ", value, "\r\n"]);
    }
    [request.as_bytes(), b"\r\n", body].concat()
}

/// What the server said until it closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) code: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Heard {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|fault| panic!("{fault}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    #[track_caller]
    pub(crate) fn is(&self, code: u16, text: &str) -> &Self {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.body.contains(text), "nothing of `{text}`: {self:?}");
        self
    }
}

/// Reads until the server has closed.
pub(crate) async fn hear(mut stream: TcpStream) -> Heard {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let mut lines = head.split("\r\n");
    let code = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    });
    Heard { code, headers: headers.collect(), body: body.to_owned() }
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &'static str, holds: impl Fn() -> bool) {
    let end = std::time::Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(std::time::Instant::now() < end, "it never came to this: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
