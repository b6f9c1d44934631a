//! What can happen, as data, and how it is drawn. A failing history is printed
//! as these values, ready to be pasted into a test.

use proptest::collection::vec;
use proptest::prelude::*;

/// The items of every history. A number beyond them counts from the start.
pub(crate) const KEYS: [(&str, &str); 5] =
    [("alpha", "NA"), ("beta", "NA"), ("gamma", "1.0.0"), ("gamma", "1.1.0"), ("delta", "NA")];

/// The pictures of every history.
pub(crate) const PICTURES: usize = 3;

/// One thing that happens.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// A commit, and how many deletions its message allows.
    Commit(Vec<Edit>, Option<u8>),
    /// Somebody else writes an item of the marketplace.
    Meddle(usize, Meddling),
    /// Somebody else deletes one.
    Vandalise(usize),
    /// The Console is exchanged: see [`CONSOLES`].
    Console(usize),
    /// What the published sources leave open is so.
    Switch(Turn),
    /// The state is gone.
    Lose,
    /// A copy of the state is laid aside.
    Keep,
    /// The copy takes the place of the state.
    Restore,
    /// A pass.
    Pass(Pass),
}

/// What a commit may do. The first number is that of a file: for each item
/// there is one, and a second one that makes it a double.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Edit {
    Set(usize, Field),
    Remove(usize),
    Rename(usize),
    MoveFolder,
    TurnKeys(usize),
    OtherFormat(usize),
    Break(usize),
    Mend(usize),
    Link(usize),
    Picture(usize, Option<u8>),
    Schema(Rule),
}

/// A field of an item file; it adds the file if it is not there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Field {
    Name(u8),
    Repository(Option<u8>),
    Resources(u8),
    Lifecycle(Option<u8>),
    Picture(Option<usize>),
    Schema(bool),
    Tags(bool),
    OlderType(bool),
    Foreign(bool),
}

/// The schema file that items may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Rule {
    #[default]
    Any,
    /// One address of a repository is wrong.
    Strict,
    /// There is no file.
    None,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Meddling {
    Name(u8),
    Repository(Option<u8>),
    Resources(u8),
    OtherPicture,
    Tags,
}

pub(crate) const CONSOLES: [&str; 4] = ["14.1", "14.0", "13.6", "404"];

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Turn {
    Merge(bool),
    UnknownKeys(u8),
    Reapply(bool),
    Reversed(bool),
    PartialFailure(u8),
    WrittenDefaults(bool),
    DeleteFiles(bool),
    ManifestForm(bool),
    EmptyVersions(bool),
}

/// A pass, and what it meets.
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the pass")]
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pass {
    pub(crate) by: By,
    pub(crate) looks: Looks,
    pub(crate) correct: bool,
    pub(crate) prune: bool,
    pub(crate) allow_deletes: Option<usize>,
    pub(crate) max_updates: Option<usize>,
    /// `--path items/a`, where the first three items are.
    pub(crate) narrow: bool,
    /// `--set-tenant`.
    pub(crate) tenant: bool,
    pub(crate) after: After,
    pub(crate) faults: Vec<Weather>,
    pub(crate) crash: Option<Crash>,
}

/// Who makes the pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// A process of its own.
    Apply,
    /// The daemon that made the last one, if it lives; what was rejected is due
    /// or not.
    Beat(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looks {
    New,
    Also(u8),
    All,
}

/// How long after the pass before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    AtOnce,
    Minutes,
    Day,
}

/// A fault of the marketplace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Weather {
    pub(crate) on: On,
    pub(crate) kind: Kind,
    pub(crate) times: Option<u32>,
    pub(crate) item: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum On {
    Token,
    Version,
    Get,
    Apply,
    Upload,
    Download,
    Delete,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Status(u16),
    Processed(u16),
    RetryAfter,
    Page,
    CutBefore,
    CutAfter,
    Truncate,
    WrongBody,
    WrongType,
    EmptyBody,
    MissingRow,
    DoubledRow,
    ReorderedRows,
    Reject,
    Redirect,
}

/// The process dies when the marketplace has this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crash {
    /// How many requests went before it.
    pub(crate) at: usize,
    /// Whether the marketplace carries it out.
    pub(crate) after: bool,
    /// Whether the state is put back as it was on the disk at that moment; if
    /// not, the process closes its files.
    pub(crate) power: bool,
}

/// A pass in fair weather that does all that can be done.
pub(crate) const WHOLE: Pass = Pass {
    by: By::Apply,
    looks: Looks::All,
    correct: true,
    prune: true,
    allow_deletes: Some(99),
    max_updates: None,
    narrow: false,
    tenant: false,
    after: After::Day,
    faults: Vec::new(),
    crash: None,
};

