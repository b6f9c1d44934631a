//! Where the state is when nobody says so.

use std::path::PathBuf;

use super::Identity;

/// How much of a company's name is in the name of its directory.
const READABLE: usize = 40;

/// `marketsync/<company>-<12 hexadecimal digits>` below `$XDG_STATE_HOME`, or
/// below `~/.local/state`; the digits tell endpoint, company and source apart.
/// None if neither variable is set (to an absolute path, as the XDG Base
/// Directory Specification asks).
pub fn default_dir(
    identity: &Identity,
    variable: impl Fn(&str) -> Option<String>,
) -> Option<PathBuf> {
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
    let mut hasher = blake3::Hasher::new();
    for part in [&identity.endpoint, &identity.company, &identity.source] {
        // The length keeps the parts apart.
        hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let readable: String = identity
        .company
        .chars()
        .take(READABLE)
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' })
        .collect();
    let hex = hasher.finalize().to_hex();
    Some(home.join("marketsync").join(format!("{readable}-{}", &hex[..12])))
}
