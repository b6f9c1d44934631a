//! What was told of the file system and not yet passed on, and when it is due.
//!
//! notify calls from a thread of its own, at any moment; whoever waits asks
//! here. What is told stays until it is taken, so nothing is lost between two
//! waits.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{CreateKind, ModifyKind, RemoveKind};
use notify::{Event, EventKind};

use super::folders::Folders;

/// The longest that a wake is put off while more keeps moving, counted from
/// the first event (`practice.md` §4).
const LONGEST: Duration = Duration::from_secs(2);

/// The least time between two wakes whose only cause is that events were
/// lost. notify also subscribes to the opening of files, so that reading a
/// large directory can overflow the kernel's queue by itself; without a pause
/// one pass would be the cause of the next. As long as the slow poll's beat.
const LOST_PAUSE: Duration = Duration::from_secs(10);

/// Between notify's thread and the one that waits.
#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    wake: tokio::sync::Notify,
}

#[derive(Debug, Default)]
struct State {
    folders: Folders,
    quiet: Duration,
    /// The first and the last event since the last wake.
    span: Option<(Instant, Instant)>,
    /// When the wake for lost events is due.
    lost: Option<Instant>,
    last_lost: Option<Instant>,
    hint: Hint,
    events: u64,
}

/// What the next look at the folders has to know.
#[derive(Debug, Default)]
pub(super) struct Hint {
    /// A folder was made, removed or renamed.
    pub(super) moved: bool,
    /// The watches of these folders, and of all below them, are gone.
    pub(super) gone: HashSet<PathBuf>,
    /// Events were lost: all of this may be true of any folder.
    pub(super) all: bool,
}

impl Hint {
    /// Whether the watch of a folder is gone, as far as known.
    pub(super) fn is_gone(&self, folder: &Path) -> bool {
        self.all || !self.gone.is_empty() && folder.ancestors().any(|path| self.gone.contains(path))
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each change of it is whole, so a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What matters from now on.
    pub(super) fn watch_for(&self, folders: Folders, quiet: Duration) {
        let mut state = self.state();
        state.folders = folders;
        state.quiet = quiet;
    }

    /// The hints since the last call.
    pub(super) fn take_hint(&self) -> Hint {
        std::mem::take(&mut self.state().hint)
    }

    /// How many events mattered.
    pub(super) fn events(&self) -> u64 {
        self.state().events
    }

    /// Something moved of which no event was told.
    pub(super) fn moved(&self) {
        self.state().event(Instant::now());
        self.wake.notify_one();
    }

    /// Waits until something moved and kept quiet for a moment.
    pub(super) async fn wait(&self) {
        loop {
            let due = self.state().due();
            match due {
                None => self.wake.notified().await,
                Some(due) if due > Instant::now() => tokio::time::sleep_until(due.into()).await,
                // No await between this and the end: whoever gives up waiting
                // leaves what was told.
                Some(_) => return self.state().take(Instant::now()),
            }
        }
    }

    /// Called by notify.
    pub(super) fn told(&self, event: notify::Result<Event>) {
        let now = Instant::now();
        match event {
            Ok(event) if event.need_rescan() => self.state().lost(now),
            Ok(event) if matters_never(event.kind) => return,
            Ok(event) => {
                if !self.state().heard(&event, now) {
                    return;
                }
            }
            Err(_) => self.state().lost(now),
        }
        self.wake.notify_one();
    }
}

/// Opening, reading and closing: also what marketsync itself does.
fn matters_never(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(_))
}

impl State {
    fn event(&mut self, now: Instant) {
        let first = self.span.map_or(now, |(first, _)| first);
        self.span = Some((first, now));
        self.events += 1;
    }

    fn lost(&mut self, now: Instant) {
        let earliest = self.last_lost.map_or(now, |last| last + LOST_PAUSE);
        self.lost.get_or_insert((now + self.quiet).max(earliest));
        self.hint.all = true;
        self.events += 1;
    }

    /// Takes an event in; whether it matters.
    fn heard(&mut self, event: &Event, now: Instant) -> bool {
        let mut matters = false;
        for path in &event.paths {
            matters |= self.heard_of(path, event.kind);
        }
        if matters {
            self.event(now);
        }
        matters
    }

