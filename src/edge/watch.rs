//! Wakes whoever waits when a source may have moved. A wake carries nothing:
//! what moved is found by reading the source, and a slow poll covers what no
//! event tells.
//!
//! Folders are watched, never files or links: a watch of a file or a link is
//! deaf once it was replaced, which is how git, git-sync, Kubernetes and
//! editors write. Each folder has a watch of its own, so that what a source
//! may cost is counted here.

mod folders;
mod pending;
mod route;
mod below;
mod place;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use folders::{Folders, TreeKind};
use pending::{Hint, Shared};
use place::{Identity, Place, identity};

/// The part of the user's watches that one source may take: other programs of
/// the user need theirs (`practice.md` §4).
const SHARE: usize = 4;

/// The user's watches where the system does not say: what old kernels allow.
const USUAL_LIMIT: usize = 8192;

/// The most folders of refs that are watched. A repository that people work
/// in has some dozens; a mirror of a forge has one for each pull request.
const MAX_REF_FOLDERS: usize = 4096;

/// How often the folders are listed again because they changed meanwhile.
/// Whoever makes them without pause is followed at the next wake.
const MAX_ROUNDS: usize = 4;

/// Up to so many watches are made anew by each [`Watch::follow`]. It heals
/// what nobody was told of, such as a volume that was mounted again, and takes
/// some 10 µs each.
const RENEWED: usize = 64;

/// How long to leave a directory alone that has too many folders: to count
/// them takes a while.
const GIVEN_UP: Duration = Duration::from_mins(10);

/// Whether events tell when the source moves. What no event tells is found by
/// the poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// They do.
    Events,
    /// They do for a part of it.
    Partly {
        /// What they do not tell, for people; a clause.
        why: String,
    },
    /// They do not, or only where a link on the way to the source is swapped.
    Polling {
        /// Why not, for people; a clause.
        why: String,
    },
}

/// The watch of one source.
///
/// The folders are found and watched by [`Watch::start`] and [`Watch::follow`],
/// which read the disk. Neither can fail: whatever keeps events from being
/// told is in [`Watch::mode`], and the poll goes on without them.
pub struct Watch {
    location: PathBuf,
    limit: usize,
    shared: Arc<Shared>,
    notify: Option<RecommendedWatcher>,
    place: Option<Place>,
    watched: HashMap<PathBuf, Option<Identity>>,
    mode: Mode,
    given_up: Option<Instant>,
}

/// What waits for a [`Watch`].
pub struct Wakes(Arc<Shared>);

impl Wakes {
    /// As [`Watch::moved`].
    pub async fn moved(&self) {
        self.0.wait().await;
    }

    /// As [`Watch::events`].
    pub fn events(&self) -> u64 {
        self.0.events()
    }
}

/// Why a tree is not watched.
struct TooMany(String);

impl Watch {
    /// Watches a source: a path as it was given, links and all. It may be
    /// missing; then what there is of the way to it is watched.
    ///
    /// Blocks while the folders are listed: some 5 ms for a checkout, half a
    /// second for a directory with 10,000 folders.
    pub fn start(location: &Path) -> Self {
        let limit = fs::read_to_string("/proc/sys/fs/inotify/max_user_watches")
            .ok()
            .and_then(|text| text.trim().parse().ok());
        Self::with_limit(location, limit.unwrap_or(USUAL_LIMIT))
    }

    /// The same where the user may have so many watches in all.
    pub fn with_limit(location: &Path, limit: usize) -> Self {
        let mut watch = Self {
            location: location.to_owned(),
            limit,
            shared: Arc::default(),
            notify: None,
            place: None,
            watched: HashMap::new(),
            mode: Mode::Events,
            given_up: None,
        };
        watch.follow();
        watch
    }

    /// Looks where the path leads now, and watches that. Comes before each
    /// reading of the source: what moves after it wakes.
    ///
    /// Blocks for about a millisecond if no folder came or went, else as long
    /// as [`Watch::start`].
    pub fn follow(&mut self) {
        if let Err(why) = self.connect() {
            self.mode = Mode::Polling { why };
            return;
        }
        let mut hint = self.shared.take_hint();
        for round in 0..MAX_ROUNDS {
            let place = Place::find(&self.location);
            let is_same = self.place.as_ref() == Some(&place);
            let is_told = hint.moved || hint.all || !hint.gone.is_empty();
            let is_settled = !is_told && self.given_up.is_none();
            if round == 0 && is_same && (is_settled || self.is_given_up()) {
                self.renew();
                return;
            }
            if !is_same {
                self.given_up = None;
            }
            if !self.adjust(place, &hint) {
                return;
            }
            // What was made before its folder was watched is in a second list.
            hint = self.shared.take_hint();
        }
        self.shared.moved();
    }

    /// What waits for this watch, also while it is asked to [`Watch::follow`].
    pub fn wakes(&self) -> Wakes {
        Wakes(Arc::clone(&self.shared))
    }

    /// Waits until something may have moved and has then kept quiet: for 50 ms
    /// in a repository, for 200 ms in a plain directory, at most for 2 s after
    /// the first event.
    ///
    /// What moves while nobody waits ends the next wait at once; so does what
    /// moved during a wait that was given up (`tokio::select!`).
    pub async fn moved(&self) {
        self.shared.wait().await;
    }

