//! Faults as data: what goes wrong, on which call, how often.

use serde::{Deserialize, Serialize};

/// The calls that a fault, a counter or a log entry can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// `POST /api/m2m/oauth/token`
    Token,
    /// `GET /api/version`
    Version,
    /// The list of items.
    List,
    /// One version of an item.
    Get,
    /// The versions of an item.
    Versions,
    /// Create or update.
    Apply,
    /// An image.
    Upload,
    /// The bytes of an image.
    Download,
    /// Delete one version.
    Delete,
    /// Everything else: categories, item type definitions, unknown paths.
    Other,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// This status instead of the answer.
    Status {
        /// The status code.
        code: u16,
        /// The body; without it the JSON error body of the API.
        #[serde(default)]
        body: Option<String>,
        /// `Content-Type` of `body`.
        #[serde(default)]
        content_type: Option<String>,
        /// `Retry-After`, as it goes on the wire.
        #[serde(default)]
        retry_after: Option<String>,
        /// Whether the call is carried out all the same.
        #[serde(default)]
        processed: bool,
    },
    /// The call waits first. Further faults apply after it.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// The connection is closed before the call is carried out.
    CutBefore,
    /// The call is carried out, then the connection is closed without an answer.
    CutAfter,
    /// The call is carried out; no answer comes, and the connection stays.
    Silence,
    /// The call is carried out; the connection is closed after the headers and
    /// half of the body.
    Truncate,
    /// The call is carried out; the answer has this body, with the status and
    /// content type of the right one.
    WrongBody {
        /// The body.
        body: String,
    },
    /// The call is carried out; the answer claims this `Content-Type`.
    WrongContentType {
        /// The header's value.
        content_type: String,
    },
    /// The call is carried out; the answer has no body.
    EmptyBody,
    /// The call is not carried out but sent elsewhere.
    Redirect {
        /// `Location`.
        to: String,
        /// The status code.
        #[serde(default = "temporary_redirect")]
        code: u16,
    },
    /// 200 and a JSON body that never ends.
    EndlessBody,
    /// The call is carried out; the body comes byte by byte.
    SlowDrip {
        /// Milliseconds between two bytes.
        ms: u64,
    },
    /// An array answer, or `items` of an apply, lacks a row: that of the
    /// fault's item, else the first.
    MissingRow,
    /// The same row stands there twice.
    DoubledRow,
    /// The rows stand the other way round.
    ReorderedRows,
    /// An apply answers `done: false` for the fault's item (for every item, if
    /// it names none) and does not store it. Further faults apply too.
    RejectItem {
        /// `errors[0].message`.
        message: String,
    },
}

fn temporary_redirect() -> u16 {
    307
}

/// A fault and when it strikes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Only on this route.
    #[serde(default)]
    pub route: Option<Route>,
    /// Only on calls that concern this item id: in the path, in the form of an
    /// upload, or among the items of an apply.
    #[serde(default)]
    pub item: Option<String>,
    /// How many such calls pass before it strikes.
    #[serde(default)]
    pub skip: u32,
    /// How many times it strikes; without it, always.
    #[serde(default)]
    pub times: Option<u32>,
    /// What happens.
    pub kind: FaultKind,
}

impl Fault {
    /// The fault on every call of a route.
    pub fn always(route: Route, kind: FaultKind) -> Self {
        Self { route: Some(route), item: None, skip: 0, times: None, kind }
    }

    /// The fault on the next call of a route.
    pub fn once(route: Route, kind: FaultKind) -> Self {
        Self::always(route, kind).times(1)
    }

    /// The same, after so many calls have passed.
    #[must_use]
    pub fn after(mut self, calls: u32) -> Self {
        self.skip = calls;
        self
    }

    /// The same, so many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// The same, only for calls that concern this item id.
    #[must_use]
    pub fn for_item(mut self, item_id: &str) -> Self {
        self.item = Some(item_id.to_owned());
        self
    }
}

impl FaultKind {
    /// A bare status with the API's error body.
    pub fn status(code: u16) -> Self {
        Self::Status { code, body: None, content_type: None, retry_after: None, processed: false }
    }
}

