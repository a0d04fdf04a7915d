//! A client that says exactly what a test wants it to say.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::PATIENCE;

/// A request being put together.
#[derive(Clone)]
pub struct Call {
    to: SocketAddr,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

/// A connection that is used for one call after the other.
pub struct Connection(http1::SendRequest<Full<Bytes>>);

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Call {
    pub fn new(to: SocketAddr, method: &str, path: &str) -> Self {
        Self {
            to,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// Adds a header; one of the same name stays.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json")
            .body(body.to_string())
    }

    pub fn form(self, body: &str) -> Self {
        self.header("content-type", "application/x-www-form-urlencoded")
            .body(body.to_owned())
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// As if a client at `ip` had sent it through the proxy of [`super::BEHIND_A_PROXY`].
    pub fn sent_from(self, ip: &str) -> Self {
        self.header("x-forwarded-for", ip)
    }

    /// Where it goes.
    pub const fn to(&self) -> SocketAddr {
        self.to
    }

    /// Sends it on a connection of its own.
    pub async fn send(self) -> Answer {
        Connection::open(self.to).await.send(self).await
    }

    /// The same, for a client that knows where else to ask: `None` when nobody answers.
    pub async fn try_send(self) -> Option<Answer> {
        let exchange = async {
            let stream = TcpStream::connect(self.to).await.ok()?;
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
            tokio::spawn(connection);
            let response = sender.send_request(self.into_request()).await.ok()?;
            Answer::read(response).await
        };
        timeout(PATIENCE, exchange).await.expect("an end in time")
    }

    fn into_request(self) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(&*self.method).uri(&self.path);
        if !self
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
        {
            request = request.header("host", self.to.to_string());
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(self.body)).expect("a request")
    }
}

impl Connection {
    /// A new connection to the gateway, which stays with whichever worker took it.
    pub async fn open(to: SocketAddr) -> Self {
        let stream = timeout(PATIENCE, TcpStream::connect(to)).await;
        let stream = stream.expect("a connection in time");
        Self::over(stream.expect("a connection")).await
    }

    /// Speaks HTTP/1.1 over `stream`.
    pub async fn over<S>(stream: S) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.expect("HTTP");
        // It ends with the sender.
        tokio::spawn(connection);
        Self(sender)
    }

    /// Sends a call on it and reads the whole answer.
    pub async fn send(&mut self, call: Call) -> Answer {
        let exchange = async {
            self.0.ready().await.expect("an open connection");
            let response = self.0.send_request(call.into_request()).await;
            let answer = Answer::read(response.expect("a response")).await;
            answer.expect("a body")
        };
        timeout(PATIENCE, exchange)
            .await
            .expect("an answer in time")
    }
}

impl Answer {
    /// `None` when it breaks off.
    async fn read(response: Response<Incoming>) -> Option<Self> {
        let (head, body) = response.into_parts();
        Some(Self {
            status: head.status,
            headers: head.headers,
            body: body.collect().await.ok()?.to_bytes(),
        })
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The header, which must be there once.
    pub fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        let value = values
            .next()
            .unwrap_or_else(|| panic!("no {name}: {self:?}"));
        assert!(values.next().is_none(), "{name} twice: {self:?}");
        value.to_str().expect("text")
    }

    /// The cookies it sets, as `name=value`.
    pub fn cookies(&self) -> Vec<&str> {
        let set = self.headers.get_all("set-cookie").iter();
        set.filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
            .collect()
    }

    /// The cookies it sets, whole.
    pub fn set_cookies(&self) -> Vec<&str> {
        let set = self.headers.get_all("set-cookie").iter();
        set.map(|cookie| cookie.to_str().expect("text")).collect()
    }

    /// The challenge that was begun.
    pub fn challenge(&self) -> String {
        let body = self.json();
        body["challenge_id"].as_str().expect("an id").to_owned()
    }

    /// Asserts that a code was found wrong, and how many attempts are said to be left.
    #[track_caller]
    pub fn is_wrong_code(&self, attempts_left: Option<u32>) {
        self.is_refused(400, "invalid_otp");
        let left = self.json().get("attempts_left").cloned();
        assert_eq!(left, attempts_left.map(Value::from));
    }

    /// The fields that a 422 names, in their order.
    #[track_caller]
    pub fn wrong_fields(&self) -> Vec<String> {
        self.is_refused(422, "validation_failed");
        let problem = self.json();
        let errors = problem["errors"].as_array().expect("errors");
        errors
            .iter()
            .map(|error| {
                assert!(error["message"].is_string(), "{problem}");
                error["field"].as_str().expect("a name").to_owned()
            })
            .collect()
    }

    /// Asserts that it is a refusal of the gateway with this status and code.
    #[track_caller]
    pub fn is_refused(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.header("cache-control"), "no-store");
        assert!(
            self.header("proxy-status")
                .starts_with("otp-gateway; error=")
        );
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
    }
}

/// Writes `bytes` as they are and reads until the gateway closes the connection.
pub async fn raw(to: SocketAddr, bytes: &[u8]) -> String {
    let exchange = async {
        let mut stream = TcpStream::connect(to).await.expect("a connection");
        stream.write_all(bytes).await.expect("to be heard");
        let mut answer = Vec::new();
        // A reset after the answer is as good an end as any.
        drop(stream.read_to_end(&mut answer).await);
        String::from_utf8_lossy(&answer).into_owned()
    };
    timeout(PATIENCE, exchange).await.expect("an end in time")
}
