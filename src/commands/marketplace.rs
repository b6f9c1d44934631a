//! `marketplace`: the embedded marketplace on a port of its own.

use tokio::net::TcpListener;
use tracing::info;

use crate::cli::Format;
use crate::commands::failure::CommandError;
use crate::commands::signals::Signals;
use crate::commands::{Exit, print};
use crate::config::MarketplaceConfig;
use crate::embedded::{self, Settings};

/// Serves until a signal comes.
pub async fn marketplace(config: &MarketplaceConfig) -> Result<Exit, CommandError> {
    let mut signals = Signals::catch()?;
    let handle = embedded::open(settings(config)?)?;
    let refused = |source| CommandError::Listen { address: config.listen.to_string(), source };
    let listener = TcpListener::bind(config.listen).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    print(Format::Text, || format!("http://{address}\n"), || serde_json::Value::Null)?;
    info!(%address, console = %config.console, control = config.control, "Listening");
    let mut stop = signals.stop();
    let stopped = async move {
        // The sender lives in `signals`.
        let _ = stop.wait_for(|stopped| *stopped).await;
    };
    let (served, _) = signals.guard(embedded::serve(listener, handle, stopped)).await;
    served.transpose()?;
    Ok(Exit::Good)
}

fn settings(config: &MarketplaceConfig) -> Result<Settings, CommandError> {
    let mut switches = serde_json::Map::new();
    for (name, value) in &config.switches {
        switches.insert(name.replace('-', "_"), value.as_str().into());
    }
    let given = config
        .switches
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join(", ");
    let switches = serde_json::from_value(switches.into())
        .map_err(|why| CommandError::Switch { switch: given, why: why.to_string() })?;
    Ok(Settings {
        console: config.console,
        switches,
        persist: config.data.clone(),
        control: config.control,
        ..Settings::default()
    })
}
