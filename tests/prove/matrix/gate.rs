//! A door in front of a server: it can be shut so that connections are
//! refused, and opened again on the same port.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// Whether the door is to be shut before this answer goes out: it is given the
/// first line of the request.
type Rule = Box<dyn Fn(&str) -> bool + Send>;

struct Shared {
    target: SocketAddr,
    rule: Mutex<Option<Rule>>,
    acceptor: Mutex<Option<JoinHandle<()>>>,
}

/// The door. Each connection carries one request, so that none is left over
/// when it is shut.
pub(super) struct Gate {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Holds the port while nobody listens; whoever comes is refused.
    spare: Mutex<Option<TcpSocket>>,
    runtime: Runtime,
}

impl Gate {
    /// An open door in front of this server.
    pub(super) fn before(target: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let shared =
            Arc::new(Shared { target, rule: Mutex::default(), acceptor: Mutex::default() });
        let (address, spare) = runtime.block_on(async {
            let listening = socket(SocketAddr::from(([127, 0, 0, 1], 0)));
            let address = listening.local_addr().unwrap();
            let spare = socket(address);
            accept(&shared, listening.listen(64).unwrap());
            (address, spare)
        });
        Self { address, shared, spare: Mutex::new(Some(spare)), runtime }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Shuts it now.
    pub(super) fn shut(&self) {
        self.runtime.block_on(shut(&self.shared));
    }

    /// Shuts it before the first answer for which this holds.
    pub(super) fn shut_when(&self, rule: impl Fn(&str) -> bool + Send + 'static) {
        *lock(&self.shared.rule) = Some(Box::new(rule));
    }

    pub(super) fn is_shut(&self) -> bool {
        lock(&self.shared.acceptor).is_none()
    }

    /// Opens it for good.
    pub(super) fn open(&self) {
        *lock(&self.shared.rule) = None;
        if self.is_shut() {
            let spare = lock(&self.spare).take().expect("it was shut once");
            self.runtime.block_on(async { accept(&self.shared, spare.listen(64).unwrap()) });
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn socket(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

fn accept(shared: &Arc<Shared>, listener: TcpListener) {
    let every = Arc::clone(shared);
    let task = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let shared = Arc::clone(&every);
            tokio::spawn(async move { relay(&shared, stream).await });
        }
    });
    *lock(&shared.acceptor) = Some(task);
}

async fn shut(shared: &Shared) {
    let task = lock(&shared.acceptor).take();
    if let Some(task) = task {
        task.abort();
        // It ends as aborted; the listener is gone with it.
        drop(task.await);
    }
}

async fn relay(shared: &Shared, client: TcpStream) {
    let Ok(server) = TcpStream::connect(shared.target).await else { return };
    let first_line = Arc::new(Mutex::new(String::new()));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::join!(
        requests(from_client, to_server, Arc::clone(&first_line)),
        answers(shared, from_server, to_client, first_line)
    );
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, first: Arc<Mutex<String>>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        note_first_line(&first, &buffer[..count]);
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
}

fn note_first_line(first: &Mutex<String>, bytes: &[u8]) {
    let mut line = lock(first);
    if line.is_empty() {
        let text = String::from_utf8_lossy(bytes);
        text.lines().next().unwrap_or_default().clone_into(&mut line);
    }
}

async fn answers(
    shared: &Shared,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    first: Arc<Mutex<String>>,
) {
    let mut buffer = vec![0; 16 * 1024];
    let mut begun = false;
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let mut bytes = buffer[..count].to_vec();
        if !begun {
            begun = true;
            let line = lock(&first).clone();
            let due = lock(&shared.rule).as_ref().is_some_and(|rule| rule(&line));
            if due {
                shut(shared).await;
            }
            let end = bytes.windows(2).position(|pair| pair == b"\r\n").unwrap_or(bytes.len());
            bytes.splice(end..end, *b"\r\nconnection: close");
        }
        if to.write_all(&bytes).await.is_err() {
            break;
        }
    }
}
