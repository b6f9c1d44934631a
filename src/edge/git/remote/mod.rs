//! A repository elsewhere, followed by a clone in the state directory.
//!
//! What is wanted of git's protocol is little: the refs, and one commit
//! without its past. That is spoken here, over the HTTP client that the
//! marketplace uses or over SSH, and libgit2 only stores the packs. So every
//! wait has an end, every size a bound, and a stop is heeded at once; no
//! program is run, and no file of the user's is read
//! (`docs/decisions/0007-remotes.md`).

mod url;
mod error;
mod limits;
mod access;
mod refs;
mod http;
mod known_hosts;
mod leash;
mod ssh;
mod wire;
mod talk;
mod pack;
mod folder;
mod local;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use git2::Oid;
use tokio::sync::{mpsc, watch};

use access::Keys;
use folder::Making;
use http::HttpClient;
use limits::{Guard, MAX_PACKS, blocking};
use pack::Piece;
use refs::Tip;
use talk::{Request, Shallow, Talk};
use url::Place;
use wire::{Link, Wire};

pub use access::Access;
pub use error::RemoteError;
pub use folder::LocalClone;
pub use limits::Limits;
pub use refs::Wanted;
pub use url::{RemoteUrl, UrlError};

/// How many pieces of a pack wait for the disk, at most 64 KiB each.
const PIECES: usize = 16;

/// What is followed, and how.
#[derive(Debug, Clone)]
pub struct RemoteOptions {
    /// Where it is.
    pub url: RemoteUrl,
    /// Which commit of it.
    pub wanted: Wanted,
    /// Who asks, and whom is believed.
    pub access: Access,
    /// The folder for clones. It belongs to one process: whoever opens it
    /// holds the lock of the state.
    pub dir: PathBuf,
    /// Bounds of one fetch.
    pub limits: Limits,
}

/// Whether the commit at the clone's HEAD is another than before the fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// The same.
    Unchanged,
    /// Another, or the first.
    Moved,
}

/// A remote repository and its clone.
pub struct Remote {
    options: RemoteOptions,
    clone: Mutex<Option<Arc<LocalClone>>>,
    /// Somebody could not read the clone.
    distrusted: AtomicBool,
    /// Held during a fetch: one at a time.
    client: tokio::sync::Mutex<Option<HttpClient>>,
}

/// The clone before a fetch.
#[derive(Clone, Copy)]
struct Before {
    head: Option<Oid>,
    /// Whether the fetch may build on it.
    usable: bool,
}

impl Remote {
    /// Finds the clone that an earlier run made of the same remote, and clears
    /// what a crash left. It uses no network.
    pub fn open(options: RemoteOptions) -> Result<Self, RemoteError> {
        super::prepare()?;
        options.wanted.check()?;
        match &options.url.place {
            Place::Http(url) => http::check(url, &options.access)?,
            Place::Ssh(place) => ssh::check(place, &options.access)?,
            Place::File(_) => {}
        }
        let clone = folder::find(&options.dir, &options.url)?.map(Arc::new);
        Ok(Self {
            options,
            clone: Mutex::new(clone),
            distrusted: AtomicBool::new(false),
            client: tokio::sync::Mutex::new(None),
        })
    }

    /// What is followed.
    pub fn url(&self) -> &RemoteUrl {
        &self.options.url
    }

