//! The current context of miactl, as a whole or not at all
//! (`marketplace-api.md` §6.5).
//!
//! No text of this file goes into a message: it holds secrets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::error::ConfigError;
use super::layers::{Environment, config_home, place, read};
use crate::edge::marketplace::Credential;
use crate::edge::secret::Secret;

/// miactl's configuration, as far as it matters here.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Document {
    current_context: Option<String>,
    contexts: Option<BTreeMap<String, Context>>,
    credentials: Option<BTreeMap<String, Account>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct Context {
    endpoint: Option<String>,
    company_id: Option<String>,
    credential: Option<String>,
    certificate_authority: Option<PathBuf>,
    insecure_skip_tls_verify: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Account {
    client_id: Option<String>,
    client_secret: Option<SecretString>,
    key_id: Option<String>,
    private_key_data: Option<SecretString>,
}

/// The current context.
pub(super) struct Current {
    pub(super) endpoint: String,
    pub(super) company: String,
    pub(super) ca_file: Option<PathBuf>,
    /// Where it is, for the first line of output.
    pub(super) origin: String,
    credential: Result<Credential, ConfigError>,
}

impl Current {
    /// Its credential; only who connects needs one.
    pub(super) fn credential(self) -> Result<Credential, ConfigError> {
        self.credential
    }
}

/// Where miactl's configuration is.
fn file(environment: &Environment) -> Option<PathBuf> {
    let first = environment.get("MIACONFIG").and_then(|list| list.split(':').next());
    match first.filter(|file| !file.is_empty()) {
        Some(file) => Some(PathBuf::from(file)),
        None => config_home(environment).map(|home| home.join("miactl/config")),
    }
}

/// The current context, if miactl has one.
pub(super) fn current(environment: &Environment) -> Result<Option<Current>, ConfigError> {
    let Some(file) = file(environment) else {
        return Ok(None);
    };
    let text = match read(&file) {
        Ok(text) => text,
        // Not everybody has miactl.
        Err(ConfigError::Unreadable { source, .. })
            if source.kind() == std::io::ErrorKind::NotFound =>
        {
            return Ok(None);
        }
        Err(fault) => return Err(fault),
    };
    let options = serde_saphyr::options! { with_snippet: false };
    let document: Option<Document> =
        serde_saphyr::from_str_with_options(&text, options).map_err(|fault| {
            ConfigError::Malformed {
                place: place(&file, fault.location()),
                message: "this is no configuration of miactl".to_owned(),
            }
        })?;
    let Some(document) = document else {
        return Ok(None);
    };
    let Some(name) = document.current_context.filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    let refuse = Refusal { file: &file, context: &name };
    let Some(context) = document.contexts.unwrap_or_default().remove(&name) else {
        return Err(
            refuse.because("it does not exist", "choose another one: miactl context use NAME")
        );
    };
    use_context(&refuse, context, document.credentials.unwrap_or_default()).map(Some)
}

/// Says why a context is not used.
struct Refusal<'a> {
    file: &'a Path,
    context: &'a str,
}

impl Refusal<'_> {
    fn because(&self, why: &str, hint: &str) -> ConfigError {
        ConfigError::Context {
            file: self.file.to_owned(),
            context: self.context.to_owned(),
            why: why.to_owned(),
            hint: hint.replace("NAME", self.context),
        }
    }
}

fn use_context(
    refuse: &Refusal<'_>,
    context: Context,
    accounts: BTreeMap<String, Account>,
) -> Result<Current, ConfigError> {
    if context.insecure_skip_tls_verify == Some(true) {
        return Err(refuse.because(
            "it does not check certificates (insecure-skip-tls-verify), and marketsync always does",
            "give the context the certificate of your authority: miactl context set NAME --certificate-authority FILE --insecure-skip-tls-verify=false; or use --endpoint, --company-id and --ca-file",
        ));
    }
    let given = |value: Option<String>| value.filter(|value| !value.is_empty());
    let Some(endpoint) = given(context.endpoint) else {
        return Err(refuse.because(
            "it has no endpoint",
            "set it: miactl context set NAME --endpoint URL; or give --endpoint",
        ));
    };
    let Some(company) = given(context.company_id) else {
        return Err(refuse.because(
            "it has no company-id",
            "set it: miactl context set NAME --company-id ID; or give endpoint, company and credential to marketsync",
        ));
    };
    Ok(Current {
        endpoint,
        company,
        ca_file: context.certificate_authority.filter(|file| !file.as_os_str().is_empty()),
        origin: format!("context {} of miactl in {}", refuse.context, refuse.file.display()),
        credential: credential(refuse, given(context.credential), accounts),
    })
}

fn credential(
    refuse: &Refusal<'_>,
    name: Option<String>,
    mut accounts: BTreeMap<String, Account>,
) -> Result<Credential, ConfigError> {
    const ACCOUNT: &str = "give it a service account: miactl context auth NAME --client-id ID --client-secret SECRET, then miactl context set NAME --auth-name NAME";
    let Some(name) = name else {
        return Err(refuse
            .because("it signs in as a user in a browser, and marketsync works alone", ACCOUNT));
    };
    let Some(account) = accounts.remove(&name) else {
        return Err(refuse.because(&format!("its credential {name} does not exist"), ACCOUNT));
    };
    let incomplete = || refuse.because(&format!("its credential {name} is incomplete"), ACCOUNT);
    let client_id = account.client_id.ok_or_else(incomplete)?;
    match (account.client_secret, account.key_id, account.private_key_data) {
        (Some(secret), None, None) => {
            Ok(Credential::Basic { client_id, secret: Secret::Text(secret) })
        }
        (None, Some(key_id), Some(data)) => {
            let pem = STANDARD
                .decode(data.expose_secret().trim())
                .ok()
                .and_then(|pem| String::from_utf8(pem).ok());
            let pem = pem.ok_or_else(|| {
                refuse.because(
                    &format!("the private-key-data of its credential {name} is no base64 of PEM"),
                    ACCOUNT,
                )
            })?;
            let private_key = Secret::Text(SecretString::from(pem));
            Ok(Credential::PrivateKeyJwt { client_id, key_id, key: private_key })
        }
        _ => Err(incomplete()),
    }
}