/// The most faults that wait at a time; a script that adds them in a loop must
/// not fill the memory.
pub const MAX_FAULTS: usize = 1000;

/// The faults that wait.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    armed: Vec<Armed>,
}

#[derive(Debug)]
struct Armed {
    fault: Fault,
    seen: u32,
    struck: u32,
}

/// The faults that one call meets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Strikes {
    /// How long it waits, in milliseconds.
    pub(crate) delay_ms: u64,
    /// Items that are rejected (`None`: all), and the message.
    pub(crate) rejections: Vec<(Option<String>, String)>,
    /// The one fault that decides the answer, and the item that it names.
    pub(crate) decisive: Option<(FaultKind, Option<String>)>,
}

impl Faults {
    /// Adds one; `false` if there are too many.
    pub(crate) fn add(&mut self, fault: Fault) -> bool {
        let room = self.armed.len() < MAX_FAULTS;
        if room {
            self.armed.push(Armed { fault, seen: 0, struck: 0 });
        }
        room
    }

    pub(crate) fn clear(&mut self) {
        self.armed.clear();
    }

    /// What a call of this route meets that concerns these item ids. Faults
    /// are tried in the order in which they were added; a delay or a rejection
    /// lets the next one strike too.
    pub(crate) fn strike(&mut self, route: Route, item_ids: &[&str]) -> Strikes {
        let mut strikes = Strikes::default();
        for armed in &mut self.armed {
            let Armed { fault, seen, struck } = armed;
            let here = fault.route.is_none_or(|wanted| wanted == route);
            let mine = fault.item.as_deref().is_none_or(|wanted| item_ids.contains(&wanted));
            if !here || !mine || fault.times.is_some_and(|times| *struck >= times) {
                continue;
            }
            *seen = seen.saturating_add(1);
            if *seen <= fault.skip {
                continue;
            }
            *struck = struck.saturating_add(1);
            match &fault.kind {
                FaultKind::Delay { ms } => strikes.delay_ms = strikes.delay_ms.saturating_add(*ms),
                FaultKind::RejectItem { message } => {
                    strikes.rejections.push((fault.item.clone(), message.clone()));
                }
                kind => {
                    strikes.decisive = Some((kind.clone(), fault.item.clone()));
                    break;
                }
            }
        }
        self.armed.retain(|armed| armed.fault.times.is_none_or(|times| armed.struck < times));
        strikes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_skips_strikes_and_goes() {
        let mut faults = Faults::default();
        faults.add(Fault::always(Route::Get, FaultKind::CutAfter).after(1).times(2).for_item("a"));
        let mut struck = |route, item: &str| faults.strike(route, &[item]).decisive.is_some();
        assert!(!struck(Route::Get, "a"), "the first call passes");
        assert!(!struck(Route::Apply, "a"), "another route");
        assert!(!struck(Route::Get, "b"), "another item");
        assert!(struck(Route::Get, "a"));
        assert!(struck(Route::Get, "a"));
        assert!(!struck(Route::Get, "a"), "it struck twice");
    }

    #[test]
    fn a_delay_lets_the_next_fault_strike_too() {
        let mut faults = Faults::default();
        faults.add(Fault::once(Route::Apply, FaultKind::Delay { ms: 5 }));
        faults.add(Fault::once(Route::Apply, FaultKind::EmptyBody));
        let strikes = faults.strike(Route::Apply, &[]);
        assert_eq!((strikes.delay_ms, strikes.decisive.is_some()), (5, true));
        assert!(faults.armed.is_empty());
    }

    #[test]
    fn a_fault_reads_as_data() {
        let text =
            r#"{"route":"apply","times":2,"kind":{"status":{"code":503,"retry_after":"1"}}}"#;
        let fault: Fault = serde_json::from_str(text).unwrap();
        assert_eq!(fault.times, Some(2));
        let bare: Fault = serde_json::from_str(r#"{"kind":"cut_before"}"#).unwrap();
        assert_eq!(bare.kind, FaultKind::CutBefore);
    }
}
