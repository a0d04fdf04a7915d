//! Who clients are said to be: what it means, and the exact words for what would let nobody in.

use super::{problems::check, *};
use crate::net::peer::Dialect;

#[test]
fn an_address_says_whether_connections_begin_with_who_the_client_is() {
    let text = "[server]\nlisten = ['127.0.0.1:80', '[::1]:81 proxy_protocol']\n\
                trusted_proxies = '10.0.0.0/8'\n";
    let text = text.replace("'10.0.0.0/8'", "['10.0.0.0/8']");
    let listen = config(&text).fixed.listen;
    let preambles: Vec<_> = listen.iter().map(|it| it.preamble).collect();
    assert_eq!(preambles, [Preamble::None, Preamble::ProxyProtocol]);
    assert_eq!(listen[1].to_string(), "http://[::1]:81");
    let alone = text.replace("'127.0.0.1:80', ", "");
    assert_eq!(config(&alone).fixed.listen.len(), 1);
}

#[test]
fn behind_an_address_stands_the_name_of_the_protocol_or_nothing() {
    for wrong in [
        "proxy",
        "PROXY_PROTOCOL",
        "",
        " proxy_protocol",
        "proxy_protocol ",
    ] {
        check(
            &format!("server.listen = '127.0.0.1:80 {wrong}'"),
            &format!(
                "gateway.toml:1:17: server.listen: expected an address with a port such as \
                 \"127.0.0.1:8080\", found \"127.0.0.1:80 {wrong}\"\n  \
                 help: or \"127.0.0.1:80 proxy_protocol\", behind a proxy that speaks it"
            ),
        );
    }
    check(
        "server.listen = 'here proxy_protocol'",
        "gateway.toml:1:17: server.listen: expected an address with a port such as \
         \"127.0.0.1:8080\", found \"here proxy_protocol\"",
    );
}

#[test]
fn where_only_trusted_proxies_may_come_somebody_must_be_trusted() {
    check(
        "[server]\nlisten = '127.0.0.1:80 proxy_protocol'\n",
        "gateway.toml:1:1: server.trusted_proxies: nobody may speak the PROXY protocol at \
         127.0.0.1:80\n  help: `trusted_proxies = [\"10.0.0.0/8\"]` names who may come there",
    );
}

#[test]
fn to_believe_everybody_is_advised_against_and_no_production() {
    let text = |mode: &str, network: &str| {
        format!("[server]\nmode = '{mode}'\ntrusted_proxies = ['10.0.0.0/8', '{network}']\n")
    };
    let what = "everybody is believed about who their client is, and so gets past every limit";
    for network in ["0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96"] {
        let advice = load(&text("development", network))
            .expect("no problems")
            .advice;
        let said: Vec<_> = advice.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|advice| advice.contains(what)), "{said:?}");
        let refused = load(&text("production", network)).expect_err(network);
        assert!(refused.to_string().contains(what), "{refused}");
    }
    let advice = load(&text("development", "192.0.2.1"))
        .expect("no problems")
        .advice;
    assert!(
        !advice
            .iter()
            .any(|advice| advice.to_string().contains(what))
    );
}

#[test]
fn proxies_give_their_word_in_one_way() {
    let dialect = |text: &str| config(text).live.trusted_proxies.dialect();
    assert_eq!(dialect(""), Dialect::XForwarded);
    assert_eq!(
        dialect("server.forwarded = 'forwarded'"),
        Dialect::Forwarded
    );
    check(
        "server.forwarded = 'both'",
        "gateway.toml:1:20: server.forwarded: expected \"x-forwarded-for\" or \"forwarded\", \
         found \"both\"",
    );
}
