//! Paths, patterns, ids, versions and addresses: any text is one of them or is
//! refused, none leads out of the checkout, and no password is shown.

use std::time::Duration;

use jiff::Timestamp;
use marketsync::domain::candidate::{Admission, Filter};
use marketsync::domain::export::{NoPlace, Place};
use marketsync::domain::item::{ItemId, ItemKey, ItemType, RepoPath, Version};
use marketsync::domain::plan::deletes_allowed_by;
use marketsync::domain::schema_cost::decoded;
use marketsync::domain::source::{Format, nearest, quote};
use marketsync::domain::text::{clean, clean_json, cut, no_command, no_first_command};
use marketsync::edge::address::is_loopback;
use marketsync::edge::backoff;
use marketsync::edge::git::remote::RemoteUrl;
use marketsync::edge::secrets::Secrets;

use super::parts::Parts;

/// What must not be shown.
const CANARY: &str = "cAnArY-5ecret-0f-the-address";

/// One case: a path, another, an ignore file, an exclude, an id, a version, an
/// address, a text; zeros between them.
pub fn check(data: &[u8]) {
    let mut parts = Parts::of(data);
    let (one, other) = (parts.text(), parts.text());
    paths(&one, &other);
    patterns(&one, &parts.text(), &parts.text());
    identities(&parts.text(), &parts.text());
    address(&parts.text());
    texts(&parts.text(), &one);
}

fn paths(one: &str, other: &str) {
    let Ok(path) = RepoPath::new(one) else {
        assert!(one.starts_with('/') || one.contains(".."), "{one:?} is refused");
        return;
    };
    is_inside(&path);
    is_inside(&path.parent());
    assert!(path.is_within(&RepoPath::root()) && path.is_within(&path.parent()));
    assert!(!path.to_string().chars().any(char::is_control));
    if let Ok(joined) = path.join(other) {
        is_inside(&joined);
        let climbs = other.split('/').any(|name| name == "..");
        assert!(climbs || joined.is_within(&path), "{joined:?} is not within {path:?}");
    }
    let _ = Format::of(path.file_name());
}

fn is_inside(path: &RepoPath) {
    let text = path.as_str();
    let names: Vec<&str> = text.split('/').collect();
    assert!(
        text.is_empty() || names.iter().all(|name| !matches!(*name, "" | "." | "..")),
        "{path:?}"
    );
    assert_eq!(RepoPath::new(text).as_ref(), Ok(path), "its text is another path");
    assert_eq!(path.names().collect::<Vec<_>>().join("/"), text);
}

fn patterns(path: &str, ignore: &str, exclude: &str) {
    let excludes = [exclude.to_owned()];
    let Ok(path) = RepoPath::new(path) else { return };
    for source in [RepoPath::root(), RepoPath::new("items").unwrap()] {
        let Ok(filter) = Filter::new(source.clone(), Some(ignore), &excludes) else { continue };
        let admission = filter.admits(&path);
        if admission != Admission::No {
            assert!(path.is_within(&source), "{path} is outside of {source}");
            assert!(Format::of(path.file_name()).is_some(), "{path} is no data");
            assert!(!filter.prunes(&path.parent()), "{path} lies in what is pruned");
        }
        // As a walk does it, from the source down.
        let (mut at, mut is_out) = (source.clone(), false);
        for name in path.parent().names().skip(source.names().count()) {
            at = at.join(name).unwrap();
            is_out = filter.prunes_in(&at, is_out);
        }
        if path.is_within(&source) && path != source && path.parent().is_within(&source) {
            assert_eq!(filter.admits_in(&path, is_out), admission, "{path}");
        }
    }
}

fn identities(id: &str, version: &str) {
    let version_of = version.parse::<Version>();
    if let Ok(version_of) = &version_of {
        let again = version_of.to_string();
        assert_eq!(again, version, "a version has another name");
        assert_eq!(again.parse::<Version>().ok().as_ref(), Some(version_of));
    }
    let Ok(item_id) = id.parse::<ItemId>() else { return };
    assert!(item_id.as_str() == id && id.len() <= 63 && !id.contains(['/', '.', ' ']));
    let Ok(version) = version_of else { return };
    let key = ItemKey { item_id, version };
    for item_type in [ItemType::platform("plugin"), ItemType::platform(id)] {
        match Place::of(&key, &item_type) {
            Ok(place) => is_inside(&place.file),
            Err(NoPlace::Type(_)) => {}
            Err(NoPlace::Outside(why)) => panic!("{why}"),
        }
    }
    assert_eq!(key.cmp(&key.clone()), std::cmp::Ordering::Equal);
}

fn address(text: &str) {
    let _ = RemoteUrl::looks_remote(text);
    if let Ok(url) = text.parse::<RemoteUrl>() {
        let shown = url.to_string();
        assert_eq!(format!("{url:?}"), format!("RemoteUrl({shown})"));
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        // What is shown has no escapes, so it may not hold what needs one.
        if shown.is_ascii()
            && !shown.contains(['%', ' ', '"', '#', '?', '\\', '^', '|', '<', '>', '`', '{', '}'])
            && let Ok(again) = shown.parse::<RemoteUrl>()
        {
            assert_eq!(again.to_string(), shown, "it names another place");
        }
    }
    let safe: String = text.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
    for hidden in
        [format!("https://{CANARY}@{safe}/a.git"), format!("https://{safe}:{CANARY}@h/a.git")]
    {
        let told = match hidden.parse::<RemoteUrl>() {
            Ok(url) => format!("{url} {url:?}"),
            Err(why) => format!("{why} {why:?}"),
        };
        assert!(!told.contains(CANARY), "{told}");
    }
    if let Ok(url) = text.parse() {
        let _ = is_loopback(&url);
    }
}

fn texts(text: &str, secret: &str) {
    let shown = clean(text);
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
    assert_eq!(clean(&shown), shown);
    assert_eq!(shown.chars().count(), text.chars().count());
    assert!(cut(text, 9).chars().count() <= 9 && quote(text).chars().count() <= 82);
    let first = no_first_command(&shown);
    assert!(!first.trim_start().starts_with("::"), "{first:?}");
    assert!(!no_command(text, false).contains("##["));
    let json = serde_json::Value::from(text).to_string();
    let harmless = clean_json(&json);
    assert_eq!(serde_json::from_str::<String>(&harmless).unwrap(), text);
    assert!(!harmless.chars().any(char::is_control) && !harmless.contains("##["));
    let _ = (nearest(text, ["itemId", "version"]), decoded(text), deletes_allowed_by(text));
    if let Some(pause) = backoff::asked(text, Timestamp::UNIX_EPOCH) {
        assert!(pause <= Duration::from_hours(1), "{pause:?}");
    }
    let mut secrets = Secrets::default();
    secrets.note(secret);
    secrets.note_header(&format!("Basic {secret}"));
    let masked = secrets.mask(&format!("{text}{secret}{text}"));
    // The mask may make a secret that consists of what is around it.
    let is_found = secret.len() >= 4 && !secret.contains("***") && !"***".contains(secret);
    let rest = masked.replace("***", "\u{0}");
    assert!(!is_found || !rest.contains(secret), "{masked:?} holds {secret:?}");
}
