//! From a pointer to its line and column.

use super::{path, show};
use marketsync::domain::source::{Format, Place, locate, problem_at};

const PLACES: &str = "{\n  \"name\": \"é\", \"resources\": {\n    \"ports\": [ {\"from\": 80}, {\"from\": \"x\"} ],\n    \"a/b~c\": {},\n    \"list\": [\n      1, ],\n  },\n}\n";

#[test]
fn json_places() {
    let check = |pointer: &str, place, expect: Option<(u32, u32, u32)>| {
        let found = locate(Format::Json, PLACES, pointer, place);
        assert_eq!(
            found.map(|s| (s.position.line, s.position.column, s.length)),
            expect,
            "{pointer}"
        );
    };
    check("", Place::Value, Some((1, 1, 1)));
    check("", Place::Key, Some((1, 1, 1)));
    check("/name", Place::Value, Some((2, 11, 3)));
    check("/name", Place::Key, Some((2, 3, 6)));
    check("/resources", Place::Value, Some((2, 29, 1)));
    check("/resources/ports", Place::Value, Some((3, 14, 31)));
    check("/resources/ports/1/from", Place::Value, Some((3, 39, 3)));
    check("/resources/ports/1/from", Place::Key, Some((3, 31, 6)));
    check("/resources/a~1b~0c", Place::Value, Some((4, 14, 2)));
    check("/resources/list", Place::Value, Some((5, 13, 1)));
    check("/resources/list/0", Place::Value, Some((6, 7, 1)));
    check("/resources/list/1", Place::Value, None);
    check("/resources/list/x", Place::Value, None);
    check("/nothing", Place::Value, None);
    check("name", Place::Value, None);
}

#[test]
fn yaml_places() {
    let text = "# c\nname: é x # y\nresources:\n  ports:\n    - from: 80\n      to: \"ü\"\n    - {from: 1}\n  text: |\n    one\n    two\n  \"q\": *a\n  empty:\n  block: [1,\n    2]\n";
    let check = |pointer: &str, place, expect: Option<(u32, u32, u32)>| {
        let found = locate(Format::Yaml, text, pointer, place);
        assert_eq!(
            found.map(|s| (s.position.line, s.position.column, s.length)),
            expect,
            "{pointer}"
        );
    };
    check("", Place::Value, Some((2, 1, 1)));
    check("/name", Place::Value, Some((2, 7, 3)));
    check("/name", Place::Key, Some((2, 1, 4)));
    check("/resources", Place::Value, Some((3, 1, 9)));
    check("/resources/ports", Place::Value, Some((4, 3, 5)));
    check("/resources/ports/0", Place::Value, Some((5, 7, 1)));
    check("/resources/ports/0/to", Place::Value, Some((6, 11, 3)));
    check("/resources/ports/1", Place::Value, Some((7, 7, 9)));
    check("/resources/ports/1/from", Place::Key, Some((7, 8, 4)));
    check("/resources/text", Place::Key, Some((8, 3, 4)));
}

#[test]
fn problems_at_a_pointer() {
    let problem = problem_at(
        &path(),
        Format::Json,
        PLACES.as_bytes(),
        "/resources/ports/1/from",
        Place::Value,
        "not a port",
    );
    assert_eq!(problem.pointer.as_deref(), Some("/resources/ports/1/from"));
    insta::assert_snapshot!(show(&problem), @r#"
    error 3:39: not a port
      |     "ports": [ {"from": 80}, {"from": "x"} ],
      |                                       ^^^
    "#);
    // A field that is not there: what should hold it.
    let problem = problem_at(
        &path(),
        Format::Json,
        PLACES.as_bytes(),
        "/resources/dockerImage",
        Place::Value,
        "missing",
    );
    assert_eq!(problem.pointer.as_deref(), Some("/resources/dockerImage"));
    insta::assert_snapshot!(show(&problem), @r#"
    error 2:29: missing
      |   "name": "é", "resources": {
      |                             ^
    "#);
    let problem = problem_at(&path(), Format::Yaml, b"\xff", "/a", Place::Key, "bad");
    assert_eq!(problem.position, None);
}
