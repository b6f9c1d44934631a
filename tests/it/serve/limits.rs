//! Nobody who is slow, silent, many or strange keeps others from an answer.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::support::front::{Front, HOOK_SECRET, call, hear};

/// How long until the server closed.
async fn lives(mut stream: TcpStream) -> Duration {
    let begun = Instant::now();
    // Whether it is closed or reset, it is over.
    drop(stream.read_to_end(&mut Vec::new()).await);
    begun.elapsed()
}

/// The clock moves only while everybody waits, so that this takes no time.
#[tokio::test(start_paused = true)]
async fn a_connection_ends_whatever_it_waits_for() {
    let front = Front::start().await;
    for sent in [
        &b""[..],
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n",
    ] {
        let mut stream = front.connect().await;
        stream.write_all(sent).await.unwrap();
        let lived = lives(stream).await;
        assert!(lived <= Duration::from_secs(16), "{sent:?}: {lived:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_header_that_drips_in_is_not_waited_for() {
    let front = Front::start().await;
    let (mut reader, mut writer) = front.connect().await.into_split();
    let begun = Instant::now();
    let drip = async {
        while writer.write_all(b"X").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let mut heard = Vec::new();
    let end = async { drop(reader.read_to_end(&mut heard).await) };
    tokio::select! {
        () = drip => {}
        () = end => {}
    }
    assert!(begun.elapsed() <= Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_told_so() {
    let front = Front::start().await;
    let mut stream = front.connect().await;
    let request = format!(
        "POST /hook HTTP/1.1\r\nHost: x\r\nX-Gitlab-Token: {HOOK_SECRET}\r\nContent-Length: 10\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    hear(stream).await.is(408, "within 5 s");
    front.get("/metrics").await.is(200, "marketsync_hook_requests_total{code=\"408\"} 1");
}

#[tokio::test]
async fn a_thousand_silent_connections_keep_no_probe_waiting() {
    let front = Front::start().await;
    let mut silent = Vec::new();
    for _ in 0..1000 {
        let mut stream = front.connect().await;
        stream.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
        silent.push(stream);
    }
    let begun = std::time::Instant::now();
    front.get("/healthz").await.is(200, "ok");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    // The newest of them is still served, the oldest is gone.
    let mut newest = silent.pop().unwrap();
    newest.write_all(b"Host: x\r\n\r\n").await.unwrap();
    hear(newest).await.is(200, "ok");
    assert!(lives(silent.remove(0)).await < Duration::from_secs(2));
}

#[tokio::test]
async fn a_connection_serves_one_request() {
    let front = Front::start().await;
    let twice = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    let heard = front.raw(twice).await;
    assert_eq!(heard.is(200, "ok").body, "ok\n");
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let front = Front::start().await;
    for request in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n",
        b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    ] {
        front.raw(request).await.is(400, "");
    }
    let many = format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: 1\r\n".repeat(500));
    front.raw(many.as_bytes()).await.is(431, "");
    let odd = b"GET /healthz HTTP/1.1\r\nHost: \xff\xfe\r\nX-Forwarded-For: ' OR 1=1\r\nCookie: \x80\r\n\r\n";
    front.raw(odd).await.is(200, "ok");
    front.get("/healthz").await.is(200, "ok");
}

#[tokio::test]
async fn a_long_body_is_refused_and_the_refusal_arrives() {
    let front = Front::start().await;
    let proof = [("X-Gitlab-Token", "x")];
    let long = vec![b'x'; 8 * 1024 * 1024];
    front.raw(&call(&proof, &long)).await.is(413, "longer than 1 MiB");
    let mut chunked = format!("POST /hook HTTP/1.1\r\nHost: x\r\nX-Gitlab-Token: {HOOK_SECRET}\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..200 {
        chunked.extend_from_slice(b"4000\r\n");
        chunked.extend_from_slice(&[b'x'; 0x4000]);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    front.raw(&chunked).await.is(413, "longer than 1 MiB");
    // Nobody reads the body of a request that has none.
    let get = [b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 8388608\r\n\r\n", &long[..]];
    front.raw(&get.concat()).await.is(200, "ok");
    front.get("/metrics").await.is(200, "marketsync_hook_requests_total{code=\"413\"} 2");
}

/// Its limits are others, and nobody who asks here needs it.
#[tokio::test]
async fn http_2_is_not_spoken() {
    let front = Front::start().await;
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let preface = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &settings].concat();
    for cut in [0, 1, 11, 12] {
        let mut stream = front.connect().await;
        stream.set_nodelay(true).unwrap();
        let (first, rest) = preface.split_at(cut);
        stream.write_all(first).await.unwrap();
        tokio::task::yield_now().await;
        // It may be gone before all is written.
        drop(stream.write_all(rest).await);
        let mut heard = Vec::new();
        drop(stream.read_to_end(&mut heard).await);
        assert_eq!(heard, b"", "cut at {cut}");
    }
    // What only begins in that way.
    for begin in ["P", "PRI"] {
        let mut stream = front.connect().await;
        stream.set_nodelay(true).unwrap();
        stream.write_all(begin.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
        stream.write_all(b"X /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        hear(stream).await.is(405, "called with POST");
    }
    front.get("/healthz").await.is(200, "ok");
}

/// A page of many items is some 100 MiB; there are never more than two.
#[tokio::test]
async fn who_reads_the_items_slowly_has_few_beside() {
    let front = Front::start().await;
    // More than the buffers of a connection take up.
    super::full(&front, &"x".repeat(16 * 1024 * 1024));
    let mut slow = Vec::new();
    for _ in 0..2 {
        let mut stream = front.connect().await;
        stream.write_all(b"GET /status?items=true HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut begun = [0];
        stream.read_exact(&mut begun).await.unwrap();
        slow.push(stream);
    }
    front.get("/status?items=true").await.is(503, "ask again");
    front.get("/status").await.is(200, "counts");
    drop(slow.pop());
    front.get("/status?items=true").await.is(200, "items");
    hear(slow.remove(0)).await.is(200, "items");
}
