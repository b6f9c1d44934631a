//! What the program asks of the system while it reads hostile repositories:
//! which files it opens, whom it connects to, what it runs.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::findings::{Findings, has};
use crate::support::cli::{Run, Running};
use crate::support::documents::{pretty, set, sidecar, with_image};

use super::links;
use super::settings;
use super::site::{Expected, Site};

/// What is looked at: everything that opens, connects, runs, removes, renames.
const CALLS: &str = "trace=execve,execveat,connect,open,openat,openat2,creat,unlink,unlinkat,\
    rename,renameat,renameat2,link,linkat,symlink,symlinkat,truncate,chmod,fchmodat,bind,sendto";

/// Where files may be opened that are neither the source nor the program's
/// own, and why.
const ALLOWED: [(&str, &str); 13] = [
    ("/etc/ld.so.cache", "the loader finds the libraries"),
    ("/lib/", "the C library"),
    ("/lib64/", "the C library"),
    ("/usr/lib/", "the C library, and its certificates"),
    ("/etc/ssl/", "the certificates of the system"),
    ("/etc/ca-certificates", "the certificates of the system"),
    ("/usr/share/ca-certificates", "the certificates of the system"),
    ("/usr/local/share/ca-certificates", "the certificates of the system"),
    ("/etc/pki/", "the certificates of the system"),
    ("/proc/", "its own memory and processors; nothing else is asked there"),
    ("/sys/", "how many processors, how much memory the container has"),
    ("/dev/null", "the standard input"),
    ("/dev/urandom", "chance"),
];

/// A repository with every trick that a link, a setting or a name can play.
fn tricky(site: &Site) -> Expected {
    let told = links::links(site);
    let repo = &site.bench.repo;
    for (name, field, value) in [
        ("url-schema", "/$schema", "http://192.0.2.1/a.schema.json"),
        ("url-host", "/$schema", "https://schema.invalid/a.schema.json"),
        ("url-docs", "/documentation", "http://docs.invalid/"),
    ] {
        let item = match field {
            "/documentation" => sidecar(name),
            _ => set(sidecar(name), field, value),
        };
        repo.write(&format!("items/{name}.json"), pretty(&item));
    }
    let image = with_image(sidecar("url-image"), "http://images.invalid/a.png");
    repo.write("items/url-image.json", pretty(&image));
    repo.write(
        ".gitmodules",
        "[submodule \"a\"]\n\tpath = items/sub\n\turl = https://modules.invalid/a.git\n",
    );
    repo.write(".gitattributes", "* filter=evil diff=evil\n");
    let head = repo.commit("tricky");
    repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},items/sub")]);
    repo.git(&["commit", "-q", "-m", "a submodule"]);
    settings::traps(site);
    Expected::of(repo.path()).all(told).tells("items/url-image.json", "no such file")
}

/// The same command below another.
fn below(tools: &[&str], command: &Command) -> Command {
    let mut whole = Command::new(tools[0]);
    whole.args(&tools[1..]).arg(command.get_program()).args(command.get_args()).env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            whole.env(name, value);
        }
    }
    whole.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    whole
}

/// What is wrong with the calls of a run.
fn wrong(trace: &str, roots: &[&Path], ports: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut runs = 0;
    for line in trace.lines() {
        let call = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        let forbidden =
            [".gitconfig", "/etc/gitconfig", "/.config/git/", "/environ\"", "/environ>", "/mem\""];
        if forbidden.iter().any(|name| call.contains(name)) && call.starts_with("open") {
            wrong.push(format!("what must not even be tried: {line}"));
        }
        if call.starts_with("execve") {
            runs += 1;
            if runs > 1 {
                wrong.push(format!("something is run: {line}"));
            }
        } else if call.starts_with("connect") || call.starts_with("sendto") {
            let is_net = call.contains("sa_family=AF_INET");
            let is_known = ports.iter().any(|port| call.contains(&format!("htons({port})")));
            if is_net && !(is_known && call.contains("127.0.0.1")) {
                wrong.push(format!("somebody else is asked: {line}"));
            }
        } else if call.starts_with("open") || call.starts_with("creat") {
            // `-y` writes what was really opened behind the descriptor.
            let opened = call.rsplit_once("= ").and_then(|(_, end)| end.split_once('<'));
            let Some((_, path)) = opened else { continue };
            let path = path.trim_end().trim_end_matches('>');
            let is_own = roots.iter().any(|root| Path::new(path).starts_with(root));
            let is_allowed = ALLOWED.iter().any(|(start, _)| path.starts_with(start));
            // The folders on the way to the state, to be made safe on the disk.
            let is_folder =
                call.contains("O_DIRECTORY") && roots.iter().any(|root| root.starts_with(path));
            if !is_own && !is_allowed && !is_folder {
                wrong.push(format!("a file elsewhere: {line}"));
            }
        } else if ["unlink", "rename", "link", "symlink", "truncate", "chmod", "fchmod"]
            .iter()
            .any(|name| call.starts_with(name))
        {
            let state = roots[0].to_str().unwrap();
            if !call.contains(state) && !call.contains("= -1") {
                wrong.push(format!("something is changed: {line}"));
            }
        }
    }
    if runs != 1 {
        wrong.push(format!("{runs} programs were run"));
    }
    wrong
}

