//! How much work a schema is, before anything is made of it.
//!
//! A repository supplies its own schemas, and compiling one or holding a
//! document to it must neither use up the stack nor take minutes. The estimate
//! errs on the side of too much: where a reference could lead to several
//! places, all of them count.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

/// The most JSON values in a schema and the files that it refers to. The
/// largest of the public catalogue has 3,969, a twelfth.
pub const MAX_NODES: u64 = 50_000;

/// The most references. The schemas of the public catalogue have none; one
/// that is made of 300 definitions has some 300.
pub const MAX_REFERENCES: u64 = 1_000;

/// How deep one file may nest. The deepest of the public catalogue has 22,
/// and parsing already stops at 128.
pub const MAX_NESTING: u64 = 128;

/// The longest chain in which one reference leads to the next: each link is
/// stack for whoever follows it, and 15,000 use it up. The schemas of the
/// public catalogue have none; types that are made of types reach some ten.
pub const MAX_CHAIN: u64 = 100;

/// How deep a schema may nest when each reference is replaced by its target.
/// What is deeper than a file may be is followed on the same stack. The
/// deepest of the public catalogue has 22.
pub const MAX_REACH: u64 = 512;

/// The most values of a schema in which each reference is replaced by its
/// target: 2^20 is what 20 levels of two references each come to. The largest
/// of the public catalogue comes to 3,969, a two hundred and fiftieth.
pub const MAX_COST: u64 = 1_000_000;

/// The most regular expressions: each is a program in memory. The schema with
/// most of the public catalogue has 138.
pub const MAX_PATTERNS: u64 = 500;

/// The longest regular expression in bytes. The longest of the public
/// catalogue has 179.
pub const MAX_PATTERN_BYTES: u64 = 1_024;

/// The most values in all `enum` together: each document value is compared
/// with one after the other. The schema with most of the public catalogue has
/// 195.
pub const MAX_ENUM: u64 = 10_000;

/// The most [`cost`] times values of a document. The largest schema of the
/// public catalogue allows documents of 50,000 values; the largest document
/// that it has as JSON comes to 1,379.
pub const MAX_WORK: u64 = 200_000_000;

/// The most levels of a schema that refers to itself, times the levels of a
/// document: so deep the two are walked together. 28,800 used up a stack of
/// 2 MiB; a type of 20 levels in the deepest document of 64 comes to 1,280.
pub const MAX_WALK: u64 = 4_096;

/// A schema passes a limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is too large ({what}: {found}, at most {most})")]
pub struct TooLarge {
    /// What there is too much of.
    pub what: &'static str,
    /// How much there is; where counting stopped early, how much was counted.
    pub found: u64,
    /// How much there may be.
    pub most: u64,
}

fn within(what: &'static str, found: u64, most: u64) -> Result<(), TooLarge> {
    if found > most { Err(TooLarge { what, found, most }) } else { Ok(()) }
}

/// What holding a document to a schema takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Values of the schema, with each reference expanded.
    pub values: u64,
    /// Levels that are walked again for each level of a document: 0 unless
    /// the schema refers to what it stands in.
    pub levels: u64,
}

/// How many values a schema comes to when each reference is replaced by its
/// target, a reference to what it stands in by 1. `base` is the address of
/// the schema, `files` has those that it may refer to, by address.
///
/// # Errors
///
/// One of the limits of this module is passed.
pub fn cost(base: &str, root: &Value, files: &BTreeMap<String, Value>) -> Result<Cost, TooLarge> {
    let mut census = Census::default();
    census.file(base, root);
    for (address, file) in files {
        census.file(address, file);
    }
    census.check()?;
    let mut expansion = Expansion { census: &census, known: HashMap::new(), returns: false };
    let whole = expansion.weigh(root, At { reach: 1, chain: 0 })?;
    within("values with each reference expanded", whole.cost, MAX_COST)?;
    Ok(Cost { values: whole.cost, levels: if expansion.returns { whole.reach } else { 0 } })
}

