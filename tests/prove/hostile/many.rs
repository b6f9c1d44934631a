//! Very many files, and little ones that lead to much.

use std::fmt::Write as _;

use serde_json::json;

use crate::support::documents::{pretty, set, sidecar};

use super::site::{Expected, Row, Site};

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new("300 tiny files", |site| tiny(site, 300)),
        Row::long("20,000 tiny files", |site| tiny(site, 20_000).and_others()),
        Row::long("200,000 tiny files", |site| {
            tiny(site, 200_000).fails("there are more than 100000 files")
        }),
        Row::new("60 files of 50 mistakes each", |site| mistaken(site, 60)),
        Row::long("600 files of 50 mistakes each", |site| mistaken(site, 600)),
        Row::new("schemas of many patterns", |site| schemas(site, 2, 20)),
        Row::long("six schemas of 150 heavy patterns", |site| schemas(site, 6, 150)),
        Row::new("a schema that asks for too much", |site| {
            let deep = (0..200).fold(json!({}), |inner, _| json!({ "properties": { "a": inner } }));
            let wide: Vec<_> = (0..30).map(|n| (format!("d{n}"), json!({
                "allOf": [{ "$ref": format!("#/$defs/d{}", n + 1) }, { "$ref": format!("#/$defs/d{}", n + 1) }]
            }))).collect();
            let wide = json!({ "$defs": wide.into_iter().collect::<serde_json::Map<_, _>>(), "$ref": "#/$defs/d0" });
            let mut told = Vec::new();
            for (name, schema) in [
                ("deep", deep),
                ("wide", wide),
                ("remote", json!({ "$ref": "http://192.0.2.1/schema.json" })),
                ("file", json!({ "$ref": "file:///etc/passwd" })),
                ("up", json!({ "$ref": "../../outside/secret.schema.json" })),
                ("pattern", json!({ "pattern": "(".repeat(900) })),
            ] {
                site.bench.repo.write(&format!("items/{name}.schema.json"), schema.to_string());
                let item = set(sidecar(name), "/$schema", format!("{name}.schema.json"));
                site.bench.repo.write(&format!("items/{name}.json"), pretty(&item));
                told.push((format!("items/{name}.json"), "cannot be used".to_owned()));
            }
            site.commit().all(told)
        }),
    ]
}

/// Imports files without writing each to the disk.
fn import(site: &Site, count: usize, file: impl Fn(usize) -> (String, String)) {
    let repo = &site.bench.repo;
    repo.commit("good");
    let mut stream = String::from(
        "commit refs/heads/main\ncommitter a <a@b> 0 +0000\ndata 1\nx\nfrom refs/heads/main^0\n",
    );
    for number in 0..count {
        let (path, text) = file(number);
        writeln!(stream, "M 644 inline {path}\ndata {}\n{text}", text.len()).unwrap();
    }
    repo.git_with(&["fast-import", "--quiet"], stream.as_bytes());
    repo.git(&["read-tree", "HEAD"]);
}

fn tiny(site: &Site, count: usize) -> Expected {
    import(site, count, |number| (format!("items/{}/{number}.json", number % 100), "{".to_owned()));
    let expected = Expected::of(site.bench.repo.path());
    let shown = count.min(10_000);
    // Some are told, and the rest is counted.
    let mut paths: Vec<String> =
        (0..count).map(|number| format!("items/{}/{number}.json", number % 100)).collect();
    paths.sort();
    paths.into_iter().take(shown).fold(expected, |expected, path| expected.tells(path, ""))
}

/// Files with as many mistakes as are told of one.
fn mistaken(site: &Site, count: usize) -> Expected {
    let body = |number: usize| {
        let commas: Vec<String> =
            (0..25).map(|n| format!("\"{}{n}\":[1,]", "k".repeat(60))).collect();
        let wide: Vec<String> =
            (0..25).map(|n| format!("\"w{n}\":99999999999999999999999")).collect();
        format!("{{{},{}{}}}", commas.join(","), wide.join(","), " ".repeat(number))
    };
    import(site, count, |number| (format!("items/m{number:05}.json"), body(number)));
    let expected = Expected::of(site.bench.repo.path());
    // After ten thousand problems the rest is counted.
    (0..count.min(190)).fold(expected.and_others(), |expected, number| {
        expected.tells(format!("items/m{number:05}.json"), "")
    })
}

/// Schemas, each with an item, whose patterns are large once compiled.
fn schemas(site: &Site, count: usize, patterns: usize) -> Expected {
    for number in 0..count {
        let all: Vec<_> = (0..patterns)
            .map(|n| json!({ "properties": { format!("p{n}"): { "pattern": format!("\\pL{{6}}{n}") } } }))
            .collect();
        let schema = json!({ "$comment": number.to_string(), "allOf": all });
        site.bench.repo.write(&format!("items/{number}.schema.json"), schema.to_string());
        let item = set(sidecar(&format!("i{number}")), "/$schema", format!("{number}.schema.json"));
        site.bench.repo.write(&format!("items/{number}.json"), pretty(&item));
    }
    site.commit()
}