fn field() -> impl Strategy<Value = Field> {
    prop_oneof![
        4 => (0..4_u8).prop_map(Field::Name),
        3 => prop::option::weighted(0.6, 0..3_u8).prop_map(Field::Repository),
        3 => (0..3_u8).prop_map(Field::Resources),
        2 => prop::option::weighted(0.7, 0..2_u8).prop_map(Field::Lifecycle),
        4 => prop::option::weighted(0.8, 0..PICTURES).prop_map(Field::Picture),
        2 => any::<bool>().prop_map(Field::Schema),
        1 => any::<bool>().prop_map(Field::Tags),
        1 => any::<bool>().prop_map(Field::OlderType),
        1 => any::<bool>().prop_map(Field::Foreign),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    let file = || prop_oneof![6 => 0..KEYS.len(), 1 => 0..2 * KEYS.len()];
    let rule = prop_oneof![Just(Rule::Any), Just(Rule::Strict), Just(Rule::None)];
    prop_oneof![
        14 => (file(), field()).prop_map(|(file, field)| Edit::Set(file, field)),
        4 => file().prop_map(Edit::Remove),
        1 => file().prop_map(Edit::Rename),
        1 => Just(Edit::MoveFolder),
        1 => file().prop_map(Edit::TurnKeys),
        1 => file().prop_map(Edit::OtherFormat),
        1 => file().prop_map(Edit::Break),
        2 => file().prop_map(Edit::Mend),
        1 => file().prop_map(Edit::Link),
        2 => (0..PICTURES, prop::option::weighted(0.9, 0..4_u8)).prop_map(|(picture, content)| Edit::Picture(picture, content)),
        1 => rule.prop_map(Edit::Schema),
    ]
}

fn turn() -> impl Strategy<Value = Turn> {
    let flag = any::<bool>;
    prop_oneof![
        flag().prop_map(Turn::Merge),
        (0..3_u8).prop_map(Turn::UnknownKeys),
        flag().prop_map(Turn::Reapply),
        flag().prop_map(Turn::Reversed),
        (0..3_u8).prop_map(Turn::PartialFailure),
        flag().prop_map(Turn::WrittenDefaults),
        flag().prop_map(Turn::DeleteFiles),
        flag().prop_map(Turn::ManifestForm),
        flag().prop_map(Turn::EmptyVersions),
    ]
}

fn meddling() -> impl Strategy<Value = Meddling> {
    prop_oneof![
        (0..4_u8).prop_map(Meddling::Name),
        prop::option::of(0..3_u8).prop_map(Meddling::Repository),
        (0..3_u8).prop_map(Meddling::Resources),
        Just(Meddling::OtherPicture),
        Just(Meddling::Tags),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    const REFUSALS: [u16; 6] = [400, 401, 403, 409, 413, 422];
    const TROUBLES: [u16; 4] = [408, 429, 500, 503];
    prop_oneof![
        2 => prop::sample::select(REFUSALS.to_vec()).prop_map(Kind::Status),
        3 => prop::sample::select(TROUBLES.to_vec()).prop_map(Kind::Status),
        3 => prop::sample::select([&TROUBLES[..], &REFUSALS].concat()).prop_map(Kind::Processed),
        1 => Just(Kind::RetryAfter),
        1 => Just(Kind::Page),
        2 => Just(Kind::CutBefore),
        3 => Just(Kind::CutAfter),
        2 => Just(Kind::Truncate),
        1 => Just(Kind::WrongBody),
        1 => Just(Kind::WrongType),
        1 => Just(Kind::EmptyBody),
        1 => Just(Kind::MissingRow),
        1 => Just(Kind::DoubledRow),
        1 => Just(Kind::ReorderedRows),
        2 => Just(Kind::Reject),
        1 => Just(Kind::Redirect),
    ]
}

fn fault() -> impl Strategy<Value = Weather> {
    let on = prop_oneof![
        1 => Just(On::Token),
        1 => Just(On::Version),
        4 => Just(On::Get),
        7 => Just(On::Apply),
        2 => Just(On::Upload),
        2 => Just(On::Download),
        3 => Just(On::Delete),
    ];
    let times = prop_oneof![3 => Just(Some(1)), 1 => Just(Some(2)), 1 => Just(None)];
    (on, kind(), times, prop::option::of(0..KEYS.len()))
        .prop_map(|(on, kind, times, item)| Weather { on, kind: fit(on, kind), times, item })
}

/// Faults that would make the server lie where the API lets nobody notice are
/// not weather: a Console that answers its version with "not found" is an old
/// one, and a deletion that is answered "done" is done.
fn fit(on: On, kind: Kind) -> Kind {
    match (on, kind) {
        (On::Version, Kind::Page | Kind::WrongBody) => Kind::CutBefore,
        (
            On::Get | On::Download | On::Upload | On::Delete | On::Token | On::Version,
            Kind::Reject,
        ) => Kind::Status(500),
        (_, kind) => kind,
    }
}

fn crash() -> impl Strategy<Value = Crash> {
    (0..9_usize, any::<bool>(), any::<bool>()).prop_map(|(at, after, power)| Crash {
        at,
        after,
        power,
    })
}

fn pass() -> impl Strategy<Value = Pass> {
    let by = prop_oneof![3 => Just(By::Apply), 3 => any::<bool>().prop_map(By::Beat)];
    let looks = prop_oneof![
        4 => Just(Looks::New),
        1 => any::<u8>().prop_map(Looks::Also),
        4 => Just(Looks::All),
    ];
    let limits = (
        prop::option::weighted(0.4, prop_oneof![Just(99_usize), 0..3_usize]),
        prop::option::weighted(0.15, 0..2_usize),
    );
    let flags = (
        any::<bool>(),
        prop::bool::weighted(0.7),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.15),
    );
    let after =
        prop_oneof![3 => Just(After::AtOnce), 3 => Just(After::Minutes), 1 => Just(After::Day)];
    let bad = (vec(fault(), 0..3), prop::option::weighted(0.3, crash()));
    let bad = prop_oneof![1 => Just((Vec::new(), None)), 2 => bad];
    (by, looks, limits, flags, after, bad).prop_map(
        |(
            by,
            looks,
            (allow_deletes, max_updates),
            (correct, prune, narrow, tenant),
            after,
            (faults, crash),
        )| Pass {
            by,
            looks,
            correct,
            prune,
            allow_deletes,
            max_updates,
            narrow,
            tenant,
            after,
            faults,
            crash,
        },
    )
}

fn commit() -> impl Strategy<Value = Step> {
    (vec(edit(), 1..7), prop::option::weighted(0.1, 0..4_u8))
        .prop_map(|(edits, allow)| Step::Commit(edits, allow))
}

fn others() -> impl Strategy<Value = Step> {
    let key = 0..KEYS.len();
    prop_oneof![
        4 => (key.clone(), meddling()).prop_map(|(key, what)| Step::Meddle(key, what)),
        2 => key.prop_map(Step::Vandalise),
        1 => (0..CONSOLES.len()).prop_map(Step::Console),
        2 => turn().prop_map(Step::Switch),
    ]
}

/// Somebody who takes back every correction within the hour.
fn quarrel() -> impl Strategy<Value = Vec<Step>> {
    (0..KEYS.len(), any::<bool>()).prop_map(|(key, gone)| {
        let other = if gone { Step::Vandalise(key) } else { Step::Meddle(key, Meddling::Name(9)) };
        let pass = Pass { after: After::Minutes, ..WHOLE };
        (0..8).map(|n| if n % 2 == 0 { other.clone() } else { Step::Pass(pass.clone()) }).collect()
    })
}

/// A daemon in which something fails, and what it does before that is due and
/// after; a version above one that waits.
fn patience() -> impl Strategy<Value = Vec<Step>> {
    let on = prop_oneof![2 => Just(On::Get), 3 => Just(On::Apply), 1 => Just(On::Delete)];
    (on, kind(), 0..KEYS.len(), field(), any::<bool>()).prop_map(
        |(on, kind, item, field, prune)| {
            let beat = Pass {
                by: By::Beat(false),
                looks: Looks::New,
                prune,
                after: After::AtOnce,
                ..WHOLE
            };
            let first = if on == On::Delete {
                vec![Edit::Remove(item), Edit::Set(item + 1, field)]
            } else {
                vec![Edit::Set(item, field)]
            };
            let fault = Weather { on, kind: fit(on, kind), times: Some(1), item: Some(item) };
            vec![
                Step::Commit(first, None),
                Step::Pass(Pass { faults: vec![fault], ..beat.clone() }),
                Step::Commit(vec![Edit::Set(item + 1, Field::Name(1))], None),
                Step::Pass(beat.clone()),
                Step::Pass(Pass { after: After::Minutes, ..beat }),
            ]
        },
    )
}

fn step() -> impl Strategy<Value = Vec<Step>> {
    let state = prop_oneof![Just(Step::Lose), Just(Step::Keep), Just(Step::Restore)];
    let one = |step: Step| vec![step];
    prop_oneof![
        12 => commit().prop_map(one),
        7 => others().prop_map(one),
        2 => state.prop_map(one),
        26 => pass().prop_map(|pass| vec![Step::Pass(pass)]),
        1 => quarrel(),
        4 => patience(),
    ]
}

/// A history: it begins with something to apply.
pub(crate) fn history() -> impl Strategy<Value = Vec<Step>> {
    (commit(), vec(step(), 2..13))
        .prop_map(|(first, rest)| [first].into_iter().chain(rest.into_iter().flatten()).collect())
}
