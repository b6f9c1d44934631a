//! How an address is written.

use marketsync::edge::git::remote::{RemoteUrl, UrlError};

fn shown(text: &str) -> String {
    text.parse::<RemoteUrl>().unwrap().to_string()
}

fn refused(text: &str) -> String {
    let error: UrlError = text.parse::<RemoteUrl>().unwrap_err();
    error.to_string()
}

#[test]
fn a_remote_is_told_from_a_path() {
    for remote in ["https://h/x", "git@h:x", "file:///x", "ssh://h/x", "a@[::1]:x", "foo://x"] {
        assert!(RemoteUrl::looks_remote(remote), "{remote}");
    }
    for path in [".", "/a/b", "items", "a:b", "./git@h:x", "a/git@h:x", "git@h", "@h:x", "a@h/b:c"]
    {
        assert!(!RemoteUrl::looks_remote(path), "{path}");
    }
}

#[test]
fn an_address_is_shown_without_what_may_be_a_token() {
    for (text, expected) in [
        ("https://TOKEN@Example.com/a/b.git/", "https://example.com/a/b.git"),
        ("https://h:8443/a", "https://h:8443/a"),
        ("git@h:a/b.git", "ssh://git@h/~/a/b.git"),
        ("git@h:/srv/a", "ssh://git@h/srv/a"),
        ("ssh://git@h:2222/a", "ssh://git@h:2222/a"),
        ("ssh://h/~bob/a%20b", "ssh://h/~bob/a b"),
        ("ssh://me@h:22/~/a", "ssh://me@h/~/a"),
        ("git@[::1]:a", "ssh://git@[::1]/~/a"),
        ("git@[0:0::001]:a", "ssh://git@[::1]/~/a"),
        ("file:///srv/a", "file:///srv/a"),
    ] {
        assert_eq!(shown(text), expected, "{text}");
        assert!(!format!("{:?}", text.parse::<RemoteUrl>().unwrap()).contains("TOKEN"));
    }
}

#[test]
fn what_is_no_address_is_refused_and_never_repeated() {
    for (text, expected) in [
        ("https://bob:s3cret@h/x", "--git-password-file"),
        ("ssh://bob:s3cret@h/x", "leave it out"),
        ("https://h/s3cret?x", "has no ? and no #"),
        ("https://h/", "no repository on it"),
        ("git@h:/", "no repository on it"),
        ("git://h/s3cret", "use https:// or ssh://"),
        ("ftp://h/s3cret", "write https://HOST/PATH"),
        ("ext::s3cret", "write https://HOST/PATH"),
        ("file://host/s3cret", "write file:///PATH"),
        ("file:///a%19s3cret", "write https://HOST/PATH"),
        ("ssh://h/a%0as3cret", "write https://HOST/PATH"),
    ] {
        let said = refused(text);
        assert!(said.contains(expected), "{text}: {said}");
        assert!(!said.contains("s3cret"), "{text}: {said}");
    }
}
