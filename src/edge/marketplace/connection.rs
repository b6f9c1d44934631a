//! Where the marketplace is, and who asks.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::edge::secret::Secret;

/// What it takes to talk to one company of one marketplace.
pub struct Connection {
    /// The address of the Console; a path is put before every API path
    /// (`marketplace-api.md` §1.1).
    pub endpoint: Url,
    /// The company, which the wire calls tenant.
    pub company: String,
    /// Who asks.
    pub credential: Credential,
    /// Certificate authorities in PEM; they replace the roots of the system.
    pub ca_file: Option<PathBuf>,
    /// How long a call may take.
    pub patience: Patience,
}

/// The text of a URL may hold a password; this shows only where it points.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("host", &self.endpoint.host_str())
            .field("path", &self.endpoint.path())
            .field("company", &self.company)
            .field("credential", &self.credential)
            .field("ca_file", &self.ca_file)
            .finish_non_exhaustive()
    }
}

/// How long a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until the connection stands.
    pub connect: Duration,
    /// Until the last byte of the answer.
    pub request: Duration,
}

impl Default for Patience {
    /// 5 s and 30 s (`practice.md` §4): a Console in reach connects within
    /// milliseconds, and a full batch is answered within seconds.
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), request: Duration::from_secs(30) }
    }
}

/// Who asks, and what proves it (`marketplace-api.md` §6).
#[derive(Debug, Clone)]
pub enum Credential {
    /// A service account with a secret (§6.1).
    Basic {
        /// The service account.
        client_id: String,
        /// Its secret.
        secret: Secret,
    },
    /// A service account with a key pair (§6.2).
    PrivateKeyJwt {
        /// The service account.
        client_id: String,
        /// The name of the key.
        key_id: String,
        /// An RSA key: PEM with PKCS#8, or the base64 of that.
        key: Secret,
    },
    /// A token that somebody else renews.
    Token {
        /// The token.
        token: Secret,
    },
    /// Nobody: for servers that ask for no token.
    None,
}

/// A [`Connection`] that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The endpoint is no address of a Console.
    #[error("the endpoint {shown} {why}")]
    Endpoint {
        /// Scheme, host and path.
        shown: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The company is no name.
    #[error("the company id is empty or made of dots; it names the company whose items are kept")]
    Company,
    /// The certificate authorities cannot be read.
    #[error("the CA file {} cannot be read", path.display())]
    ReadCa {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The certificate authorities are not what they should be.
    #[error("the CA file {} holds no certificate in PEM", path.display())]
    BadCa {
        /// The file.
        path: PathBuf,
    },
    /// The client could not be built.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}

impl Connection {
    /// Whether it can work, as far as that shows without a request.
    pub(super) fn check(&self) -> Result<(), SetupError> {
        let url = &self.endpoint;
        let why = if !matches!(url.scheme(), "http" | "https") {
            Some("does not begin with https:// or http://")
        } else if url.host_str().is_none_or(str::is_empty) {
            Some("names no host")
        } else if !url.username().is_empty() || url.password().is_some() {
            Some("holds a user name or password; credentials have their own options")
        } else if url.query().is_some() || url.fragment().is_some() {
            Some("has a query or a fragment; only a path may follow the host")
        } else {
            None
        };
        if let Some(why) = why {
            let shown =
                format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path());
            return Err(SetupError::Endpoint { shown, why });
        }
        if matches!(self.company.trim(), "" | "." | "..") {
            return Err(SetupError::Company);
        }
        Ok(())
    }
}
