//! Comparisons built by hand: one that holds everything that a comparison can
//! hold, an empty one, a large one, and a hostile one.

use marketsync::domain::diff::{
    Against, Budget, Cause, Diff, Edit, Entry, Field, Fields, Left, Picture, Text, hunks,
};
use marketsync::domain::event::{Action, Hold, Reason};
use marketsync::domain::item::{CommitId, Digest, ItemType, RepoPath};
use marketsync::domain::mask::MASK;
use marketsync::domain::source::{Format, Outline, Place, Position, Problem};
use serde_json::{Value, json};

use super::domain::{digest, key};

const HEAD: &str = "3a447d9a4f3b0c6f2a3f7b1b8f2f6a1c0d9e8f70";
const BASE: &str = "9c1e0b7d5a3f2e1d0c9b8a7f6e5d4c3b2a190817";

pub(crate) fn live() -> Against {
    Against::Live { endpoint: "https://console.example.com".to_owned(), company: "acme".to_owned() }
}

pub(crate) fn recorded() -> Against {
    Against::Recorded { endpoint: "embedded".to_owned(), company: "acme".to_owned() }
}

pub(crate) fn revision(merge_base: bool) -> Against {
    Against::Revision {
        asked: "origin/main".to_owned(),
        commit: CommitId(BASE.to_owned()),
        merge_base,
    }
}

/// Nothing to do.
pub(crate) fn empty(against: Against) -> Diff {
    Diff {
        head: CommitId(HEAD.to_owned()),
        against,
        items: 13,
        unchanged: 13,
        unseen: 0,
        entries: Vec::new(),
        problems: Vec::new(),
        notes: Vec::new(),
        plan: Digest::of(b""),
    }
}

/// An entry without fields, of a sidecar in its own file.
pub(crate) fn entry(id: &str, version: &str, action: Action, reason: Reason) -> Entry {
    Entry {
        key: key(id, version),
        item_type: Some(ItemType::platform(if version == "NA" { "sidecar" } else { "plugin" })),
        path: Some(RepoPath::new(&format!("items/{id}/{version}.json")).unwrap()),
        action,
        reason,
        hold: None,
        from: (reason != Reason::New).then(|| digest(1)),
        to: (!matches!(action, Action::Delete | Action::Forget)).then(|| digest(2)),
        object_id: Some("6642f0aa6642f0aa6642f0aa".to_owned()),
        fields: Fields::None,
    }
}

pub(crate) fn listed(left: Left, fields: Vec<Field>) -> Fields {
    Fields::Listed { left, fields, more: false }
}

pub(crate) fn field(name: &str, line: u32, cause: Option<Cause>, edit: Edit) -> Field {
    let pointer: String = name.split('.').flat_map(|key| ["/", key]).collect();
    let at = (line > 0).then_some(Position { line, column: 5 });
    Field { name: name.to_owned(), pointer, at, cause, edit }
}

pub(crate) fn replaced(from: impl Into<Value>, to: impl Into<Value>) -> Edit {
    match (from.into(), to.into()) {
        (Value::String(from), Value::String(to)) if from.contains('\n') || to.contains('\n') => {
            let (left, right) = (Text::new(&from), Text::new(&to));
            let hunks = hunks(left.clone(), right.clone(), &mut Budget::default());
            Edit::Text { from: left.shown(), to: right.shown(), hunks }
        }
        (from, to) => Edit::Replaced { from, to },
    }
}

fn added(to: impl Into<Value>) -> Edit {
    Edit::Added { to: to.into() }
}

/// Everything that a comparison with the marketplace can hold: every action,
/// reason, hold, edit and left side, and both kinds of problems.
pub(crate) fn full() -> Diff {
    let mut entries = vec![created(), edited(), drifted(), credentials(), pictures()];
    entries.extend(plain());
    entries.extend(holds());
    entries.sort_by(|one, other| one.key.cmp(&other.key));
    Diff {
        items: 142,
        unchanged: 118,
        unseen: 3,
        entries,
        problems: problems(),
        notes: vec![
            "the state at /var/lib/marketsync has no record of this company: nothing can be pruned"
                .to_owned(),
            "origin/main was fetched 3 days ago".to_owned(),
        ],
        plan: Digest::of(b"a plan"),
        ..empty(live())
    }
}

