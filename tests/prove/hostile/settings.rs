//! What is put into `.git`, by whoever unpacked an archive or may write there.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::documents::{pretty, sidecar};

use super::site::{CANARY, Expected, Row, Site};

/// Makes a FIFO, which nobody ever writes to.
pub(super) fn fifo(path: &Path) {
    drop(fs::remove_file(path));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn git_dir(site: &Site) -> std::path::PathBuf {
    site.bench.repo.path().join(".git")
}

fn append(path: &Path, text: &str) {
    let before = fs::read_to_string(path).unwrap_or_default();
    fs::write(path, before + text).unwrap();
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, in_short) in [
        ("HEAD", true),
        ("config", true),
        ("shallow", true),
        ("index", false),
        ("packed-refs", false),
        ("info/grafts", false),
        ("objects/info/alternates", false),
        ("refs/heads/main", true),
        ("commondir", false),
    ] {
        let make = move |site: &Site| {
            let expected = site.commit();
            fifo(&git_dir(site).join(name));
            let words = if name == "commondir" { "commondir" } else { "is no regular file" };
            expected.fails(words)
        };
        let title = format!("a FIFO in place of .git/{name}");
        rows.push(if in_short { Row::new(title, make) } else { Row::long(title, make) });
    }
    for name in ["config", "HEAD", "index", "shallow", "packed-refs"] {
        rows.push(Row::long(format!("a .git/{name} of 1 TiB"), move |site| {
            let expected = site.commit();
            let path = git_dir(site).join(name);
            fs::File::create(path).unwrap().set_len(1 << 40).unwrap();
            expected.fails("are not read")
        }));
    }
    rows.extend(includes());
    rows.extend(elsewhere());
    rows.extend(formats());
    rows.push(Row::new("programs in .git", programs));
    rows.push(Row::new("another past", |site| {
        let repo = &site.bench.repo;
        let expected = site.commit();
        let own = repo.git(&["rev-parse", "HEAD"]);
        repo.write("items/stolen.json", pretty(&sidecar("stolen")));
        let other = repo.commit("other");
        repo.git(&["reset", "-q", "--hard", &own]);
        repo.git(&["replace", &own, &other]);
        fs::create_dir_all(git_dir(site).join("info")).unwrap();
        fs::write(git_dir(site).join("info/grafts"), format!("{own} {other}\n")).unwrap();
        expected
    }));
    rows
}

fn includes() -> Vec<Row> {
    let include = |title: &str, target: &'static str, words: &'static str| {
        Row::new(title, move |site| {
            let expected = site.commit();
            fifo(&site.bench.repo.beside("fifo"));
            append(&git_dir(site).join("config"), &format!("[include]\n\tpath = {target}\n"));
            if words.is_empty() { expected } else { expected.fails(words) }
        })
    };
    vec![
        include("an include of a FIFO", "../../fifo", "is no regular file"),
        include("an include of a device", "/dev/zero", "is no regular file"),
        include("an include of itself", "config", "includes more than"),
        include("an include of the home folder", "~/.gitconfig", ""),
        Row::new("a condition that includes a FIFO", |site| {
            let expected = site.commit();
            fifo(&site.bench.repo.beside("fifo"));
            let text = "[ includeIf \"gitdir:**\" ] path = \"../../fi\\\nfo\" ; x\n";
            append(&git_dir(site).join("config"), text);
            expected.fails("is no regular file")
        }),
    ]
}

