//! The documentation is true: its commands run, its output is what the program
//! prints, its pictures are of the real thing.
//!
//! With `SNAPSHOTS=overwrite` in the environment the output blocks, the help
//! texts and the pictures are written anew; read the difference before you
//! commit it.

mod blocks;
mod world;

use clap::{CommandFactory as _, Parser as _};
use marketsync::cli::Cli;
use marketsync::embedded::Settings;
use snapbox::Data;
use snapbox::data::DataFormat;

use crate::support::market::Market;
use blocks::{Block, blocks, rewritten};
use world::{Script, World};

/// The Console of the documentation.
const CONSOLE: &str = "https://console.example.com";

/// Where a daemon listens that was told nothing.
const LISTENING: &str = "127.0.0.1:8080";

/// Commands that are not run, because they build the program: a test runs in
/// what they have built.
const BUILDS: [&str; 2] = ["cargo test", "cargo install --locked --path ."];

/// Every page with commands.
const PAGES: [&str; 13] = [
    "README.md",
    "docs/architecture.md",
    "docs/cli.md",
    "docs/configuration.md",
    "docs/deploy.md",
    "docs/diff.md",
    "docs/embedded-marketplace.md",
    "docs/item-files.md",
    "docs/monitoring.md",
    "docs/operations.md",
    "docs/remotes.md",
    "docs/reports.md",
    "docs/scale.md",
];