#[test]
#[ignore = "needs strace: tests/prove/run"]
fn nothing_is_run_and_nothing_else_is_opened() {
    if !has("strace") {
        return;
    }
    let mut findings = Findings::begin("hostile-calls", &["source", "command", "exit", "calls"]);
    for kind in ["checkout", "plain directory", "work tree", "clone"] {
        let site = Site::new();
        let expected = tricky(&site);
        let git = site.bench.repo.path();
        let (expected, verbs) = match kind {
            "plain directory" => (site.plain(), &["validate", "diff", "apply"][..]),
            "work tree" => (expected.arg("--working-tree"), &["validate", "diff", "apply"][..]),
            "clone" => (Expected::of(format!("file://{}", git.display())), &["apply"][..]),
            _ => (expected, &["validate", "diff", "apply"][..]),
        };
        let state = site.bench.state();
        let plain = site.bench.repo.beside("plain");
        let program = Path::new(site.command("apply", &expected, &[]).get_program()).to_owned();
        let port = site.tap.url.rsplit(':').next().unwrap().to_owned();
        for verb in verbs {
            let trace = site.bench.repo.beside("trace");
            let file = trace.to_str().unwrap();
            let tools = ["strace", "-f", "-y", "-qq", "-s", "4096", "-o", file, "-e", CALLS];
            let run = Running::start(below(&tools, &site.command(verb, &expected, &[]))).end();
            let text = fs::read_to_string(&trace).unwrap();
            assert!(text.lines().count() > 100, "{kind}: {verb}: {text}\n{run}");
            let roots = [&*state, &*git, &*plain, &*program];
            let wrong = wrong(&text, &roots, &[&port]);
            assert!(wrong.is_empty(), "{kind}: {verb}:\n{}\n{run}", wrong.join("\n"));
            assert_eq!(
                run.code,
                Some(if *verb == "diff" { 2 } else { 1 }),
                "{kind}: {verb}: {run}"
            );
            let calls = text.lines().count().to_string();
            findings.row(&[kind, verb, &run.code.unwrap().to_string(), &calls]);
            site.is_tight(kind, &[run.stdout, run.stderr]);
        }
    }
    for (start, reason) in ALLOWED {
        findings.note(format!("`{start}`: {reason}"));
    }
}

#[test]
#[ignore = "needs root, unshare, ip and strace: tests/prove/run"]
fn nobody_is_asked_without_a_network() {
    if !(has("strace") && has("unshare") && has("ip")) {
        return;
    }
    let lone = |script: &str| {
        Running::start({
            let mut command = Command::new("unshare");
            command.args(["-n", "sh", "-c", script]);
            command
        })
        .end()
    };
    let can = lone("ip link set lo up");
    if can.code != Some(0) {
        eprintln!("skipped: no network of its own can be had here: {}", can.stderr);
        return;
    }
    let site = Site::new();
    let expected = tricky(&site);
    let trace = site.bench.repo.beside("trace");
    let mut command = site.command("apply", &expected, &[]);
    let own: Vec<String> = command.get_args().map(|arg| arg.to_str().unwrap().to_owned()).collect();
    // The marketplace has to be in the same network: the program's own.
    let args = own.iter().map(|arg| if *arg == site.tap.url { "embedded" } else { arg.as_str() });
    let mut alone = Command::new(command.get_program());
    alone.args(args);
    for (name, value) in command.get_envs() {
        alone.env(name, value.unwrap_or_default());
    }
    command = alone;
    let file = trace.to_str().unwrap();
    let script =
        format!("ip link set lo up && exec strace -f -y -qq -o '{file}' -e {CALLS} \"$@\"");
    let run: Run =
        Running::start(below(&["unshare", "-n", "sh", "-c", &script, "sh"], &command)).end();
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.stdout.contains("1 of 1 items") || run.stderr.contains("Created"), "{run}");
    let text = fs::read_to_string(&trace).unwrap();
    let asked: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("connect(") || line.contains("sendto("))
        .filter(|line| line.contains("sa_family=AF_INET") && !line.contains("127.0.0.1"))
        .collect();
    assert_eq!(asked, Vec::<&str>::new(), "{run}");
    assert!(!text.contains("htons(53)"), "a name is looked up");
    site.is_tight("alone", &[run.stdout, run.stderr]);
}

/// The judge of the calls must see what is wrong with them.
#[test]
fn calls_that_are_wrong_are_told() {
    let roots = [Path::new("/s/state"), Path::new("/s/tree")];
    let judge = |line: &str| {
        let trace = format!("1 execve(\"/s/program\", [\"x\"], 0x1 /* 9 vars */) = 0\n1 {line}\n");
        wrong(&trace, &roots, &["4000"])
    };
    let here = "connect(9<socket:[1]>, {sa_family=AF_INET, sin_port=htons(4000), \
        sin_addr=inet_addr(\"127.0.0.1\")}, 16) = 0";
    for fine in [
        here,
        "openat(3</s/tree>, \"a\", O_RDONLY) = 4</s/tree/a>",
        "openat(AT_FDCWD, \"/no/such\", O_RDONLY) = -1 ENOENT (No such file or directory)",
        "unlink(\"/s/state/x-wal\") = 0",
    ] {
        assert_eq!(judge(fine), Vec::<String>::new(), "{fine}");
    }
    for bad in [
        here.replace("4000", "53").as_str(),
        here.replace("127.0.0.1", "192.0.2.1").as_str(),
        "execve(\"/bin/sh\", [\"sh\"], 0x1 /* 9 vars */) = 0",
        "openat(AT_FDCWD, \"/s/tree/link\", O_RDONLY) = 4</s/outside/secret>",
        "openat(AT_FDCWD, \"/home/.gitconfig\", O_RDONLY) = -1 ENOENT (No such file)",
        "open(\"/proc/self/environ\", O_RDONLY) = 4</proc/7/environ>",
        "unlink(\"/s/tree/a\") = 0",
        "rename(\"/s/tree/a\", \"/s/tree/b\") = 0",
    ] {
        assert_ne!(judge(bad), Vec::<String>::new(), "{bad}");
    }
}
