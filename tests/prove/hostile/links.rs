//! Paths and symbolic links that lead elsewhere.

use std::path::Path;

use crate::support::documents::{pretty, set, sidecar, with_image};

use super::site::{Expected, Row, Site};

const LEADS_OUT: &str = "leads out of the checkout";
const LOOP: &str = "form a loop";
const GIT: &str = "leads into `.git`";

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new("links in a checkout", |site| {
            let told = links(site);
            site.commit().all(told)
        }),
        Row::new("links in a plain directory", |site| {
            let told = links(site);
            site.plain().all(told)
        }),
        Row::new("links in a work tree", |site| {
            let told = links(site);
            site.commit().arg("--working-tree").all(told)
        }),
        Row::long("links in a bare repository", |site| {
            let told = links(site);
            drop(site.commit());
            site.bench.repo.git(&["clone", "-q", "--bare", ".", "../bare.git"]);
            Expected::of(site.bench.repo.beside("bare.git")).all(told)
        }),
        Row::long("links in a clone", |site| {
            let told = links(site);
            drop(site.commit());
            Expected::of(format!("file://{}", site.bench.repo.path().display())).all(told)
        }),
        Row::new("an ignore file that is a link", |site| {
            site.bench.repo.symlink(".marketsyncignore", "../outside/secret.txt");
            site.commit().fails("a link that leads out of the checkout")
        }),
        Row::new("an ignore file that is a link, in a plain directory", |site| {
            let secret = site.outside().join("secret.txt");
            site.bench.repo.symlink(".marketsyncignore", text(&secret));
            site.plain().fails("a link that leads out of the checkout")
        }),
        Row::new("a source path that is a link", |site| {
            site.bench.repo.symlink("way", "../outside");
            site.commit().arg("--path=way").fails("has no folder way")
        }),
        Row::new("a source path in a plain directory that is a link", |site| {
            site.bench.repo.symlink("way", "../outside");
            site.plain().arg("--path=way").fails("there is no folder way")
        }),
    ]
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Puts every kind of link into the checkout.
pub(super) fn links(site: &Site) -> Vec<(String, String)> {
    let repo = &site.bench.repo;
    let mut told = Vec::new();
    let outside = site.outside();
    let state = site.bench.state().join("marketsync.db");
    let home = site.bench.home.path().join(".gitconfig");
    let absolute: Vec<(&str, &str)> = vec![
        ("absolute", text(&outside)),
        ("state", text(&state)),
        ("home", text(&home)),
        ("environ", "/proc/self/environ"),
        ("cwd", "/proc/self/cwd/x"),
        ("root", "/proc/self/root/etc/passwd"),
        ("memory", "/proc/self/mem"),
        ("zero", "/dev/zero"),
        ("stdin", "/dev/stdin"),
        ("descriptor", "/dev/fd/0"),
        ("tty", "/dev/tty"),
        ("watchdog", "/dev/watchdog"),
    ];
    for (name, target) in absolute {
        let target =
            if name == "absolute" { format!("{target}/secret.json") } else { target.to_owned() };
        for end in ["json", "yaml"] {
            let file = format!("items/{name}.{end}");
            repo.symlink(&file, &target);
            told.push((file, LEADS_OUT.to_owned()));
        }
    }
    told.extend(relative(site));
    told.extend(named(site));
    told
}

/// Links without a slash at their beginning.
fn relative(site: &Site) -> Vec<(String, String)> {
    let repo = &site.bench.repo;
    let mut told = Vec::new();
    let up = "../".repeat(40);
    for (name, target, words) in [
        ("relative.json", "../../outside/secret.json".to_owned(), LEADS_OUT),
        ("relative.yaml", "../../outside/secret.yaml".to_owned(), LEADS_OUT),
        ("proc.yaml", format!("{up}proc/self/environ"), LEADS_OUT),
        ("back.json", "../../checkout/items/good/NA.json".to_owned(), LEADS_OUT),
        ("chain1.json", "chain2.json".to_owned(), LEADS_OUT),
        ("chain2.json", "chain3.json".to_owned(), LEADS_OUT),
        ("chain3.json", "../../outside/secret.json".to_owned(), LEADS_OUT),
        ("middle.json", "way/secret.json".to_owned(), LEADS_OUT),
        ("round.json", "inner/../way/./secret.json".to_owned(), LEADS_OUT),
        ("self.json", "self.json".to_owned(), LOOP),
        ("there.json", "back-again.json".to_owned(), LOOP),
        ("back-again.json", "there.json".to_owned(), LOOP),
        ("git.json", "../.git/config".to_owned(), GIT),
        ("git.yaml", "../.git/config".to_owned(), GIT),
        ("shout.yaml", "../.GIT/config".to_owned(), GIT),
        ("head.yaml", "./../items/../.git/HEAD".to_owned(), GIT),
        ("nothing.json", "no-such".to_owned(), "no such file"),
        ("folder.json", ".".to_owned(), "this is a folder"),
    ] {
        let file = format!("items/{name}");
        repo.symlink(&file, &target);
        told.push((file, words.to_owned()));
    }
    repo.symlink("items/way", "../../outside").write("items/inner/x.txt", "");
    for number in 0..50 {
        repo.symlink(&format!("items/{number}.json"), &format!("{}.json", number + 1));
        let words = if number < 10 { LOOP } else { "no such file" };
        told.push((format!("items/{number}.json"), words.to_owned()));
    }
    told
}

/// Items that name pictures and schemas elsewhere.
fn named(site: &Site) -> Vec<(String, String)> {
    let repo = &site.bench.repo;
    let mut told = Vec::new();
    repo.symlink("items/picture", "../../outside/secret.png");
    repo.symlink("items/schema", "../../outside/secret.schema.json");
    let absolute = site.outside().join("secret.png");
    let names: Vec<(&str, String, &str)> = vec![
        ("above", "../../outside/secret.png".to_owned(), LEADS_OUT),
        ("absolute", text(&absolute).to_owned(), "absolute"),
        ("way", "way/secret.png".to_owned(), LEADS_OUT),
        ("link", "picture".to_owned(), LEADS_OUT),
        ("schema-link", "schema".to_owned(), LEADS_OUT),
        ("dots", "inner/../../../outside/secret.png".to_owned(), LEADS_OUT),
        ("empty-names", ".//..//..//outside/secret.png".to_owned(), LEADS_OUT),
        ("backslash", "..\\..\\outside\\secret.png".to_owned(), "no such file"),
        ("nul", "../../outside/secret.png\0.png".to_owned(), LEADS_OUT),
        ("nul-inside", "good\0/secret.png".to_owned(), "no such file"),
        ("environ", "/proc/self/environ".to_owned(), "absolute"),
        ("git", "../.git/config".to_owned(), GIT),
        ("long", "x/".repeat(3000), "no such file"),
        ("url", "file:///etc/passwd".to_owned(), "no such file"),
        ("percent", "%2e%2e/%2e%2e/outside/secret.png".to_owned(), "no such file"),
    ];
    for (name, target, words) in names {
        let image = with_image(sidecar(&format!("image-{name}")), &target);
        let file = format!("items/image-{name}.json");
        repo.write(&file, pretty(&image));
        told.push((file, words.to_owned()));
        // What looks like an address is not fetched, and that is a warning.
        if name != "url" {
            let schema = set(sidecar(&format!("schema-{name}")), "/$schema", target);
            let file = format!("items/schema-{name}.json");
            repo.write(&file, pretty(&schema));
            told.push((file, words.to_owned()));
        }
    }
    told
}