fn root() -> std::path::PathBuf {
    std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn page(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

fn overwrites() -> bool {
    std::env::var("SNAPSHOTS").is_ok_and(|wish| wish == "overwrite")
}

/// Compares a page with what it should be, or makes it so.
fn settle(path: &str, before: &str, after: &str) {
    if overwrites() && before != after {
        std::fs::write(root().join(path), after).unwrap();
        return;
    }
    assert!(
        before == after,
        "{path} is not what the program prints; SNAPSHOTS=overwrite cargo test readme writes it anew.\n{}",
        first_difference(before, after)
    );
}

fn first_difference(before: &str, after: &str) -> String {
    let differing = before.lines().zip(after.lines()).find(|(one, other)| one != other);
    differing.map_or_else(
        || "one ends earlier".to_owned(),
        |(one, other)| format!("page:    {one}\nprogram: {other}"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_readme_run_and_print_what_it_shows() {
    let market = Market::start_signed_out(Settings::default()).await;
    let text = page("README.md");
    let found = blocks(&text);
    let scripts: Vec<(usize, &Block<'_>)> =
        found.iter().enumerate().filter(|(_, block)| block.language == "sh").collect();
    assert!(scripts.len() >= 5, "the blocks are found");
    let script = |block: &Block<'_>| {
        let lines = block.body.lines().filter(|line| !BUILDS.contains(line));
        let text = lines
            .collect::<Vec<_>>()
            .join("\n")
            .replace("cargo run -- ", "marketsync ")
            .replace(CONSOLE, &market.url)
            .replace(LISTENING, "$LISTENING");
        let until = block.note.and_then(|note| note.strip_prefix("until "));
        Script { text, until: until.map(str::to_owned) }
    };
    let world = World::new();
    let ran = world.run(&scripts.iter().map(|(_, block)| script(block)).collect::<Vec<_>>());
    let mut redact = world::Redactions::default();
    let mut bodies: Vec<Option<String>> = vec![None; found.len()];
    let mut log = String::new();
    for ((index, block), run) in scripts.iter().zip(&ran) {
        let wanted = block.note.and_then(|note| note.strip_prefix("exits ")).unwrap_or("0");
        assert_eq!(run.code, wanted, "{}\n{}{}", block.body, run.stdout, run.stderr);
        if block.body.trim_end().ends_with(" &") {
            log.clone_from(&run.stderr);
        }
        let mut shown = redact.of(&run.stdout.replace(&market.url, CONSOLE));
        if let Some(next) = found.get(index + 1)
            && next.language == "text"
        {
            if let Some(told) = next.note.and_then(|note| note.strip_prefix("log ")) {
                let lines = log.lines().filter(|line| line.contains(told));
                shown = redact.of(&lines.flat_map(|line| [line, "\n"]).collect::<String>());
                assert!(!shown.is_empty(), "the log holds `{told}`:\n{log}");
            }
            bodies[index + 1] = Some(shown);
        }
    }
    market.stop().await;
    settle("README.md", &text, &rewritten(&text, &bodies));
}

#[test]
fn the_second_command_is_what_integration_runs() {
    assert!(page("README.md").contains("\n```sh\ncargo test\n```\n"));
    assert!(page(".ci/run").lines().any(|line| line == "cargo test"));
}

#[test]
fn the_help_in_the_reference_is_that_of_the_program() {
    let text = page("docs/cli.md");
    let found = blocks(&text);
    let mut cli = Cli::command().term_width(90);
    cli.build();
    let bodies = found.iter().map(|block| {
        let name = block.note?.strip_prefix("help ")?;
        let command = cli.find_subcommand_mut(name).unwrap_or_else(|| panic!("no command {name}"));
        let help = command.render_long_help().to_string();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        Some(format!("{}\n", lines.join("\n")))
    });
    settle("docs/cli.md", &text, &rewritten(&text, &bodies.collect::<Vec<_>>()));
    let named: Vec<&str> =
        found.iter().filter_map(|block| block.note?.strip_prefix("help ")).collect();
    for command in Cli::command().get_subcommands().filter(|command| command.get_name() != "help") {
        assert!(named.contains(&command.get_name()), "docs/cli.md has no `{}`", command.get_name());
    }
}

#[test]
fn every_command_line_of_the_pages_is_understood() {
    for path in PAGES {
        let text = page(path);
        for block in
            blocks(&text).iter().filter(|block| ["sh", "yaml", "console"].contains(&block.language))
        {
            let joined = block.body.replace("\\\n", " ");
            for line in joined.lines() {
                let line = line
                    .trim()
                    .trim_start_matches("- ")
                    .trim_start_matches("run: ")
                    .trim_start_matches("$ ");
                let line =
                    line.strip_prefix("cargo run -- ").or_else(|| line.strip_prefix("marketsync "));
                let Some(line) = line else { continue };
                let line = line.split(['|', '>', '&', ';', '#']).next().unwrap_or_default();
                // `…` stands for the options that have nothing to do with the matter.
                let words = line.split_whitespace().filter(|word| *word != "…");
                let words = words.map(|word| word.trim_matches(['"', '\'']));
                if let Err(why) = Cli::try_parse_from(std::iter::once("marketsync").chain(words)) {
                    assert!(!why.use_stderr(), "{path}: {line}: {why}");
                }
            }
        }
    }
}

#[test]
fn every_link_of_the_pages_leads_to_a_file() {
    for path in PAGES.into_iter().chain(["CONTRIBUTING.md", "examples/README.md"]) {
        let text = page(path);
        let folder = root().join(path).parent().unwrap().to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") {
                assert!(folder.join(target).exists(), "{path}: {link} does not exist");
            }
        }
    }
}

/// One picture: what was typed, and the standard output.
struct Picture {
    world: World,
    redact: world::Redactions,
}

impl Picture {
    fn new() -> Self {
        let picture = Self { world: World::new(), redact: world::Redactions::default() };
        picture.quiet("cd ..; cp -r marketsync/examples/catalogue catalogue; cd catalogue; git init -q; git add .");
        picture.commit("The catalogue of Acme");
        picture
    }

    /// Runs something that is not shown.
    fn quiet(&self, script: &str) {
        let ran = self.world.run(&[Script::of(script)]);
        assert_eq!(ran[0].code, "0", "{script}: {}", ran[0].stderr);
    }

    fn commit(&self, message: &str) {
        self.quiet(&format!("cd ../catalogue; git -c user.name=Ada -c user.email=ada@example.com commit -qam '{message}'"));
    }

    fn replace(&self, file: &str, from: &str, to: &str) {
        let path = self.world.path("catalogue").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} holds {from}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    fn take(&mut self, name: &str, command: &str, code: &str) {
        let ran = &self.world.run(&[Script::of(format!("cd ../catalogue\n{command}"))])[0];
        assert_eq!(ran.code, code, "{command}: {}", ran.stderr);
        self.keep(name, command, &ran.stdout);
    }

    /// Writes down or compares what was answered to a command.
    fn keep(&mut self, name: &str, command: &str, stdout: &str) {
        // What was typed stands out from what was answered.
        let shown = format!(
            "\u{1b}[1m$ {command}\u{1b}[0m\n{}",
            self.redact.of(&self.world.at_home(stdout))
        );
        let path = root().join("docs/images").join(format!("{name}.term.svg"));
        let wanted = Data::read_from(&path, None);
        let actual = Data::text(shown).coerce_to(DataFormat::TermSvg);
        snapbox::Assert::new().action_env("SNAPSHOTS").eq(actual, wanted);
    }
}

#[test]
fn the_pictures_of_apply_are_taken_from_life() {
    const APPLY: &str = "marketsync apply --endpoint embedded --company-id acme";
    let mut picture = Picture::new();
    picture.take("apply", APPLY, "0");
    picture.replace("items/sidecars/my-sidecar.json", "my-sidecar:1.0", "my-sidecar:2.0");
    picture.commit("my-sidecar 2.0");
    picture.take("edit", APPLY, "0");
    picture.replace(
        "items/plugins/orders-api/1.1.0.json",
        "\"dockerImage\": \"",
        "\"dockerImage\": \"mirror.",
    );
    picture.commit("orders-api from a mirror");
    picture.take("held", APPLY, "1");
}

#[test]
fn the_picture_of_a_daemon_is_taken_from_life() {
    let mut picture = Picture::new();
    let edit = "sed -i.bak 's/my-sidecar:1.0/my-sidecar:2.0/' items/sidecars/my-sidecar.json; \
                git -c user.name=Ada -c user.email=ada@example.com commit -qam 'my-sidecar 2.0'";
    let typed = "marketsync status --url http://127.0.0.1:8080";
    let ask = typed.replace(LISTENING, "$LISTENING");
    let until = |text: &str| Some(text.to_owned());
    let ran = picture.world.run(&[
        // A search for drift would be the last pass if it came late.
        Script {
            text: "cd ../catalogue; marketsync run --endpoint embedded --company-id acme --drift off &".to_owned(),
            until: until("Reconciled"),
        },
        Script { text: edit.to_owned(), until: until("Updated") },
        // The line stands in the log a moment before the pass has ended.
        Script::of(format!(
            "tries=600; until {ask} | grep -q '(commit)' || [ $((tries -= 1)) = 0 ]; do sleep 0.1; done"
        )),
        Script::of(ask),
        Script::of("kill $! && wait $!"),
    ]);
    for ran in &ran {
        assert_eq!(ran.code, "0", "{}", ran.stderr);
    }
    picture.keep("status", typed, &ran[3].stdout);
}

#[test]
fn the_picture_of_validate_is_taken_from_life() {
    let mut picture = Picture::new();
    picture.quiet(
        "cd ../catalogue; git rm -rq items; mkdir -p items; \
         for name in duplicate-key wrong-type trailing-comma; do cp ../marketsync/examples/broken/$name.json items; done; git add items",
    );
    picture.commit("three mistakes");
    picture.take("validate", "marketsync validate --company-id acme", "1");
}
