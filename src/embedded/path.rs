//! Which call a method and a path are (`marketplace-api.md` §2.2, §2.3).
//!
//! A trailing slash makes no difference. `/api/backend/marketplace…` exists
//! below Console 15; the new paths exist from Console 14; below 14
//! `/api/marketplace…` means the same as `/api/backend/marketplace…`.

use crate::domain::item::{ItemKey, Version};
use crate::embedded::faults::Route;
use crate::embedded::settings::ConsoleVersion;

/// The two generations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Legacy,
    New,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    Token,
    Version,
    List(Family),
    Categories,
    Apply {
        family: Family,
        tenant: String,
    },
    Versions {
        family: Family,
        tenant: String,
        item_id: String,
    },
    Get {
        family: Family,
        tenant: String,
        item: Option<ItemKey>,
    },
    Delete {
        tenant: String,
        item: Option<ItemKey>,
    },
    GetById(String),
    DeleteById {
        tenant: String,
        id: String,
    },
    PatchMetadata,
    Upload {
        tenant: String,
    },
    Download(String),
    TypeDefinitions,
    TypeDefinition {
        tenant: String,
        name: String,
    },
    WriteTypeDefinition,
    ControlState,
    ControlLog,
    ControlFaults,
    ControlClearFaults,
    ControlPut {
        tenant: String,
    },
    ControlDelete {
        tenant: String,
        item: Option<ItemKey>,
    },
    /// The path exists, the method does not.
    WrongMethod,
    Unknown,
}

impl Call {
    /// The name that faults and the log use.
    pub(crate) fn route(&self) -> Route {
        match self {
            Self::Token => Route::Token,
            Self::Version => Route::Version,
            Self::List(_) => Route::List,
            Self::Apply { .. } => Route::Apply,
            Self::Versions { .. } => Route::Versions,
            Self::Get { .. } | Self::GetById(_) => Route::Get,
            Self::Delete { .. } | Self::DeleteById { .. } => Route::Delete,
            Self::Upload { .. } => Route::Upload,
            Self::Download(_) => Route::Download,
            _ => Route::Other,
        }
    }

    /// Whether it is the control route, which knows no faults and no log.
    pub(crate) fn is_control(&self) -> bool {
        matches!(
            self,
            Self::ControlState
                | Self::ControlLog
                | Self::ControlFaults
                | Self::ControlClearFaults
                | Self::ControlPut { .. }
                | Self::ControlDelete { .. }
        )
    }

    /// Whether it changes something and so needs a token.
    pub(crate) fn writes(&self) -> bool {
        matches!(
            self,
            Self::Apply { .. }
                | Self::Delete { .. }
                | Self::DeleteById { .. }
                | Self::PatchMetadata
                | Self::Upload { .. }
                | Self::WriteTypeDefinition
        )
    }
}

/// The call of a request.
pub(crate) fn parse(method: &str, path: &str, console: ConsoleVersion, control: bool) -> Call {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let Some(segments) = path.split('/').map(decode).collect::<Option<Vec<String>>>() else {
        return Call::Unknown;
    };
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let method = if method == "HEAD" { "GET" } else { method };
    match segments.as_slice() {
        ["api", "m2m", "oauth", "token"] => only("POST", method, Call::Token),
        ["api", "version"] => only("GET", method, Call::Version),
        ["v2", "files", "download", file] => {
            only("GET", method, Call::Download((*file).to_owned()))
        }
        ["__control", rest @ ..] if control => control_call(method, rest),
        ["api", "backend", "marketplace", rest @ ..] if console.has_legacy_api() => {
            legacy(method, rest)
        }
        ["api", "marketplace", rest @ ..] if !console.has_new_api() => legacy(method, rest),
        ["api", "marketplace", rest @ ..] => catalogue(method, rest, console),
        ["api", "tenants", tenant, "marketplace", rest @ ..] if console.has_new_api() => {
            of_tenant(method, tenant, rest, console)
        }
        _ => Call::Unknown,
    }
}

fn only(wanted: &str, method: &str, call: Call) -> Call {
    if wanted == method { call } else { Call::WrongMethod }
}

fn legacy(method: &str, rest: &[&str]) -> Call {
    let family = Family::Legacy;
    match rest {
        [] => only("GET", method, Call::List(family)),
        ["categories"] => only("GET", method, Call::Categories),
        ["tenants", tenant, "resources", rest @ ..] => items(method, family, tenant, rest),
        ["tenants", tenant, "files"] => {
            only("POST", method, Call::Upload { tenant: (*tenant).to_owned() })
        }
        [id] => only("GET", method, Call::GetById((*id).to_owned())),
        _ => Call::Unknown,
    }
}

