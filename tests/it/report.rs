//! What a person and a machine read of a pass.

use std::time::Duration;

use marketsync::domain::event::{Failure, Outcome};
use marketsync::domain::item::RepoPath;
use marketsync::domain::plan::{Limits, Live, Look, Policy, check, plan};
use marketsync::domain::report::{Report, Verdict, json, text};
use marketsync::domain::source::{Format, Outline, Place, Problem};

use crate::support::domain::{agrees, anything_goes, done, item, key, ledger, row, snapshot};

const TEXT: &str = "{\n  \"itemId\": \"a\",\n  \"resources\": {\"naem\": \"a\"}\n}\n";

fn place(pointer: &str, place: Place, message: &str) -> Problem {
    Outline::new(Format::Json, TEXT).problem(
        &RepoPath::new("items/a.json").unwrap(),
        pointer,
        place,
        message,
    )
}

#[test]
fn a_problem_as_compilers_show_it() {
    let misspelt = place("/resources/naem", Place::Key, "`naem` is not allowed here")
        .expected("name")
        .found("naem")
        .hint("did you mean `name`?");
    insta::assert_snapshot!(text::problem(&misspelt), @r#"
    error: `naem` is not allowed here
     --> items/a.json:3:17 /resources/naem
      |
    3 |   "resources": {"naem": "a"}
      |                 ^^^^^^
      = expected: name
      = found: naem
      = help: did you mean `name`?
    "#);
    insta::assert_snapshot!(text::problem(&place("", Place::Value, "no type").warning().hint("add `type`")), @"
    warning: no type
     --> items/a.json:1:1
      |
    1 | {
      | ^
      = help: add `type`
    ");
    let file = Problem::of_file(&RepoPath::new("b.yaml").unwrap(), "the file is empty")
        .hint("write an item into it");
    insta::assert_snapshot!(text::problem(&file), @"
    error: the file is empty
    --> b.yaml
     = help: write an item into it
    ");
}

#[test]
fn nothing_that_others_wrote_moves_the_cursor() {
    let evil = "a\u{1b}[2J\r\n\u{202e}b";
    let mut problem = place("/itemId", Place::Value, evil).hint(evil).expected(evil);
    problem.found = Some(evil.to_owned());
    problem.path = evil.to_owned();
    problem.pointer = Some(evil.to_owned());
    let shown = text::problem(&problem);
    assert!(!shown.contains(['\u{1b}', '\r', '\u{202e}']), "{shown:?}");
    assert_eq!(shown.lines().count(), 8, "{shown}");
    let mut report = sample();
    for outcome in report.outcomes.values_mut() {
        outcome.result =
            Err(Failure::Rejected { why: evil.to_owned(), pointer: Some(evil.to_owned()) });
    }
    assert!(!text::applied(&report).contains(['\u{1b}', '\r', '\u{202e}']));
}

/// A pass in which a creation, an update, a rejection, a failure, an adoption
/// and two holds meet, and one file is broken.
fn sample() -> Report {
    let mut source = snapshot([
        item("adopted", "NA"),
        item("edited", "1.0.0").digest(2),
        item("failed", "NA"),
        item("new", "NA"),
        item("rejected", "NA"),
        item("sealed", "1.0.0").digest(2).sealed(2),
        item("unchanged", "NA"),
    ]);
    source.commit =
        marketsync::domain::item::CommitId("0123456789abcdef0123456789abcdef01234567".to_owned());
    source.problems.push(
        place("/resources/naem", Place::Key, "`naem` is not allowed here")
            .hint("did you mean `name`?"),
    );
    let recorded = ledger([
        row("edited", "1.0.0").object_id("6642f0aa"),
        row("removed", "NA"),
        row("sealed", "1.0.0"),
        row("unchanged", "NA"),
    ]);
    let live: Live = [
        ("adopted", agrees()),
        ("failed", Look::Absent),
        ("new", Look::Absent),
        ("rejected", Look::Absent),
    ]
    .into_iter()
    .map(|(id, look)| (key(id, "NA"), look))
    .collect();
    let policy = Policy { prune: false, ..anything_goes() };
    let plan = check(plan(&source, &recorded, &live, &policy), &Limits::default());
    let outcomes = plan.changes.iter().map(|change| {
        let failure = match change.key.item_id.as_str() {
            "failed" => Failure::Transient {
                why: "time-out after 30 s".to_owned(),
                retry_after: Some(Duration::from_secs(3)),
            },
            "rejected" => Failure::Rejected {
                why: "no such category".to_owned(),
                pointer: Some("/categoryId".to_owned()),
            },
            _ => {
                let mut outcome = done(change);
                if let Ok(applied) = &mut outcome.result {
                    applied.object_id.clone_from(&change.object_id);
                }
                return outcome;
            }
        };
        Outcome { change: change.clone(), result: Err(failure) }
    });
    let mut report = Report::of(&source);
    report.add(&plan, outcomes.collect());
    report
}

#[test]
fn the_table_of_what_was_applied() {
    let report = sample();
    assert_eq!(report.verdict(), Verdict::Trouble);
    insta::assert_snapshot!(text::applied(&report), @"
    2 of 4 items have been successfully applied:

      OBJECT ID  ITEM ID  VERSION  STATUS

      6642f0aa   edited   1.0.0    Updated
      N/A        new      NA       Created

    1 item recorded without a write:

      ITEM ID  VERSION  STATUS   BECAUSE

      adopted  NA       Adopted  already there

    2 of 4 items have not been applied due to errors:

      OBJECT ID  ITEM ID   VERSION  ERROR

      N/A        failed    NA       given up: time-out after 30 s
      N/A        rejected  NA       no such category (/categoryId)

    2 items held:

      WOULD   ITEM ID  VERSION  HELD BECAUSE

      delete  removed  NA       nothing is deleted while a file is broken: the item may be in that file
      update  sealed   1.0.0    immutable: the resources and the type of a published version cannot change; publish 1.0.1 instead

    7 items at 0123456: 2 applied, 2 unchanged, 2 failed, 2 held, 1 problem in a file
    ");
    let nothing = Report { items: 1, planned: true, unchanged: 1, ..Report::default() };
    insta::assert_snapshot!(text::applied(&nothing), @"1 item: 0 applied, 1 unchanged");
    let ended_early = Report { items: 1, ..Report::default() };
    insta::assert_snapshot!(text::applied(&ended_early), @"1 item: not compared with the marketplace");
}

#[test]
fn the_findings_of_validate() {
    let report = Report { items: 1, problems: sample().problems, ..Report::default() };
    insta::assert_snapshot!(text::validated(&report), @r#"
    error: `naem` is not allowed here
     --> items/a.json:3:17 /resources/naem
      |
    3 |   "resources": {"naem": "a"}
      |                 ^^^^^^
      = help: did you mean `name`?

    1 valid item: 1 problem, 0 warnings
    "#);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one snapshot")]
fn the_report_for_machines() {
    let mut report = sample();
    report.outcomes.retain(|key, _| ["edited", "rejected"].contains(&key.item_id.as_str()));
    insta::assert_snapshot!(serde_json::to_string_pretty(&json::report(&report, None)).unwrap(), @r#"
    {
      "applied": [
        {
          "action": "update",
          "digest": "b3:45f1a93d108f229fa8fb4bc476bab4dd3fecd20ee16f8ba6d77f6c744e02061d",
          "fields": [],
          "from": "b3:68eae1066fca29e3236b08eb29b363fbe204ec65e3dcca8aa404c32e8080ad15",
          "itemId": "edited",
          "objectId": "6642f0aa",
          "path": "edited/1.0.0.json",
          "readBack": false,
          "reason": "edited",
          "status": "Updated",
          "type": "plugin",
          "unchangedThere": false,
          "version": "1.0.0"
        }
      ],
      "commit": "0123456789abcdef0123456789abcdef01234567",
      "error": null,
      "failed": [
        {
          "action": "create",
          "digest": "b3:68eae1066fca29e3236b08eb29b363fbe204ec65e3dcca8aa404c32e8080ad15",
          "error": "no such category",
          "fields": [],
          "from": null,
          "itemId": "rejected",
          "kind": "rejected",
          "objectId": null,
          "path": "rejected/NA.json",
          "pointer": "/categoryId",
          "reason": "new",
          "type": "sidecar",
          "version": "NA"
        }
      ],
      "held": [
        {
          "action": "delete",
          "because": "nothing is deleted while a file is broken: the item may be in that file",
          "digest": null,
          "fields": [],
          "from": "b3:68eae1066fca29e3236b08eb29b363fbe204ec65e3dcca8aa404c32e8080ad15",
          "hold": {
            "hold": "broken-source"
          },
          "itemId": "removed",
          "objectId": null,
          "path": null,
          "reason": "removed",
          "type": null,
          "version": "NA"
        },
        {
          "action": "update",
          "because": "immutable: the resources and the type of a published version cannot change; publish 1.0.1 instead",
          "digest": "b3:45f1a93d108f229fa8fb4bc476bab4dd3fecd20ee16f8ba6d77f6c744e02061d",
          "fields": [],
          "from": "b3:68eae1066fca29e3236b08eb29b363fbe204ec65e3dcca8aa404c32e8080ad15",
          "hold": {
            "hold": "immutable",
            "next": "1.0.1"
          },
          "itemId": "sealed",
          "objectId": null,
          "path": "sealed/1.0.0.json",
          "reason": "edited",
          "type": "plugin",
          "version": "1.0.0"
        }
      ],
      "items": 7,
      "problems": [
        {
          "column": 17,
          "expected": null,
          "found": null,
          "hint": "did you mean `name`?",
          "line": 3,
          "message": "`naem` is not allowed here",
          "path": "items/a.json",
          "pointer": "/resources/naem",
          "severity": "error"
        }
      ],
      "unattempted": 0,
      "unchanged": 1,
      "unrecorded": 0,
      "unseen": 0,
      "version": 1
    }
    "#);
    insta::assert_snapshot!(json::error("cannot read", Some("look")), @r#"{"error":{"hint":"look","message":"cannot read"},"version":1}"#);
}

#[test]
fn a_later_pass_takes_nothing_back() {
    let before = sample();
    let keys = |report: &Report| report.outcomes.keys().cloned().collect::<Vec<_>>();

    // It ended before it read anything.
    let unread = before.clone().continued(Report::default());
    assert_eq!((keys(&unread), unread.held.len()), (keys(&before), before.held.len()));
    assert_eq!(unread.commit, before.commit);

    // It ended before it planned anything.
    let read = Report { commit: before.commit.clone(), items: 9, ..Report::default() };
    let unplanned = before.clone().continued(read);
    assert_eq!((keys(&unplanned), unplanned.items), (keys(&before), 9));

    // It planned: what went earlier still went, and is not unchanged as well.
    let commit = before.commit.clone();
    let later = Report { commit, items: 7, planned: true, unchanged: 5, ..Report::default() };
    let done = before.outcomes.values().filter(|outcome| outcome.result.is_ok()).count();
    let whole = before.continued(later);
    assert_eq!((whole.outcomes.len(), whole.unchanged), (done, 5 - done));
}
