//! What the address of a server says about it.

use url::Url;

/// Whether a URL leads to this machine: `localhost`, a name below it (RFC 6761
/// §6.3) or a loopback address. Then no proxy stands between, as with the
/// vendor's client, and no credential is needed.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn this_machine_has_several_names() {
        for (url, expected) in [
            ("http://localhost:1", true),
            ("https://console.LOCALHOST/x", true),
            ("http://127.9.9.9", true),
            ("http://[::1]", true),
            ("http://localhost.example", false),
            ("http://notlocalhost", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(is_loopback(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
