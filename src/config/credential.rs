//! As whom marketsync signs in. A secret is wrapped where it enters; `Debug`
//! shows none.

use std::path::PathBuf;

use secrecy::SecretString;

/// Where a secret is.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// It was given.
    Value(SecretString),
    /// It is in this file, which is read again when it changes. White space
    /// at its end does not count.
    File(PathBuf),
}

/// As whom to sign in (`marketplace-api.md` §6).
#[derive(Debug, Clone)]
pub enum Credential {
    /// Nobody: the embedded marketplace, and one on this machine, ask for
    /// none.
    Nobody,
    /// A service account with a client secret (`client_secret_basic`, §6.1).
    Secret {
        /// Its client id.
        client_id: String,
        /// Its client secret.
        secret: SecretSource,
    },
    /// A service account with a key (`private_key_jwt`, §6.2).
    Key {
        /// Its client id.
        client_id: String,
        /// The id of the key.
        key_id: String,
        /// The private key, PEM with PKCS#8.
        private_key: SecretSource,
    },
    /// An access token that somebody else obtained.
    Token {
        /// The token.
        token: SecretSource,
    },
}
