//! The file of host keys, as OpenSSH writes it (sshd(8), `SSH_KNOWN_HOSTS
//! FILE FORMAT`): names, also hashed ones, and keys. Patterns and certificate
//! authorities are not used; a revoked key is never taken.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use russh::keys::{Algorithm, PublicKey, parse_public_key_base64};
use sha1::Sha1;

use super::error::RemoteError;
use super::url::SshPlace;

/// The keys that the server may show.
pub(super) fn of(place: &SshPlace, file: Option<&str>) -> Result<Vec<PublicKey>, RemoteError> {
    let name = place.known_as();
    let scan = format!("ssh-keyscan -p {} {}", place.port, place.host);
    let Some(text) = file else {
        return Err(RemoteError::refused(format!(
            "the host key of {name} is not known; put it into a file ({scan}), compare it with what the server's owner published, and name the file with --known-hosts-file"
        )));
    };
    let lines: Vec<Line<'_>> = text.lines().filter_map(Line::of).collect();
    let named = lines.iter().filter(|line| line.marker.is_empty() && line.names(&name));
    let known: Vec<PublicKey> = named.filter_map(Line::key).collect();
    let revoked: Vec<PublicKey> =
        lines.iter().filter(|line| line.marker == "@revoked").filter_map(Line::key).collect();
    if known.is_empty() {
        return Err(RemoteError::refused(format!(
            "the host key of {name} is not in the known hosts file; add it ({scan}) after you compared it with what the server's owner published"
        )));
    }
    let usable: Vec<PublicKey> = known
        .into_iter()
        .filter(|key| matches!(key.algorithm(), Algorithm::Ed25519 | Algorithm::Ecdsa { .. }))
        .filter(|key| revoked.iter().all(|revoked| revoked.key_data() != key.key_data()))
        .collect();
    if usable.is_empty() {
        return Err(RemoteError::refused(format!(
            "the known hosts file has no Ed25519 or ECDSA key for {name} that is not revoked; add one ({scan})"
        )));
    }
    Ok(usable)
}

struct Line<'a> {
    /// `@revoked`, `@cert-authority`, or nothing.
    marker: &'a str,
    hosts: &'a str,
    key: &'a str,
}

impl<'a> Line<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let first = words.next().filter(|first| !first.starts_with('#'))?;
        let (marker, hosts) =
            if first.starts_with('@') { (first, words.next()?) } else { ("", first) };
        words.next()?;
        Some(Self { marker, hosts, key: words.next()? })
    }

    fn key(&self) -> Option<PublicKey> {
        parse_public_key_base64(self.key).ok()
    }

    fn names(&self, name: &str) -> bool {
        self.hosts.split(',').any(|host| match host.strip_prefix("|1|") {
            Some(hashed) => is_hash_of(hashed, name).unwrap_or(false),
            None => host.eq_ignore_ascii_case(name),
        })
    }
}

/// Whether `salt|hash` is that of a name: HMAC-SHA1 with the salt as its key.
fn is_hash_of(hashed: &str, name: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let (salt, hash) = (STANDARD.decode(salt).ok()?, STANDARD.decode(hash).ok()?);
    let mac = Hmac::<Sha1>::new_from_slice(&salt).ok()?.chain_update(name);
    Some(mac.verify_slice(&hash).is_ok())
}
