//! A connection that ends with the fetch it was made for.
//!
//! russh gives its connection to a task of its own. In the middle of a key
//! exchange that task waits for the server alone, for ever if need be; so its
//! reads and writes must fail when nobody wants it any more.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// The near end: the connection breaks when this is dropped.
pub(super) struct Leash {
    _held: [oneshot::Sender<Infallible>; 2],
}

/// The far end: a connection.
pub(super) struct Leashed {
    stream: TcpStream,
    /// One for each direction, because each may wait in another task.
    reads: Tie,
    writes: Tie,
}

/// None when the near end is gone.
struct Tie(Option<oneshot::Receiver<Infallible>>);

impl Tie {
    fn new() -> (oneshot::Sender<Infallible>, Self) {
        let (held, tie) = oneshot::channel();
        (held, Self(Some(tie)))
    }

    /// Fails when the near end is gone, and wakes the task when it goes.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if let Some(tie) = &mut self.0
            && Pin::new(tie).poll(cx).is_ready()
        {
            self.0 = None;
        }
        match self.0 {
            Some(_) => Ok(()),
            None => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }
}

/// Ties a connection to what is returned first.
pub(super) fn tie(stream: TcpStream) -> (Leash, Leashed) {
    let ((read, reads), (write, writes)) = (Tie::new(), Tie::new());
    (Leash { _held: [read, write] }, Leashed { stream, reads, writes })
}

impl AsyncRead for Leashed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reads.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Leashed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
