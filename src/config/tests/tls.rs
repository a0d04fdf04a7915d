//! HTTPS as it is written: what it means, and the exact words for everything that can be wrong with it and its files.

use std::path::Path;

use super::*;
use crate::net::{listen::Entrance, tls::ClientAuth};

/// Certificates for a hundred years, and one that has long expired.
const PAPERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/config/tests/papers");

const LISTEN: &str = "[server.tls]\nlisten = '127.0.0.1:443'\n";

fn papers(cert: &str, key: &str) -> String {
    format!(
        "[[server.tls.certificates]]\ncert = '{PAPERS}/{cert}.pem'\nkey = '{PAPERS}/{key}.key'\n"
    )
}

fn good() -> String {
    papers("good", "good")
}

/// What is printed of a file, with the folder of the certificates left out.
fn printed(text: &str) -> String {
    let printed = load(text).expect_err(text).to_string();
    printed.replace(&format!("{PAPERS}/"), "")
}

fn hsts(text: &str) -> Option<String> {
    let written = format!("server.tls.hsts = '{text}'");
    let hsts = load(&written).ok()?.config.live.hsts;
    Some(hsts.map_or("off".to_owned(), |it| it.to_str().expect("text").to_owned()))
}

#[test]
fn addresses_are_in_the_clear_or_not_or_lead_from_one_to_the_other() {
    let more = "redirect = ['127.0.0.1:80', '[::1]:80']\nmin_version = '1.3'\n";
    let Config { fixed, live } = config(&format!("{LISTEN}{more}{}", good()));
    let shown: Vec<_> = fixed.listen.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "http://127.0.0.1:8080",
            "https://127.0.0.1:443",
            "http://127.0.0.1:80",
            "http://[::1]:80"
        ]
    );
    let kinds: Vec<_> = fixed.listen.iter().map(|it| it.entrance).collect();
    let (plain, led) = (Entrance::Plain, Entrance::Redirect);
    assert_eq!(kinds, [plain, Entrance::Tls, led, led]);
    assert_eq!(live.tokens.issuer, "https://127.0.0.1:443");
    let spec = live.tls.expect("HTTPS");
    assert_eq!(spec.clients, ClientAuth::Off);
    let alone = format!("server.listen = []\n{LISTEN}{}", good());
    assert_eq!(config(&alone).fixed.listen.len(), 1);
    assert_eq!(config("").live.tls, None);
}

#[test]
fn a_redirect_leads_where_browsers_know_us() {
    let port = |url: &str| {
        let written = format!("server.public_url = '{url}'\n");
        config(&written).live.https_port
    };
    assert_eq!(port("https://a.test"), Some(443));
    assert_eq!(port("https://a.test:8443"), Some(8443));
    assert_eq!(port("http://a.test:8080"), None);
    assert_eq!(port(""), None);
}

#[test]
fn certificates_of_clients_need_an_authority() {
    let ca = format!("client_ca = '{PAPERS}/good.pem'\n");
    let clients = |more: &str| {
        let text = format!("{LISTEN}{more}{}", good());
        load(&text).map(|loaded| loaded.config.live.tls.expect("HTTPS").clients)
    };
    let file = Path::new(PAPERS).join("good.pem");
    let required = clients(&format!("client_auth = 'required'\n{ca}")).expect("fine");
    assert_eq!(required, ClientAuth::Required(file.clone()));
    let optional = clients(&format!("client_auth = 'optional'\n{ca}")).expect("fine");
    assert_eq!(optional, ClientAuth::Optional(file));
    let refused = clients("client_auth = 'required'\n").expect_err("no authority");
    assert_eq!(
        refused.to_string(),
        "gateway.toml:3:15: server.tls.client_auth: there is nothing to judge the certificates of clients by\n  \
         help: `client_ca = \"PATH\"` names the authorities they must come from\n1 problem"
    );
    let refused = clients("client_ca = 'ca.pem'\n").expect_err("nobody is asked");
    assert_eq!(
        refused.to_string(),
        "gateway.toml:3:13: server.tls.client_ca: nobody is asked for a certificate\n  \
         help: `client_auth = \"required\"` refuses clients without one\n1 problem"
    );
    let bad = "client_auth = 'required'\nclient_ca = '/nowhere.pem'\n";
    let refused = clients(bad).expect_err("no such file").to_string();
    assert!(
        refused.starts_with(
            "gateway.toml:4:13: server.tls.client_ca: cannot read /nowhere.pem: No such file"
        ),
        "{refused}"
    );
}