    /// The clone to read; none before the first fetch.
    pub fn current(&self) -> Option<Arc<LocalClone>> {
        self.clone.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says that the clone could not be read: the next fetch makes it anew.
    pub fn distrust(&self) {
        self.distrusted.store(true, Ordering::Relaxed);
    }

    /// Brings the clone up to what the remote has now, and makes it if there
    /// is none, if it is damaged, or if it consists of too many packs. On an
    /// error it is as it was.
    ///
    /// It ends soon after `stop` is true, and by itself within
    /// [`Limits::whole`].
    pub async fn fetch(&self, stop: watch::Receiver<bool>) -> Result<Fetched, RemoteError> {
        let mut client = self.client.lock().await;
        let mut guard = Guard::new(stop, self.options.limits, self.options.url.host());
        let keys = self.options.access.read().await?;
        if let Place::Http(url) = &self.options.url.place {
            guard.secrets = http::secrets(url, &keys)?;
        }
        let before = self.before().await?;
        let fetched = self.fetch_once(&mut client, &keys, &guard, before).await;
        let fetched = match fetched {
            Err(RemoteError::Damaged { .. }) if before.usable => {
                let anew = Before { usable: false, ..before };
                self.fetch_once(&mut client, &keys, &guard, anew).await
            }
            fetched => fetched,
        }?;
        self.distrusted.store(false, Ordering::Relaxed);
        Ok(fetched)
    }

    async fn before(&self) -> Result<Before, RemoteError> {
        let Some(clone) = self.current() else {
            return Ok(Before { head: None, usable: false });
        };
        let distrusted = self.distrusted.load(Ordering::Relaxed);
        blocking(move || {
            let head = pack::open(&clone.path())
                .ok()
                .and_then(|repo| repo.refname_to_id(pack::BRANCH).ok());
            let usable = head.is_some() && !distrusted && clone.packs() <= MAX_PACKS;
            Ok(Before { head, usable })
        })
        .await
    }

    async fn fetch_once(
        &self,
        client: &mut Option<HttpClient>,
        keys: &Keys,
        guard: &Guard,
        before: Before,
    ) -> Result<Fetched, RemoteError> {
        let wanted = &self.options.wanted;
        if let (true, Some(head)) = (before.usable, before.head)
            && wanted.id() == Some(head)
        {
            // What an id names never changes.
            return Ok(Fetched::Unchanged);
        }
        if let Place::File(path) = &self.options.url.place {
            return self.copy(path, guard, before).await;
        }
        let shown = self.options.url.to_string();
        let link = self.connect(client, keys, guard).await?;
        let mut talk = Talk::open(Wire::new(link, guard.clone()), wanted).await?;
        let tip = talk.choose(wanted, &shown).await?;
        if before.usable && before.head.is_some() && before.head == tip.commit {
            talk.close().await;
            return Ok(Fetched::Unchanged);
        }
        let base = self.current().filter(|_| before.usable);
        if let Some(base) = &base
            && let Some(commit) = is_here(base, tip, guard).await?
        {
            talk.close().await;
            return Ok(moved(before.head, commit));
        }
        let place = Target::of(base, &self.options.dir).await?;
        let commit = receive(talk, &place, tip, before, guard).await?;
        self.take(place).await?;
        Ok(moved(before.head, commit))
    }

    async fn connect(
        &self,
        client: &mut Option<HttpClient>,
        keys: &Keys,
        guard: &Guard,
    ) -> Result<Link, RemoteError> {
        match &self.options.url.place {
            Place::Http(url) => {
                let client = http::client(client, url, keys, guard)?.clone();
                Ok(Link::Http(Box::new(http::HttpLink::open(client, url, keys, guard).await?)))
            }
            Place::Ssh(place) => {
                Ok(Link::Ssh(Box::new(ssh::SshLink::open(place, keys, guard).await?)))
            }
            Place::File(_) => Err(RemoteError::refused("a file is not asked over a network")),
        }
    }

    async fn copy(
        &self,
        path: &Path,
        guard: &Guard,
        before: Before,
    ) -> Result<Fetched, RemoteError> {
        let (path, wanted) = (path.to_owned(), self.options.wanted.clone());
        let origin = {
            let path = path.clone();
            blocking(move || local::Origin::open(&path)?.choose(&wanted)).await?
        };
        if before.usable && before.head.is_some() && before.head == origin.commit {
            return Ok(Fetched::Unchanged);
        }
        let base = self.current().filter(|_| before.usable);
        let place = Target::of(base, &self.options.dir).await?;
        let git_dir = place.git_dir();
        let most = guard.limits.pack_bytes;
        let cancel = Arc::new(AtomicBool::new(false));
        let heed = Arc::clone(&cancel);
        let work = blocking(move || {
            let repo = pack::open(&git_dir)?;
            if let Ok(commit) = pack::whole(&repo, origin.object, &heed) {
                pack::set_head(&repo, commit)?;
                return Ok(commit);
            }
            let shallow = local::Origin::open(&path)?.copy(origin, &git_dir, most, &heed)?;
            settle(&git_dir, &shallow, origin.object, &heed)
        });
        let commit = cancellable(work, guard, &cancel).await?;
        self.take(place).await?;
        Ok(moved(before.head, commit))
    }

    /// Puts a clone that was made anew in the place of the old one.
    async fn take(&self, place: Target) -> Result<(), RemoteError> {
        let Target::New(making) = place else {
            return Ok(());
        };
        let url = self.options.url.clone();
        let clone = Arc::new(blocking(move || making.finish(&url)).await?);
        let old = self.clone.lock().unwrap_or_else(PoisonError::into_inner).replace(clone);
        if let Some(old) = old {
            old.retire();
            // The last drop removes a folder.
            blocking(move || {
                drop(old);
                Ok(())
            })
            .await?;
        }
        Ok(())
    }
}

/// Where a pack goes.
enum Target {
    Old(Arc<LocalClone>),
    New(Making),
}

impl Target {
    async fn of(base: Option<Arc<LocalClone>>, dir: &Path) -> Result<Self, RemoteError> {
        if let Some(clone) = base {
            return Ok(Self::Old(clone));
        }
        let dir = dir.to_owned();
        blocking(move || Making::new(&dir).map(Self::New)).await
    }

