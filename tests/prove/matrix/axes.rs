//! The two sides of the matrix, and which pairs have no meaning. Everything
//! else runs: nothing is left out by being forgotten.

use marketsync::embedded::Route;

/// What the program does towards the outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Call {
    Token,
    Version,
    List,
    Get,
    Versions,
    Apply,
    Upload,
    Download,
    Delete,
    GitClone,
    GitFetch,
    StateWrite,
}

/// What can go wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    Refused,
    ResetBefore,
    ResetAfter,
    TimeoutBefore,
    TimeoutAfter,
    UnauthorizedOnce,
    Unauthorized,
    Forbidden,
    NotFound,
    Conflict,
    TooLarge,
    TooMany,
    TooManyRetryAfter,
    ServerError,
    BadGateway,
    Unavailable,
    Truncated,
    WrongContentType,
    OtherShape,
    EmptyBody,
    LoginPage,
    FailedItems,
    MissingItems,
    DoubledItems,
    ReorderedItems,
    SlowDrip,
    RedirectElsewhere,
    RedirectToItself,
    EndlessBody,
    ReadOnlyFolder,
    LockHeld,
    CorruptFile,
    TruncatedFile,
    NewerLayout,
    NoSpace,
}

/// How often a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Often {
    Once,
    Always,
}

/// The variant of a cell in which the daemon meets the fault.
pub(super) const DAEMON: &str = "run";

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) call: Call,
    pub(super) trouble: Trouble,
    pub(super) often: Often,
    /// The Console of the marketplace, the request of git, or [`DAEMON`].
    pub(super) variant: &'static str,
}

pub(super) const CALLS: [Call; 12] = [
    Call::Token,
    Call::Version,
    Call::List,
    Call::Get,
    Call::Versions,
    Call::Apply,
    Call::Upload,
    Call::Download,
    Call::Delete,
    Call::GitClone,
    Call::GitFetch,
    Call::StateWrite,
];

pub(super) const TROUBLES: [Trouble; 35] = [
    Trouble::Refused,
    Trouble::ResetBefore,
    Trouble::ResetAfter,
    Trouble::TimeoutBefore,
    Trouble::TimeoutAfter,
    Trouble::UnauthorizedOnce,
    Trouble::Unauthorized,
    Trouble::Forbidden,
    Trouble::NotFound,
    Trouble::Conflict,
    Trouble::TooLarge,
    Trouble::TooMany,
    Trouble::TooManyRetryAfter,
    Trouble::ServerError,
    Trouble::BadGateway,
    Trouble::Unavailable,
    Trouble::Truncated,
    Trouble::WrongContentType,
    Trouble::OtherShape,
    Trouble::EmptyBody,
    Trouble::LoginPage,
    Trouble::FailedItems,
    Trouble::MissingItems,
    Trouble::DoubledItems,
    Trouble::ReorderedItems,
    Trouble::SlowDrip,
    Trouble::RedirectElsewhere,
    Trouble::RedirectToItself,
    Trouble::EndlessBody,
    Trouble::ReadOnlyFolder,
    Trouble::LockHeld,
    Trouble::CorruptFile,
    Trouble::TruncatedFile,
    Trouble::NewerLayout,
    Trouble::NoSpace,
];

impl Call {
    /// The route of the embedded marketplace, if it is one.
    pub(super) fn route(self) -> Option<Route> {
        Some(match self {
            Self::Token => Route::Token,
            Self::Version => Route::Version,
            Self::List => Route::List,
            Self::Get => Route::Get,
            Self::Versions => Route::Versions,
            Self::Apply => Route::Apply,
            Self::Upload => Route::Upload,
            Self::Download => Route::Download,
            Self::Delete => Route::Delete,
            Self::GitClone | Self::GitFetch | Self::StateWrite => return None,
        })
    }

    /// Whether only `export` makes it.
    pub(super) fn is_of_export(self) -> bool {
        matches!(self, Self::List | Self::Versions)
    }

    /// Where the call differs, each way to make it.
    fn variants(self) -> &'static [&'static str] {
        match self {
            // One path for both generations.
            Self::Token | Self::Version | Self::Download => &["14.1"],
            Self::List | Self::Get | Self::Versions | Self::Apply | Self::Upload | Self::Delete => {
                &["14.1", "13.6"]
            }
            Self::GitClone | Self::GitFetch => &["refs", "pack"],
            Self::StateWrite => &["14.1", "13.6"],
        }
    }
}