#[test]
fn what_browsers_are_told_of_coming_back_has_few_forms() {
    for (written, said) in [
        ("off", "off"),
        ("0s", "max-age=0"),
        ("730d", "max-age=63072000"),
        (
            "30d; includeSubDomains",
            "max-age=2592000; includeSubDomains",
        ),
        (
            "365d;includeSubDomains; preload",
            "max-age=31536000; includeSubDomains; preload",
        ),
    ] {
        assert_eq!(hsts(written).as_deref(), Some(said), "{written}");
    }
    for wrong in [
        "",
        "on",
        "max-age=1",
        "63072000",
        "730d; preload",
        "364d; includeSubDomains; preload",
        "730d; includeSubDomains; includeSubDomains",
        "730d; foo",
    ] {
        assert_eq!(hsts(wrong), None, "{wrong}");
    }
}

#[test]
fn files_that_cannot_be_used_are_named_where_they_are_written() {
    let missing = "[[server.tls.certificates]]\ncert = '/nowhere.pem'\nkey = '/nowhere.key'\n";
    for (certificates, expected) in [
        (
            papers("good", "other"),
            "gateway.toml:5:7: server.tls.certificates[0].key: the private key in other.key does not belong to the certificate in good.pem",
        ),
        (
            good().replace("good.pem", "good.key"),
            "gateway.toml:4:8: server.tls.certificates[0].cert: good.key holds no certificate",
        ),
        (
            good().replace("good.key", "good.pem"),
            "gateway.toml:4:8: server.tls.certificates[0].cert: good.pem holds no private key (one that is encrypted cannot be read)",
        ),
        (
            format!("{}{}", good(), papers("other", "other")),
            "gateway.toml:7:8: server.tls.certificates[1].cert: the certificates in good.pem and other.pem are both for a.test",
        ),
        (
            format!("{missing}{}", papers("good", "other")),
            "gateway.toml:4:8: server.tls.certificates[0].cert: cannot read /nowhere.pem: No such file or directory (os error 2)\n\
             gateway.toml:8:7: server.tls.certificates[1].key: the private key in other.key does not belong to the certificate in good.pem",
        ),
    ] {
        let printed = printed(&format!("{LISTEN}{certificates}"));
        let (problems, _) = printed.rsplit_once('\n').expect("a last line");
        assert_eq!(problems, expected);
    }
}

#[test]
fn https_that_cannot_be_is_refused() {
    for (text, expected) in [
        (
            LISTEN,
            "gateway.toml:2:10: server.tls.listen: HTTPS needs a certificate\n  \
             help: for instance `certificates = [{ cert = \"cert.pem\", key = \"key.pem\" }]`",
        ),
        (
            "[server.tls]\nredirect = '127.0.0.1:80'\n",
            "gateway.toml:2:12: server.tls.redirect: no address listens for HTTPS\n  \
             help: for instance `listen = \"0.0.0.0:443\"`",
        ),
        (
            "[server.tls]\nmin_version = '1.1'\n",
            "gateway.toml:2:15: server.tls.min_version: expected \"1.2\" or \"1.3\" (older versions of TLS are broken), found \"1.1\"",
        ),
        (
            "[[server.tls.certificates]]\ncert = 'a'\n",
            "gateway.toml:1:1: server.tls.certificates[0].key: is missing\n  help: for instance `key = \"key.pem\"`",
        ),
    ] {
        let printed = printed(text);
        assert_eq!(printed, format!("{expected}\n1 problem"), "{text}");
    }
}

#[test]
fn what_clients_will_not_accept_is_advice() {
    let advice = |text: &str| {
        let advice = load(text).expect("no problems").advice;
        let each = advice.iter().map(ToString::to_string);
        each.map(|it| it.replace(&format!("{PAPERS}/"), ""))
            .find(|it| it.contains("certificate"))
    };
    let days = "has expired ";
    let expired = advice(&format!("{LISTEN}{}", papers("expired", "expired")));
    let expired = expired.expect("advice");
    assert!(
        expired.starts_with(&format!(
            "gateway.toml:4:8: server.tls.certificates[0].cert: the certificate in expired.pem {days}"
        )),
        "{expired}"
    );
    assert_eq!(advice(&format!("{LISTEN}{}", good())), None);
    let unused = advice(&good()).expect("advice");
    assert!(
        unused.contains("server.tls.certificates: no address listens for HTTPS"),
        "{unused}"
    );
}

#[test]
fn phones_and_codes_may_not_travel_in_the_clear_beside_https() {
    let advice = |text: &str| {
        let text = format!("server.mode = 'development'\n{text}{}", good());
        let advice = load(&text).expect("no problems").advice;
        let each = advice.into_iter().map(|Advice(problem)| problem);
        each.filter(|it| it.key == "server.listen").count()
    };
    let open = "server.tls.listen = '0.0.0.0:443'\n";
    assert_eq!(advice(open), 0);
    let plain = "server.listen = '0.0.0.0:80'\nserver.public_url = 'https://a.test'\n";
    assert_eq!(advice(&format!("{plain}{open}")), 1);
    let led = "server.tls.redirect = '0.0.0.0:80'\n";
    assert_eq!(advice(&format!("{led}{open}")), 0);
}
