//! Who asks, and whom is believed.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::error::RemoteError;
use super::limits::blocking;
use crate::edge::secret::Secret;

/// The largest file of certificates or host keys. The roots of a system are
/// 220 KiB, and 10,000 host keys are some 4 MiB.
const MAX_TRUST_BYTES: u64 = 4 * 1024 * 1024;

/// Who asks, and whom is believed. Files are read anew at each fetch.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The user name; else that of the address, else `git`.
    pub username: Option<String>,
    /// The password or token for `https`. It is sent to the host of the
    /// address only.
    pub password: Option<Secret>,
    /// The private key for `ssh`: OpenSSH or PKCS#8, without a passphrase,
    /// Ed25519 or ECDSA.
    pub ssh_key_file: Option<PathBuf>,
    /// The host keys for `ssh`, as OpenSSH writes them.
    pub known_hosts_file: Option<PathBuf>,
    /// Certificate authorities in PEM; they replace the roots of the system.
    pub ca_file: Option<PathBuf>,
}

/// The files of [`Access`] as they are now.
pub(super) struct Keys {
    pub(super) username: Option<String>,
    pub(super) password: Option<SecretString>,
    pub(super) ssh_key: Option<SecretString>,
    pub(super) known_hosts: Option<String>,
    pub(super) ca: Option<Vec<u8>>,
}

impl Access {
    /// Reads the files. It is on a thread of its own, because a file may lie
    /// on a network.
    pub(super) async fn read(&self) -> Result<Keys, RemoteError> {
        let password = match &self.password {
            Some(secret) => Some(secret.read().await.map_err(RemoteError::refused)?),
            None => None,
        };
        let ssh_key = match &self.ssh_key_file {
            Some(path) => {
                let key = Secret::File(path.clone()).read().await;
                Some(key.map_err(RemoteError::refused)?)
            }
            None => None,
        };
        let files = (self.known_hosts_file.clone(), self.ca_file.clone());
        let (known_hosts, ca) = blocking(move || {
            let known_hosts = files.0.map(|path| trusted(&path, "known hosts")).transpose()?;
            let ca = files.1.map(|path| trusted(&path, "CA")).transpose()?;
            Ok((known_hosts, ca))
        })
        .await?;
        Ok(Keys {
            username: self.username.clone(),
            password,
            ssh_key,
            known_hosts: known_hosts.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
            ca,
        })
    }
}

fn trusted(path: &Path, kind: &str) -> Result<Vec<u8>, RemoteError> {
    let shown = path.display();
    let cannot = |error: std::io::Error| {
        RemoteError::refused(format!("the {kind} file {shown} cannot be read: {error}"))
    };
    // A FIFO would be waited for, and no signal ends that.
    if !std::fs::metadata(path).map_err(cannot)?.is_file() {
        return Err(RemoteError::refused(format!("the {kind} file {shown} is no regular file")));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(cannot)?;
    file.take(MAX_TRUST_BYTES + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MAX_TRUST_BYTES {
        return Err(RemoteError::refused(format!(
            "the {kind} file {shown} is longer than {MAX_TRUST_BYTES} bytes"
        )));
    }
    Ok(bytes)
}