/// The same against a commit: what a branch changes.
pub(crate) fn branch() -> Diff {
    let mut edited = edited();
    let mut removed = entry("tls-proxy", "NA", Action::Delete, Reason::Removed);
    removed.to = None;
    if let Fields::Listed { left, fields, .. } = &mut edited.fields {
        *left = Left::Revision;
        for field in fields {
            field.cause = None;
        }
    }
    Diff { entries: vec![edited, created(), removed], ..empty(revision(true)) }
}

fn created() -> Entry {
    let markdown: String = (1..=30)
        .map(|n| format!("Paragraph {n} of the description.\n"))
        .collect::<Vec<_>>()
        .concat();
    let fields = vec![
        field("description", 4, None, added("Terminates TLS in front of a service")),
        field("documentation", 6, None, added(format!("# A new proxy\n\n{markdown}"))),
        field("name", 3, None, added("New Proxy")),
        field(
            "resources",
            12,
            None,
            added(json!({"services": {"new-proxy": {
                "dockerImage": "registry.example.com/new-proxy:1.0.0",
                "containerPorts": [{"name": "http", "from": 80, "to": 8080}],
                "defaultResources": {"memoryLimits": {"max": "250Mi", "min": "50Mi"}},
            }}})),
        ),
        field("tenantId", 9, None, added("acme")),
        field("visibility", 10, None, added(json!({"public": false}))),
    ];
    let mut entry = entry("new-proxy", "NA", Action::Create, Reason::New);
    entry.object_id = None;
    entry.fields = listed(Left::Nothing, fields);
    entry
}

fn edited() -> Entry {
    let config = |workers: u32, tail: &str| {
        let body: String =
            (1..=9).map(|n| format!("route_{n} {{ pass; }}\n")).collect::<Vec<_>>().concat();
        format!("worker_processes {workers};\nevents {{}}\n{body}{tail}")
    };
    let edit = Some(Cause::Edit);
    let fields = vec![
        field("category", 3, edit, added(json!({"id": "auth", "label": "Authentication"}))),
        field("description", 4, edit, replaced("A proxy", "A proxy that terminates TLS")),
        field("enabled", 5, edit, replaced(false, true)),
        field(
            "resources.configMaps[nginx].files[nginx.conf]",
            31,
            edit,
            replaced(config(1, "# ::set-output name=a::b\n"), config(4, "\tinclude extra;\n")),
        ),
        field("resources.replicas", 28, Some(Cause::Drift), replaced(5, 2)),
        field("resources.labels", 0, edit, Edit::Removed { from: json!(["beta", "internal"]) }),
        field(
            "resources.services",
            18,
            edit,
            Edit::Reordered {
                from: ["proxy", "metrics", "admin"].map(str::to_owned).into(),
                to: ["admin", "proxy", "metrics"].map(str::to_owned).into(),
            },
        ),
        field("resources.shape", 44, edit, replaced(json!({"kind": "round"}), "round")),
    ];
    let mut entry = entry("edge-proxy", "1.2.0", Action::Update, Reason::Edited);
    entry.fields = listed(Left::Live, fields);
    entry
}

fn drifted() -> Entry {
    let drift = Some(Cause::Drift);
    let mut entry = entry("drifted", "NA", Action::Update, Reason::Drifted);
    let prose = "x".repeat(500);
    entry.fields = Fields::Listed {
        left: Left::Live,
        fields: vec![
            field("description", 4, drift, replaced("Edited in the Console", "What the file says")),
            field("long", 5, drift, replaced(format!("{prose}a tail"), format!("{prose}b tail"))),
            field("tabs", 6, drift, replaced("key:\n\tvalue\nend\n", "key:\n value\nend\n")),
        ],
        more: true,
    };
    entry
}

fn credentials() -> Entry {
    let url = format!("postgres://app:{MASK}@db/orders");
    let mut entry = entry("credentials", "NA", Action::Update, Reason::Differs);
    entry.fields = listed(
        Left::Recorded,
        vec![
            field("resources.password", 7, None, Edit::Masked { value: json!(MASK) }),
            field("resources.url", 8, None, Edit::Masked { value: json!(url) }),
            field(
                "resources.env",
                9,
                None,
                Edit::Masked { value: json!(format!("a=1\n{MASK}\n")) },
            ),
            field("resources.all", 9, None, Edit::Masked { value: json!({"token": MASK}) }),
            field(
                "resources.both",
                10,
                None,
                replaced("user=a\npassword=old\nlog=info\n", "user=a\npassword=new\nlog=debug\n"),
            ),
            field("resources.one", 11, None, replaced("a\ntoken=old\n", "a\ntoken=new\n")),
        ],
    );
    entry
}

