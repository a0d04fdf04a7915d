//! What others say about a client: believed from nobody by default, and from a trusted proxy only as far as it can know.

use std::net::SocketAddr;

use super::{DOORS, gate};
use crate::stage::{
    BEHIND_A_PROXY, Stage,
    client::{Answer, Call},
    upstream::told,
};

/// Two codes for each client.
const TWO: &str = "otp.limits = [\"2/1h per ip\"]";

/// A request for a code that the `number`-th person asks for.
fn code_for(stage: &Stage, number: u32) -> Call {
    stage.send_otp(&format!("+1415555{number:04}"))
}

fn is_limited(answer: &Answer, row: &str) {
    assert_eq!(answer.status, 429, "{row}: {answer:?}");
    answer.is_refused(429, "rate_limited");
}

// F1, everybody is a trusted proxy: oauth2-proxy CVE-2026-40575 and #3506; GoTrue's first value of a header.
#[tokio::test]
async fn no_header_makes_somebody_another_client() {
    for name in [
        "x-forwarded-for",
        "x_forwarded_for",
        "x-real-ip",
        "forwarded",
        "x-client-ip",
        "true-client-ip",
        "cf-connecting-ip",
        "fastly-client-ip",
        "x-cluster-client-ip",
        "x-original-forwarded-for",
        "x-envoy-external-address",
    ] {
        let stage = gate(&[TWO, DOORS[0]]).await;
        for number in 0..2 {
            let call = code_for(&stage, number).header(name, &format!("203.0.113.{number}"));
            assert_eq!(call.send().await.status, 200, "{name}");
        }
        let call = code_for(&stage, 9).header(name, "203.0.113.9");
        is_limited(&call.send().await, name);
    }
}

// F1, the way of least resistance: to claim to be the proxy, or the gateway itself.
#[tokio::test]
async fn nobody_becomes_trusted_by_claiming_a_trusted_address() {
    let stage = gate(&["server.trusted_proxies = [\"10.0.0.0/8\"]", DOORS[1]]).await;
    for claim in [
        "10.0.0.1",
        "127.0.0.1",
        "::1",
        "10.0.0.1, 10.0.0.2",
        "localhost",
    ] {
        let call = stage.get("/public").header("x-forwarded-for", claim);
        let call = call.header("x-forwarded-proto", "https");
        let answer = call.header("x-forwarded-host", "evil.test").send().await;
        let arrived = stage.arrived().await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            told(&arrived[0], "x-forwarded-for"),
            ["127.0.0.1"],
            "{claim}"
        );
        assert_eq!(told(&arrived[0], "x-forwarded-proto"), ["http"], "{claim}");
        let host = told(&arrived[0], "x-forwarded-host");
        assert_eq!(host, [stage.address.to_string()], "{claim}");
    }
}

// F1, the chain read from the wrong end: Caddy's default is left to right.
#[tokio::test]
async fn what_a_client_writes_in_front_of_the_proxys_word_is_not_believed() {
    let stage = gate(&[TWO, BEHIND_A_PROXY, DOORS[0]]).await;
    for (number, forged) in ["198.51.100.1", "127.0.0.1", "unknown", ""]
        .iter()
        .enumerate()
    {
        let chain = format!("{forged}, 203.0.113.7");
        let call = code_for(&stage, u32::try_from(number).expect("few")).sent_from(&chain);
        let answer = call.send().await;
        if number < 2 {
            assert_eq!(answer.status, 200, "{forged}");
        } else {
            is_limited(&answer, forged);
        }
    }
    let neighbour = code_for(&stage, 8).sent_from("203.0.113.7, 203.0.113.8");
    assert_eq!(neighbour.send().await.status, 200);
}

// F1, a proxy that says nothing, or nothing that can be read: a limit that is off (GoTrue).
#[tokio::test]
async fn a_proxy_that_names_no_client_is_the_client() {
    let stage = gate(&[TWO, BEHIND_A_PROXY, DOORS[0]]).await;
    assert_eq!(code_for(&stage, 0).send().await.status, 200);
    assert_eq!(code_for(&stage, 1).sent_from("").send().await.status, 200);
    for (number, chain) in ["", "unknown", "203.0.113.9, nonsense", "203.0.113.300"]
        .iter()
        .enumerate()
    {
        let number = 2 + u32::try_from(number).expect("few");
        is_limited(
            &code_for(&stage, number).sent_from(chain).send().await,
            chain,
        );
    }
    is_limited(&code_for(&stage, 8).send().await, "no header");
}

// F3, one address in two spellings: Traefik GHSA-7jmw.
#[tokio::test]
async fn an_ipv4_address_is_the_same_in_the_clothes_of_ipv6() {
    let stage = gate(&[TWO, BEHIND_A_PROXY, DOORS[0]]).await;
    for (number, spelling) in ["203.0.113.7", "::ffff:203.0.113.7"].iter().enumerate() {
        let number = u32::try_from(number).expect("few");
        let call = code_for(&stage, number).sent_from(spelling);
        assert_eq!(call.send().await.status, 200, "{spelling}");
    }
    for (number, spelling) in [
        "203.0.113.7",
        "::ffff:203.0.113.7",
        "::FFFF:cb00:7107",
        "[::ffff:203.0.113.7]:4711",
        "203.0.113.7:80",
    ]
    .iter()
    .enumerate()
    {
        let number = 10 + u32::try_from(number).expect("few");
        let call = code_for(&stage, number).sent_from(spelling);
        is_limited(&call.send().await, spelling);
    }
}

// F3, on a socket for both families every IPv4 peer comes in those clothes.
#[tokio::test]
async fn a_trusted_proxy_is_known_on_a_socket_for_both_families() {
    let both = "server.listen = \"[::]:0\"";
    let stage = gate(&[both, BEHIND_A_PROXY, DOORS[1]]).await;
    let by_ipv4 = SocketAddr::from(([127, 0, 0, 1], stage.address.port()));
    let call = Call::new(by_ipv4, "GET", "/public").sent_from("203.0.113.7");
    let seen = call.send().await.json();
    assert_eq!(told(&seen, "x-forwarded-for"), ["203.0.113.7, 127.0.0.1"]);
    // And the peer that is not on the list is not: here it comes by IPv6.
    let stranger = stage.get("/public").sent_from("203.0.113.7");
    let seen = stranger.send().await.json();
    assert_eq!(told(&seen, "x-forwarded-for"), ["::1"]);
}

// F3, a subscriber's whole network: limits that count single addresses of IPv6 count nothing.
#[tokio::test]
async fn a_network_of_ipv6_is_one_client() {
    let stage = gate(&[TWO, BEHIND_A_PROXY, DOORS[0]]).await;
    for number in 0..4 {
        let from = format!("2001:db8:1:2:{number}::{number}");
        let answer = code_for(&stage, number).sent_from(&from).send().await;
        if number < 2 {
            assert_eq!(answer.status, 200, "{from}");
        } else {
            is_limited(&answer, &from);
        }
    }
    let neighbour = code_for(&stage, 9).sent_from("2001:db8:1:3::1");
    assert_eq!(neighbour.send().await.status, 200);
}
