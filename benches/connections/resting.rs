//! Connections that rest: each has asked once and stays open. What the gateway's process keeps for one, in the clear, over TLS
//! and with HTTP/2; and nginx, if it is there. It knows nothing of how they are kept.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Command, Stdio},
    sync::{Arc, mpsc::Receiver},
    thread,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    Goal, Report, app,
    frames::{self, kind},
    stage::{Gateway, PATIENCE, Process, Usage, address_in, load::block_on, on_its_core},
};

/// How many connections come from one address, of which a machine has plenty: 127.0.0.0/8.
const PER_ADDRESS: u32 = 100;

/// What is given back only after a while is not kept.
const REST: Duration = Duration::from_secs(3);

/// Less than this is asked of one in the clear.
const TARGET: f64 = 12.0;

/// What is spoken.
#[derive(Clone)]
enum Speech {
    Http1,
    Http2,
    /// HTTP/1.1 over TLS.
    Tls(TlsConnector),
}

/// A connection that is held.
#[expect(dead_code, reason = "what is held is not used any more")]
enum Held {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Measures them all.
pub fn measure(count: u32, report: &mut Report) {
    report.part(format!("{count} connections at rest, memory for each"));
    let app = app::start();
    let home = TempDir::new().expect("a directory");
    let certificate = Certificate::new(&home);
    for (name, speech) in [
        ("gateway, in the clear", Speech::Http1),
        ("gateway, HTTP/2", Speech::Http2),
        ("gateway, TLS", Speech::Tls(certificate.connector())),
    ] {
        let settings = format!(
            "server.tls.listen = \"127.0.0.1:0\"\n{}{}",
            app::settings(app),
            certificate.setting()
        );
        let (gateway, lines) = Gateway::start(&home, &settings);
        let address = speech.address(&gateway, &lines);
        let weight = weigh(count, address, &speech, || gateway.usage());
        let figure = format!("{name:24}{weight:6.1} KiB");
        let goal = Goal::of(weight < TARGET);
        match speech {
            Speech::Http1 => report.judged(figure, format!("< {TARGET} KiB"), goal),
            Speech::Http2 | Speech::Tls(_) => report.line(figure),
        }
    }
    match nginx(&home, &certificate) {
        Some(nginx) => {
            for (name, address, speech) in [
                ("nginx, in the clear", nginx.plain, Speech::Http1),
                (
                    "nginx, TLS",
                    nginx.secure,
                    Speech::Tls(certificate.connector()),
                ),
            ] {
                let weight = weigh(count, address, &speech, || nginx.process.usage());
                report.line(format!("{name:24}{weight:6.1} KiB"));
            }
        }
        None => report.line("there is no nginx here to compare with"),
    }
}

/// KiB for one of so many.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn weigh(count: u32, address: SocketAddr, speech: &Speech, usage: impl Fn() -> Usage) -> f64 {
    block_on(async {
        // The first ones bring along what is needed once.
        let first = open(10, address, speech).await;
        let before = usage().rss;
        let held = open(count, address, speech).await;
        thread::sleep(REST);
        let after = usage().rss;
        drop((first, held));
        after.saturating_sub(before) as f64 / 1024.0 / f64::from(count)
    })
}

async fn open(count: u32, address: SocketAddr, speech: &Speech) -> Vec<Held> {
    let mut all = Vec::new();
    for n in 0..count {
        let socket = TcpSocket::new_v4().expect("a socket");
        let from = Ipv4Addr::from_bits(0x7f01_0001 + n / PER_ADDRESS);
        socket
            .bind((from, 0).into())
            .expect("an address of this machine");
        let stream = socket.connect(address).await.expect("a connection");
        // The end of a handshake and the request after it are two small writes.
        stream.set_nodelay(true).expect("a socket");
        all.push(speech.ask(stream).await);
    }
    all
}

impl Speech {
    fn address(&self, gateway: &Gateway, lines: &Receiver<String>) -> SocketAddr {
        match self {
            Self::Http1 | Self::Http2 => gateway.address,
            Self::Tls(_) => address_in(lines, "https"),
        }
    }

