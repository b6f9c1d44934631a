//! The address of a remote repository, as people write it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use url::Url;

/// The longest address that is read, in bytes.
const MAX_URL_BYTES: usize = 2048;

/// Where a repository is served: `https://`, `http://`, `ssh://`,
/// `user@host:path` or `file://`.
///
/// Its `Display` and `Debug` hold no user name of an `https` address, because
/// some servers take a token there.
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteUrl {
    pub(super) place: Place,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Place {
    Http(Url),
    Ssh(SshPlace),
    File(PathBuf),
}

/// A repository behind a secure shell.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SshPlace {
    pub(super) user: Option<String>,
    pub(super) host: String,
    pub(super) port: u16,
    /// As the server gets it: from its root, or from the user's home.
    pub(super) path: String,
}

/// A text that is no address of a repository. It never repeats the text,
/// which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UrlError(&'static str);

const EXAMPLES: &str = "this is no address of a git repository; write https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH or file:///PATH";

impl RemoteUrl {
    /// Whether a text names a remote repository, and not a path: it holds
    /// `://`, or is `user@host:path` with no `/` before the colon. A folder of
    /// such a name is written `./user@host:path`.
    pub fn looks_remote(text: &str) -> bool {
        text.contains("://") || split_scp(text).is_some()
    }

    /// The host, with its port if that is not the usual one; `this machine`
    /// for a file.
    pub(super) fn host(&self) -> String {
        match &self.place {
            Place::Http(url) => {
                let host = url.host_str().unwrap_or_default();
                url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
            }
            Place::Ssh(SshPlace { host, port: 22, .. }) => host.clone(),
            Place::Ssh(SshPlace { host, port, .. }) => format!("{host}:{port}"),
            Place::File(_) => "this machine".to_owned(),
        }
    }
}

impl FromStr for RemoteUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if text.len() > MAX_URL_BYTES || text.chars().any(char::is_control) {
            return Err(UrlError(EXAMPLES));
        }
        if !text.contains("://") {
            let (user, host, path) = split_scp(text).ok_or(UrlError(EXAMPLES))?;
            return ssh(Some(user), host, 22, path);
        }
        let url = Url::parse(text).map_err(|_| UrlError(EXAMPLES))?;
        if url.password().is_some() {
            return Err(UrlError(
                "a password in the address would show in logs and process lists; leave it out and name a file with --git-password-file",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(UrlError(
                "the address of a git repository has no ? and no #; leave them out, or write them as %3F and %23",
            ));
        }
        match url.scheme() {
            "https" | "http" => http(url),
            "ssh" | "git+ssh" | "ssh+git" => {
                let user = decoded(url.username())?;
                let host = url.host_str().unwrap_or_default();
                // A home folder: `/~/x` is `~/x`.
                let path = decoded(url.path())?;
                let path = if path.starts_with("/~") { &path[1..] } else { &path };
                ssh(
                    Some(user.as_str()).filter(|user| !user.is_empty()),
                    host,
                    url.port().unwrap_or(22),
                    path,
                )
            }
            "file" => {
                let path = url.to_file_path().map_err(|()| {
                    UrlError("a file address has an absolute path and no host; write file:///PATH")
                })?;
                if path.to_string_lossy().chars().any(char::is_control) {
                    return Err(UrlError(EXAMPLES));
                }
                Ok(Self { place: Place::File(path) })
            }
            "git" => Err(UrlError(
                "git:// proves neither the server nor what it sends; use https:// or ssh://",
            )),
            _ => Err(UrlError(EXAMPLES)),
        }
    }
}

fn http(mut url: Url) -> Result<RemoteUrl, UrlError> {
    let path = url.path().trim_end_matches('/').to_owned();
    if path.is_empty() {
        return Err(UrlError("the address names a server, but no repository on it; add its path"));
    }
    url.set_path(&path);
    Ok(RemoteUrl { place: Place::Http(url) })
}

fn ssh(user: Option<&str>, host: &str, port: u16, path: &str) -> Result<RemoteUrl, UrlError> {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() || path.trim_matches('/').is_empty() {
        return Err(UrlError("the address names no host, or no repository on it; add them"));
    }
    if user.is_some_and(|user| user.contains(':')) {
        return Err(UrlError(
            "a password in the address is not used with ssh; leave it out and name a key with --ssh-key-file",
        ));
    }
    // One spelling each, whichever form the address has.
    let host = match host.parse::<std::net::Ipv6Addr>() {
        Ok(address) => address.to_string(),
        Err(_) => host.to_ascii_lowercase(),
    };
    let user = user.map(str::to_owned);
    Ok(RemoteUrl { place: Place::Ssh(SshPlace { user, host, port, path: path.to_owned() }) })
}

fn decoded(text: &str) -> Result<String, UrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let digits = more.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.filter(|_| *first == b'%');
        if let Some(byte) = byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(byte);
            rest = &more[2..];
        } else {
            bytes.push(*first);
            rest = more;
        }
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => Ok(text),
        _ => Err(UrlError(EXAMPLES)),
    }
}

/// User, host and path of `user@host:path`.
fn split_scp(text: &str) -> Option<(&str, &str, &str)> {
    let (user, rest) = text.split_once('@')?;
    let (host, path) = match rest.strip_prefix('[').and_then(|rest| rest.split_once("]:")) {
        Some(found) => found,
        None => rest.split_once(':')?,
    };
    let is_plain = |part: &str| !part.is_empty() && !part.contains(['/', '\\', ' ']);
    (is_plain(user) && is_plain(host) && !path.is_empty()).then_some((user, host, path))
}

impl SshPlace {
    /// The name under which `known_hosts` files know it.
    pub(super) fn known_as(&self) -> String {
        if self.port == 22 { self.host.clone() } else { format!("[{}]:{}", self.host, self.port) }
    }
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Http(url) => write!(f, "{}://{}{}", url.scheme(), self.host(), url.path()),
            Place::Ssh(place) => {
                let user =
                    place.user.as_deref().map_or_else(String::new, |user| format!("{user}@"));
                let host = if place.host.contains(':') {
                    format!("[{}]", place.host)
                } else {
                    place.host.clone()
                };
                let port =
                    if place.port == 22 { String::new() } else { format!(":{}", place.port) };
                let slash = match place.path.chars().next() {
                    Some('/') => "",
                    Some('~') => "/",
                    _ => "/~/",
                };
                write!(f, "ssh://{user}{host}{port}{slash}{}", place.path)
            }
            Place::File(path) => write!(f, "file://{}", Path::new(path).display()),
        }
    }
}

impl fmt::Debug for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteUrl({self})")
    }
}
