//! The webhook: calls as the forges make them, and what is no such call. The
//! files beside are requests with the headers and the form of body that each
//! forge documents; their signatures were computed apart from this program.

use std::sync::atomic::Ordering;

use crate::support::front::{Front, HOOK_SECRET, Heard, Wish, until};

const FORGES: [(&str, &[u8]); 4] = [
    ("github", include_bytes!("hook/github-push.http")),
    ("gitlab", include_bytes!("hook/gitlab-push.http")),
    ("gitea", include_bytes!("hook/gitea-push.http")),
    ("bitbucket", include_bytes!("hook/bitbucket-push.http")),
];

/// A request with another header or body.
fn changed(request: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(request).unwrap();
    assert!(text.contains(from), "nothing of {from}");
    let text = text.replacen(from, to, 1);
    let (head, body) = text.split_once("\n\n").unwrap();
    let head = head.lines().filter(|line| !line.starts_with("Content-Length"));
    let head = head.collect::<Vec<_>>().join("\r\n");
    format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

async fn as_sent(front: &Front, request: &[u8]) -> Heard {
    front.raw(&changed(request, "POST /hook", "POST /hook")).await
}

fn wakes(front: &Front) -> usize {
    front.wakes.load(Ordering::SeqCst)
}

#[tokio::test]
async fn every_forge_is_understood() {
    for (forge, request) in FORGES {
        let front = Front::start().await;
        let heard = as_sent(&front, request).await;
        assert_eq!(heard.code, 202, "{forge}: {heard:?}");
        until("it wakes", || wakes(&front) == 1).await;
        front.get("/metrics").await.is(200, "marketsync_hook_requests_total{code=\"202\"} 1");
    }
}

#[tokio::test]
async fn another_body_or_another_secret_is_refused() {
    for (forge, request) in FORGES {
        let front = Front::start().await;
        let file = front.home.path().join("hook-secret");
        // GitLab's token says nothing of the body.
        if forge != "gitlab" {
            let other = changed(request, "Ada Lovelace", "Eve Lovelace");
            assert_eq!(front.raw(&other).await.code, 401, "{forge}");
        }
        std::fs::write(&file, "another").unwrap();
        assert_eq!(as_sent(&front, request).await.code, 401, "{forge}");
        assert_eq!(wakes(&front), 0, "{forge}");
        std::fs::write(&file, HOOK_SECRET).unwrap();
        assert_eq!(as_sent(&front, request).await.code, 202, "{forge}: the file is read anew");
    }
}

#[tokio::test]
async fn a_call_without_proof_or_with_a_wrong_one_wakes_nobody() {
    let front = Front::start().await;
    let github = FORGES[0].1;
    for (from, to) in [
        ("X-Hub-Signature-256", "X-Other"),
        ("sha256=", "sha256=0"),
        ("sha256=", "sha1="),
        ("sha256=", "SHA256="),
        ("sha256=", ""),
        ("X-GitHub-Event: push", "X-Gitlab-Token: guess"),
        ("X-GitHub-Event: push", "X-Gitea-Signature: 00"),
        ("X-GitHub-Event: push", "X-Hub-Signature-256: sha256=00"),
        ("X-GitHub-Event: push", "X-Gitlab-Token: \u{fffd}\u{1f980}"),
    ] {
        let heard = front.raw(&changed(github, from, to)).await;
        heard.is(401, "signature is missing or wrong");
    }
    front.call(&[], b"").await.is(401, "");
    front.call(&[("X-Hub-Signature", "sha1=0")], b"").await.is(401, "");
    front.call(&[("X-Gitlab-Token", "")], b"").await.is(401, "");
    assert_eq!(wakes(&front), 0);
    front.get("/metrics").await.is(200, "marketsync_hook_requests_total{code=\"401\"} 12");
}

#[tokio::test]
async fn without_a_webhook_there_is_no_such_address() {
    let front = Front::with(Wish { hook: false, ..Wish::default() }).await;
    as_sent(&front, FORGES[0].1).await.is(404, "--hook-secret-file");
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_opens_nothing() {
    let front = Front::start().await;
    let file = front.home.path().join("hook-secret");
    std::fs::write(&file, " \n").unwrap();
    let empty = [("X-Gitlab-Token", "")];
    let heard = front.call(&empty, b"").await;
    heard.is(503, "cannot be read");
    assert!(!heard.body.contains("hook-secret"), "{heard:?}");
    std::fs::remove_file(&file).unwrap();
    as_sent(&front, FORGES[1].1).await.is(503, "cannot be read");
    assert_eq!(wakes(&front), 0);
}

/// The pause between two wakes is real time here; that the last call is not
/// lost is shown with a clock of its own, beside the code.
#[tokio::test]
async fn a_hundred_calls_wake_a_few_times_and_then_have_to_wait() {
    let front = Front::start().await;
    let begun = std::time::Instant::now();
    let calls = (0..100).map(|_| as_sent(&front, FORGES[0].1));
    let heard = futures_util::future::join_all(calls.take(60)).await;
    let more = (0..40).map(|_| as_sent(&front, FORGES[0].1));
    let heard = [heard, futures_util::future::join_all(more).await].concat();
    let count = |code| heard.iter().filter(|heard| heard.code == code).count();
    let took = begun.elapsed().as_secs();
    assert_eq!(count(202) + count(429), 100, "{heard:?}");
    assert!(count(202) >= 50 && count(429) > 0 || took > 1, "{} {}", count(202), count(429));
    let refused = heard.iter().filter(|heard| heard.code == 429);
    assert!(refused.clone().all(|heard| heard.header("retry-after") == "1"), "{heard:?}");
    assert!(wakes(&front) as u64 <= 2 + took, "{} wakes in {took} s", wakes(&front));
    assert!(wakes(&front) > 0);
}

#[tokio::test]
async fn calls_with_a_wrong_proof_keep_none_out_that_shows_the_secret() {
    let front = Front::start().await;
    let guess = [("X-Gitlab-Token", "guess")];
    let begun = std::time::Instant::now();
    let mut refused = 0;
    while refused == 0 {
        assert!(begun.elapsed().as_secs() < 30, "nobody had to wait");
        let heard = futures_util::future::join_all((0..60).map(|_| front.call(&guess, b"{}")));
        refused = heard.await.iter().filter(|heard| heard.code == 429).count();
    }
    let calls = (0..20).map(|_| as_sent(&front, FORGES[1].1));
    let heard = futures_util::future::join_all(calls).await;
    assert!(heard.iter().all(|heard| heard.code == 202), "{heard:?}");
}
