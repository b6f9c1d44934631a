//! What is said to a git server: which refs are there, and send me this
//! commit. Protocol version 2 (git's `gitprotocol-v2`) where the server has
//! it, else 0 or 1 (`gitprotocol-pack`).

use bytes::{Buf as _, Bytes};
use git2::Oid;

use super::error::RemoteError;
use super::refs::{Refs, Tip, Wanted};
use super::wire::{Packet, Wire, put};

/// How many lines a server may say about itself.
const MAX_CAPABILITIES: usize = 1000;

/// How many commits a server may say to be without parents. One is asked for,
/// and each fetch since the clone was made is one that is known.
const MAX_SHALLOW: usize = 1000;

/// How many packets may come one behind the other with nothing of the pack in
/// them. A server that counts objects sends one every five seconds, and lines
/// of progress if it does not heed that none are wanted.
const MAX_EMPTY: usize = 10_000;

const AGENT: &str = concat!("agent=marketsync/", env!("CARGO_PKG_VERSION"));

/// A server that has said what it can.
pub(super) struct Talk {
    wire: Wire,
    names: Vec<String>,
    version: Version,
}

enum Version {
    Two {
        shallow: bool,
        unborn: bool,
    },
    /// The refs came with the greeting.
    One {
        capabilities: Vec<String>,
        refs: Refs,
        /// Ids that any ref led to, of those that were wanted.
        shows: bool,
    },
}

/// What is asked for, and what is here already.
pub(super) struct Request<'a> {
    pub(super) tip: Tip,
    pub(super) have: Option<Oid>,
    /// The commits here whose parents are not.
    pub(super) shallow: &'a [Oid],
}

/// How the set of commits without parents changes with a pack.
#[derive(Debug, Default)]
pub(super) struct Shallow {
    pub(super) added: Vec<Oid>,
    pub(super) removed: Vec<Oid>,
}

impl Talk {
    /// Reads what the server can, and in older versions the refs.
    pub(super) async fn open(mut wire: Wire, wanted: &Wanted) -> Result<Self, RemoteError> {
        let names = wanted.names();
        let mut first = wire.line().await?;
        if first.as_deref() == Some("# service=git-upload-pack") {
            wire.line().await?;
            first = wire.line().await?;
        }
        let version = match first.as_deref() {
            Some("version 2") => capabilities(&mut wire).await?,
            Some("version 1") => {
                let first = wire.line().await?;
                advertised(&mut wire, first, &names, wanted.id()).await?
            }
            _ => advertised(&mut wire, first, &names, wanted.id()).await?,
        };
        Ok(Self { wire, names, version })
    }

    /// Where the wanted refs lead.
    pub(super) async fn choose(
        &mut self,
        wanted: &Wanted,
        remote: &str,
    ) -> Result<Tip, RemoteError> {
        if wanted.id().is_none()
            && let Version::Two { unborn, .. } = self.version
        {
            let refs = self.list(unborn).await?;
            return wanted.choose(&refs, remote);
        }
        match &self.version {
            Version::Two { .. } => wanted.choose(&Refs::default(), remote),
            Version::One { refs, capabilities, shows } => {
                let tip = wanted.choose(refs, remote)?;
                let any = ["allow-tip-sha1-in-want", "allow-reachable-sha1-in-want"];
                if wanted.id().is_some()
                    && !shows
                    && !any.iter().any(|word| capabilities.iter().any(|had| had == word))
                {
                    return Err(RemoteError::refused(format!(
                        "{remote} gives out no commit by its id alone; name a branch or a tag, or set uploadpack.allowReachableSHA1InWant there"
                    )));
                }
                Ok(tip)
            }
        }
    }

    async fn list(&mut self, unborn: bool) -> Result<Refs, RemoteError> {
        let mut body = Vec::new();
        put(&mut body, "command=ls-refs");
        put(&mut body, AGENT);
        body.extend_from_slice(b"0001");
        put(&mut body, "peel");
        put(&mut body, "symrefs");
        if unborn {
            put(&mut body, "unborn");
        }
        for name in &self.names {
            put(&mut body, &format!("ref-prefix {name}"));
        }
        body.extend_from_slice(b"0000");
        self.wire.send(body, self.wire.guard.limits.refs_bytes).await?;
        let mut refs = Refs::default();
        while let Some(line) = self.wire.line().await? {
            let mut words = line.split(' ');
            let (Some(id), Some(name)) = (words.next(), words.next()) else {
                return Err(self.wire.garbage("a list of refs that is none"));
            };
            let mut peeled = None;
            for word in words {
                if let Some(target) = word.strip_prefix("symref-target:").filter(|_| name == "HEAD")
                {
                    refs.head = Some(self.wire.guard.secrets.mask(target));
                }
                if let Some(id) = word.strip_prefix("peeled:") {
                    peeled = Some(self.id(id)?);
                }
            }
            if id != "unborn" {
                refs.note(&self.names, name, self.id(id)?, peeled);
            }
        }
        Ok(refs)
    }

