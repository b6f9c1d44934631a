//! Connections that end: each has its time, and there are only so many.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;

/// The most connections at a time. A probe, a scrape and a forge are three; the
/// rest is room for those that wait for something.
const MAX_CONNECTIONS: usize = 64;

/// How long a connection may live: for a request to come in, to be answered,
/// and to be read. Prometheus and GitHub give up after 10 s.
const LIFE: Duration = Duration::from_secs(15);

/// How HTTP/2 begins (RFC 9113 §3.4). The server would speak it, because
/// features of `hyper` add up over all who use it; its limits on streams and
/// headers are not those that are set and tested here.
const HTTP_2: &[u8] = b"PRI * HTTP/2";

/// A listener whose connections end in time, and of which there are only so
/// many: one too many ends the oldest. Were the newcomer to wait, those who
/// hold connections open would decide whether a probe is answered.
///
/// `axum::serve` has no time-out for the header of a request. This one lies
/// below HTTP and covers everything that a peer can make a server wait for.
pub(super) struct Bounded {
    listener: TcpListener,
    open: Arc<Open>,
}

/// The connections that are open, the oldest first.
#[derive(Default)]
struct Open(Mutex<VecDeque<Arc<Cut>>>);

/// Ends a connection.
#[derive(Default)]
struct Cut {
    is_cut: AtomicBool,
    task: AtomicWaker,
}

impl Open {
    /// Takes in one more.
    fn enter(&self) -> Arc<Cut> {
        let cut = Arc::new(Cut::default());
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.push_back(Arc::clone(&cut));
        if open.len() > MAX_CONNECTIONS
            && let Some(oldest) = open.pop_front()
        {
            oldest.is_cut.store(true, Ordering::Release);
            oldest.task.wake();
        }
        cut
    }

    fn leave(&self, cut: &Arc<Cut>) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|known| !Arc::ptr_eq(known, cut));
    }
}

impl Bounded {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self { listener, open: Arc::default() }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // This tries again when the system has no room for a socket.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let connection = Connection {
            stream,
            cut: self.open.enter(),
            open: Arc::clone(&self.open),
            end: Box::pin(tokio::time::sleep(LIFE)),
            preface: Some(HTTP_2),
            is_shut: false,
        };
        (connection, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends.
pub(super) struct Connection {
    stream: TcpStream,
    cut: Arc<Cut>,
    open: Arc<Open>,
    end: Pin<Box<Sleep>>,
    /// What has to come yet for it to be HTTP/2; none: it is not.
    preface: Option<&'static [u8]>,
    /// Nothing more will be sent.
    is_shut: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.open.leave(&self.cut);
    }
}

impl Connection {
    /// Whether it may go on; if it has to wait, it is woken when it may not.
    fn poll_life(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        self.cut.task.register(cx.waker());
        if self.cut.is_cut.load(Ordering::Acquire) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        match self.end.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

/// Whether these bytes, the next of the connection, make it HTTP/2.
fn is_http_2(preface: &mut Option<&'static [u8]>, bytes: &[u8]) -> bool {
    let Some(rest) = *preface else {
        return false;
    };
    *preface = rest.strip_prefix(bytes);
    bytes.starts_with(rest)
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_life(cx)?;
        let this = &mut *self;
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        if is_http_2(&mut this.preface, buf.filled().get(before..).unwrap_or_default()) {
            buf.set_filled(before);
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_life(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_life(cx)?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_life(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Says that nothing more comes, and waits for the peer to say so too.
    /// Closing while the peer still sends a body that nobody wants would reset
    /// the connection, and the answer might be lost with it.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_life(cx)?;
        if !self.is_shut {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.is_shut = true;
        }
        let mut unwanted = [0; 4096];
        loop {
            let mut buf = ReadBuf::new(&mut unwanted);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf))?;
            if buf.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
