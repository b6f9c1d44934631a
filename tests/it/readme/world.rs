//! A machine of its own for what the documentation tells people to type.

mod redactions;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

pub(super) use redactions::Redactions;

/// What every shell begins with: what failed is kept, what runs in the
/// background is ended, and `await` waits for a line of its log.
const PRELUDE: &str = r#"
trap 'code=${code/#0/$?}' ERR
trap 'for job in $(jobs -p); do kill -KILL "$job"; done' EXIT
await() {
    local tries=600
    while ! grep -qE "$1" "$log"; do
        if [ $((tries -= 1)) = 0 ]; then code=late; return; fi
        sleep 0.1
    done
    LISTENING=$(sed -n 's/.* Listening address=//p' "$log")
}
"#;

/// A checkout with the examples, in a folder `marketsync` beside an empty home
/// folder.
pub(super) struct World {
    dir: TempDir,
}

/// What is typed at a time.
pub(super) struct Script {
    pub(super) text: String,
    /// What the log of the program that runs in the background says when the
    /// next may be typed.
    pub(super) until: Option<String>,
}

impl Script {
    /// Something after which nothing is waited for.
    pub(super) fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), until: None }
    }

    /// Whether it leaves a program behind.
    fn is_background(&self) -> bool {
        self.text.trim_end().ends_with(" &")
    }
}

/// What became of one script.
pub(super) struct Ran {
    /// The exit code of the first command that failed, else `0`; or `late`, if
    /// what was waited for did not come.
    pub(super) code: String,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl World {
    pub(super) fn new() -> Self {
        let world = Self { dir: TempDir::new().unwrap() };
        for folder in ["home", "tmp", "out", "bin"] {
            fs::create_dir(world.path(folder)).unwrap();
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        copy(&root.join("examples"), &world.path("marketsync/examples"));
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_marketsync"), world.path("bin/marketsync"))
            .unwrap();
        let made = world.run(&[Script::of(
            "git init -q\ngit add .\n\
             git -c user.name=Ada -c user.email=ada@example.com commit -qm 'The examples'",
        )]);
        assert_eq!(made[0].code, "0", "{}", made[0].stderr);
        world
    }

    /// A text without the path of this folder, which is another in each run.
    pub(super) fn at_home(&self, text: &str) -> String {
        let given = self.dir.path();
        let real = given.canonicalize().unwrap();
        let text = text.replace(&real.display().to_string(), "/home/ada");
        text.replace(&given.display().to_string(), "/home/ada")
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs scripts one after the other in one shell that begins in the
    /// checkout, as somebody would paste them. What they leave in the
    /// background ends with the shell.
    ///
    /// A daemon listens on any free port, and `$LISTENING` is where.
    pub(super) fn run(&self, scripts: &[Script]) -> Vec<Ran> {
        let mut whole = String::from(PRELUDE);
        for (index, script) in scripts.iter().enumerate() {
            let out = self.path("out").join(index.to_string());
            let out = out.display();
            let Script { text, until } = script;
            if script.is_background() {
                writeln!(whole, "log={out}.err").unwrap();
            }
            writeln!(whole, "code=0\n{{\n:\n{text}\n}} >{out}.out 2>{out}.err").unwrap();
            if let Some(until) = until {
                writeln!(whole, "await '{until}'").unwrap();
            }
            writeln!(whole, "echo $code >{out}.code").unwrap();
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let status = Command::new("bash")
            .args(["-c", &whole])
            .current_dir(self.path("marketsync"))
            .env_clear()
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("MARKETSYNC_LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{status}");
        let read = |index: usize, what| {
            fs::read_to_string(self.path("out").join(format!("{index}.{what}"))).unwrap()
        };
        let ran = |index| Ran {
            code: read(index, "code").trim().to_owned(),
            stdout: read(index, "out"),
            stderr: read(index, "err"),
        };
        (0..scripts.len()).map(ran).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