    /// Asks for a commit. What comes next is its pack.
    pub(super) async fn request(&mut self, request: &Request<'_>) -> Result<Shallow, RemoteError> {
        let deepen = self.is_shallow();
        let limit = self.wire.guard.limits.pack_bytes;
        match &self.version {
            Version::Two { .. } => {
                self.wire.send(body_two(request, deepen), limit).await?;
                self.sections().await
            }
            Version::One { capabilities, .. } => {
                let body = body_one(request, deepen, capabilities);
                self.wire.send(body, limit).await?;
                let shallow = if deepen { self.shallow_lines().await? } else { Shallow::default() };
                // One line, whether a common commit was found or not.
                match self.wire.line().await? {
                    Some(line) if line == "NAK" || line.starts_with("ACK ") => Ok(shallow),
                    _ => Err(self.wire.garbage("no answer to what is here already")),
                }
            }
        }
    }

    /// Whether the server gives out commits without their past.
    pub(super) fn is_shallow(&self) -> bool {
        match &self.version {
            Version::Two { shallow, .. } => *shallow,
            Version::One { capabilities, .. } => capabilities.iter().any(|word| word == "shallow"),
        }
    }

    /// The sections of version 2 up to the pack.
    async fn sections(&mut self) -> Result<Shallow, RemoteError> {
        let mut shallow = Shallow::default();
        loop {
            match self.wire.line().await?.as_deref() {
                Some("shallow-info") => shallow = self.shallow_lines().await?,
                Some("packfile") => return Ok(shallow),
                Some("acknowledgments" | "wanted-refs" | "packfile-uris") => {
                    while self.wire.line().await?.is_some() {}
                }
                _ => return Err(self.wire.garbage("an answer without a pack")),
            }
        }
    }

    async fn shallow_lines(&mut self) -> Result<Shallow, RemoteError> {
        let mut shallow = Shallow::default();
        while let Some(line) = self.wire.line().await? {
            if let Some(id) = line.strip_prefix("shallow ") {
                shallow.added.push(self.id(id)?);
            } else if let Some(id) = line.strip_prefix("unshallow ") {
                shallow.removed.push(self.id(id)?);
            } else {
                return Err(self.wire.garbage("an unknown answer to a shallow request"));
            }
            if shallow.added.len() + shallow.removed.len() > MAX_SHALLOW {
                return Err(self.wire.garbage("an endless answer to a shallow request"));
            }
        }
        Ok(shallow)
    }

    /// The next bytes of the pack, one at least; none at its end.
    pub(super) async fn pack(&mut self) -> Result<Option<Bytes>, RemoteError> {
        for _ in 0..MAX_EMPTY {
            match self.wire.packet().await? {
                Packet::Data(mut bytes) => match bytes.first() {
                    Some(1) if bytes.len() > 1 => {
                        bytes.advance(1);
                        return Ok(Some(bytes));
                    }
                    // A sign of life, or progress.
                    Some(1 | 2) => {}
                    Some(3) => return Err(self.wire.said(&bytes[1..])),
                    _ => return Err(self.wire.garbage("a pack that is none")),
                },
                Packet::Flush | Packet::End => return Ok(None),
                Packet::Delimiter => return Err(self.wire.garbage("a pack that is none")),
            }
        }
        Err(self.wire.garbage("no end of packets with nothing in them"))
    }

    /// Ends the conversation.
    pub(super) async fn close(self) {
        self.wire.close().await;
    }

    fn id(&self, text: &str) -> Result<Oid, RemoteError> {
        id(text).ok_or_else(|| self.wire.garbage("an object name that is none"))
    }
}

fn id(text: &str) -> Option<Oid> {
    Oid::from_str(text).ok().filter(|_| text.len() == 40)
}

