//! Tokens in cookies: read by their exact name, once, and never on another site's behalf.

use std::net::{IpAddr, Ipv4Addr};

use http::Method;

use super::*;

fn by(scheme: Scheme, mut request: Request<()>) -> Request<()> {
    let client = Client::new(IpAddr::V4(Ipv4Addr::LOCALHOST), scheme);
    request.extensions_mut().insert(client);
    request
}

fn cookie(name: &str, token: &str) -> (&'static str, String) {
    ("cookie", format!("theme=dark; {name}={token}"))
}

/// What a page of this very site sends along.
fn same_site() -> [(&'static str, String); 2] {
    [
        ("host", "app.example".to_owned()),
        ("origin", "http://app.example".to_owned()),
    ]
}

#[test]
fn a_browser_is_known_by_its_cookie() {
    let stage = Stage::new();
    let asked = request(&Method::GET, &[cookie("otp_access", &stage.token(1))]);
    let principal = stage.gate().admit(&asked, &required()).expect("good");
    let principal = principal.expect("identified");
    assert_eq!(principal.subject(), "subject-1");
    assert_eq!(principal.credential(), Credential::Cookie);
}

#[test]
fn only_the_cookie_that_belongs_to_the_scheme_is_read() {
    let stage = Stage::new();
    let gate = stage.gate();
    for (scheme, name, is_read) in [
        (Scheme::Http, "otp_access", true),
        (Scheme::Http, "__Host-otp_access", false),
        (Scheme::Https, "__Host-otp_access", true),
        (Scheme::Https, "otp_access", false),
        (Scheme::Http, "otp_refresh", false),
    ] {
        let asked = request(&Method::GET, &[cookie(name, &stage.token(1))]);
        let known = ask_as(&gate, &by(scheme, asked)).is_ok();
        assert_eq!(known, is_read, "{scheme:?} {name}");
    }
    let always = stage.gate_for(Browsers {
        cookie_secure: CookieSecure::Always,
        ..Browsers::default()
    });
    for (name, is_read) in [("__Host-otp_access", true), ("otp_access", false)] {
        let asked = request(&Method::GET, &[cookie(name, &stage.token(1))]);
        assert_eq!(ask_as(&always, &by(Scheme::Http, asked)).is_ok(), is_read);
    }
}

#[test]
fn a_header_goes_before_a_cookie_and_is_never_replaced_by_one() {
    let stage = Stage::new();
    let gate = stage.gate();
    let cookie = cookie("otp_access", &stage.token(2));
    let ask = |header| ask_as(&gate, &request(&Method::GET, &[header, cookie.clone()]));
    assert_eq!(
        ask(bearer(&stage.token(1))),
        Ok(Some("subject-1".to_owned()))
    );
    for bad in ["nonsense", "", "a b"] {
        assert_eq!(ask(bearer(bad)), Err(Code::InvalidToken), "{bad:?}");
    }
    // Another scheme is the app's affair and says nothing to us.
    let basic = ("authorization", "Basic YTpi".to_owned());
    assert_eq!(ask(basic), Ok(Some("subject-2".to_owned())));
}

#[test]
fn a_cookie_that_came_twice_is_refused_even_when_both_agree() {
    let stage = Stage::new();
    let gate = stage.gate();
    let one = cookie("otp_access", &stage.token(1));
    let twice = ("cookie", format!("{}; {}", one.1, one.1));
    for lines in [vec![twice], vec![one.clone(), one]] {
        for access in [required(), optional()] {
            let refused = gate.admit(&request(&Method::GET, &lines), &access);
            assert_eq!(refused.expect_err("twice").code(), Code::InvalidToken);
        }
    }
}

#[test]
fn by_cookie_only_this_site_may_change_anything() {
    let stage = Stage::new();
    let gate = stage.gate();
    let ask = |method: &Method, more: &[(&'static str, String)]| {
        let mut lines = vec![cookie("otp_access", &stage.token(1))];
        lines.extend_from_slice(more);
        ask_as(&gate, &request(method, &lines)).map(|_| ())
    };
    let elsewhere = [
        ("host", "app.example".to_owned()),
        ("origin", "http://evil.example".to_owned()),
    ];
    let fetch_site = |site: &str| [("sec-fetch-site", site.to_owned())];
    for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
        assert_eq!(ask(&method, &[]), Ok(()), "{method}");
        assert_eq!(ask(&method, &elsewhere), Ok(()), "{method}");
    }
    let custom = Method::from_bytes(b"PURGE").expect("a method");
    for method in [
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        custom,
    ] {
        assert_eq!(ask(&method, &[]), Err(Code::Csrf), "{method}");
        assert_eq!(ask(&method, &elsewhere), Err(Code::Csrf), "{method}");
        for site in ["cross-site", "same-site"] {
            assert_eq!(ask(&method, &fetch_site(site)), Err(Code::Csrf));
        }
        assert_eq!(ask(&method, &same_site()), Ok(()), "{method}");
        assert_eq!(ask(&method, &fetch_site("same-origin")), Ok(()), "{method}");
    }
}

#[test]
fn an_upgrade_by_cookie_must_come_from_this_site_too() {
    let stage = Stage::new();
    let gate = stage.gate();
    let upgrade = |more: &[(&'static str, String)]| {
        let mut lines = vec![
            cookie("otp_access", &stage.token(1)),
            ("connection", "upgrade".to_owned()),
            ("upgrade", "websocket".to_owned()),
        ];
        lines.extend_from_slice(more);
        ask_as(&gate, &request(&Method::GET, &lines)).map(|_| ())
    };
    assert_eq!(upgrade(&[]), Err(Code::Csrf));
    assert_eq!(upgrade(&same_site()), Ok(()));
}

#[test]
fn a_header_needs_no_origin_because_no_browser_adds_it_by_itself() {
    let stage = Stage::new();
    let lines = [
        bearer(&stage.token(1)),
        ("sec-fetch-site", "cross-site".to_owned()),
    ];
    let asked = request(&Method::DELETE, &lines);
    assert_eq!(
        ask_as(&stage.gate(), &asked),
        Ok(Some("subject-1".to_owned()))
    );
}

#[test]
fn the_sites_public_url_is_this_site_too() {
    let stage = Stage::new();
    let gate = stage.gate_for(Browsers {
        public_url: Some("https://id.example".to_owned()),
        ..Browsers::default()
    });
    let lines = [
        cookie("otp_access", &stage.token(1)),
        ("host", "internal:8080".to_owned()),
        ("origin", "https://id.example".to_owned()),
    ];
    assert!(ask_as(&gate, &request(&Method::POST, &lines)).is_ok());
    assert_eq!(
        ask_as(&stage.gate(), &request(&Method::POST, &lines)),
        Err(Code::Csrf)
    );
}
