//! A source that is a repository elsewhere.

use std::path::PathBuf;

use url::Url;

use super::connect::secret;
use super::error::ConfigError;
use super::layers::{Given, Layers, text};
use super::{Location, RemoteConfig};
use crate::cli;
use crate::domain::item::RepoPath;
use crate::edge::address::is_loopback;
use crate::edge::git::remote::{Access, RemoteUrl, UrlError, Wanted};

/// SOURCE, if it is the address of a repository elsewhere.
pub(super) fn url(
    layers: &Layers<'_>,
    flag: Option<&PathBuf>,
) -> Result<Option<Given<RemoteUrl>>, ConfigError> {
    let flag = flag.map(|path| path.to_string_lossy().into_owned());
    let Some(given) = layers.one("source", flag, text)? else {
        return Ok(None);
    };
    if !RemoteUrl::looks_remote(&given.value) {
        return Ok(None);
    }
    let invalid = |why: String| ConfigError::Invalid { origin: given.origin.to_string(), why };
    let value = given.value.parse().map_err(|why: UrlError| invalid(why.to_string()))?;
    Ok(Some(Given { value, origin: given.origin }))
}

/// Where the source is, and what of it is read; the revision is that of the
/// remote if there is one.
pub(super) fn location(
    layers: &Layers<'_>,
    source: &cli::Source,
    flags: &cli::Remote,
    revision: Option<Given<String>>,
) -> Result<(Location, Option<Given<String>>), ConfigError> {
    let branch = layers.one("branch", flags.branch.clone(), text)?;
    let Some(url) = url(layers, source.source.as_ref())? else {
        if let Some(branch) = branch {
            return Err(ConfigError::Invalid {
                origin: branch.origin.to_string(),
                why: "it is for a remote repository; of one on this machine --revision names the \
                      branch"
                    .to_owned(),
            });
        }
        let here = super::location(layers, source.source.as_ref())?;
        return Ok((Location::Here(here), revision));
    };
    let wanted = match (branch, revision) {
        (Some(branch), Some(revision)) => {
            let (one, other) = (branch.origin.to_string(), revision.origin.to_string());
            return Err(ConfigError::Both { one, other });
        }
        (Some(branch), None) => Wanted::Branch(branch.value),
        (None, Some(revision)) => Wanted::Revision(revision.value),
        (None, None) => Wanted::Head,
    };
    let access = access(layers, flags)?;
    let remote = RemoteConfig { url: url.value, wanted, access };
    Ok((Location::Remote(Box::new(remote)), None))
}

/// Why this place deserves a look, if it does.
pub(super) fn notice(location: &Location) -> Option<String> {
    let Location::Remote(remote) = location else {
        return None;
    };
    // As it is shown, it has no user name.
    let url: Url = remote.url.to_string().parse().ok()?;
    (url.scheme() == "http" && !is_loopback(&url)).then(|| {
        format!(
            "{} has no TLS: whoever stands between decides what is in the catalogue; use https://",
            remote.url
        )
    })
}

fn access(layers: &Layers<'_>, flags: &cli::Remote) -> Result<Access, ConfigError> {
    let file = |name, flag| Ok(layers.path(name, flag)?.map(|given| given.value));
    let password = layers.path("git_password_file", flags.git_password_file.as_ref())?;
    let username = layers.one("git_username", flags.git_username.clone(), text)?;
    Ok(Access {
        username: username.map(|given| given.value),
        password: secret(layers, "GIT_PASSWORD", password)?.map(|given| given.value),
        ssh_key_file: file("ssh_key_file", flags.ssh_key_file.as_ref())?,
        known_hosts_file: file("known_hosts_file", flags.known_hosts_file.as_ref())?,
        ca_file: file("git_ca_file", flags.git_ca_file.as_ref())?,
    })
}

/// The source as one text that is the same in every run, whatever of it is
/// followed: the items of another branch are the same items.
pub(super) fn name(url: &RemoteUrl, path: Option<&RepoPath>) -> String {
    match path.filter(|path| !path.as_str().is_empty()) {
        Some(path) => format!("{url} --path {path}"),
        None => url.to_string(),
    }
}