/// What leads to other repositories and files.
fn elsewhere() -> Vec<Row> {
    vec![
        Row::new("a HEAD outside of the refs", |site| {
            let expected = site.commit();
            fs::write(git_dir(site).join("HEAD"), "ref: ../../outside/secret.txt\n").unwrap();
            expected.fails("HEAD")
        }),
        Row::new("a HEAD that is a link to a secret", |site| {
            let expected = site.commit();
            site.bench.repo.symlink(".git/HEAD", "../../outside/secret.txt");
            expected.fails("HEAD")
        }),
        Row::new("a branch that is a link to a secret", |site| {
            let expected = site.commit();
            site.bench.repo.symlink(".git/refs/heads/main", "../../../../outside/secret.txt");
            expected.fails("HEAD")
        }),
        Row::new("a HEAD that names itself", |site| {
            let expected = site.commit();
            fs::write(git_dir(site).join("HEAD"), "ref: HEAD\n").unwrap();
            expected.fails("HEAD")
        }),
        Row::new("a commondir file", |site| {
            let expected = site.commit();
            fs::write(git_dir(site).join("commondir"), "../../outside\n").unwrap();
            expected.fails("a commondir file")
        }),
        Row::new("a work tree elsewhere", |site| {
            let expected = site.commit();
            let outside = site.outside();
            site.bench.repo.git(&["config", "core.worktree", outside.to_str().unwrap()]);
            expected.fails("has its work tree elsewhere")
        }),
        Row::new("a .git file that leads nowhere", |site| {
            let expected = site.commit();
            fs::rename(git_dir(site), site.bench.repo.beside("moved")).unwrap();
            fs::write(git_dir(site), "gitdir: ../outside/secret.txt\n").unwrap();
            expected.fails("cannot be found")
        }),
    ]
}

/// Repositories of a kind that is not read.
fn formats() -> Vec<Row> {
    vec![
        Row::new("objects of SHA-256", |site| {
            let expected = site.commit();
            let text =
                "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectFormat = sha256\n";
            fs::write(git_dir(site).join("config"), text).unwrap();
            expected.fails("SHA-256")
        }),
        Row::new("refs in a reftable", |site| {
            let expected = site.commit();
            let text =
                "[core]\n\trepositoryformatversion = 1\n[extensions]\n\trefStorage = reftable\n";
            fs::write(git_dir(site).join("config"), text).unwrap();
            expected.fails("reftable")
        }),
        Row::new("a configuration that is none", |site| {
            let expected = site.commit();
            fs::write(git_dir(site).join("config"), format!("[{CANARY}\n{CANARY} = ]\n")).unwrap();
            // Its place is told and nothing of its text.
            expected.fails("cannot open the git repository")
        }),
    ]
}

/// Every setting that makes git run something.
fn programs(site: &Site) -> Expected {
    let repo = &site.bench.repo;
    repo.write(".gitattributes", "* filter=evil diff=evil merge=evil text eol=crlf ident\n");
    let expected = site.commit();
    traps(site);
    expected
}

/// Puts the trap where git would run it. After this no git is run here.
pub(super) fn traps(site: &Site) {
    let repo = &site.bench.repo;
    let script = site.script();
    let script = script.to_str().unwrap();
    for key in [
        "core.fsmonitor",
        "core.sshCommand",
        "core.gitProxy",
        "core.askPass",
        "core.editor",
        "core.pager",
        "core.alternateRefsCommand",
        "credential.helper",
        "gpg.program",
        "gpg.ssh.program",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "merge.evil.driver",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "filter.lfs.process",
        "uploadpack.packObjectsHook",
        "remote.origin.uploadpack",
        "remote.origin.vcs",
        "sequence.editor",
        "alias.status",
    ] {
        repo.git(&["config", key, script]);
    }
    repo.git(&["config", "filter.evil.required", "true"]);
    repo.git(&["config", "remote.origin.url", &format!("ext::{script}")]);
    repo.git(&["config", &format!("url.ext::{script}.insteadOf"), "file://"]);
    repo.git(&["config", "remote.origin.promisor", "true"]);
    let hooks = repo.beside("hooks");
    fs::create_dir_all(&hooks).unwrap();
    for folder in [hooks.clone(), git_dir(site).join("hooks")] {
        fs::create_dir_all(&folder).unwrap();
        for hook in [
            "post-index-change",
            "reference-transaction",
            "post-checkout",
            "fsmonitor-watchman",
            "pre-receive",
            "update",
            "post-receive",
            "pre-auto-gc",
        ] {
            fs::copy(script, folder.join(hook)).unwrap();
        }
    }
    repo.git(&["config", "core.hooksPath", hooks.to_str().unwrap()]);
    // Setting it up may have run it.
    drop(fs::remove_file(site.trap()));
}
