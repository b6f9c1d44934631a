//! Faults of the matrix as faults of the servers.

use std::time::Duration;

use marketsync::embedded::{Fault, FaultKind};

use super::axes::{Call, Cell, Often, Trouble};
use crate::support::git_server;

/// Longer than the program waits for an answer (30 s).
const TOO_LONG_MS: u64 = 45_000;

pub(super) const HTML: &str = "<!doctype html><html><body>sign in</body></html>";

fn status(code: u16) -> FaultKind {
    FaultKind::status(code)
}

fn page(code: u16) -> FaultKind {
    FaultKind::Status {
        code,
        body: Some(HTML.to_owned()),
        content_type: Some("text/html".to_owned()),
        retry_after: None,
        processed: false,
    }
}

/// What the marketplace does, to be armed in this order.
fn kinds(cell: &Cell, elsewhere: &str, itself: &str) -> Vec<FaultKind> {
    let kind = match cell.trouble {
        // The gate's work.
        Trouble::Refused => return Vec::new(),
        Trouble::ResetBefore => FaultKind::CutBefore,
        Trouble::ResetAfter => FaultKind::CutAfter,
        Trouble::TimeoutBefore => {
            return vec![FaultKind::Delay { ms: TOO_LONG_MS }, FaultKind::CutBefore];
        }
        Trouble::TimeoutAfter => FaultKind::Silence,
        Trouble::UnauthorizedOnce | Trouble::Unauthorized => status(401),
        Trouble::Forbidden => status(403),
        // In the marketplace's own words 404 says that an item is not there:
        // an answer, and no fault. A proxy has other words.
        Trouble::NotFound if matches!(cell.call, Call::Get | Call::Delete) => page(404),
        Trouble::NotFound => status(404),
        Trouble::Conflict => status(409),
        Trouble::TooLarge => status(413),
        Trouble::TooMany => status(429),
        Trouble::TooManyRetryAfter => FaultKind::Status {
            code: 429,
            body: None,
            content_type: None,
            retry_after: Some("1".to_owned()),
            processed: false,
        },
        Trouble::ServerError => status(500),
        Trouble::BadGateway => page(502),
        Trouble::Unavailable => status(503),
        Trouble::Truncated => FaultKind::Truncate,
        Trouble::WrongContentType => {
            FaultKind::WrongContentType { content_type: "text/html".to_owned() }
        }
        Trouble::OtherShape => {
            let is_a_list = matches!(cell.call, Call::List | Call::Versions);
            let body = if is_a_list { r#"{"a":[1]}"# } else { r#"[{"a":1}]"# };
            FaultKind::WrongBody { body: body.to_owned() }
        }
        Trouble::EmptyBody => FaultKind::EmptyBody,
        Trouble::LoginPage => page(200),
        Trouble::FailedItems => FaultKind::RejectItem { message: "no room for it".to_owned() },
        Trouble::MissingItems => FaultKind::MissingRow,
        Trouble::DoubledItems => FaultKind::DoubledRow,
        Trouble::ReorderedItems => FaultKind::ReorderedRows,
        Trouble::SlowDrip => FaultKind::SlowDrip { ms: 1 },
        Trouble::RedirectElsewhere => FaultKind::Redirect { to: elsewhere.to_owned(), code: 307 },
        Trouble::RedirectToItself => FaultKind::Redirect { to: itself.to_owned(), code: 308 },
        Trouble::EndlessBody => FaultKind::EndlessBody,
        other => unreachable!("{other:?} is no fault of a marketplace"),
    };
    vec![kind]
}

/// The faults of a cell for the embedded marketplace. `item` and `skip` say
/// which of several such calls is meant.
pub(super) fn of_market(
    cell: &Cell,
    (elsewhere, itself): (&str, &str),
    item: Option<&str>,
    skip: u32,
) -> Vec<Fault> {
    let Some(route) = cell.call.route() else { return Vec::new() };
    let armed = |kind| {
        let fault = match cell.often {
            Often::Once => Fault::once(route, kind).after(skip),
            Often::Always => Fault::always(route, kind),
        };
        match item {
            Some(item) => fault.for_item(item),
            None => fault,
        }
    };
    kinds(cell, elsewhere, itself).into_iter().map(armed).collect()
}

/// The fault of a cell for the git server.
pub(super) fn of_git(cell: &Cell, elsewhere: &str, itself: &str) -> git_server::Fault {
    use git_server::Fault as F;
    let moved = |to: &str| F::Status(302, vec![("location", to.to_owned())]);
    let fault = match cell.trouble {
        Trouble::ResetBefore => F::Break(0),
        Trouble::ResetAfter => F::Break(30),
        Trouble::TimeoutBefore => F::Hang,
        Trouble::TimeoutAfter => F::Stall(30),
        Trouble::Unauthorized => F::Status(401, vec![("www-authenticate", "Basic".to_owned())]),
        Trouble::Forbidden => F::Status(403, Vec::new()),
        Trouble::NotFound => F::Status(404, Vec::new()),
        Trouble::Conflict => F::Status(409, Vec::new()),
        Trouble::TooLarge => F::Status(413, Vec::new()),
        Trouble::TooMany => F::Status(429, Vec::new()),
        Trouble::TooManyRetryAfter => F::Status(429, vec![("retry-after", "1".to_owned())]),
        Trouble::ServerError => F::Status(500, Vec::new()),
        Trouble::BadGateway => F::Page(502, HTML),
        Trouble::Unavailable => F::Status(503, Vec::new()),
        Trouble::Truncated => F::Truncate(30),
        Trouble::WrongContentType => {
            F::Status(200, vec![("content-type", "text/plain".to_owned())])
        }
        Trouble::OtherShape => F::Instead(b"000dnot this\n0000".to_vec()),
        Trouble::EmptyBody => F::Instead(Vec::new()),
        Trouble::LoginPage => F::Page(200, HTML),
        Trouble::SlowDrip => F::Drip(Duration::from_millis(1)),
        Trouble::RedirectElsewhere => moved(elsewhere),
        Trouble::RedirectToItself => moved(itself),
        Trouble::EndlessBody => {
            F::Endless(format!("003a{} refs/heads/x\n", "1".repeat(40)).repeat(1000).into_bytes())
        }
        other => unreachable!("{other:?} is no fault of a git server"),
    };
    match cell.often {
        Often::Once => F::Once(Box::new(fault)),
        Often::Always => fault,
    }
}
