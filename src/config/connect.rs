//! Which marketplace, which company, as whom.

use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

use super::error::ConfigError;
use super::layers::{Given, Layers, Origin, text};
use super::miactl;
use crate::cli;
use crate::edge::address::is_loopback;
use crate::edge::marketplace::Credential;
use crate::edge::secret::Secret;

/// The company of an embedded marketplace, if none is given.
pub const EMBEDDED_COMPANY: &str = "my-company";

/// A marketplace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// One of our own, in this process.
    Embedded,
    /// A Console. The URL has no query, no fragment and no user.
    Remote(Url),
}

impl fmt::Display for Endpoint {
    /// `embedded`, or the URL without a slash at its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded"),
            Self::Remote(url) => f.write_str(url.as_str().trim_end_matches('/')),
        }
    }
}

/// A marketplace, and how to be let in.
#[derive(Debug, Clone)]
pub struct Connect {
    /// Which marketplace.
    pub endpoint: Endpoint,
    /// Which company.
    pub company: String,
    /// As whom.
    pub credential: Credential,
    /// PEM certificates that are trusted in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// Where endpoint and company were given, for the first line of output.
    pub origin: String,
}

/// Endpoint and company, and where they were given.
pub(super) struct Target {
    pub(super) endpoint: Endpoint,
    pub(super) company: String,
    origin: String,
    context: Option<miactl::Current>,
}

/// What is given of a credential.
struct Parts {
    client_id: Option<Given<String>>,
    key_id: Option<Given<String>>,
    secret: Option<Given<Secret>>,
    private_key: Option<Given<Secret>>,
    token: Option<Given<Secret>>,
}

impl Parts {
    fn is_empty(&self) -> bool {
        self.client_id.is_none()
            && self.key_id.is_none()
            && self.secret.is_none()
            && self.private_key.is_none()
            && self.token.is_none()
    }
}

/// Everything that is needed to connect.
pub(super) fn connect(
    layers: &Layers<'_>,
    flags: &cli::Connection,
) -> Result<Connect, ConfigError> {
    let parts = parts(layers, flags)?;
    let ca_file = layers.path("ca_file", flags.ca_file.as_ref())?.map(|given| given.value);
    let Target { endpoint, company, origin, context } = target_with(layers, flags, &parts)?;
    let (ca_file, credential) = match (&endpoint, context) {
        (Endpoint::Embedded, _) => (ca_file, Credential::None),
        (Endpoint::Remote(_), Some(context)) => {
            (ca_file.or_else(|| context.ca_file.clone()), context.credential()?)
        }
        (Endpoint::Remote(url), None) => match credential(parts)? {
            Some(credential) => (ca_file, credential),
            None if is_loopback(url) => (ca_file, Credential::None),
            None => return Err(no_credential()),
        },
    };
    Ok(Connect { endpoint, company, credential, ca_file, origin })
}

/// Endpoint and company, for who does not connect.
pub(super) fn target(layers: &Layers<'_>, flags: &cli::Connection) -> Result<Target, ConfigError> {
    target_with(layers, flags, &parts(layers, flags)?)
}

/// Endpoint and company as far as they are given, as a state names them.
pub(super) fn stated(
    layers: &Layers<'_>,
    flags: &cli::Connection,
) -> Result<(Option<String>, Option<String>), ConfigError> {
    let endpoint = layers.checked("endpoint", flags.endpoint.as_ref(), self::endpoint)?;
    let company = layers.checked("company_id", flags.company_id.as_ref(), self::company)?;
    let endpoint = endpoint.map(|given| given.value.to_string());
    Ok((endpoint, company.map(|given| given.value)))
}

/// Why this connection deserves a look, if it does.
pub(super) fn notice(connect: &Connect) -> Option<String> {
    let Endpoint::Remote(url) = &connect.endpoint else {
        return None;
    };
    let open = url.scheme() == "http"
        && !is_loopback(url)
        && !matches!(connect.credential, Credential::None);
    open.then(|| {
        format!(
            "{} has no TLS: everybody on the way can read the credential; use https://",
            connect.endpoint
        )
    })
}

fn target_with(
    layers: &Layers<'_>,
    flags: &cli::Connection,
    parts: &Parts,
) -> Result<Target, ConfigError> {
    let endpoint = layers.checked("endpoint", flags.endpoint.as_ref(), self::endpoint)?;
    let company = layers.checked("company_id", flags.company_id.as_ref(), self::company)?;
    if endpoint.is_none() && company.is_none() && parts.is_empty() {
        let Some(context) = miactl::current(layers.environment())? else {
            return Err(no_endpoint());
        };
        let origin = context.origin.clone();
        let invalid = |why| ConfigError::Invalid { origin: origin.clone(), why };
        return Ok(Target {
            endpoint: self::endpoint(&context.endpoint).map_err(invalid)?,
            company: self::company(&context.company).map_err(invalid)?,
            origin: context.origin.clone(),
            context: Some(context),
        });
    }
    let Some(endpoint) = endpoint else {
        return Err(no_endpoint());
    };
    let company = match (company, &endpoint.value) {
        (Some(company), _) => company,
        (None, Endpoint::Embedded) => {
            let origin = Origin::Flag("default".to_owned());
            Given { value: EMBEDDED_COMPANY.to_owned(), origin }
        }
        (None, Endpoint::Remote(_)) => return Err(no_company()),
    };
    let origin = if endpoint.origin == company.origin {
        endpoint.origin.to_string()
    } else {
        format!("{}, {}", endpoint.origin, company.origin)
    };
    Ok(Target { endpoint: endpoint.value, company: company.value, origin, context: None })
}