    fn heard_of(&mut self, path: &Path, kind: EventKind) -> bool {
        let is_renamed = matches!(kind, EventKind::Modify(ModifyKind::Name(_)));
        let is_removed = matches!(kind, EventKind::Remove(_));
        let is_known = self.folders.get(path).is_some();
        // notify drops its watches of such a folder and of all below it.
        if is_known && (is_renamed || is_removed) {
            self.hint.gone.insert(path.to_owned());
            self.hint.moved = true;
            return true;
        }
        let around = path.parent().zip(path.file_name());
        let Some((interest, name)) =
            around.and_then(|(folder, name)| Some((self.folders.get(folder)?, name)))
        else {
            return false;
        };
        if !interest.wants(name) {
            return false;
        }
        let is_folder = match kind {
            EventKind::Create(CreateKind::Folder) | EventKind::Remove(RemoveKind::Folder) => true,
            // Here notify does not tell what it is.
            _ if is_renamed => path.symlink_metadata().is_ok_and(|found| found.is_dir()),
            _ => false,
        };
        self.hint.moved |= is_folder && interest.is_deep();
        true
    }

    fn due(&self) -> Option<Instant> {
        let moved = self.span.map(|(first, last)| (last + self.quiet).min(first + LONGEST));
        [moved, self.lost].into_iter().flatten().min()
    }

    fn take(&mut self, now: Instant) {
        self.span = None;
        if self.lost.take().is_some() {
            self.last_lost = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::{Duration, Instant};

    use notify::event::{AccessKind, CreateKind, EventKind, Flag};
    use notify::{Error, Event};

    use super::super::folders::{Folders, TreeKind};
    use super::{LONGEST, LOST_PAUSE, Shared};

    const QUIET: Duration = Duration::from_millis(50);

    fn shared() -> Shared {
        let shared = Shared::default();
        let mut folders = Folders::default();
        folders.tree("/refs".into(), TreeKind::Refs);
        shared.watch_for(folders, QUIET);
        shared
    }

    fn made(path: &str) -> Event {
        Event::new(EventKind::Create(CreateKind::File)).add_path(path.into())
    }

    fn due_in(shared: &Shared) -> Option<Duration> {
        let due = shared.state().due();
        due.map(|due| due.saturating_duration_since(Instant::now()))
    }

    #[test]
    fn a_wake_waits_for_quiet_but_not_for_ever() {
        let shared = shared();
        assert_eq!(due_in(&shared), None);
        shared.told(Ok(made("/refs/main")));
        let one = due_in(&shared).unwrap();
        assert!(one <= QUIET, "{one:?}");
        // As if the first had been told a while ago.
        for (ago, most) in [(LONGEST.mul_f64(0.99), LONGEST / 100), (LONGEST * 2, Duration::ZERO)] {
            let now = Instant::now();
            shared.state().span = Some((now.checked_sub(ago).unwrap(), now));
            assert!(due_in(&shared).unwrap() <= most);
        }
    }

    #[test]
    fn lost_events_wake_and_do_not_keep_waking() {
        let overflow = || Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan));
        for lost in [overflow, || Err(Error::generic("gone"))] {
            let shared = shared();
            shared.told(lost());
            assert!(due_in(&shared).unwrap() <= QUIET);
            assert!(shared.take_hint().is_gone(Path::new("/refs")));
            shared.state().take(Instant::now());
            assert_eq!(due_in(&shared), None);
            shared.told(lost());
            assert!(due_in(&shared).unwrap() > LOST_PAUSE / 2);
            // What was told is not put off by what was not.
            shared.told(Ok(made("/refs/main")));
            assert!(due_in(&shared).unwrap() <= QUIET);
        }
    }

    #[test]
    fn what_does_not_matter_is_not_counted() {
        let shared = shared();
        shared.told(Ok(made("/refs/main.lock")));
        shared.told(Ok(made("/elsewhere/main")));
        let read = Event::new(EventKind::Access(AccessKind::Read)).add_path("/refs/main".into());
        shared.told(Ok(read));
        assert_eq!((due_in(&shared), shared.events()), (None, 0));
    }
}
