//! What a comparison is told.

use std::path::PathBuf;

use super::connect::{self, Connect};
use super::error::ConfigError;
use super::layers::{Layers, text, word};
use super::{
    Location, PassConfig, SourceConfig, identity, pass, source, source_name, state_of, value,
};
use crate::cli::{self, DiffFormat, Drift};
use crate::edge::store::Identity;

/// A comparison.
#[derive(Debug)]
pub struct DiffConfig {
    /// Which files.
    pub source: SourceConfig,
    /// What they are compared with.
    pub against: Against,
    /// The file that takes the plan.
    pub out: Option<PathBuf>,
    /// What `apply` would be allowed to do.
    pub pass: PassConfig,
    /// The form of the result.
    pub format: DiffFormat,
}

/// What the source is compared with.
#[derive(Debug)]
pub enum Against {
    /// The marketplace.
    Live {
        /// Which.
        connect: Box<Connect>,
        /// The folder of the state; there need not be one.
        state: PathBuf,
        /// What that state is for.
        identity: Identity,
    },
    /// What was applied last.
    Recorded {
        /// The folder of the state.
        state: PathBuf,
        /// The endpoint that it must be for, if somebody said so.
        endpoint: Option<String>,
        /// The company that it must be for, if somebody said so.
        company: Option<String>,
    },
    /// Another commit.
    Revision {
        /// As given.
        revision: String,
        /// Whose items these are, if known.
        company: Option<String>,
    },
}

pub(super) fn diff(layers: &Layers<'_>, args: &cli::Diff) -> Result<DiffConfig, ConfigError> {
    let source = source(layers, &args.source, None)?;
    let against = layers.one("against", args.against.clone(), text)?;
    let out = layers.path("out", args.out.as_ref())?;
    let against = match against.map(|given| given.value).as_deref() {
        None | Some("live") => {
            let connect = connect::connect(layers, &args.connection)?;
            let identity = identity(&connect, &source);
            let state = state_of(layers, &args.state, &identity)?;
            Against::Live { connect: Box::new(connect), state, identity }
        }
        Some("recorded") => recorded(layers, args, &source)?,
        Some(revision) => {
            let company = layers.one("company_id", args.connection.company_id.clone(), text)?;
            Against::Revision {
                revision: revision.to_owned(),
                company: company.map(|given| given.value),
            }
        }
    };
    if let (Some(out), false) = (&out, matches!(against, Against::Live { .. })) {
        return Err(ConfigError::Invalid {
            origin: out.origin.to_string(),
            why: "a plan is made against the marketplace (--against live): what is there decides \
                  what `apply` does"
                .to_owned(),
        });
    }
    Ok(DiffConfig {
        against,
        out: out.map(|given| given.value),
        pass: pass(layers, &args.pass, Drift::Report)?,
        format: value(layers.one("format", args.format, word)?, DiffFormat::Text),
        source,
    })
}

fn recorded(
    layers: &Layers<'_>,
    args: &cli::Diff,
    source: &SourceConfig,
) -> Result<Against, ConfigError> {
    let (endpoint, company) = connect::stated(layers, &args.connection)?;
    if let Some(state) = super::state(layers, &args.state)? {
        return Ok(Against::Recorded { state, endpoint, company });
    }
    let target = connect::target(layers, &args.connection)?;
    let Location::Here(location) = &source.location else {
        return Err(ConfigError::Missing {
            what: "state directory",
            hint: "name it with --state DIR".to_owned(),
        });
    };
    let identity = Identity {
        endpoint: target.endpoint.to_string(),
        company: target.company,
        source: source_name(location, source.path.as_ref()),
    };
    let state = super::usual_state(layers, &identity)?;
    Ok(Against::Recorded { state, endpoint, company })
}