/// How many values a document has, and how many levels.
pub fn size(document: &Value) -> (u64, u64) {
    let (mut count, mut levels): (u64, u64) = (0, 0);
    let mut open = vec![(document, 1)];
    while let Some((value, level)) = open.pop() {
        count += 1;
        levels = levels.max(level);
        match value {
            Value::Object(members) => open.extend(members.values().map(|value| (value, level + 1))),
            Value::Array(values) => open.extend(values.iter().map(|value| (value, level + 1))),
            _ => {}
        }
    }
    (count, levels)
}

/// What stands where, in all files together.
#[derive(Default)]
struct Census<'a> {
    /// The files, in the order in which they are handed over.
    roots: Vec<&'a Value>,
    /// Files and schemas with an `$id`, by the last segment of their address.
    named: HashMap<String, Vec<&'a Value>>,
    /// Schemas with an anchor, by its name.
    anchors: HashMap<String, Vec<&'a Value>>,
    /// What holds a reference, with the file and the innermost schema with an
    /// `$id` around it.
    scopes: HashMap<*const Value, [&'a Value; 2]>,
    nodes: u64,
    references: u64,
    nesting: u64,
    patterns: u64,
    pattern_bytes: u64,
    enumerated: u64,
}

impl<'a> Census<'a> {
    fn file(&mut self, address: &str, root: &'a Value) {
        self.roots.push(root);
        self.named.entry(last_segment(address)).or_default().push(root);
        let mut open = vec![(root, root, 1)];
        while let Some((value, mut resource, depth)) = open.pop() {
            self.nodes += 1;
            self.nesting = self.nesting.max(depth);
            match value {
                Value::Object(members) => {
                    if self.names(value) {
                        resource = value;
                    }
                    if targets(value).next().is_some() {
                        self.references += targets(value).count() as u64;
                        self.scopes.insert(value, [root, resource]);
                    }
                    self.patterns_of(value);
                    if let Some(Value::Array(values)) = members.get("enum") {
                        self.enumerated += values.len() as u64;
                    }
                    open.extend(members.values().map(|value| (value, resource, depth + 1)));
                }
                Value::Array(values) => {
                    open.extend(values.iter().map(|value| (value, resource, depth + 1)));
                }
                _ => {}
            }
        }
    }

    /// Notes the names of a schema, and whether it has an address of its own.
    fn names(&mut self, schema: &'a Value) -> bool {
        for anchor in ["$anchor", "$dynamicAnchor"] {
            if let Some(Value::String(name)) = schema.get(anchor) {
                self.anchors.entry(name.clone()).or_default().push(schema);
            }
        }
        // `id` up to draft 4, `$id` since.
        let mut addressed = false;
        for id in ["$id", "id"] {
            let Some(Value::String(id)) = schema.get(id) else { continue };
            let (address, fragment) = id.split_once('#').unwrap_or((id, ""));
            if !fragment.is_empty() {
                self.anchors.entry(decoded(fragment)).or_default().push(schema);
            }
            if !address.is_empty() {
                self.named.entry(last_segment(address)).or_default().push(schema);
                addressed = true;
            }
        }
        addressed
    }

    fn patterns_of(&mut self, schema: &Value) {
        let one = schema.get("pattern").and_then(Value::as_str);
        let keys = schema.get("patternProperties").and_then(Value::as_object);
        for pattern in
            one.into_iter().chain(keys.into_iter().flat_map(|keys| keys.keys()).map(String::as_str))
        {
            self.patterns += 1;
            self.pattern_bytes = self.pattern_bytes.max(pattern.len() as u64);
        }
    }

    fn check(&self) -> Result<(), TooLarge> {
        within("values", self.nodes, MAX_NODES)?;
        within("references", self.references, MAX_REFERENCES)?;
        within("levels", self.nesting, MAX_NESTING)?;
        within("patterns", self.patterns, MAX_PATTERNS)?;
        within("bytes of one pattern", self.pattern_bytes, MAX_PATTERN_BYTES)?;
        within("values of `enum`", self.enumerated, MAX_ENUM)
    }

