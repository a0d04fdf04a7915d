//! The ways to the apps as they are written: what is spoken there, and the exact words for what can be wrong with it.

use std::path::Path;

use super::*;
use crate::{
    net::tls::{OutboundSpec, Pair},
    proxy::{Protocol, UpstreamSpec},
};

/// Certificates for a hundred years, and keys of others.
const PAPERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/config/tests/papers");

fn app(text: &str) -> UpstreamSpec {
    let live = config(&format!("[upstreams.app]\n{text}")).live;
    live.upstreams.into_iter().next().expect("an app")
}

/// What is printed of a file, with the folder of the certificates left out.
fn printed(text: &str) -> String {
    let text = format!("[upstreams.app]\n{text}");
    let printed = load(&text).expect_err(&text).to_string();
    printed.replace(&format!("{PAPERS}/"), "")
}

#[test]
fn an_app_is_spoken_to_in_http_1_in_http_2_or_as_it_likes() {
    let spoken = |text: &str| app(&format!("servers = 'https://a'\n{text}")).protocol;
    assert_eq!(spoken(""), Protocol::Http1);
    assert_eq!(spoken("protocol = 'http/1.1'"), Protocol::Http1);
    assert_eq!(spoken("protocol = 'h2'"), Protocol::Http2);
    assert_eq!(spoken("protocol = 'auto'"), Protocol::Agreed);
    let clear = app("servers = 'http://a'\nprotocol = 'h2'");
    assert_eq!(clear.protocol, Protocol::Http2);
    assert_eq!(
        printed("servers = 'http://a'\nprotocol = 'h3'"),
        "gateway.toml:3:12: upstreams.app.protocol: expected \"http/1.1\", \"h2\" or \"auto\", found \"h3\"\n1 problem"
    );
}

#[test]
fn only_over_tls_an_app_can_choose_what_it_speaks() {
    assert_eq!(
        printed("servers = ['https://a', 'http://b']\nprotocol = 'auto'"),
        "gateway.toml:3:12: upstreams.app.protocol: only over TLS a server can say which of them it speaks\n  \
         help: use `https://` servers, or `protocol = \"h2\"` for HTTP/2 in the clear\n1 problem"
    );
}

#[test]
fn an_app_behind_tls_is_known_by_what_is_written() {
    let file = |name: &str| Path::new(PAPERS).join(name);
    let written = format!(
        "servers = 'https://a'\ntls.ca = '{PAPERS}/good.pem'\ntls.server_name = 'b.test'\n\
         tls.cert = '{PAPERS}/good.pem'\ntls.key = '{PAPERS}/good.key'"
    );
    let tls = app(&written).tls;
    assert_eq!(tls.authorities, Some(file("good.pem")));
    assert_eq!(tls.name, "b.test".try_into().ok());
    let shown = Pair {
        certificate: file("good.pem"),
        key: file("good.key"),
    };
    assert_eq!(tls.certificate, Some(shown));
    assert_eq!(app("servers = 'https://a'").tls, OutboundSpec::default());
}

#[test]
fn files_that_are_of_no_use_are_told_where_they_are_named() {
    for (text, problem) in [
        (
            "tls.ca = 'PAPERS/none.pem'",
            "3:10: upstreams.app.tls.ca: cannot read none.pem: No such file or directory (os error 2)",
        ),
        (
            "tls.ca = 'PAPERS/good.key'",
            "3:10: upstreams.app.tls.ca: good.key holds no certificate",
        ),
        (
            "tls.cert = 'PAPERS/good.pem'",
            "3:1: upstreams.app.tls.key: the certificate has no private key\n  \
             help: `key = \"PATH\"`; both may be in one file",
        ),
        (
            "tls.key = 'PAPERS/good.key'",
            "3:1: upstreams.app.tls.cert: the private key has no certificate\n  \
             help: `cert = \"PATH\"`; both may be in one file",
        ),
        (
            "tls = { cert = 'PAPERS/good.pem', key = 'PAPERS/other.pem' }",
            ": upstreams.app.tls.key: other.pem holds no private key (one that is encrypted cannot be read)",
        ),
        (
            "tls.server_name = 'a b'",
            "3:19: upstreams.app.tls.server_name: expected the name or the address of a host such as \
             \"app.internal\", found \"a b\"",
        ),
    ] {
        let text = text.replace("PAPERS", PAPERS);
        let printed = printed(&format!("servers = 'https://a'\n{text}"));
        assert!(printed.contains(problem), "{text}\n{printed}");
    }
}

#[test]
fn what_is_said_of_tls_needs_a_server_that_is_reached_by_it() {
    assert_eq!(
        printed("servers = 'http://a'\ntls.server_name = 'b.test'"),
        "gateway.toml:3:19: upstreams.app.tls.server_name: no server of this app is reached by TLS\n  \
         help: for instance `servers = [\"https://app:3000\"]`\n1 problem"
    );
}
