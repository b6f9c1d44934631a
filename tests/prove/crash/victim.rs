//! A run of the program that does not come to its end.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::support::cli::Run;

/// A process whose log goes into a file: nothing of it is lost with it.
pub(super) struct Victim {
    child: Child,
    log: PathBuf,
}

impl Victim {
    /// Starts it. Its log is written anew.
    pub(super) fn start(mut command: Command, log: PathBuf) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// Whether it ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Kills it, as `kill -9` does, and returns what it said.
    pub(super) fn kill(mut self) -> Run {
        self.child.kill().unwrap();
        let code = self.child.wait().unwrap().code();
        let mut stderr = fs::read_to_string(&self.log).unwrap();
        // A line that was cut off says nothing.
        stderr.truncate(stderr.rfind('\n').map_or(0, |end| end + 1));
        Run { stdout: String::new(), stderr, code }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
