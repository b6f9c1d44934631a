//! A wire between the program and the marketplace: it reads what passes, byte
//! by byte, and knows the moment at which the marketplace has a request and
//! the moment at which it has carried it out.

use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::steps::Crash;

/// A request as it went over the wire.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Heard {
    /// Method and path.
    pub(crate) line: String,
    pub(crate) body: Vec<u8>,
    /// The marketplace did not get it: the program died before.
    pub(crate) lost: bool,
}

impl Heard {
    /// The documents of an apply.
    pub(crate) fn resources(&self) -> Vec<Value> {
        let is_apply = self.line.starts_with("POST")
            && (self.line.ends_with("/items") || self.line.ends_with("/resources"));
        if !is_apply {
            return Vec::new();
        }
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        body["resources"].as_array().unwrap().clone()
    }

    /// Item and version that the path names.
    pub(crate) fn addressed(&self) -> Option<String> {
        let path = self.line.split_once(' ')?.1.split('?').next()?;
        let (before, version) = path.split_once("/versions/")?;
        Some(format!("{} {version}", before.rsplit('/').next()?))
    }
}

/// A text without what is another in every world: names that the marketplace
/// draws, and the borders of a form.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let border = text.split("\r\n").next().filter(|line| line.starts_with("--")).map(str::to_owned);
    let text = border.map_or(text.clone(), |border| text.replace(&border[2..], "border"));
    let is_drawn =
        |word: &str| word.len() == 36 && word.bytes().filter(|byte| *byte == b'-').count() == 4;
    let words = text.split_inclusive(|c: char| !c.is_ascii_hexdigit() && c != '-');
    words
        .map(|word| {
            let bare = word.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
            if is_drawn(bare) { word.replace(bare, "drawn") } else { word.to_owned() }
        })
        .collect()
}

impl Heard {
    /// All of it, in words that are the same in every world.
    pub(crate) fn plain(&self) -> String {
        format!("{} {} {}", plain(self.line.as_bytes()), plain(&self.body), self.lost)
    }
}

/// Called once, at the moment of the crash.
type AtCrash = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Wire {
    heard: Vec<Heard>,
    crash: Option<Crash>,
    at_crash: Option<AtCrash>,
    /// Requests that the marketplace has and has not answered.
    open: usize,
    struck: bool,
    crashed: Arc<Notify>,
}

/// The wire.
#[derive(Clone, Default)]
pub(crate) struct Tap {
    wire: Arc<Mutex<Wire>>,
}

impl Tap {
    /// Lays the wire to this address; the address of its other end.
    pub(crate) async fn lay(&self, to: String) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let tap = self.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                tokio::spawn(tap.clone().carry(stream, to.clone()));
            }
        });
        url
    }

    fn wire(&self) -> MutexGuard<'_, Wire> {
        self.wire.lock().unwrap()
    }

    /// Forgets what was heard, and arms the next crash.
    pub(crate) fn arm(&self, crash: Option<Crash>, at_crash: AtCrash) {
        *self.wire() = Wire { crash, at_crash: Some(at_crash), ..Wire::default() };
    }

    /// Ends when the crash has come.
    pub(crate) async fn crashed(&self) {
        let crashed = Arc::clone(&self.wire().crashed);
        crashed.notified().await;
    }

    /// Waits until the marketplace has answered all that it got, and returns it.
    pub(crate) async fn quiet(&self) -> Vec<Heard> {
        while self.wire().open > 0 {
            tokio::task::yield_now().await;
        }
        self.wire().heard.clone()
    }

    fn strike(&self) {
        let at_crash = {
            let mut wire = self.wire();
            wire.struck = true;
            wire.crash = None;
            wire.at_crash.take()
        };
        if let Some(at_crash) = at_crash {
            at_crash();
        }
        self.wire().crashed.notify_one();
    }

    /// Notes a request; how the program dies of it, if it does.
    fn note(&self, line: String, body: Vec<u8>) -> Option<Crash> {
        let mut wire = self.wire();
        let number = wire.heard.len();
        let crash = wire.crash.filter(|crash| crash.at == number);
        let lost = wire.struck || crash.is_some_and(|crash| !crash.after);
        wire.heard.push(Heard { line, body, lost });
        wire.open += usize::from(!lost);
        crash
    }

    /// One connection.
    async fn carry(self, mut client: TcpStream, to: String) {
        let Ok(mut server) = TcpStream::connect(to).await else { return };
        drop(server.set_nodelay(true));
        let mut rest = Vec::new();
        while let Some((bytes, line, body)) = request(&mut client, &mut rest).await {
            let crash = self.note(line, body);
            if self.wire().heard.last().is_some_and(|heard| heard.lost) {
                if crash.is_some() {
                    self.strike();
                }
                return;
            }
            let asked = server.write_all(&bytes).await.is_ok();
            let back = if crash.is_some() { None } else { Some(&mut client) };
            let goes_on = asked && answer(&mut server, back).await;
            // Whoever reads that all is quiet has also what is told here.
            if crash.is_some() {
                self.strike();
            }
            self.wire().open -= 1;
            if !goes_on || crash.is_some() {
                return;
            }
        }
    }
}

/// Reads one request: its bytes, its method and path, its body.
async fn request(stream: &mut TcpStream, rest: &mut Vec<u8>) -> Option<(Vec<u8>, String, Vec<u8>)> {
    let head = head(stream, rest).await?;
    let text = String::from_utf8_lossy(&rest[..head]).into_owned();
    let length = length_of(&text).unwrap_or(0);
    while rest.len() < head + length {
        fill(stream, rest).await?;
    }
    let bytes: Vec<u8> = rest.drain(..head + length).collect();
    let mut words = text.split(' ');
    let line = format!("{} {}", words.next()?, words.next()?);
    let body = bytes[head..].to_vec();
    Some((bytes, line, body))
}

/// Passes one answer on; whether the connection can carry another. If nobody is
/// there any more, the first of it is waited for: then the request is done.
async fn answer(stream: &mut TcpStream, mut back: Option<&mut TcpStream>) -> bool {
    let mut bytes = Vec::new();
    let head = head(stream, &mut bytes).await;
    let Some(back) = &mut back else { return false };
    let Some(head) = head else {
        // What came of it goes on, and the end of the connection after it.
        drop(back.write_all(&bytes).await);
        return false;
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let status = text.split(' ').nth(1).unwrap_or_default();
    let length = if ["204", "304"].contains(&status) { Some(0) } else { length_of(&text) };
    let mut passed = 0;
    loop {
        if back.write_all(&bytes[passed..]).await.is_err() {
            return false;
        }
        passed = bytes.len();
        let whole = match length {
            Some(length) => bytes.len() >= head + length,
            None => bytes.ends_with(b"0\r\n\r\n"),
        };
        if whole {
            return !text.contains("connection: close");
        }
        if fill(stream, &mut bytes).await.is_none() {
            return false;
        }
    }
}

/// Reads until a head is there; its length.
async fn head(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<usize> {
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            return Some(end + 4);
        }
        fill(stream, bytes).await?;
    }
}

async fn fill(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let read = stream.read_buf(bytes).await.ok()?;
    (read > 0).then_some(())
}

fn length_of(head: &str) -> Option<usize> {
    let head = head.to_ascii_lowercase();
    assert!(!head.starts_with("post") || !head.contains("transfer-encoding"), "{head}");
    head.lines().find_map(|line| line.strip_prefix("content-length:"))?.trim().parse().ok()
}