impl Trouble {
    pub(super) fn is_of_a_disk(self) -> bool {
        matches!(
            self,
            Self::ReadOnlyFolder
                | Self::LockHeld
                | Self::CorruptFile
                | Self::TruncatedFile
                | Self::NewerLayout
                | Self::NoSpace
        )
    }

    fn is_of_rows(self) -> bool {
        matches!(
            self,
            Self::FailedItems | Self::MissingItems | Self::DoubledItems | Self::ReorderedItems
        )
    }

    /// Whether the daemon meets it as well: what it tries again by itself. What
    /// was refused as it is waits there for another commit.
    fn is_for_the_daemon(self) -> bool {
        matches!(
            self,
            Self::Refused
                | Self::ResetBefore
                | Self::ResetAfter
                | Self::Unauthorized
                | Self::Forbidden
                | Self::TooMany
                | Self::TooManyRetryAfter
                | Self::ServerError
                | Self::BadGateway
                | Self::Unavailable
                | Self::Truncated
                | Self::EmptyBody
                | Self::LoginPage
                | Self::RedirectElsewhere
                | Self::EndlessBody
        )
    }

    /// Whether it takes the program's whole patience with a request.
    pub(super) fn is_slow(self) -> bool {
        matches!(self, Self::TimeoutBefore | Self::TimeoutAfter)
    }
}

impl Cell {
    /// Whether it waits, for a time-out or for as long as `export` tries.
    pub(super) fn waits(&self) -> bool {
        self.trouble.is_slow()
            || self.variant == DAEMON
            || (self.call.is_of_export() && self.often == Often::Always)
    }
}

/// Why a pair has no meaning; none: it runs.
pub(super) fn without_meaning(call: Call, trouble: Trouble) -> Option<&'static str> {
    use Trouble as T;
    match (call, trouble) {
        (Call::StateWrite, trouble) if !trouble.is_of_a_disk() => {
            Some("a state is a file: there is no server in between")
        }
        (call, trouble) if call != Call::StateWrite && trouble.is_of_a_disk() => {
            Some("a fault of the disk, met by every state write: its own row")
        }
        (Call::GitClone | Call::GitFetch, T::UnauthorizedOnce) => {
            Some("git has no token to renew: 401 is the same once and for ever")
        }
        (Call::GitClone | Call::GitFetch, trouble) if trouble.is_of_rows() => {
            Some("the protocol of git has no rows of items")
        }
        (Call::Versions, T::NotFound) => Some("404 says that the item went meanwhile"),
        (Call::Apply, T::FailedItems) => None,
        (_, T::FailedItems) => Some("only an apply answers for each item whether it went"),
        (Call::Apply | Call::List | Call::Versions, _) => None,
        (_, trouble) if trouble.is_of_rows() => Some("its answer has no rows"),
        (
            Call::Delete,
            T::Truncated | T::WrongContentType | T::OtherShape | T::EmptyBody | T::SlowDrip,
        ) => Some("its answer is 204 and has no body"),
        _ => None,
    }
}

/// How often a fault strikes, where both are something else.
fn often(trouble: Trouble) -> &'static [Often] {
    match trouble {
        Trouble::UnauthorizedOnce => &[Often::Once],
        // Who refuses connections does so until somebody starts it.
        Trouble::Refused | Trouble::Unauthorized => &[Often::Always],
        trouble if trouble.is_of_a_disk() => &[Often::Always],
        _ => &[Often::Once, Often::Always],
    }
}

/// Every cell that has a meaning.
pub(super) fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for call in CALLS {
        for trouble in TROUBLES {
            if without_meaning(call, trouble).is_some() {
                continue;
            }
            for &variant in call.variants() {
                for &often in often(trouble) {
                    cells.push(Cell { call, trouble, often, variant });
                }
            }
            // A server that is not there is not there for any call.
            let is_new = trouble != Trouble::Refused || call == Call::Token;
            let is_of_a_pass = call.route().is_some() && !call.is_of_export() && is_new;
            if is_of_a_pass && trouble.is_for_the_daemon() {
                cells.push(Cell { call, trouble, often: Often::Always, variant: DAEMON });
            }
        }
    }
    cells
}
