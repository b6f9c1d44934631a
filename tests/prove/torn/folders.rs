//! Plain directories that move.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::generation::files;
use super::moving::{Moving, rest, swap};

/// A volume as the kubelet publishes it.
pub(crate) struct ConfigMap {
    root: PathBuf,
    last: Option<PathBuf>,
}

impl ConfigMap {
    pub(crate) fn new(home: &Path) -> Self {
        let root = home.join("volume");
        fs::create_dir(&root).unwrap();
        let mut this = Self { root, last: None };
        this.publish(0, &mut fastrand::Rng::with_seed(0));
        for name in ["items", "pictures", "schemas"] {
            symlink(format!("..data/{name}"), this.root.join(name)).unwrap();
        }
        this
    }
}

impl Moving for ConfigMap {
    fn source(&self) -> OsString {
        self.root.clone().into()
    }

    fn publish(&mut self, generation: u64, chance: &mut fastrand::Rng) {
        let name = format!("..2026_11_22_17_00_00.{generation}");
        let folder = self.root.join(&name);
        for (path, bytes) in files(generation) {
            put(&folder.join(path), &bytes);
        }
        swap(&self.root.join("..data"), &name);
        if let Some(last) = self.last.replace(folder) {
            fs::remove_dir_all(last).unwrap();
        }
        rest(chance);
    }
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A directory whose files are written one after the other, each in two
/// halves.
pub(crate) struct InPlace {
    root: PathBuf,
    there: BTreeSet<String>,
    steps: Steps,
}

/// The pace of a writer.
struct Steps {
    last: Instant,
    longest: Duration,
}

impl Steps {
    fn begin() -> Self {
        Self { last: Instant::now(), longest: Duration::ZERO }
    }

    /// Something was written.
    fn step(&mut self) {
        let now = Instant::now();
        self.longest = self.longest.max(now - self.last);
        self.last = now;
    }
}

impl InPlace {
    pub(crate) fn new(home: &Path) -> Self {
        let root = home.join("plain");
        let mut this = Self { root, there: BTreeSet::new(), steps: Steps::begin() };
        this.publish(0, &mut fastrand::Rng::with_seed(0));
        this
    }
}

impl Moving for InPlace {
    fn source(&self) -> OsString {
        self.root.clone().into()
    }

    fn is_atomic(&self) -> bool {
        false
    }

    fn rested(&self) -> Duration {
        self.steps.longest
    }

    fn publish(&mut self, generation: u64, chance: &mut fastrand::Rng) {
        let mut files = files(generation);
        chance.shuffle(&mut files);
        self.steps = Steps::begin();
        for (path, bytes) in &files {
            let path = self.root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut file = fs::File::create(path).unwrap();
            let (first, second) = bytes.split_at(bytes.len() / 2);
            self.steps.step();
            file.write_all(first).unwrap();
            self.steps.step();
            file.write_all(second).unwrap();
            self.steps.step();
        }
        let now: BTreeSet<String> = files.into_iter().map(|(path, _)| path).collect();
        for gone in self.there.difference(&now) {
            fs::remove_file(self.root.join(gone)).unwrap();
            self.steps.step();
        }
        self.there = now;
        rest(chance);
    }
}

/// A directory into which rsync copies: each file under another name first.
pub(crate) struct Rsync(InPlace);

impl Rsync {
    pub(crate) fn new(home: &Path) -> Self {
        Self(InPlace::new(home))
    }
}

impl Moving for Rsync {
    fn source(&self) -> OsString {
        self.0.source()
    }

    fn is_atomic(&self) -> bool {
        false
    }

    fn rested(&self) -> Duration {
        self.0.rested()
    }

    fn publish(&mut self, generation: u64, chance: &mut fastrand::Rng) {
        let Self(InPlace { root, there, steps }) = self;
        *steps = Steps::begin();
        let files = files(generation);
        let now: BTreeSet<String> = files.iter().map(|(path, _)| path.clone()).collect();
        let clear = |there: &BTreeSet<String>, steps: &mut Steps| {
            for gone in there.difference(&now) {
                fs::remove_file(root.join(gone)).unwrap();
                steps.step();
            }
        };
        let before = chance.bool();
        if before {
            clear(there, steps);
        }
        for (path, bytes) in &files {
            let path = root.join(path);
            let name = path.file_name().unwrap().to_str().unwrap();
            let beside = path.with_file_name(format!(".{name}.{:06x}", chance.u32(..0xff_ffff)));
            put(&beside, bytes);
            steps.step();
            fs::rename(beside, path).unwrap();
            steps.step();
        }
        if !before {
            clear(there, steps);
        }
        *there = now;
        rest(chance);
    }
}
