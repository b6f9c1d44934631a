//! A server on this machine that gives the answers of a case, one after the
//! other, and then none.

use std::cell::Cell;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What stands between two answers.
pub const BETWEEN: &[u8] = b"\n%%\n";

/// The most answers of a case: each costs a connection.
const MOST: usize = 24;

/// The longest that a conversation may take.
const LONGEST: Duration = Duration::from_secs(30);

/// An answer as it goes over the wire. Its first line is the status and what
/// else is to be said in the head, and a body follows; what begins with
/// `HTTP/` is sent as it is.
fn on_the_wire(answer: &[u8]) -> Vec<u8> {
    if answer.starts_with(b"HTTP/") {
        return answer.to_vec();
    }
    let end = answer.iter().position(|byte| *byte == b'\n').unwrap_or(answer.len());
    let (line, body) = answer.split_at(end);
    let body = body.get(1..).unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split('|');
    let status = words.next().filter(|word| !word.is_empty()).unwrap_or("200");
    let mut head =
        format!("HTTP/1.1 {status} -\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for field in words {
        head.push_str(field);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

/// The answers of a script.
pub fn answers(script: &[u8]) -> Vec<Vec<u8>> {
    let (mut found, mut rest) = (Vec::new(), script);
    while found.len() < MOST && !rest.is_empty() {
        let end = rest.windows(BETWEEN.len()).position(|window| window == BETWEEN);
        let (answer, behind) = match end {
            Some(end) => (&rest[..end], &rest[end + BETWEEN.len()..]),
            None => (rest, &[][..]),
        };
        found.push(on_the_wire(answer));
        rest = behind;
    }
    found
}

/// Talks to a server that gives these answers, and returns what that came to
/// and how many requests it made. A conversation that does not end is a fault.
pub fn talk<T, F: Future<Output = T>>(
    answers: Vec<Vec<u8>>,
    conversation: impl FnOnce(SocketAddr) -> F,
) -> (T, usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asked = Rc::new(Cell::new(0));
    let local = tokio::task::LocalSet::new();
    let result = local.block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let count = Rc::clone(&asked);
        let server = tokio::task::spawn_local(async move {
            let mut answers = answers.into_iter();
            while let Ok((stream, _)) = listener.accept().await {
                count.set(count.get() + 1);
                let answer = answers.next().unwrap_or_default();
                tokio::task::spawn_local(async move {
                    // Who hangs up first does not matter.
                    let _ = Box::pin(serve(stream, &answer)).await;
                });
            }
        });
        let result = tokio::time::timeout(LONGEST, conversation(address)).await;
        server.abort();
        result.expect("the conversation does not end")
    });
    (result, asked.get())
}

async fn serve(mut stream: TcpStream, answer: &[u8]) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        let count = stream.read(&mut chunk).await?;
        request.extend_from_slice(&chunk[..count]);
        if count == 0 || is_whole(&request) {
            break;
        }
    }
    stream.write_all(answer).await?;
    stream.shutdown().await
}

/// Whether the request has come to its end.
fn is_whole(request: &[u8]) -> bool {
    let Some(head) = request.windows(4).position(|window| window == b"\r\n\r\n") else {
        return false;
    };
    let body = &request[head + 4..];
    let fields = String::from_utf8_lossy(&request[..head]).to_ascii_lowercase();
    if fields.contains("transfer-encoding: chunked") {
        return body.ends_with(b"0\r\n\r\n");
    }
    let length = fields.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.and_then(|length| length.trim().parse().ok()).unwrap_or(0)
}