/// What a server of version 2 can.
async fn capabilities(wire: &mut Wire) -> Result<Version, RemoteError> {
    let (mut shallow, mut unborn) = (false, false);
    for _ in 0..MAX_CAPABILITIES {
        let Some(line) = wire.line().await? else {
            return Ok(Version::Two { shallow, unborn });
        };
        let (name, values) = line.split_once('=').unwrap_or((&line, ""));
        let has = |wanted: &str| values.split(' ').any(|value| value == wanted);
        match name {
            "fetch" => shallow = has("shallow"),
            "ls-refs" => unborn = has("unborn"),
            "object-format" if values != "sha1" => return Err(other_names(wire)),
            _ => {}
        }
    }
    Err(wire.garbage("an endless list of capabilities"))
}

/// The refs as an older server greets with.
async fn advertised(
    wire: &mut Wire,
    first: Option<String>,
    names: &[String],
    by_id: Option<Oid>,
) -> Result<Version, RemoteError> {
    let (mut refs, mut shows) = (Refs::default(), false);
    // The first line says behind a NUL what the server can.
    let first = first.unwrap_or_default();
    let (first, said) = first.split_once('\0').unwrap_or((&first, ""));
    let capabilities: Vec<String> =
        said.split_whitespace().take(MAX_CAPABILITIES).map(str::to_owned).collect();
    for word in &capabilities {
        if let Some(target) = word.strip_prefix("symref=HEAD:") {
            refs.head = Some(wire.guard.secrets.mask(target));
        }
        if word.strip_prefix("object-format=").is_some_and(|format| format != "sha1") {
            return Err(other_names(wire));
        }
    }
    let mut line = Some(first.to_owned());
    while let Some(text) = line {
        let (object, name) = text.split_once(' ').unwrap_or((&text, ""));
        if object != "shallow" && name != "capabilities^{}" {
            let object = id(object).ok_or_else(|| wire.garbage("a list of refs that is none"))?;
            shows |= by_id == Some(object);
            match name.strip_suffix("^{}") {
                Some(name) => refs.note_peeled(name, object),
                None => refs.note(names, name, object, None),
            }
        }
        line = wire.line().await?;
    }
    Ok(Version::One { capabilities, refs, shows })
}

fn other_names(wire: &Wire) -> RemoteError {
    RemoteError::refused(format!(
        "the repository on {} uses SHA-256 object names, which marketsync cannot read",
        wire.guard.host
    ))
}

fn body_two(request: &Request<'_>, deepen: bool) -> Vec<u8> {
    let mut body = Vec::new();
    put(&mut body, "command=fetch");
    put(&mut body, AGENT);
    body.extend_from_slice(b"0001");
    put(&mut body, "ofs-delta");
    put(&mut body, "no-progress");
    if request.have.is_some() {
        put(&mut body, "thin-pack");
    }
    put(&mut body, &format!("want {}", request.tip.object));
    if deepen {
        put_shallow(&mut body, request.shallow);
    }
    if let Some(have) = request.have {
        put(&mut body, &format!("have {have}"));
    }
    put(&mut body, "done");
    body.extend_from_slice(b"0000");
    body
}

fn body_one(request: &Request<'_>, deepen: bool, capabilities: &[String]) -> Vec<u8> {
    let mut words = String::new();
    for word in ["side-band-64k", "ofs-delta", "no-progress", "thin-pack", "shallow"] {
        let is_wanted = match word {
            "thin-pack" => request.have.is_some(),
            "shallow" => deepen,
            _ => true,
        };
        if is_wanted && capabilities.iter().any(|had| had == word) {
            words.push(' ');
            words.push_str(word);
        }
    }
    if capabilities.iter().any(|had| had.starts_with("agent=")) {
        words.push(' ');
        words.push_str(AGENT);
    }
    let mut body = Vec::new();
    put(&mut body, &format!("want {}{words}", request.tip.object));
    if deepen {
        put_shallow(&mut body, request.shallow);
    }
    body.extend_from_slice(b"0000");
    if let Some(have) = request.have {
        put(&mut body, &format!("have {have}"));
    }
    put(&mut body, "done");
    body
}

fn put_shallow(body: &mut Vec<u8>, shallow: &[Oid]) {
    for commit in shallow {
        put(body, &format!("shallow {commit}"));
    }
    put(body, "deepen 1");
}
