//! The caches, and where the state is when nobody says so.

use marketsync::domain::item::{CommitId, Digest, ImageSlot, ItemId, RepoPath};
use marketsync::edge::store::{Identity, LOCATIONS_KEPT, default_dir};

use super::{database, identity, open};

fn entry(path: &str) -> (RepoPath, String) {
    (RepoPath::new(path).unwrap(), format!("{{\"p\":\"{path}\"}}"))
}

#[test]
fn what_was_seen_is_kept_for_its_fingerprint() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let (print, other) = (Digest::of(b"print"), Digest::of(b"other"));
    let (first, second) = (CommitId("1".repeat(40)), CommitId("dir-2".into()));
    assert_eq!(store.load_seen(&print).unwrap(), None);
    store.save_seen(&print, &first, &[entry("a"), entry("b"), entry("c/d")], &[], true).unwrap();
    store.save_seen(&print, &second, &[entry("e")], &[RepoPath::new("b").unwrap()], false).unwrap();
    let kept = vec![entry("a"), entry("c/d"), entry("e")];
    assert_eq!(store.load_seen(&print).unwrap(), Some((second.clone(), kept)));
    assert_eq!(store.load_seen(&other).unwrap(), None);
    store.save_seen(&print, &second, &[entry("z")], &[], true).unwrap();
    assert_eq!(store.load_seen(&print).unwrap(), Some((second.clone(), vec![entry("z")])));

    store.save_seen(&other, &second, &[entry("y")], &[], false).unwrap();
    assert_eq!(store.load_seen(&other).unwrap(), None, "a difference to nothing is not a whole");
    assert_eq!(store.load_seen(&print).unwrap(), None);

    store.save_seen(&print, &first, &[entry("a")], &[], true).unwrap();
    for sql in [
        "UPDATE seen SET path = '../a'",
        "UPDATE meta SET value = 'x' WHERE name = 'seen_fingerprint'",
    ] {
        database(dir.path()).execute_batch(sql).unwrap();
        assert_eq!(store.load_seen(&print).unwrap(), None, "{sql}");
    }
}

#[test]
fn pictures_are_remembered_with_their_item() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let (one, two): (ItemId, ItemId) = ("one".parse().unwrap(), "two".parse().unwrap());
    let picture = |n: u32| Digest::of(&n.to_le_bytes());
    for n in 0..LOCATIONS_KEPT + 3 {
        store
            .save_image_location(&picture(n), &one, ImageSlot::Image, &format!("/files/{n}"))
            .unwrap();
    }
    store.save_image_location(&picture(3), &one, ImageSlot::Image, "/files/new").unwrap();
    store.save_image_location(&picture(0), &one, ImageSlot::SupportedByImage, "/files/s").unwrap();
    store.save_image_location(&picture(0), &two, ImageSlot::Image, "/files/two").unwrap();
    let locations = store.load_image_locations().unwrap();
    assert_eq!(locations.len(), LOCATIONS_KEPT as usize + 2);
    assert_eq!(locations[&(picture(3), one.clone(), ImageSlot::Image)], "/files/new");
    assert!(!locations.contains_key(&(picture(2), one.clone(), ImageSlot::Image)));
    store.forget_image_locations(&one).unwrap();
    let left: Vec<_> = store.load_image_locations().unwrap().into_iter().collect();
    assert_eq!(left, [((picture(0), two, ImageSlot::Image), "/files/two".to_owned())]);
}

#[test]
fn the_default_place_tells_purposes_apart() {
    let place = |identity: &Identity, variables: &[(&str, &str)]| {
        let find =
            |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        default_dir(identity, find).map(|dir| dir.to_str().unwrap().to_owned())
    };
    let home = [("HOME", "/home/me")];
    let dir = place(&identity(), &home).unwrap();
    let (name, hash) = dir.rsplit_once('-').unwrap();
    assert_eq!(name, "/home/me/.local/state/marketsync/acme");
    assert!(hash.len() == 12 && hash.bytes().all(|b| b.is_ascii_hexdigit()));
    assert!(
        place(&identity(), &[("HOME", "/h"), ("XDG_STATE_HOME", "/s")])
            .unwrap()
            .starts_with("/s/marketsync/acme-")
    );
    assert!(
        place(&identity(), &[("HOME", "/h"), ("XDG_STATE_HOME", "rel")])
            .unwrap()
            .starts_with("/h/.local")
    );
    assert_eq!(place(&identity(), &[]), None);
    let moved = Identity { company: "ac".into(), source: "me/srv/catalog".into(), ..identity() };
    assert_ne!(place(&moved, &home).unwrap().rsplit_once('-').unwrap().1, hash);
    let odd = Identity { company: "../é/".into(), ..identity() };
    assert!(place(&odd, &home).unwrap().starts_with("/home/me/.local/state/marketsync/_____-"));
}
