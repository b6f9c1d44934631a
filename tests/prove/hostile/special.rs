//! A plain directory can hold what no commit can.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;

use crate::support::documents::{pretty, sidecar, with_image};

use super::settings::fifo;
use super::site::{Expected, Row, Site};

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new("FIFOs, sockets and devices", specials),
        Row::new("a FIFO in place of the ignore file", |site| {
            let expected = site.plain();
            fifo(&site.bench.repo.beside("plain/.marketsyncignore"));
            expected.fails("a device, socket or FIFO")
        }),
        Row::new("a FIFO in place of .git", |site| {
            let expected = site.plain();
            fifo(&site.bench.repo.beside("plain/.git"));
            expected
        }),
        Row::new("files of 1 TiB", |site| {
            let expected = site.plain();
            let plain = site.bench.repo.beside("plain");
            for name in ["large.json", "large.png", "large.schema.json"] {
                fs::File::create(plain.join(name)).unwrap().set_len(1 << 40).unwrap();
            }
            let image = with_image(sidecar("image"), "large.png");
            fs::write(plain.join("image.json"), pretty(&image)).unwrap();
            expected.tells("large.json", "are read").tells("image.json", "are read")
        }),
        Row::new("folders that hold each other", |site| {
            let expected = site.plain();
            let plain = site.bench.repo.beside("plain");
            for name in ["items/round", "items/..data"] {
                symlink("..", plain.join(name)).unwrap();
            }
            // As a mounted volume has them, which are followed.
            symlink("..data/items", plain.join("items/volume")).unwrap();
            expected.fails("nest too deep")
        }),
        // A hard link is the file: nothing tells it from its other names, and
        // a Nix store or a snapshot consists of them. Who may make one to a
        // file may read it, or the kernel forbids it (fs.protected_hardlinks).
        Row::new("a hard link is a file", |site| {
            let other = site.bench.repo.beside("other.json");
            fs::write(&other, pretty(&sidecar("linked"))).unwrap();
            let expected = site.plain();
            fs::hard_link(other, site.bench.repo.beside("plain/linked.json")).unwrap();
            expected
        }),
    ]
}

fn specials(site: &Site) -> Expected {
    let mut expected = site.plain();
    let plain = site.bench.repo.beside("plain");
    let no_file = "no regular file";
    fifo(&plain.join("fifo.json"));
    drop(UnixListener::bind(plain.join("socket.yaml")).unwrap());
    symlink("fifo.json", plain.join("link.json")).unwrap();
    for (number, target) in ["fifo.json", "socket.yaml", "link.json"].into_iter().enumerate() {
        let file = format!("image{number}.json");
        let image = with_image(sidecar(&format!("image{number}")), target);
        fs::write(plain.join(&file), pretty(&image)).unwrap();
        expected = expected.tells(file, no_file).tells(target, no_file);
    }
    // Only root can make these.
    for (name, number) in [("zero.json", "5"), ("random.yaml", "8")] {
        let made =
            Command::new("mknod").arg(plain.join(name)).args(["c", "1", number]).status().unwrap();
        if made.success() {
            expected = expected.tells(name, no_file);
        } else {
            eprintln!("skipped: no devices, which only root makes");
        }
    }
    expected
}
