//! A real git server: `git http-backend` over HTTP or TLS, with the faults that
//! a test asks for.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use axum::serve::Listener;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt as _, stream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

/// What a request meets.
#[derive(Debug, Clone, Default)]
pub(crate) enum Fault {
    #[default]
    None,
    /// Only this status, with these headers.
    Status(u16, Vec<(&'static str, String)>),
    /// This status with a page for a browser.
    Page(u16, &'static str),
    /// The next request meets this, and those after it are served.
    Once(Box<Fault>),
    /// The next request is sent to this location, and those after it are served.
    MovedOnce(String),
    /// No answer.
    Hang,
    /// So many bytes of the answer, then silence.
    Stall(usize),
    /// So many bytes of the answer, then its end.
    Truncate(usize),
    /// So many bytes of the answer, then a broken connection.
    Break(usize),
    /// One byte of the answer at a time.
    Drip(Duration),
    /// These bytes in place of the body.
    Instead(Vec<u8>),
    /// These bytes again and again.
    Endless(Vec<u8>),
    /// The first bytes, then the second again and again.
    EndlessAfter(Vec<u8>, Vec<u8>),
    /// These bytes before the body.
    Before(Vec<u8>),
}

/// How the server is set.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// For the list of refs.
    pub(crate) refs: Fault,
    /// For every request of protocol 2, and the pack.
    pub(crate) posts: Fault,
    /// `user:password`, if one is asked for.
    pub(crate) password: Option<String>,
    /// It speaks only the old protocol.
    pub(crate) old: bool,
    /// It knows no clones without their past.
    pub(crate) deep: bool,
    /// Method, path and `Authorization` of each request.
    pub(crate) seen: Vec<(Method, String, Option<String>)>,
    /// Bytes in the bodies of all answers.
    pub(crate) sent: usize,
}

/// The server. It ends with the test.
pub(crate) struct GitServer {
    pub(crate) address: SocketAddr,
    pub(crate) settings: Arc<Mutex<Settings>>,
    scheme: &'static str,
    task: JoinHandle<()>,
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether the machine has what a git server over HTTP needs.
pub(crate) fn backend() -> Option<PathBuf> {
    let out = Command::new("git").arg("--exec-path").output().ok()?;
    let path = PathBuf::from(String::from_utf8(out.stdout).ok()?.trim()).join("git-http-backend");
    if !path.is_file() {
        eprintln!("skipped: this git has no http-backend ({})", path.display());
        return None;
    }
    Some(path)
}

impl GitServer {
    /// Serves the repositories in a folder over plain HTTP.
    pub(crate) async fn http(root: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let settings = Arc::new(Mutex::new(Settings::default()));
        let app = app(root, &settings);
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, settings, scheme: "http", task }
    }

    /// The same over TLS, with a certificate for `localhost` of this authority.
    pub(crate) async fn https(root: &Path, authority: &Authority) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let settings = Arc::new(Mutex::new(Settings::default()));
        let app = app(root, &settings);
        let listener = TlsListener { listener, acceptor: authority.acceptor() };
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, settings, scheme: "https", task }
    }

    pub(crate) fn url(&self, repository: &str) -> String {
        format!("{}://localhost:{}/{repository}", self.scheme, self.address.port())
    }

    /// Changes how it is set.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings.lock().unwrap());
    }

    /// Method, path and credential of each request since the last call.
    pub(crate) fn seen(&self) -> Vec<(Method, String, Option<String>)> {
        std::mem::take(&mut self.settings.lock().unwrap().seen)
    }

    /// How many bytes of bodies were sent since the last call.
    pub(crate) fn sent(&self) -> usize {
        std::mem::take(&mut self.settings.lock().unwrap().sent)
    }
}

