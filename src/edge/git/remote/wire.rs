//! The packets of git's protocol (git's `gitprotocol-common`), over whichever
//! connection.

use bytes::{Buf as _, Bytes, BytesMut};

use super::error::RemoteError;
use super::http::HttpLink;
use super::limits::Guard;
use super::ssh::SshLink;

/// The longest packet, in bytes, with its length (`gitprotocol-common`).
const MAX_PACKET: usize = 65_520;

/// Either connection.
pub(super) enum Link {
    Http(Box<HttpLink>),
    Ssh(Box<SshLink>),
}

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Packet {
    /// A line, or a piece of the pack.
    Data(Bytes),
    /// The end of a list.
    Flush,
    /// The end of a section of one.
    Delimiter,
    /// The server has said all.
    End,
}

/// Packets to and from a server.
pub(super) struct Wire {
    link: Link,
    buffer: BytesMut,
    /// How many bytes may still come.
    left: u64,
    pub(super) guard: Guard,
}

impl Wire {
    pub(super) fn new(link: Link, guard: Guard) -> Self {
        let left = guard.limits.refs_bytes;
        Self { link, buffer: BytesMut::new(), left, guard }
    }

    /// Sends a request; up to `limit` bytes may come back.
    pub(super) async fn send(&mut self, body: Vec<u8>, limit: u64) -> Result<(), RemoteError> {
        self.left = limit;
        match &mut self.link {
            Link::Http(link) => {
                // What is left of the answer before it is of no use.
                self.buffer.clear();
                link.send(body, &self.guard).await
            }
            Link::Ssh(link) => link.send(body, &self.guard).await,
        }
    }

    /// The next packet. An `ERR` packet is an error.
    pub(super) async fn packet(&mut self) -> Result<Packet, RemoteError> {
        if !self.fill(4).await? {
            if self.buffer.is_empty() {
                return Ok(Packet::End);
            }
            return Err(self.garbage("an answer that ends too early"));
        }
        let length = std::str::from_utf8(&self.buffer[..4])
            .ok()
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let length = match length {
            Some(0) => return Ok(self.short(Packet::Flush)),
            Some(1) => return Ok(self.short(Packet::Delimiter)),
            Some(2) => return Ok(self.short(Packet::End)),
            Some(length @ 4..=MAX_PACKET) => length,
            _ => return Err(self.garbage("what is no packet of git")),
        };
        if !self.fill(length).await? {
            return Err(self.garbage("an answer that ends too early"));
        }
        let mut packet = self.buffer.split_to(length).freeze();
        packet.advance(4);
        match packet.strip_prefix(b"ERR ") {
            Some(said) => Err(self.said(said)),
            None => Ok(Packet::Data(packet)),
        }
    }

    /// The next packet as a line without its end; none at the end of a list.
    pub(super) async fn line(&mut self) -> Result<Option<String>, RemoteError> {
        match self.packet().await? {
            Packet::Data(bytes) => {
                let line = String::from_utf8_lossy(&bytes);
                Ok(Some(line.trim_end_matches('\n').to_owned()))
            }
            Packet::Flush | Packet::Delimiter => Ok(None),
            Packet::End => Err(self.garbage("an answer that ends too early")),
        }
    }

    /// Ends the conversation where nothing more is wanted.
    pub(super) async fn close(mut self) {
        if let Link::Ssh(link) = &mut self.link {
            let _ = link.send(b"0000".to_vec(), &self.guard).await;
        }
        if let Link::Ssh(link) = self.link {
            link.close(&self.guard).await;
        }
    }

    pub(super) fn garbage(&self, what: &str) -> RemoteError {
        RemoteError::unavailable(format!("{} sent {what}; is it a git server?", self.guard.host))
    }

    /// What the server says for itself.
    pub(super) fn said(&self, words: &[u8]) -> RemoteError {
        let words = self.guard.words(&String::from_utf8_lossy(words), 200);
        RemoteError::unavailable(format!("{} says: {words}", self.guard.host))
    }

    fn short(&mut self, packet: Packet) -> Packet {
        self.buffer.advance(4);
        packet
    }

    /// Reads on until there are so many bytes; `false` at the end.
    async fn fill(&mut self, count: usize) -> Result<bool, RemoteError> {
        while self.buffer.len() < count {
            let chunk = match &mut self.link {
                Link::Http(link) => link.chunk(&self.guard).await?,
                Link::Ssh(link) => link.chunk(&self.guard).await?,
            };
            let Some(chunk) = chunk else {
                return Ok(false);
            };
            self.left = self.left.checked_sub(chunk.len() as u64).ok_or_else(|| {
                RemoteError::refused(format!(
                    "{} sends more than marketsync takes: {} MiB for a list of refs, {} MiB for a pack; check that the address is that of the catalogue",
                    self.guard.host,
                    self.guard.limits.refs_bytes >> 20,
                    self.guard.limits.pack_bytes >> 20,
                ))
            })?;
            self.buffer.extend_from_slice(&chunk);
        }
        Ok(true)
    }
}

/// Appends a line to a request.
pub(super) fn put(body: &mut Vec<u8>, line: &str) {
    body.extend_from_slice(format!("{:04x}{line}\n", line.len() + 5).as_bytes());
}
