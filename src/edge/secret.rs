//! A secret and where it comes from: the environment, or a file that is read
//! anew each time.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use tokio::io::AsyncReadExt;

/// A secret is a line or a key; what is longer is some other file.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// A secret, or the file that holds it.
#[derive(Debug, Clone)]
pub enum Secret {
    /// Read before each use, so that a changed file needs no restart.
    File(PathBuf),
    /// Given once, from the environment.
    Text(SecretString),
}

impl Secret {
    /// The secret as it is now, without white space around it.
    ///
    /// # Errors
    /// A sentence for people when the file cannot be read, or is empty or too
    /// long. It never holds the secret.
    pub(crate) async fn read(&self) -> Result<SecretString, String> {
        let text = match self {
            Self::Text(text) => text.expose_secret().trim().to_owned(),
            Self::File(path) => {
                let shown = path.display();
                let cannot =
                    |err: std::io::Error| format!("the secret file {shown} cannot be read: {err}");
                // A FIFO would be waited for, and no signal ends that.
                if !tokio::fs::metadata(path).await.map_err(cannot)?.is_file() {
                    return Err(format!("the secret file {shown} is no regular file"));
                }
                let file = tokio::fs::File::open(path).await.map_err(cannot)?;
                let mut text = String::new();
                file.take(MAX_SECRET_BYTES + 1).read_to_string(&mut text).await.map_err(cannot)?;
                if text.len() as u64 > MAX_SECRET_BYTES {
                    return Err(format!(
                        "the secret file {shown} is longer than {MAX_SECRET_BYTES} bytes"
                    ));
                }
                let trimmed = text.trim();
                if trimmed.is_empty() {
                    return Err(format!("the secret file {shown} is empty"));
                }
                trimmed.to_owned()
            }
        };
        if text.is_empty() {
            Err("the secret is empty".to_owned())
        } else {
            Ok(SecretString::from(text))
        }
    }
}
