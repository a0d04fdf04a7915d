//! The WebSocket through the gateway: who gets one, what passes through it, and when it ends.

mod browsers;
mod clients;
mod endings;
mod handshakes;
mod http_2;
mod https;

use serde_json::json;

use crate::stage::{
    Stage, Tokens,
    wire::{Heard, Puppet, Wire},
};

/// The key of RFC 6455 §1.3, and its proof.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const PROOF: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A route for everybody.
const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";

/// A gateway over an app that a test speaks for.
struct Scene {
    stage: Stage,
    app: Puppet,
}

/// Both ends of a WebSocket under way.
struct Socket {
    client: Wire,
    server: Wire,
}

impl Scene {
    async fn new(settings: &[&str]) -> Self {
        let app = Puppet::new().await;
        let setting = app.setting();
        let mut all = vec![&*setting];
        all.extend(settings);
        let stage = Stage::with(&all).await;
        Self { stage, app }
    }

    /// A connection on which these bytes were sent.
    async fn client(&self, bytes: &str) -> Wire {
        let mut client = Wire::to(self.stage.address).await;
        client.send(bytes).await;
        client
    }

    /// The handshake as the app gets it, on the app's end of the connection.
    async fn asked(&self) -> (Wire, Heard) {
        let mut server = self.app.accept().await;
        let heard = server.request().await;
        (server, heard)
    }

    /// A WebSocket that an app has agreed to.
    async fn socket(&self, token: &str) -> Socket {
        let mut client = self.client(&handshake(&[&bearer(token)])).await;
        let (mut server, _) = self.asked().await;
        server.send(switched(&[])).await;
        let (line, _) = client.head().await;
        assert_eq!(line, "HTTP/1.1 101 Switching Protocols");
        Socket { client, server }
    }

    async fn log_out(&self, tokens: &Tokens) {
        let call = self.stage.post("/api/auth/logout").bearer(&tokens.access);
        let answer = call.json(&json!({ "scope": "this" })).send().await;
        assert_eq!(answer.status, 204);
    }
}

impl Socket {
    /// Says something in both directions, and sees that it arrives.
    async fn works(&mut self) {
        self.client.send("from the client;").await;
        self.server.until("from the client;").await;
        self.server.send("from the app;").await;
        self.client.until("from the app;").await;
    }
}

/// A handshake in order, with these lines more.
fn handshake(more: &[&str]) -> String {
    let usual = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        &format!("Sec-WebSocket-Key: {KEY}"),
    ];
    request("GET /live HTTP/1.1", &[&usual, more].concat())
}

/// A request of this line and these headers; empty ones are left out.
fn request(line: &str, headers: &[&str]) -> String {
    let headers = headers.iter().filter(|header| !header.is_empty());
    let headers: Vec<String> = headers.map(|header| format!("{header}\r\n")).collect();
    format!("{line}\r\nHost: h\r\n{}\r\n", headers.concat())
}

fn bearer(token: &str) -> String {
    if token.is_empty() {
        String::new()
    } else {
        format!("Authorization: Bearer {token}")
    }
}

/// An app's answer that switches, with these lines more.
fn switched(more: &[&str]) -> String {
    let more: Vec<String> = more.iter().map(|line| format!("{line}\r\n")).collect();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {PROOF}\r\n{}\r\n",
        more.concat()
    )
}
