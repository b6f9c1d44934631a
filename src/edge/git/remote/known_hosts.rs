//! The file of host keys, as OpenSSH writes it (sshd(8), `SSH_KNOWN_HOSTS
//! FILE FORMAT`): names, also hashed ones, and keys. Patterns and certificate
//! authorities are not used; a revoked key is never taken.

use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, verify};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use russh::keys::{Algorithm, PublicKey, parse_public_key_base64};

use super::error::RemoteError;
use super::url::SshPlace;

/// The keys that the server may show.
pub(super) fn of(place: &SshPlace, file: Option<&str>) -> Result<Vec<PublicKey>, RemoteError> {
    let (name, scan) = (place.known_as(), scan(place));
    let text = file.ok_or_else(|| missing(place))?;
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

/// For a host of which nothing is known.
pub(super) fn missing(place: &SshPlace) -> RemoteError {
    RemoteError::refused(format!(
        "the host key of {} is not known; put it into a file ({}), compare it with what the server's owner published, and name the file with --known-hosts-file",
        place.known_as(),
        scan(place)
    ))
}

/// How to ask for the keys; what comes is to be compared.
fn scan(place: &SshPlace) -> String {
    format!("ssh-keyscan -p {} {}", place.port, place.host)
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
    let key = Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt);
    Some(verify(&key, name.as_bytes(), &hash).is_ok())
}
