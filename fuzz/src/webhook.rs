//! A call of the webhook: only who knows the secret is let in, whatever
//! headers and body come.

use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use marketsync::edge::hook::{Check, Gate, Proofs};

use super::parts::Parts;

/// The headers that are looked at, and one that is not.
const NAMES: [&str; 5] = [
    "x-hub-signature-256",
    "x-hub-signature",
    "x-gitea-signature",
    "x-gitlab-token",
    "x-hub-signature-512",
];

/// One case: the secret, then headers (a byte that chooses the name and the
/// form, and the value) up to an empty one, then the body; zeros between them.
pub fn check(data: &[u8]) {
    let mut parts = Parts::of(data);
    let secret = parts.bytes();
    let mut given: Vec<(usize, u8, &[u8])> = Vec::new();
    for _ in 0..8 {
        let kind = parts.byte();
        if kind == 0 {
            break;
        }
        given.push((usize::from(kind & 7) % NAMES.len(), kind >> 3, parts.bytes()));
    }
    let body = parts.rest();
    let right = hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), body).as_ref());
    let headers: Vec<(&str, Vec<u8>)> = given
        .into_iter()
        .map(|(name, form, value)| (NAMES[name], filled(form, value, &right, secret)))
        .collect();
    genuine_exactly_if_all_hold(secret, &headers, body, &right);
    gate(data);
}

/// The value of a header: as it is, or what is right put in its place.
fn filled(form: u8, value: &[u8], right: &str, secret: &[u8]) -> Vec<u8> {
    match form % 6 {
        1 => format!("sha256={right}").into_bytes(),
        2 => right.as_bytes().to_vec(),
        3 => secret.to_vec(),
        4 => [right.as_bytes(), value].concat(),
        5 => [value, secret].concat(),
        _ => value.to_vec(),
    }
}

/// By the rules of the documentation, spelt out anew: every header that is
/// looked at must hold, and there must be one.
fn genuine_exactly_if_all_hold(
    secret: &[u8],
    headers: &[(&str, Vec<u8>)],
    body: &[u8],
    right: &str,
) {
    let is_mac = |value: &[u8]| value.eq_ignore_ascii_case(right.as_bytes());
    let named = |value: &[u8]| value.strip_prefix(b"sha256=".as_slice()).is_some_and(is_mac);
    let mut verdicts = headers.iter().filter_map(|(name, value)| match *name {
        "x-hub-signature" if value.starts_with(b"sha1=") => None,
        "x-hub-signature-256" | "x-hub-signature" => Some(named(value)),
        "x-gitea-signature" => Some(is_mac(value)),
        "x-gitlab-token" => Some(value == secret),
        _ => None,
    });
    let first = verdicts.next();
    let expected = first == Some(true) && verdicts.all(|holds| holds);
    let values = |name: &'static str| {
        headers.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value.as_slice())
    };
    for chunk in [1, 7, 4096] {
        let holds = Proofs::find(values).is_some_and(|proofs| {
            let mut check = Check::new(secret);
            body.chunks(chunk).for_each(|part| check.update(part));
            let early = check.token_holds(&proofs);
            let holds = check.holds(&proofs);
            assert!(early != Some(false) || !holds, "a wrong token was let in");
            holds
        });
        assert_eq!(holds, expected, "{headers:?}");
    }
}

/// The gate lets in what it had in stock and what came with time, and no more.
fn gate(data: &[u8]) {
    let start = Instant::now();
    let gate = Gate::new(start);
    let (mut now, mut admitted, mut passed) = (start, 0_u64, Duration::ZERO);
    for byte in data {
        if byte % 4 == 0 {
            let step = Duration::from_millis(u64::from(*byte));
            now += step;
            passed += step;
        }
        admitted += u64::from(gate.admits(now));
        let most = 50 + passed.as_millis() * 20 / 1000;
        assert!(u128::from(admitted) <= most, "{admitted} calls in {passed:?}");
    }
}

/// Lower-case digits, as forges write a MAC.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