    /// Whether events tell when the source moves; as of the last look.
    pub fn mode(&self) -> &Mode {
        &self.mode
    }

    /// How many events mattered since the start.
    pub fn events(&self) -> u64 {
        self.shared.events()
    }

    /// How many folders are watched.
    pub fn folders(&self) -> usize {
        self.watched.len()
    }

    fn connect(&mut self) -> Result<(), String> {
        if self.notify.is_some() {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        let made = notify::recommended_watcher(move |event| shared.told(event));
        self.notify = Some(made.map_err(|error| {
            format!(
                "the system gives no more file watchers ({error}); \
                 fs.inotify.max_user_instances may be too low"
            )
        })?);
        Ok(())
    }

    fn is_given_up(&self) -> bool {
        self.given_up.is_some_and(|since| since.elapsed() < GIVEN_UP)
    }

    /// Watches what a place needs; whether any watch is new.
    fn adjust(&mut self, place: Place, hint: &Hint) -> bool {
        let mut gaps = place.gaps.clone();
        let mut wanted = place.points.clone();
        let tree = match &place.tree {
            Some(_) if self.is_given_up() => Err(None),
            Some((root, kind)) => self.tree(root, *kind, &mut wanted, &mut gaps).map_err(Some),
            None => Ok(()),
        };
        let mut added = false;
        let tree = tree.and_then(|()| {
            let done = self.set(&wanted, place.quiet, hint, &mut gaps);
            done.map(|new| added |= new).map_err(Some)
        });
        if let Err(why) = tree {
            // Links on the way are still worth their few watches.
            let few = self.set(&place.points, place.quiet, hint, &mut gaps);
            added = few.unwrap_or(false);
            if let Some(TooMany(why)) = why {
                self.given_up = Some(Instant::now());
                self.mode = Mode::Polling { why };
            }
        } else if gaps.is_empty() {
            self.mode = Mode::Events;
        } else {
            self.mode = Mode::Partly { why: gaps.join("; ") };
        }
        self.place = Some(place);
        added
    }

    /// Adds the folders of a tree.
    fn tree(
        &self,
        root: &Path,
        kind: TreeKind,
        wanted: &mut Folders,
        gaps: &mut Vec<String>,
    ) -> Result<(), TooMany> {
        let share = self.limit / SHARE;
        let most = match kind {
            TreeKind::Refs => share.min(MAX_REF_FOLDERS),
            TreeKind::Directory => share,
        };
        let below = below::list(root, kind, most);
        if let Some((path, error)) = below.unreadable {
            gaps.push(format!("cannot look into {} ({error})", path.display()));
        }
        match kind {
            TreeKind::Directory if below.is_cut => {
                return Err(TooMany(format!(
                    "{} has more than {most} folders, a quarter of the {} watches that this user \
                     may have; raise fs.inotify.max_user_watches to have them watched",
                    root.display(),
                    self.limit
                )));
            }
            TreeKind::Refs if below.is_cut => gaps.push(format!(
                "{} has more than {most} folders; `git pack-refs --all` makes them few",
                root.display()
            )),
            _ => {}
        }
        for folder in below.folders {
            wanted.tree(folder, kind);
        }
        Ok(())
    }

    /// Watches these folders and no others; whether any watch is new.
    fn set(
        &mut self,
        wanted: &Folders,
        quiet: Duration,
        hint: &Hint,
        gaps: &mut Vec<String>,
    ) -> Result<bool, TooMany> {
        let Some(notify) = &mut self.notify else { return Ok(false) };
        // Before the watches: what they tell is judged by it.
        self.shared.watch_for(wanted.clone(), quiet);
        let is_kept = |path: &PathBuf, _: &mut Option<Identity>| {
            let keep = wanted.get(path).is_some();
            if !keep {
                // notify may have dropped it by itself.
                _ = notify.unwatch(path);
            }
            keep
        };
        self.watched.retain(is_kept);
        let mut added = false;
        for folder in wanted.paths() {
            let found = identity(folder);
            let before = self.watched.get(folder);
            if before == Some(&found) && !hint.is_gone(folder) {
                continue;
            }
            if before.is_some() {
                _ = notify.unwatch(folder);
                self.watched.remove(folder);
            }
            match notify.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(folder.to_owned(), found);
                    added = true;
                }
                Err(error) => match error.kind {
                    // It was removed a moment ago.
                    ErrorKind::PathNotFound => {}
                    ErrorKind::MaxFilesWatch => {
                        return Err(TooMany(format!(
                            "all of the {} watches of this user are taken; raise \
                             fs.inotify.max_user_watches",
                            self.limit
                        )));
                    }
                    _ => gaps.push(format!("cannot watch a folder: {error}")),
                },
            }
        }
        Ok(added)
    }

    /// Makes the watches anew if they are few.
    fn renew(&mut self) {
        let Some(notify) = &mut self.notify else { return };
        if self.watched.len() > RENEWED {
            return;
        }
        for folder in self.watched.keys() {
            // One that cannot be watched any more is not there; the next look
            // at its identity tells.
            _ = notify.watch(folder, RecursiveMode::NonRecursive);
        }
    }
}