fn pictures() -> Entry {
    let known = |number, path: &str| Picture {
        digest: Some(digest(number)),
        size: Some(20_480 + number),
        path: Some(RepoPath::new(path).unwrap()),
    };
    let mut entry = entry("pictures", "NA", Action::Update, Reason::Edited);
    entry.fields = listed(
        Left::Live,
        vec![
            field(
                "image",
                6,
                None,
                Edit::Picture {
                    from: Some(Picture::default()),
                    to: Some(known(8, "images/logo.png")),
                },
            ),
            field(
                "supportedByImage",
                0,
                None,
                Edit::Picture { from: Some(known(9, "images/old.png")), to: None },
            ),
        ],
    );
    entry
}

/// Those that differ in their reason only.
fn plain() -> Vec<Entry> {
    let mut missing = entry("missing", "NA", Action::Create, Reason::Missing);
    missing.fields = listed(Left::Nothing, vec![field("name", 2, None, added("Missing"))]);
    let mut unread = entry("unread", "NA", Action::Update, Reason::Edited);
    unread.fields = Fields::Unknown { why: "the commit 9c1e0b7 is not in this clone".to_owned() };
    let mut same = entry("same-already", "NA", Action::Update, Reason::Edited);
    same.fields = listed(Left::Live, Vec::new());
    vec![
        missing,
        unread,
        same,
        entry("adopted", "NA", Action::Adopt, Reason::AlreadyThere),
        entry("adopted-too", "2.0.0", Action::Adopt, Reason::AlreadyThere),
        entry("forgotten", "NA", Action::Forget, Reason::Gone),
        entry("removed", "NA", Action::Delete, Reason::Removed),
    ]
}

fn holds() -> Vec<Entry> {
    let why = || "the marketplace answered 503 Service Unavailable".to_owned();
    let version = |text: &str| text.parse().unwrap();
    let holds = [
        (Reason::Unobserved, Action::Create, Hold::Unobserved { why: why() }),
        (Reason::Edited, Action::Update, Hold::Waiting { why: why() }),
        (Reason::New, Action::Create, Hold::Behind { version: version("1.0.0"), why: why() }),
        (Reason::Drifted, Action::Update, Hold::DriftReported),
        (Reason::Removed, Action::Delete, Hold::PruneOff),
        (Reason::Removed, Action::Delete, Hold::BrokenSource),
        (Reason::Edited, Action::Update, Hold::Immutable { next: version("1.0.1") }),
        (Reason::New, Action::Create, Hold::Rejected { why: "name is not unique".to_owned() }),
        (Reason::Drifted, Action::Update, Hold::Contested),
        (Reason::Removed, Action::Delete, Hold::DeleteGuard { wanted: 12, allowed: 10 }),
        (Reason::Removed, Action::Delete, Hold::EmptySource),
        (Reason::Edited, Action::Update, Hold::UpdateGuard { wanted: 5, allowed: 2 }),
        (Reason::New, Action::Create, Hold::NotOnLegacy { fields: vec!["links".to_owned()] }),
    ];
    let held = holds.into_iter().map(|(reason, action, hold)| {
        let mut entry = entry(&format!("held-{}", hold.name()), "1.0.0", action, reason);
        if action == Action::Update {
            let image = replaced("proxy:1.0", "proxy:1.1");
            entry.fields = listed(Left::Live, vec![field("resources.image", 12, None, image)]);
        }
        entry.hold = Some(hold);
        entry
    });
    held.collect()
}

fn problems() -> Vec<Problem> {
    const TEXT: &str = "{\n  \"itemId\": \"a\",\n  \"resources\": {\"naem\": \"a\"}\n}\n";
    let path = RepoPath::new("items/broken.json").unwrap();
    let misspelt = Outline::new(Format::Json, TEXT)
        .problem(&path, "/resources/naem", Place::Key, "`naem` is not allowed here")
        .expected("name")
        .found("naem")
        .hint("did you mean `name`?");
    let empty = Problem::of_file(&RepoPath::new("items/empty.yaml").unwrap(), "the file is empty");
    vec![misspelt, empty.warning().hint("write an item into it, or exclude it")]
}

