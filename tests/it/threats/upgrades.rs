//! Upgrades: no word of another protocol gets through before both sides have agreed on one that is known.

use super::{DOORS, gate};
use crate::stage::{
    upstream::told,
    wire::{Puppet, Wire},
};

const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n";

/// A request for another protocol on the open place.
fn wish(upgrade: &str, more: &str) -> String {
    format!(
        "GET /public HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n{more}Upgrade: {upgrade}\r\n\r\n"
    )
}

// D4, h2c and whatever else an app might speak: Traefik CVE-2026-88008, Envoy CVE-2025-64763.
#[tokio::test]
async fn no_app_hears_of_a_protocol_that_leads_around_the_gate() {
    let stage = gate(&DOORS).await;
    for (upgrade, more) in [
        ("h2c", "HTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
        ("H2C", "Connection: HTTP2-Settings\r\nHTTP2-Settings: x\r\n"),
        ("h2c, foo", ""),
        ("HTTP/2.0", ""),
        ("TLS/1.0", ""),
        ("connect-udp", ""),
        ("foo", ""),
        ("", ""),
        ("websocket/13", ""),
        ("x-websocket", ""),
    ] {
        // Some servers do not mind whether `Connection` names the header.
        for connection in ["Connection: Upgrade\r\n", "Connection: keep-alive\r\n", ""] {
            let wish = wish(upgrade, more).replace("Connection: Upgrade\r\n", connection);
            let mut client = Wire::to(stage.address).await;
            client.send(&wish).await;
            // Served without it, or refused for it.
            let answer = client.answer().await;
            assert!(
                [200, 400].contains(&answer.status.as_u16()),
                "{wish}: {answer:?}"
            );
            let arrived = stage.arrived().await;
            assert_eq!(arrived.len(), usize::from(answer.status == 200), "{wish}");
            for head in &arrived {
                for name in ["upgrade", "http2-settings", "connection"] {
                    assert_eq!(told(head, name), [] as [&str; 0], "{wish}");
                }
            }
        }
    }
}

// D4, bytes sent ahead of the agreement: Pingora CVE-2026-2833, Envoy CVE-2026-73548.
#[tokio::test]
async fn what_is_sent_behind_a_wish_for_an_upgrade_is_judged_as_a_request() {
    for upgrade in ["h2c", "foo"] {
        let stage = gate(&DOORS).await;
        let mut client = Wire::to(stage.address).await;
        client.send(wish(upgrade, "") + HIDDEN).await;
        client.answer().await;
        client.answer().await.is_refused(401, "missing_token");
        assert_eq!(stage.arrived_at().await, ["/public"], "{upgrade}");
    }
}

// D4, an app that switches although nobody may: the connection is neither a tunnel nor used again.
#[tokio::test]
async fn an_app_that_switches_to_what_was_not_agreed_on_is_left() {
    let app = Puppet::new().await;
    let stage = gate(&[&app.setting(), DOORS[1]]).await;
    for upgrade in ["h2c", "foo"] {
        let mut client = Wire::to(stage.address).await;
        client.send(wish(upgrade, "")).await;
        let mut server = app.accept().await;
        server.request().await;
        server
            .send(format!("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n\r\nsecret"))
            .await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 502, "{upgrade}: {answer:?}");
        assert!(!answer.text().contains("secret"));
        client.send(HIDDEN).await;
        client.answer().await.is_refused(404, "not_found");
        assert_eq!(server.rest().await, "", "{upgrade}");
    }
}

// D4, an upgrade does not go around the gate itself.
#[tokio::test]
async fn a_wish_for_an_upgrade_needs_a_token_like_everything_else() {
    let stage = gate(&DOORS).await;
    for upgrade in ["websocket", "h2c", "foo"] {
        let mut client = Wire::to(stage.address).await;
        let wish = wish(
            upgrade,
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        );
        client
            .send(wish.replace("/public", "/orders") + HIDDEN)
            .await;
        let answer = client.answer().await;
        answer.is_refused(401, "missing_token");
        assert!(stage.arrived().await.is_empty(), "{upgrade}");
    }
}