    /// Asks for one thing and stays.
    async fn ask(&self, mut stream: TcpStream) -> Held {
        match self {
            Self::Http1 => {
                by_http1(&mut stream).await;
                Held::Plain(stream)
            }
            Self::Http2 => {
                by_http2(&mut stream).await;
                Held::Plain(stream)
            }
            Self::Tls(connector) => {
                let name = ServerName::try_from("localhost").expect("a name");
                let stream = connector.connect(name, stream).await;
                let mut stream = Box::new(stream.expect("TLS"));
                by_http1(&mut stream).await;
                Held::Tls(stream)
            }
        }
    }
}

async fn by_http1(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let request = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(request).await.expect("to be heard");
    read(stream, |answer| answer.ends_with(app::SAYS)).await;
}

async fn by_http2(stream: &mut TcpStream) {
    let flags = frames::END_HEADERS | frames::END_STREAM;
    let request = frames::frame(kind::HEADERS, flags, 1, &frames::get());
    let opening = [frames::OPENING, &request].concat();
    stream.write_all(&opening).await.expect("to be heard");
    read(stream, |answer| frames::has_ended(answer, 1)).await;
}

async fn read(stream: &mut (impl AsyncRead + Unpin), is_whole: impl Fn(&[u8]) -> bool) {
    let mut answer = Vec::new();
    while !is_whole(&answer) {
        let length = stream.read_buf(&mut answer).await.expect("an answer");
        assert_ne!(length, 0, "{}", String::from_utf8_lossy(&answer));
    }
}

/// For localhost, signed by itself.
struct Certificate {
    cert: String,
    key: String,
}

impl Certificate {
    fn new(home: &TempDir) -> Self {
        let [cert, key] =
            ["cert.pem", "key.pem"].map(|name| home.path().join(name).display().to_string());
        let mut openssl = Command::new("openssl");
        openssl
            .args(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30".split(' '),
            )
            .args("-subj /CN=localhost -addext subjectAltName=DNS:localhost".split(' '))
            .args([
                "-addext",
                "basicConstraints=critical,CA:FALSE",
                "-out",
                &cert,
                "-keyout",
                &key,
            ]);
        let made = openssl.output().expect("openssl");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        Self { cert, key }
    }

    fn setting(&self) -> String {
        let Self { cert, key } = self;
        format!("[[server.tls.certificates]]\ncert = \"{cert}\"\nkey = \"{key}\"\n")
    }

    /// Somebody who believes it.
    fn connector(&self) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        let own = CertificateDer::from_pem_file(&self.cert).expect("PEM");
        roots.add(own).expect("a certificate");
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config))
    }
}

struct Nginx {
    process: Process,
    plain: SocketAddr,
    secure: SocketAddr,
}

/// One process of it, which answers by itself.
fn nginx(home: &TempDir, Certificate { cert, key }: &Certificate) -> Option<Nginx> {
    let [plain, secure] = [(); 2].map(|()| {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        free.expect("a free port")
    });
    let text = format!(
        "daemon off; master_process off; pid nginx.pid; worker_rlimit_nofile 65536;\n\
         events {{ worker_connections 60000; }}\n\
         http {{ access_log off; keepalive_timeout 10m; server {{ listen {plain}; listen {secure} ssl;\n\
         ssl_certificate {cert}; ssl_certificate_key {key};\n\
         location / {{ return 200 \"Hello, world!\"; }} }} }}\n"
    );
    fs::write(home.path().join("nginx.conf"), text).expect("a file");
    let mut nginx = on_its_core("nginx");
    nginx
        .arg("-p")
        .arg(home.path())
        .args(["-e", "stderr", "-c", "nginx.conf"]);
    let process = Process(nginx.stderr(Stdio::null()).spawn().ok()?);
    let since = Instant::now();
    while std::net::TcpStream::connect(secure).is_err() {
        if since.elapsed() > PATIENCE / 4 {
            return None;
        }
        thread::sleep(Duration::from_millis(20));
    }
    Some(Nginx {
        process,
        plain,
        secure,
    })
}