/// A certificate authority of one test.
pub(crate) struct Authority {
    certificate: rcgen::Certificate,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "A test's own authority");
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: rcgen::Issuer::new(params, key) }
    }

    /// Writes the certificate, for `ca_file`.
    pub(crate) fn write(&self, path: &Path) {
        fs::write(path, self.certificate.pem()).unwrap();
    }

    fn acceptor(&self) -> TlsAcceptor {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            // A client that does not trust the certificate breaks off.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

#[derive(Clone)]
struct Served {
    root: PathBuf,
    backend: PathBuf,
    settings: Arc<Mutex<Settings>>,
}

fn app(root: &Path, settings: &Arc<Mutex<Settings>>) -> Router {
    let served = Served {
        root: root.to_owned(),
        backend: backend().unwrap_or_default(),
        settings: Arc::clone(settings),
    };
    Router::new().fallback(answer).with_state(served)
}

/// The git of this machine, as a web server calls it (CGI, RFC 3875).
fn command(
    backend: &Path,
    root: &Path,
    (method, uri): (&Method, &Uri),
    headers: &HeaderMap,
    old: bool,
) -> Command {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let mut command = Command::new(backend);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_COUNT", "2")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .env("GIT_CONFIG_KEY_1", "lsrefs.unborn")
        .env("GIT_CONFIG_VALUE_1", "advertise")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", uri.path())
        .env("QUERY_STRING", uri.query().unwrap_or_default())
        .env("REQUEST_METHOD", method.as_str())
        .env("CONTENT_TYPE", text("content-type").unwrap_or_default());
    if let Some(version) = text("git-protocol").filter(|_| !old) {
        command.env("GIT_PROTOCOL", version);
    }
    command
}

async fn answer(
    State(served): State<Served>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let (fault, password, old, deep) = {
        let mut settings = served.settings.lock().unwrap();
        settings.seen.push((method.clone(), uri.to_string(), text("authorization")));
        let fault = if method == Method::GET { &mut settings.refs } else { &mut settings.posts };
        let fault = match fault {
            Fault::MovedOnce(_) => match std::mem::take(fault) {
                Fault::MovedOnce(to) => Fault::Status(301, vec![("location", to)]),
                other => other,
            },
            Fault::Once(_) => match std::mem::take(fault) {
                Fault::Once(fault) => *fault,
                other => other,
            },
            fault => fault.clone(),
        };
        (fault, settings.password.clone(), settings.old, settings.deep)
    };
    let expected = password.map(|pair| format!("Basic {}", STANDARD.encode(pair)));
    if expected.is_some() && expected != text("authorization") {
        let response = Response::builder().status(401).header("www-authenticate", "Basic");
        return response.body(Body::empty()).unwrap();
    }
    match &fault {
        Fault::Status(status, headers) => {
            let mut response = Response::builder().status(*status);
            for (name, value) in headers {
                response = response.header(*name, value);
            }
            return response.body(Body::empty()).unwrap();
        }
        Fault::Page(status, page) => {
            let response = Response::builder().status(*status).header("content-type", "text/html");
            return response.body(Body::from(*page)).unwrap();
        }
        Fault::Hang => std::future::pending::<()>().await,
        _ => {}
    }
    let command = command(&served.backend, &served.root, (&method, &uri), &headers, old);
    let out = run(command, body).await;
    let end = out.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let (head, body) = (String::from_utf8_lossy(&out[..end]), out[end + 4..].to_vec());
    let mut response = Response::builder();
    for line in head.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        response = match name {
            "Status" => response.status(value[..3].parse::<u16>().unwrap()),
            _ => response.header(name, value),
        };
    }
    let body = if deep { without_shallow(body) } else { body };
    served.settings.lock().unwrap().sent += body.len();
    response.body(spoiled(body, &fault)).unwrap()
}

async fn run(mut command: Command, input: Bytes) -> Vec<u8> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let run = move || {
        let mut child = command.spawn().unwrap();
        // Requests are small, so they fit into the pipe.
        let _ = child.stdin.take().unwrap().write_all(&input);
        child.wait_with_output().unwrap().stdout
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// The words with which a server offers shallow clones, made unknown.
fn without_shallow(mut body: Vec<u8>) -> Vec<u8> {
    for word in [b" shallow ".as_slice(), b"fetch=shallow".as_slice()] {
        if let Some(at) = body.windows(word.len()).position(|window| window == word) {
            let letter = at + word.iter().position(|byte| *byte == b'h').unwrap();
            body[letter] = b'x';
        }
    }
    body
}

fn spoiled(body: Vec<u8>, fault: &Fault) -> Body {
    let cut = |count: &usize| Bytes::copy_from_slice(&body[..(*count).min(body.len())]);
    match fault {
        Fault::Truncate(count) => Body::from(cut(count)),
        Fault::Instead(bytes) => Body::from(bytes.clone()),
        Fault::Stall(count) => {
            let first = cut(count);
            Body::from_stream(stream::unfold(Some(first), |first| async {
                match first {
                    Some(first) => Some((Ok::<_, io::Error>(first), None)),
                    None => std::future::pending().await,
                }
            }))
        }
        Fault::Break(count) => {
            let pieces = [Ok(cut(count)), Err(io::Error::other("broken"))];
            Body::from_stream(stream::iter(pieces))
        }
        Fault::Drip(pause) => {
            let (pause, body) = (*pause, Bytes::from(body));
            Body::from_stream(stream::unfold(body, move |mut rest| async move {
                if rest.is_empty() {
                    return None;
                }
                tokio::time::sleep(pause).await;
                let byte = rest.split_to(1);
                Some((Ok::<_, io::Error>(byte), rest))
            }))
        }
        Fault::Endless(bytes) => {
            let bytes = Bytes::from(bytes.clone());
            Body::from_stream(stream::repeat_with(move || Ok::<_, io::Error>(bytes.clone())))
        }
        Fault::EndlessAfter(first, then) => {
            let (first, then) = (Bytes::from(first.clone()), Bytes::from(then.clone()));
            let first = stream::once(async { Ok::<_, io::Error>(first) });
            Body::from_stream(first.chain(stream::repeat_with(move || Ok(then.clone()))))
        }
        Fault::Before(bytes) => Body::from([bytes.as_slice(), &body].concat()),
        _ => Body::from(body),
    }
}
