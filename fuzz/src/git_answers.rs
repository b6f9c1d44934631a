//! Whatever a git server answers over HTTP: the fetch ends, nothing but a
//! clone is left, and no password is told.

use std::cell::Cell;
use std::time::Duration;

use marketsync::edge::git::remote::{Access, Limits, Remote, RemoteOptions, Wanted};
use marketsync::edge::secret::Secret;
use tempfile::TempDir;
use tokio::sync::watch;

use super::parts::Parts;
use super::served::{answers, talk};

/// What must not be told.
const CANARY: &str = "cAnArY-5ecret-0f-the-remote";

/// How many cases share one folder for clones.
const CASES: usize = 500;

/// One case: a byte for what is wanted, and the answers (see `served`).
pub fn check(data: &[u8]) {
    thread_local! {
        static DIR: Cell<Option<(TempDir, usize)>> = const { Cell::new(None) };
    }
    let (dir, cases) = DIR
        .take()
        .filter(|(_, cases)| *cases < CASES)
        .unwrap_or_else(|| (TempDir::new().unwrap(), 0));
    let mut parts = Parts::of(data);
    let wanted = match parts.byte() % 4 {
        0 => Wanted::Head,
        1 => Wanted::Branch("main".to_owned()),
        2 => Wanted::Revision("v1".to_owned()),
        _ => Wanted::Revision("0123456789abcdef0123456789abcdef01234567".to_owned()),
    };
    let script = answers(parts.rest());
    let given = script.len();
    let clones = dir.path().join("clone");
    let (told, asked) = talk(script, |address| async move {
        let remote = Remote::open(RemoteOptions {
            url: format!("http://me@{address}/a.git").parse().unwrap(),
            wanted,
            access: Access { password: Some(Secret::Text(CANARY.into())), ..Access::default() },
            dir: clones,
            limits: Limits {
                connect: Duration::from_secs(2),
                idle: Duration::from_secs(2),
                whole: Duration::from_secs(5),
                refs_bytes: 64 * 1024,
                pack_bytes: 1024 * 1024,
            },
        })
        .expect("a good remote");
        let (_keep, stop) = watch::channel(false);
        match remote.fetch(stop).await {
            Ok(_) => {
                assert!(remote.current().is_some(), "fetched, and no clone");
                String::new()
            }
            Err(why) => {
                let cause = std::error::Error::source(&why).map(ToString::to_string);
                format!("{why}{}", cause.unwrap_or_default())
            }
        }
    });
    assert!(!told.contains(CANARY), "a secret is told: {told}");
    assert!(told.chars().all(|c| !c.is_control()), "{told:?}");
    assert!(asked <= given + 4, "{asked} requests for {given} answers");
    DIR.set(Some((dir, cases + 1)));
}
