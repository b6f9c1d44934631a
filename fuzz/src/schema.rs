//! A schema and a document, both of a hostile hand: no panic, no hang, and
//! what is found stands in the document.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use marketsync::domain::item::{ItemType, RepoPath};
use marketsync::domain::rules::platform_types;
use marketsync::domain::schema::{
    Schemas, address, compile, compile_alone, references, violations,
};
use marketsync::domain::schema_cost::{MAX_WALK, MAX_WORK, cost, size};
use marketsync::domain::schema_secrets::secret_names;
use marketsync::domain::source::{Format, parse};
use serde_json::Value;

use super::parts::Parts;

/// How long the largest work may take that the limits allow, on a busy machine
/// and with everything watched.
const LONGEST: Duration = Duration::from_secs(30);

/// One case: a schema, a document, and another schema file `other.json` that
/// the first may refer to, with zeros between them.
pub fn check(data: &[u8]) {
    let mut parts = Parts::of(data);
    let text = parts.text();
    let path = RepoPath::new("items/a.json").unwrap();
    let instance = parse(&path, Format::Json, parts.bytes()).value;
    let begun = Instant::now();
    if let Some(instance) = &instance {
        against_our_own(instance);
    }
    let Ok(schema) = marketsync::domain::schema::parse(&text) else {
        assert!(compile_alone(&text).is_err());
        return;
    };
    let _ = (references(&schema), secret_names(&schema));
    let mut files = BTreeMap::new();
    if let Ok(other) = marketsync::domain::schema::parse(&parts.text()) {
        files.insert(address("schemas/other.json"), other);
    }
    let base = address("schemas/a.schema.json");
    let cost = cost(&base, &schema, &files);
    let compiled = compile(&base, &schema, files);
    assert!(cost.is_ok() || compiled.is_err(), "a schema beyond the limits is compiled");
    if let (Ok(cost), Ok(validator), Some(instance)) = (cost, &compiled, &instance) {
        let found = violations(validator, instance, "");
        assert!(found.len() <= 1000, "{} violations", found.len());
        let (values, levels) = size(instance);
        let is_beyond = cost.values.saturating_mul(values) > MAX_WORK
            || cost.levels.saturating_mul(levels) > MAX_WALK;
        assert!(!is_beyond || !found.is_empty(), "work beyond the limit is taken on");
        for violation in found {
            let there = instance.pointer(&violation.pointer);
            assert!(there.is_some(), "{violation:?} is not in {instance}");
        }
    }
    if let Ok(validator) = compile_alone(&text)
        && let Some(instance) = &instance
    {
        let _ = violations(&validator, instance, "/resources");
    }
    let took = begun.elapsed();
    assert!(took < LONGEST, "it took {took:?}");
}

fn against_our_own(instance: &Value) {
    static SCHEMAS: OnceLock<Schemas> = OnceLock::new();
    let schemas = SCHEMAS.get_or_init(|| Schemas::new().expect("the program's own schemas"));
    for name in platform_types() {
        for violation in schemas.check(instance, &ItemType::platform(name)) {
            let there = instance.pointer(&violation.pointer);
            assert!(there.is_some(), "{violation:?} is not in {instance}");
        }
    }
}
