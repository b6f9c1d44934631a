//! Whether a message names what failed, and says what to do.

use super::axes::{Cell, Often, Trouble};
use crate::support::cli::Run;

/// Words of which one must stand in what is said of a fault.
pub(super) fn names(trouble: Trouble) -> &'static [&'static str] {
    match trouble {
        Trouble::Refused => &["refuses the connection"],
        Trouble::ResetBefore | Trouble::ResetAfter => &["connection to", "connection"],
        Trouble::TimeoutBefore | Trouble::TimeoutAfter => {
            &["gave no whole answer within 30 s", "was silent for 60 s"]
        }
        Trouble::UnauthorizedOnce | Trouble::Unauthorized => &["401"],
        Trouble::Forbidden => &["403"],
        Trouble::NotFound => &["404", "not found"],
        Trouble::Conflict => &["409", "a fault was asked for"],
        Trouble::TooLarge => &["413", "too large", "a fault was asked for"],
        Trouble::TooMany | Trouble::TooManyRetryAfter => &["429"],
        Trouble::ServerError => &["500"],
        Trouble::BadGateway => &["502"],
        Trouble::Unavailable => &["503"],
        Trouble::Truncated => &["connection", "ended", "answer", "sent", "broke"],
        Trouble::WrongContentType => &["content", "smart protocol", "answer"],
        Trouble::OtherShape | Trouble::EmptyBody | Trouble::LoginPage => {
            &["answer", "sent", "ended", "is it a git server", "not in the words of"]
        }
        Trouble::EndlessBody => &["answer", "longer", "more than", "sent"],
        Trouble::FailedItems => &["no room for it"],
        Trouble::MissingItems | Trouble::DoubledItems | Trouble::ReorderedItems => &["row"],
        Trouble::SlowDrip => &["slow"],
        Trouble::RedirectElsewhere | Trouble::RedirectToItself => &["redirect"],
        Trouble::ReadOnlyFolder => &["cannot be used", "cannot be opened"],
        Trouble::LockHeld => &["in use by"],
        Trouble::CorruptFile | Trouble::TruncatedFile => &["damaged"],
        Trouble::NewerLayout => &["later marketsync"],
        Trouble::NoSpace => {
            &["cannot be read or written", "is full", "cannot be opened", "File too large"]
        }
    }
}

/// What tells people what to do.
const ADVICE: [&str; 18] = [
    "check",
    "give",
    "needs",
    "ask",
    "set ",
    "use ",
    "choose",
    "Move",
    "wait for",
    "Free",
    "proxy",
    "--ca-file",
    "run `",
    "put ",
    "run it again",
    "is it the",
    "may this user",
    "name it",
];

/// Whether a text says what to do.
pub(super) fn advises(text: &str) -> bool {
    ADVICE.iter().any(|word| text.contains(word))
}

/// What a run should have said of its fault and did not.
pub(super) fn unsaid(cell: &Cell, run: &Run) -> Vec<String> {
    let mut unsaid = Vec::new();
    let says = |text: &str| names(cell.trouble).iter().any(|word| text.contains(word));
    let bad = ["Failed", "Rejected", "Held", "Ended", "Fetch failed"];
    let lines: Vec<String> =
        bad.iter().flat_map(|message| run.lines(message)).map(|line| line.to_string()).collect();
    let ended_badly = run.code != Some(0);
    // What is recorded and could not be looked at is counted, and not named: a
    // gap that is known.
    let is_counted = run.stdout.contains("could not be looked at");
    if ended_badly && lines.is_empty() && !is_counted {
        unsaid.push("nothing in the log says why it went wrong".to_owned());
    }
    if !lines.is_empty() && !lines.iter().any(|line| says(line)) {
        unsaid.push(format!("no line names the fault, such as `{}`", names(cell.trouble)[0]));
    }
    if run.code == Some(2)
        && !lines.iter().any(|line| ADVICE.iter().any(|word| line.contains(word)))
    {
        unsaid.push("it could not do its work, and no line says what to do".to_owned());
    }
    if cell.often == Often::Once && run.code == Some(0) && !run.lines("Ended").is_empty() {
        unsaid.push("it exits 0, and says that it ended".to_owned());
    }
    unsaid
}
