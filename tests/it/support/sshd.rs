//! A real `sshd` on a loopback port, with keys of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SSHD: &str = "/usr/sbin/sshd";

/// The server. It ends with the test.
pub(crate) struct Sshd {
    child: Child,
    dir: PathBuf,
    pub(crate) port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether the machine has what it takes.
pub(crate) fn is_there() -> bool {
    let there = Path::new(SSHD).is_file() && run(Command::new("ssh-keygen").arg("-?")).is_some();
    if !there {
        eprintln!("skipped: {SSHD} or ssh-keygen is missing (openssh-server)");
    }
    there
}

fn run(command: &mut Command) -> Option<String> {
    let out = command.stdin(Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

impl Sshd {
    /// Starts one with its files in `dir`; `extra` goes into its configuration.
    pub(crate) fn start(dir: &Path, extra: &str) -> Self {
        for name in ["host", "client"] {
            if !dir.join(name).exists() {
                make_key(&dir.join(name), "ed25519");
            }
        }
        // Root's sshd wants this folder.
        let _ = fs::create_dir_all("/run/sshd");
        fs::copy(dir.join("client.pub"), dir.join("authorized")).unwrap();
        // A free port; somebody else could take it before sshd does.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {dir}/host\nAuthorizedKeysFile {dir}/authorized\n\
             PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nLogLevel ERROR\n{extra}\n",
            dir = dir.display()
        );
        fs::write(dir.join("sshd.conf"), config).unwrap();
        let child = Command::new(SSHD)
            .args(["-D", "-e", "-f"])
            .arg(dir.join("sshd.conf"))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut started = Self { child, dir: dir.to_owned(), port };
        started.wait();
        started
    }

    fn wait(&mut self) {
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if self.child.try_wait().unwrap().is_some() {
                let said = BufReader::new(self.child.stderr.take().unwrap());
                panic!("sshd ended: {:?}", said.lines().next());
            }
            assert!(Instant::now() < until, "sshd does not listen");
            std::thread::yield_now();
        }
    }

    /// The address of a repository of this machine.
    pub(crate) fn url(&self, path: &Path) -> String {
        let user = run(Command::new("id").arg("-un")).unwrap();
        format!("ssh://{user}@127.0.0.1:{}{}", self.port, path.display())
    }

    pub(crate) fn client_key(&self) -> PathBuf {
        self.dir.join("client")
    }

    /// A known hosts file with the server's key, or that in another file.
    pub(crate) fn known_hosts(&self, key: &str) -> PathBuf {
        let key = fs::read_to_string(self.dir.join(key).with_extension("pub")).unwrap();
        let path = self.dir.join("known_hosts");
        fs::write(&path, format!("[127.0.0.1]:{} {key}", self.port)).unwrap();
        path
    }
}

/// A key pair: `path` and `path.pub`.
pub(crate) fn make_key(path: &Path, kind: &str) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", kind, "-N", "", "-f"]).arg(path);
    assert!(command.stdin(Stdio::null()).status().unwrap().success());
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
