//! Repositories elsewhere that move.

use std::ffi::OsString;

use tokio::runtime::Runtime;

use super::moving::{Moving, forget_the_past, import};
use crate::support::git_server::GitServer;
use crate::support::repo::Repo;

/// A repository that is served over HTTP, pushed into by force, and cleared of
/// what was there before.
pub(crate) struct Served {
    repo: Repo,
    url: String,
    _server: Option<(GitServer, Runtime)>,
}

impl Served {
    pub(crate) fn http() -> Self {
        let repo = Repo::new();
        import(&repo, "main", 0, None);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let server = runtime.block_on(GitServer::http(&repo.beside("")));
        Self { repo, url: server.url("checkout/.git"), _server: Some((server, runtime)) }
    }

    pub(crate) fn file() -> Self {
        let repo = Repo::new();
        import(&repo, "main", 0, None);
        let url = format!("file://{}", repo.path().display());
        Self { repo, url, _server: None }
    }
}

impl Moving for Served {
    fn source(&self) -> OsString {
        self.url.clone().into()
    }

    fn publish(&mut self, generation: u64, chance: &mut fastrand::Rng) {
        import(&self.repo, "main", generation, None);
        match chance.u32(..3) {
            0 => forget_the_past(&self.repo, chance),
            1 => drop(self.repo.git(&["repack", "-adq"])),
            _ => {}
        }
    }
}
