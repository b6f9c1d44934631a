//! Git's protocol over SSH. Nothing of the user's is read: no agent, no
//! `~/.ssh`; a host key counts only if the known hosts file has it.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use russh::client::{self, AuthResult, Handle, Handler};
use russh::keys::{
    Algorithm, PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate,
};
use russh::{Channel, ChannelMsg, Disconnect};
use secrecy::ExposeSecret as _;
use tokio::net::TcpStream;

use super::access::{Access, Keys};
use super::error::RemoteError;
use super::known_hosts;
use super::leash::{self, Leash};
use super::limits::Guard;
use super::url::SshPlace;
use crate::domain::text;

/// How much of what the server writes to its standard error is kept, in bytes.
const MAX_SAID: usize = 1024;

const NO_KEY: &str = "ssh needs a private key; name its file with --ssh-key-file";

/// A conversation over one channel.
pub(super) struct SshLink {
    session: Handle<HostKey>,
    channel: Channel<client::Msg>,
    said: Vec<u8>,
    /// The connection ends with it.
    _leash: Leash,
}

/// What is expected of the server.
struct HostKey {
    known: Vec<PublicKey>,
}

impl Handler for HostKey {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        // Certificates are never asked for.
        let is_plain = shown.certificate().is_none();
        let shown = shown.public_key();
        Ok(is_plain && self.known.iter().any(|known| known.key_data() == shown.key_data()))
    }
}

/// Whether it is said whom to believe and who asks.
pub(super) fn check(place: &SshPlace, access: &Access) -> Result<(), RemoteError> {
    if access.ssh_key_file.is_none() {
        return Err(RemoteError::refused(NO_KEY));
    }
    if access.known_hosts_file.is_none() {
        return Err(known_hosts::missing(place));
    }
    Ok(())
}

impl SshLink {
    /// Connects, checks the host key, proves who asks, starts the service.
    pub(super) async fn open(
        place: &SshPlace,
        keys: &Keys,
        guard: &Guard,
    ) -> Result<Self, RemoteError> {
        let known = known_hosts::of(place, keys.known_hosts.as_deref())?;
        let key = private_key(keys)?;
        let user = keys.username.as_deref().or(place.user.as_deref()).unwrap_or("git");
        let address = (place.host.as_str(), place.port);
        let host = &guard.host;
        let connected =
            guard.wait(guard.limits.connect, "the connection", TcpStream::connect(address)).await?;
        let stream = connected.map_err(|error| {
            RemoteError::unavailable(format!("no connection to {host} ({error})"))
        })?;
        let (leash, stream) = leash::tie(stream);
        let config = Arc::new(config(&known));
        let handshake = client::connect_stream(config, stream, HostKey { known });
        let mut session = guard
            .answer("the SSH handshake", handshake)
            .await?
            .map_err(|error| handshake_failed(&error, host))?;
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
        let proved = session.authenticate_publickey(user, key);
        let proved = guard.answer("the SSH login", proved).await?;
        if !matches!(proved.map_err(|error| broken(&error, host))?, AuthResult::Success) {
            return Err(RemoteError::refused(format!(
                "{host} does not accept the key of --ssh-key-file for user {}; is its public half registered there, with the right to read?",
                text::cut(user, 60)
            )));
        }
        let channel = guard.answer("the SSH session", session.channel_open_session()).await?;
        let channel = channel.map_err(|error| broken(&error, host))?;
        // Servers that do not take the variable speak the older protocol.
        let command = format!("git-upload-pack {}", quoted(&place.path));
        let started = async {
            channel.set_env(false, "GIT_PROTOCOL", "version=2").await?;
            channel.exec(true, command).await
        };
        guard.answer("the SSH session", started).await?.map_err(|error| broken(&error, host))?;
        Ok(Self { session, channel, said: Vec::new(), _leash: leash })
    }

    pub(super) async fn send(&mut self, body: Vec<u8>, guard: &Guard) -> Result<(), RemoteError> {
        let sent = guard.answer("the request", self.channel.data_bytes(body)).await?;
        sent.map_err(|error| broken(&error, &guard.host))
    }

    /// The next bytes; none when the server has said all.
    pub(super) async fn chunk(&mut self, guard: &Guard) -> Result<Option<Bytes>, RemoteError> {
        loop {
            match guard.answer("its answer", self.channel.wait()).await? {
                Some(ChannelMsg::Data { data }) => return Ok(Some(data)),
                Some(ChannelMsg::ExtendedData { data, .. }) => {
                    let room = MAX_SAID.saturating_sub(self.said.len());
                    self.said.extend_from_slice(&data[..data.len().min(room)]);
                }
                Some(ChannelMsg::Failure) => {
                    return Err(RemoteError::refused(format!(
                        "{} does not start git-upload-pack for this key; is it a git server?",
                        guard.host
                    )));
                }
                Some(ChannelMsg::Close) | None => return self.ended(guard),
                Some(_) => {}
            }
        }
    }

    /// Tells the server that nothing more is wanted.
    pub(super) async fn close(mut self, guard: &Guard) {
        let close = async {
            let _ = self.channel.eof().await;
            let _ = self.session.disconnect(Disconnect::ByApplication, "", "").await;
            // Until it is sent.
            let _ = (&mut self.session).await;
        };
        // The connection ends in any case.
        let _ = guard.wait(guard.limits.connect, "its goodbye", close).await;
    }

    fn ended(&self, guard: &Guard) -> Result<Option<Bytes>, RemoteError> {
        if self.said.is_empty() {
            return Ok(None);
        }
        let said = guard.words(&String::from_utf8_lossy(&self.said), 200);
        Err(RemoteError::refused(format!(
            "{} says: {said}; check the path and the rights of the key",
            guard.host
        )))
    }
}

fn config(known: &[PublicKey]) -> client::Config {
    // Only kinds of keys that can be compared, as ssh does; else a server with
    // several would show one that is not in the file.
    let mut kinds: Vec<Algorithm> = known.iter().map(PublicKey::algorithm).collect();
    kinds.dedup();
    client::Config {
        preferred: russh::Preferred { key: Cow::Owned(kinds), ..russh::Preferred::default() },
        nodelay: true,
        ..client::Config::default()
    }
}

fn private_key(keys: &Keys) -> Result<PrivateKey, RemoteError> {
    let Some(text) = &keys.ssh_key else {
        return Err(RemoteError::refused(NO_KEY));
    };
    russh::keys::decode_secret_key(text.expose_secret(), None).map_err(|_| {
        RemoteError::refused(
            "the file of --ssh-key-file holds no private key that can be used: OpenSSH or PKCS#8, Ed25519 or ECDSA (not RSA), without a passphrase; make one with ssh-keygen -t ed25519",
        )
    })
}

/// A word for the server's shell.
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''").replace('!', r"'\!'"))
}

fn handshake_failed(error: &russh::Error, host: &str) -> RemoteError {
    match error {
        russh::Error::UnknownKey | russh::Error::WrongServerSig => RemoteError::refused(format!(
            "the host key of {host} is not the one in the known hosts file: either somebody stands between, or the server has a new key; make sure which, then replace the line in the file of --known-hosts-file"
        )),
        russh::Error::NoCommonAlgo { .. } => RemoteError::refused(format!(
            "{host} has no host key of the kind that the known hosts file names for it; add the right line (ssh-keyscan {host}), compared with what the server's owner published"
        )),
        _ => broken(error, host),
    }
}

fn broken(error: &russh::Error, host: &str) -> RemoteError {
    let said = text::cut(&error.to_string(), 200);
    RemoteError::unavailable(format!("the SSH connection to {host} broke ({said})"))
}