    fn git_dir(&self) -> PathBuf {
        match self {
            Self::Old(clone) => clone.path(),
            Self::New(making) => making.git_dir(),
        }
    }
}

/// Moves HEAD to a commit that the clone has already: an older one that was
/// wanted before.
async fn is_here(base: &LocalClone, tip: Tip, guard: &Guard) -> Result<Option<Oid>, RemoteError> {
    let git_dir = base.path();
    let cancel = Arc::new(AtomicBool::new(false));
    let heed = Arc::clone(&cancel);
    let work = blocking(move || {
        let repo = pack::open(&git_dir)?;
        let Ok(commit) = pack::whole(&repo, tip.object, &heed) else {
            return Ok(None);
        };
        pack::set_head(&repo, commit)?;
        Ok(Some(commit))
    });
    cancellable(work, guard, &cancel).await
}

/// Asks for a commit, and stores what comes.
async fn receive(
    mut talk: Talk,
    place: &Target,
    tip: Tip,
    before: Before,
    guard: &Guard,
) -> Result<Oid, RemoteError> {
    let git_dir = place.git_dir();
    let (have, known) = match place {
        Target::Old(_) => {
            let git_dir = git_dir.clone();
            (before.head, blocking(move || Ok(pack::shallow_commits(&git_dir))).await?)
        }
        Target::New(_) => (None, Vec::new()),
    };
    if !known.is_empty() && !talk.is_shallow() {
        return Err(RemoteError::Damaged {
            why: "the server does not take clones without their past any more".to_owned(),
        });
    }
    let shallow = talk.request(&Request { tip, have, shallow: &known }).await?;
    let (to_disk, pieces) = mpsc::channel(PIECES);
    let cancel = Arc::new(AtomicBool::new(false));
    let heed = Arc::clone(&cancel);
    let folder = git_dir.clone();
    let work = blocking(move || {
        pack::store(&folder, pieces, &heed)?;
        settle(&folder, &shallow, tip.object, &heed)
    });
    let pump = async {
        let sent = pump(&mut talk, to_disk).await;
        talk.close().await;
        sent
    };
    let (sent, stored) = tokio::join!(pump, cancellable(work, guard, &cancel));
    // The disk's error is the cause when both fail: nobody took the pieces.
    match (sent, stored) {
        (Err(error), Err(RemoteError::Stopped)) => Err(error),
        (Ok(()) | Err(_), stored) => stored,
    }
}

/// Hands on the pack until its end, or until nobody takes it any more.
async fn pump(talk: &mut Talk, send: mpsc::Sender<Piece>) -> Result<(), RemoteError> {
    while let Some(bytes) = talk.pack().await? {
        if send.send(Piece::Bytes(bytes)).await.is_err() {
            return Ok(());
        }
    }
    let _ = send.send(Piece::End).await;
    Ok(())
}

/// Lets HEAD lead to a commit that is there whole.
fn settle(
    git_dir: &Path,
    shallow: &Shallow,
    object: Oid,
    cancel: &AtomicBool,
) -> Result<Oid, RemoteError> {
    let repo = pack::open(git_dir)?;
    let commit = pack::whole(&repo, object, cancel)?;
    pack::update_shallow(&repo, shallow)?;
    pack::set_head(&repo, commit)?;
    Ok(commit)
}

fn moved(before: Option<Oid>, now: Oid) -> Fetched {
    if before == Some(now) { Fetched::Unchanged } else { Fetched::Moved }
}

/// Work on the disk, waited for to its end; it is told when to end early.
async fn cancellable<T>(
    work: impl Future<Output = Result<T, RemoteError>>,
    guard: &Guard,
    cancel: &AtomicBool,
) -> Result<T, RemoteError> {
    tokio::pin!(work);
    match guard.wait(guard.limits.whole, "the fetch", &mut work).await {
        Ok(result) => result,
        Err(error) => {
            cancel.store(true, Ordering::Relaxed);
            // It is not left behind: it holds the folder.
            let _ = work.await;
            Err(error)
        }
    }
}
