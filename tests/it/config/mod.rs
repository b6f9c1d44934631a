//! What counts when a setting is given in several places, and what is refused.

mod precedence;
mod refusals;
mod connection;
mod help;

use std::path::{Path, PathBuf};

use clap::Parser;
use marketsync::cli::Cli;
use marketsync::config::{ApplyConfig, Config, ConfigError, Environment, Job, resolve};
use marketsync::edge::marketplace::Credential;
use marketsync::edge::secret::Secret;
use secrecy::ExposeSecret;

/// Variables of the environment.
type Variables = &'static [(&'static str, &'static str)];

/// A home folder, where a test says what is configured.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        file
    }

    /// The usual place of the configuration.
    fn configure(&self, text: &str) -> PathBuf {
        self.write(".config/marketsync/marketsync.yaml", text)
    }

    fn resolve(&self, args: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let mut environment: Environment = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        environment
            .entry("HOME".into())
            .or_insert_with(|| self.path().to_str().unwrap().to_owned());
        let cli = Cli::try_parse_from(std::iter::once("marketsync").chain(args.split_whitespace()));
        resolve(&cli.unwrap_or_else(|fault| panic!("{args}: {fault}")), &environment)
    }

    fn apply(&self, args: &str, variables: &[(&str, &str)]) -> Result<ApplyConfig, ConfigError> {
        let config = self.resolve(&format!("apply {args}"), variables)?;
        let Job::Apply(apply) = config.job else { panic!("not apply") };
        Ok(*apply)
    }

    /// The error, with its causes and its hint, the home folder left out.
    fn refused(&self, args: &str, variables: &[(&str, &str)]) -> String {
        let fault = self.resolve(args, variables).expect_err(args);
        let mut said = fault.to_string();
        if let Some(cause) = std::error::Error::source(&fault) {
            said = format!("{said}: {cause}");
        }
        if let Some(hint) = fault.hint() {
            said = format!("{said}\nhint: {hint}");
        }
        said.replace(self.path().to_str().unwrap(), "~")
    }
}

fn job(config: &Config) -> String {
    format!("{:?}", config.job)
}

fn apply(config: &Config) -> &ApplyConfig {
    let Job::Apply(apply) = &config.job else { panic!("{config:?}") };
    apply
}

/// The parts of a credential, in their order.
fn credential(config: &Config) -> Vec<String> {
    let source = |source: &Secret| match source {
        Secret::Text(secret) => format!("secret {}", secret.expose_secret()),
        Secret::File(file) => file.display().to_string(),
    };
    match &apply(config).connect.credential {
        Credential::None => vec![],
        Credential::Basic { client_id, secret } => vec![client_id.clone(), source(secret)],
        Credential::PrivateKeyJwt { client_id, key_id, key } => {
            vec![client_id.clone(), key_id.clone(), source(key)]
        }
        Credential::Token { token } => vec![source(token)],
    }
}
