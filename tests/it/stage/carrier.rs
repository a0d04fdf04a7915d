//! A provider of messages that answers as it is told to, on a socket of its own: also with silence, half an answer, or far too much.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::timeout,
};

use super::PATIENCE;

/// What a provider does with a request that it has read whole.
#[derive(Clone, Debug)]
pub enum Manner {
    /// Says this, and keeps the connection.
    Says(String),
    /// Says this, and closes the connection.
    Breaks(String),
    /// Never says anything.
    Silent,
    /// Says this, and then goes on for ever.
    Chatters(String),
}

/// A running provider. Clones are the same one; it ends with the test's runtime.
#[derive(Clone)]
pub struct Carrier {
    /// Where it listens.
    pub address: SocketAddr,
    manner: Arc<Mutex<Manner>>,
    requests: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
    news: Arc<Notify>,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Everything before the body, in lower case.
    pub head: String,
    /// The body.
    pub body: String,
}

/// An answer with a status, a type and a body of known length.
pub fn saying(status: &str, headers: &str, body: &str) -> Manner {
    let length = body.len();
    Manner::Says(format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}"
    ))
}

impl Carrier {
    /// A provider that treats everybody like this, until it is told otherwise.
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let carrier = Self {
            address: listener.local_addr().expect("an address"),
            manner: Arc::new(Mutex::new(manner)),
            requests: Arc::default(),
            connections: Arc::default(),
            news: Arc::default(),
        };
        let serving = carrier.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serving.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        carrier
    }

    /// From now on it treats everybody like this; who waits for an answer goes on waiting.
    pub fn treat(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Asked> {
        self.requests.lock().unwrap().clone()
    }

    /// Connections that were made to it.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The first so many requests, as soon as they are there.
    pub async fn asked(&self, count: usize) -> Vec<Asked> {
        let waiting = async {
            loop {
                let news = self.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                let requests = self.requests();
                if requests.len() >= count {
                    return requests;
                }
                news.await;
            }
        };
        let asked = timeout(PATIENCE, waiting).await;
        asked.unwrap_or_else(|_| panic!("only {:?}", self.requests()))
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut buffer = Vec::new();
        while let Some(asked) = read(&mut stream, &mut buffer).await {
            let manner = self.manner.lock().unwrap().clone();
            self.requests.lock().unwrap().push(asked);
            self.news.notify_waiters();
            match &manner {
                Manner::Says(text) => drop(stream.write_all(text.as_bytes()).await),
                Manner::Breaks(text) => {
                    drop(stream.write_all(text.as_bytes()).await);
                    return;
                }
                Manner::Silent => std::future::pending().await,
                Manner::Chatters(text) => {
                    drop(stream.write_all(text.as_bytes()).await);
                    while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
                    return;
                }
            }
        }
    }
}

impl Asked {
    /// The value of a field of the form in the body.
    pub fn field(&self, name: &str) -> Option<String> {
        let mut fields = form_urlencoded::parse(self.body.as_bytes());
        let found = fields.find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned())
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// The next request on a connection; `None` at its end. `buffer` keeps what comes after it.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Asked> {
    loop {
        let text = String::from_utf8_lossy(buffer).into_owned();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().expect("a length"));
            if let Some(body) = rest.get(..length) {
                let body = body.to_owned();
                buffer.drain(..head.len() + 4 + length);
                return Some(Asked { head, body });
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => buffer.extend_from_slice(&chunk[..count]),
        }
    }
}