    /// Everything that a reference of `schema` could lead to. None: nothing
    /// of these files.
    fn resolve(&self, schema: &Value, target: &str) -> Vec<&'a Value> {
        let (address, fragment) = target.split_once('#').unwrap_or((target, ""));
        let fragment = decoded(fragment);
        if !fragment.is_empty() && !fragment.starts_with('/') {
            return self.anchors.get(&fragment).cloned().unwrap_or_default();
        }
        let mut bases = if address.is_empty() {
            self.scopes
                .get(&std::ptr::from_ref(schema))
                .map(|scope| scope.to_vec())
                .unwrap_or_default()
        } else {
            let name = last_segment(address);
            // Those lead to a folder, or back to where they stand.
            if matches!(name.as_str(), "" | "." | "..") {
                self.named.values().flatten().copied().collect()
            } else {
                self.named.get(&name).cloned().unwrap_or_default()
            }
        };
        bases.dedup_by(|one, other| std::ptr::eq(*one, *other));
        bases.into_iter().filter_map(|base| base.pointer(&fragment)).collect()
    }
}

/// The last segment of an address, without query and escapes.
fn last_segment(address: &str) -> String {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    decoded(path.trim_end_matches('/').rsplit('/').next().unwrap_or_default())
}

/// What a schema refers to, as written.
fn targets(schema: &Value) -> impl Iterator<Item = &str> {
    ["$ref", "$dynamicRef", "$recursiveRef"]
        .into_iter()
        .filter_map(|keyword| schema.get(keyword).and_then(Value::as_str))
}

/// Where the walk stands: how deep, and behind how many references.
#[derive(Clone, Copy)]
struct At {
    reach: u64,
    chain: u64,
}

/// What a value comes to with each reference expanded.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Weight {
    cost: u64,
    reach: u64,
    chain: u64,
}

struct Expansion<'a> {
    census: &'a Census<'a>,
    /// `None` while a value is being weighed: who meets it stands in it.
    known: HashMap<*const Value, Option<Weight>>,
    /// Whether some reference leads back to what it stands in.
    returns: bool,
}

impl<'a> Expansion<'a> {
    /// Recurses no deeper than [`MAX_REACH`].
    fn weigh(&mut self, value: &'a Value, at: At) -> Result<Weight, TooLarge> {
        let leaf = Weight { cost: 1, reach: 1, chain: 0 };
        let known = self.known.get(&std::ptr::from_ref(value)).copied();
        self.returns |= known == Some(None);
        let weight = known.flatten().unwrap_or(leaf);
        within("references in a chain", at.chain + weight.chain, MAX_CHAIN)?;
        within("levels with each reference expanded", at.reach + weight.reach - 1, MAX_REACH)?;
        if known.is_some() || !(value.is_object() || value.is_array()) {
            return Ok(weight);
        }
        self.known.insert(value, None);
        let mut whole = leaf;
        let mut add = |part: Weight, links: u64| {
            whole.cost = whole.cost.saturating_add(part.cost);
            whole.reach = whole.reach.max(part.reach + 1);
            whole.chain = whole.chain.max(part.chain + links);
        };
        let below = At { reach: at.reach + 1, chain: at.chain };
        match value {
            Value::Array(values) => {
                for value in values {
                    add(self.weigh(value, below)?, 0);
                }
            }
            Value::Object(members) => {
                let is_root = self.census.roots.iter().any(|root| std::ptr::eq(*root, value));
                for (name, value) in members {
                    // Of a whole file these count only where they are
                    // referred to; elsewhere they may be names of members.
                    if !(is_root && matches!(name.as_str(), "definitions" | "$defs")) {
                        add(self.weigh(value, below)?, 0);
                    }
                }
                let behind = At { chain: at.chain + 1, ..below };
                for target in targets(value) {
                    for found in self.census.resolve(value, target) {
                        add(self.weigh(found, behind)?, 1);
                    }
                }
            }
            _ => {}
        }
        self.known.insert(value, Some(whole));
        Ok(whole)
    }
}

/// A reference without its escapes (RFC 3986 §2.1). What is no escape, or
/// gives no UTF-8, stays or is replaced: no file has such a name.
pub fn decoded(reference: &str) -> String {
    let mut bytes = Vec::with_capacity(reference.len());
    let mut rest = reference.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