fn no_endpoint() -> ConfigError {
    ConfigError::Missing {
        what: "endpoint",
        hint: "say which marketplace: --endpoint URL, MARKETSYNC_ENDPOINT or endpoint in the configuration file; `--endpoint embedded` needs no account. The current context of miactl is used if there is one, and neither endpoint, company nor credential is set".to_owned(),
    }
}

fn no_company() -> ConfigError {
    ConfigError::Missing {
        what: "company",
        hint: "say whose items these are: --company-id ID, MARKETSYNC_COMPANY_ID or company_id in the configuration file".to_owned(),
    }
}

fn no_credential() -> ConfigError {
    ConfigError::Missing {
        what: "credential",
        hint: "give a service account: --client-id with MARKETSYNC_CLIENT_SECRET or --client-secret-file, or with --key-id and MARKETSYNC_PRIVATE_KEY or --private-key-file; or a token: MARKETSYNC_TOKEN or --token-file".to_owned(),
    }
}

fn parts(layers: &Layers<'_>, flags: &cli::Connection) -> Result<Parts, ConfigError> {
    let secret = |name, path_name, flag| secret(layers, name, layers.path(path_name, flag)?);
    Ok(Parts {
        client_id: layers.one("client_id", flags.client_id.clone(), text)?,
        key_id: layers.one("key_id", flags.key_id.clone(), text)?,
        secret: secret("CLIENT_SECRET", "client_secret_file", flags.client_secret_file.as_ref())?,
        private_key: secret("PRIVATE_KEY", "private_key_file", flags.private_key_file.as_ref())?,
        token: secret("TOKEN", "token_file", flags.token_file.as_ref())?,
    })
}

/// A secret, from its variable or from a file that an option, a variable or
/// the configuration file names; in their order.
pub(super) fn secret(
    layers: &Layers<'_>,
    name: &str,
    file: Option<Given<PathBuf>>,
) -> Result<Option<Given<Secret>>, ConfigError> {
    let variable = format!("MARKETSYNC_{name}");
    let value = layers.variable(name);
    match (file, value) {
        (Some(Given { origin: origin @ Origin::Variable(_), .. }), Some(_)) => {
            Err(ConfigError::Both { one: variable, other: origin.to_string() })
        }
        (Some(Given { origin: Origin::File { .. }, .. }) | None, Some(value)) => {
            let value = Secret::Text(SecretString::from(value.to_owned()));
            Ok(Some(Given { value, origin: Origin::Variable(variable) }))
        }
        (Some(file), _) => Ok(Some(Given { value: Secret::File(file.value), origin: file.origin })),
        (None, None) => Ok(None),
    }
}

fn credential(parts: Parts) -> Result<Option<Credential>, ConfigError> {
    let Parts { client_id, key_id, secret, private_key, token } = parts;
    let both = |one: &Origin, other: &Origin| ConfigError::Both {
        one: one.to_string(),
        other: other.to_string(),
    };
    let half = |given: &Origin, missing| ConfigError::HalfCredential {
        given: given.to_string(),
        missing,
        hint: match no_credential() {
            ConfigError::Missing { hint, .. } => hint,
            _ => String::new(),
        },
    };
    if let Some(token) = token {
        let secrets = [&secret, &private_key].into_iter().flatten().map(|given| &given.origin);
        let account = [&client_id, &key_id].into_iter().flatten().map(|given| &given.origin);
        return match secrets.chain(account).next() {
            Some(other) => Err(both(&token.origin, other)),
            None => Ok(Some(Credential::Token { token: token.value })),
        };
    }
    match (client_id, secret, key_id, private_key) {
        (None, None, None, None) => Ok(None),
        (_, Some(secret), Some(Given { origin, .. }), _)
        | (_, Some(secret), None, Some(Given { origin, .. })) => Err(both(&secret.origin, &origin)),
        (Some(id), Some(secret), None, None) => {
            Ok(Some(Credential::Basic { client_id: id.value, secret: secret.value }))
        }
        (Some(id), None, Some(key), Some(private)) => Ok(Some(Credential::PrivateKeyJwt {
            client_id: id.value,
            key_id: key.value,
            key: private.value,
        })),
        (None, Some(secret), None, None) => Err(half(&secret.origin, "a client id")),
        (_, None, Some(key), None) => Err(half(&key.origin, "a private key")),
        (_, None, None, Some(private)) => Err(half(&private.origin, "a key id")),
        (None, None, Some(key), Some(_)) => Err(half(&key.origin, "a client id")),
        (Some(id), None, None, None) => Err(half(&id.origin, "a client secret or a private key")),
    }
}

fn endpoint(text: &str) -> Result<Endpoint, String> {
    if text == "embedded" {
        return Ok(Endpoint::Embedded);
    }
    let with_scheme =
        if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    // The text is not repeated: it may hold a password.
    let url: Url = with_scheme
        .parse()
        .map_err(|cause| format!("this is neither a URL nor `embedded`: {cause}"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(format!(
            "an endpoint is an https:// URL or `embedded`, not {}://",
            url.scheme()
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an endpoint holds no user and no password; give the credential apart from it"
            .to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("an endpoint has no query (`?`) and no fragment (`#`)".to_owned());
    }
    Ok(Endpoint::Remote(url))
}

fn company(text: &str) -> Result<String, String> {
    // The longest identifier of the platform (`marketplace-api.md` §7.3),
    // with room to spare.
    const LONGEST: usize = 255;
    let odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '/' | '?' | '#' | '\\');
    if text.is_empty()
        || text.len() > LONGEST
        || text.contains(odd)
        || text.chars().all(|c| c == '.')
    {
        return Err("this is no id of a company; the Console shows it in the address of its pages"
            .to_owned());
    }
    Ok(text.to_owned())
}