/// So many updates, and as many items as can be adopted.
pub(crate) fn large(count: usize) -> Diff {
    let entries = (0..count).map(|n| {
        let id = format!("item-{n:05}");
        if n % 5 == 4 {
            return entry(&id, "NA", Action::Adopt, Reason::AlreadyThere);
        }
        let mut entry = entry(&id, "NA", Action::Update, Reason::Edited);
        let image = replaced(format!("proxy:1.{n}"), format!("proxy:2.{n}"));
        entry.fields = listed(Left::Live, vec![field("resources.image", 12, None, image)]);
        entry
    });
    Diff { entries: entries.collect(), items: count, unchanged: 0, ..empty(live()) }
}

/// Texts that mean something to a system that shows them.
pub(crate) const EVIL: [&str; 16] = [
    "</details></summary></pre></code>",
    "```\n````\n# a heading\n~~~",
    "a|b\\|c",
    "line\nbreak\r\nmore\u{2028}end",
    "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m",
    "\u{202e}drow\u{2066}",
    "::error file=a::b",
    "  ::set-env name=a::b\n::stop-commands::x\n ::add-mask::y",
    "##[command]rm ##vso[task.setvariable]x",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "]]><!-- x --><a href='javascript:x'>",
    "@team/all @ada #1 GH-1 !2 deadbeef12 :smile:",
    "/close\n/label ~bug\n/approve",
    "-->",
    "[link](https://evil.example) ![image](https://evil.example/x.png) https://evil.example www.evil.example",
    "`code` ``` $x$ *bold* _it_ &lt; &#64;team \\",
];

/// Every place where a report shows something that others wrote, with one of
/// these texts.
pub(crate) fn hostile(evil: &str) -> Diff {
    let text = || evil.to_owned();
    let lines = format!("same\n{evil}\nsame\n{evil}\nold\n");
    let path = RepoPath::new(&format!("items/{}.json", evil.replace("..", ""))).unwrap();
    let mut entries = vec![
        entry("evil-0", "NA", Action::Update, Reason::Edited),
        entry("evil-1", "NA", Action::Create, Reason::New),
        entry("evil-2", "NA", Action::Update, Reason::Drifted),
        entry("evil-3", "NA", Action::Create, Reason::Unobserved),
        entry("evil-4", "NA", Action::Create, Reason::New),
        entry("evil-5", "NA", Action::Adopt, Reason::AlreadyThere),
    ];
    let picture = |path: &RepoPath| Picture { path: Some(path.clone()), ..Picture::default() };
    let edits = vec![
        replaced(text(), format!("{evil} ")),
        replaced(lines.clone(), lines.replace("old", "new")),
        replaced(text(), json!([evil, {evil: [evil]}])),
        Edit::Masked { value: json!(evil) },
        Edit::Reordered { from: vec![text(), "b".into()], to: vec!["b".into(), text()] },
        Edit::Picture { from: Some(picture(&path)), to: None },
        Edit::Removed { from: json!({evil: evil}) },
    ];
    let fields = edits.into_iter().map(|edit| field(evil, 3, None, edit)).collect();
    entries[0].fields = listed(Left::Live, fields);
    let new = vec![field(evil, 3, None, added(lines)), field("a", 1, None, added(text()))];
    entries[1].fields = listed(Left::Nothing, new);
    entries[2].fields = Fields::Unknown { why: text() };
    entries[3].hold = Some(Hold::Unobserved { why: text() });
    entries[4].hold = Some(Hold::Rejected { why: text() });
    for entry in &mut entries {
        entry.path = Some(path.clone());
        entry.item_type = Some(ItemType { namespace: text(), name: text() });
        entry.object_id = Some(text());
    }
    let mut problem = Problem::of_file(&path, text()).hint(text()).expected(text()).pointer(text());
    problem.found = Some(text());
    problem.path = text();
    problem.position = Some(Position { line: 1, column: 1 });
    let against =
        Against::Revision { asked: text(), commit: CommitId(BASE.to_owned()), merge_base: false };
    Diff { entries, problems: vec![problem], notes: vec![text()], against, ..empty(live()) }
}
