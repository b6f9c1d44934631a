//! The daemon over many beats: nothing of it grows, and all that it says is
//! true.
//!
//! A beat is a pass that came to its end, as `marketsync_reconcile_total`
//! counts them. Meanwhile chance commits, breaks files, moves HEAD, edits the
//! marketplace behind the daemon's back, lets faults strike and calls its
//! addresses. What is there to work on stays of one size: what grows is a leak.

mod life;
mod sample;
mod truth;

use std::time::{Duration, Instant};

use crate::findings::{Findings, long, rounds};
use crate::support::cli::Bench;
use crate::support::daemon::Daemon;
use crate::world::wrong;
use life::Life;
use sample::{COLUMNS, Sample, Samples};
use truth::Truth;

/// The beats of the daemon under test.
const BEATS: &[&str] = &["--poll-every=50ms", "--drift-every=200ms", "--drift-rate=1000"];

/// How a part of the time is spent: its name, what the daemon is given, and
/// how many tenths of all beats.
const PHASES: [(&str, &[&str], u64); 2] =
    [("report", &["--drift=report"], 3), ("correct", &["--drift=correct", "--prune"], 7)];

/// From one sample to the next, in the short form and in the long one.
const BETWEEN_SAMPLES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// The longest time without a beat: after that `/healthz` complains, too.
const STANDSTILL: Duration = Duration::from_secs(90);

/// How long the end may take after SIGTERM: the call in flight may drip.
const END: Duration = Duration::from_secs(10);

/// How many rows of the table each phase has.
const ROWS: u64 = 6;

#[test]
fn it_lives_through_many_beats_and_stays_as_it_was() {
    let mut findings = Findings::begin("soak", &COLUMNS);
    let bench = Bench::new();
    let mut life = Life::begin(&bench, findings.chance());
    let mut truth = Truth::default();
    let beats = u64::try_from(rounds(300, 260_000)).unwrap();
    for (name, args, tenths) in PHASES {
        let args = [BEATS, args, &life.hook_args()].concat();
        let daemon = Daemon::of(&bench, bench.repo.path(), &args);
        let mut phase = Phase { name, daemon, samples: Samples::default(), began: Instant::now() };
        phase.lasts(beats * tenths / 10, &mut life, &mut truth, &mut findings);
        let note = phase.ends(&mut life, &mut truth);
        findings.note(note);
    }
    findings.note(format!("Lines of the log: {truth}."));
    findings.note(format!("What happened: {}.", life.tally()));
}

/// The life of one process.
struct Phase {
    name: &'static str,
    daemon: Daemon,
    samples: Samples,
    began: Instant,
}

impl Phase {
    /// Lets so many beats go by.
    #[expect(clippy::disallowed_methods, reason = "it is the time that has to pass")]
    fn lasts(&mut self, beats: u64, life: &mut Life<'_>, truth: &mut Truth, to: &mut Findings) {
        self.daemon.ready();
        let mut sampled = Instant::now();
        let mut last_beat = (0, Instant::now());
        let mut rows = 0;
        while last_beat.0 < beats {
            life.goes_on(&self.daemon);
            truth.hear(&self.daemon, life.bench);
            std::thread::sleep(life.pause());
            if sampled.elapsed() < BETWEEN_SAMPLES[usize::from(long())] {
                continue;
            }
            sampled = Instant::now();
            let sample = Sample::take(&self.daemon, life, truth);
            if sample.beats > last_beat.0 {
                last_beat = (sample.beats, sampled);
            }
            let still = last_beat.1.elapsed();
            assert!(still < STANDSTILL, "no beat for {still:?}\n{}", truth.last_words());
            if sample.beats * ROWS >= beats * (rows + 1) {
                rows = sample.beats * ROWS / beats;
                let row = sample.row(self.name, self.began.elapsed());
                println!("{}", row.join(" | "));
                to.row(&row.iter().map(String::as_str).collect::<Vec<_>>());
            }
            self.samples.push(sample);
        }
    }

    /// Without faults everything comes right; then it ends in order. Returns
    /// what there is to say about the phase.
    fn ends(self, life: &mut Life<'_>, truth: &mut Truth) -> String {
        let Self { name, daemon, samples, began } = self;
        let wanted = life.calms_down();
        let asked = Instant::now();
        daemon.until("everything is right", |daemon| {
            truth.hear(daemon, life.bench);
            wrong(life.bench, &wanted).is_empty() && is_content(daemon)
        });
        let calm = asked.elapsed();
        life.leaves_alone_what_is_not_ours();
        let beats = Sample::take(&daemon, life, truth).beats;
        let cpu = daemon.metrics()["process_cpu_seconds_total"];
        let lived = began.elapsed().as_secs_f64();
        daemon.signal("TERM");
        let asked = Instant::now();
        truth.hears_the_end(daemon, life.bench);
        let ending = asked.elapsed();
        assert!(ending < END, "{name}: it took {ending:?} to end");
        samples.are_flat();
        format!(
            "`{name}`: {beats} beats in {lived:.0} s, {:.1} a second with {:.0} % of a core; \
             right {:.1} s after the last fault, ended {} ms after SIGTERM. {samples}",
            f64::from(u32::try_from(beats).unwrap()) / lived,
            100.0 * cpu / lived,
            calm.as_secs_f64(),
            ending.as_millis(),
        )
    }
}

/// Whether it is ready and has nothing to complain of.
fn is_content(daemon: &Daemon) -> bool {
    let metrics = daemon.metrics();
    let is_none = |state: &str| {
        let series = format!("marketsync_items{{state=\"{state}\"}}");
        metrics.get(&series).is_some_and(|items| *items < 0.5)
    };
    let all = ["drifted", "held", "failed", "rejected", "invalid"];
    all.into_iter().all(is_none) && daemon.get("/readyz").0 == 200
}