fn catalogue(method: &str, rest: &[&str], console: ConsoleVersion) -> Call {
    match rest {
        [] => only("GET", method, Call::List(Family::New)),
        ["categories"] => only("GET", method, Call::Categories),
        ["item-type-definitions"] if console.has_type_definitions() => {
            only("GET", method, Call::TypeDefinitions)
        }
        _ => Call::Unknown,
    }
}

fn of_tenant(method: &str, tenant: &str, rest: &[&str], console: ConsoleVersion) -> Call {
    match rest {
        ["items", rest @ ..] => items(method, Family::New, tenant, rest),
        ["files"] => only("POST", method, Call::Upload { tenant: tenant.to_owned() }),
        ["item-type-definitions"] if console.has_type_definitions() => {
            only("PUT", method, Call::WriteTypeDefinition)
        }
        ["item-type-definitions", name] if console.has_type_definitions() => match method {
            "GET" => Call::TypeDefinition { tenant: tenant.to_owned(), name: (*name).to_owned() },
            _ => only("DELETE", method, Call::WriteTypeDefinition),
        },
        _ => Call::Unknown,
    }
}

fn items(method: &str, family: Family, tenant: &str, rest: &[&str]) -> Call {
    let tenant = tenant.to_owned();
    match rest {
        [] => only("POST", method, Call::Apply { family, tenant }),
        [id] if family == Family::Legacy => {
            only("DELETE", method, Call::DeleteById { tenant, id: (*id).to_owned() })
        }
        [item_id, "versions"] => {
            only("GET", method, Call::Versions { family, tenant, item_id: (*item_id).to_owned() })
        }
        [item_id, "versions", version] => match method {
            "GET" => Call::Get { family, tenant, item: item_key(item_id, version) },
            _ => only("DELETE", method, Call::Delete { tenant, item: item_key(item_id, version) }),
        },
        [_, "versions", _, "metadata"] if family == Family::New => {
            only("PATCH", method, Call::PatchMetadata)
        }
        _ => Call::Unknown,
    }
}

fn control_call(method: &str, rest: &[&str]) -> Call {
    match (method, rest) {
        ("GET", ["state"]) => Call::ControlState,
        ("GET", ["log"]) => Call::ControlLog,
        ("POST", ["faults"]) => Call::ControlFaults,
        ("DELETE", ["faults"]) => Call::ControlClearFaults,
        ("POST", ["items", tenant]) => Call::ControlPut { tenant: (*tenant).to_owned() },
        ("DELETE", ["items", tenant, item_id, version]) => {
            Call::ControlDelete { tenant: (*tenant).to_owned(), item: item_key(item_id, version) }
        }
        _ => Call::Unknown,
    }
}

/// `None` if no item can have that name.
fn item_key(item_id: &str, version: &str) -> Option<ItemKey> {
    Some(ItemKey { item_id: item_id.parse().ok()?, version: version.parse::<Version>().ok()? })
}

/// Percent-decoding of a path segment; `+` stands for itself (§1.1).
fn decode(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' {
            let digits = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok())?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = tail.get(2..)?;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_means_the_same_with_a_slash_at_its_end() {
        let console = ConsoleVersion::default();
        for path in ["/api/marketplace", "/api/marketplace/"] {
            assert_eq!(parse("GET", path, console, false), Call::List(Family::New));
        }
        let get =
            parse("GET", "/api/tenants/t/marketplace/items/a/versions/1.0.0+b", console, false);
        assert!(
            matches!(get, Call::Get { item: Some(ItemKey { version: Version::Named(_), .. }), .. }),
            "{get:?}"
        );
        let nobody = parse("GET", "/api/tenants/t/marketplace/items//versions/", console, false);
        assert!(matches!(nobody, Call::Versions { .. }), "{nobody:?}");
    }

    #[test]
    fn a_console_has_the_paths_of_its_generation() {
        let has = |path: &str, console: &str| {
            parse("POST", path, console.parse().unwrap(), false) != Call::Unknown
        };
        let (new, old) =
            ("/api/tenants/t/marketplace/items", "/api/backend/marketplace/tenants/t/resources");
        for (console, new_there, old_there) in [
            ("404", false, true),
            ("13.6", false, true),
            ("14.0", true, true),
            ("15.0", true, false),
        ] {
            assert_eq!(
                (has(new, console), has(old, console)),
                (new_there, old_there),
                "Console {console}"
            );
        }
        assert_eq!(
            parse("GET", "/__control/state", ConsoleVersion::default(), false),
            Call::Unknown
        );
    }
}
