//! What whole files lead to: the values they stand for, and the exact words in which an operator is told what is wrong.

use super::*;
use crate::{
    net::{listen::Entrance, proxy_protocol::Preamble},
    secret::{Masters, Pseudonyms, Secret},
    store::redis::Roots,
};

mod captcha;
mod clients;
mod money;
mod problems;
mod receipts;
mod shown;
mod sms;
mod tls;
mod upstreams;
mod wording;

/// What a file called `gateway.toml` with this text leads to, in an environment of one variable.
fn load(text: &str) -> Result<Loaded, Problems> {
    load_with(text, Flags::default())
}

fn load_with(text: &str, flags: Flags) -> Result<Loaded, Problems> {
    let env = |name: &str| (name == "MASTER").then(|| "m".repeat(32));
    Source { file: None, flags }.resolve("gateway.toml", text, env)
}

fn config(text: &str) -> Config {
    load(text).expect("no problems").config
}

fn plain(address: &str) -> Listener {
    Listener {
        address: address.parse().expect("an address"),
        entrance: Entrance::Plain,
        preamble: Preamble::None,
    }
}

#[test]
fn an_empty_file_is_a_gateway_without_apps() {
    let Config { fixed, live } = config("");
    assert_eq!(fixed.listen, [plain("127.0.0.1:8080")]);
    assert_eq!(fixed.admin, "127.0.0.1:9090".parse().ok());
    assert_eq!(
        fixed.secret,
        MasterSecret::kept_in(Path::new("./data"), None)
    );
    assert_eq!(
        fixed.store.backend.to_string(),
        "embedded:./data/otp-gateway.redb"
    );
    assert_eq!(live.keys.dir, Path::new("./data/keys"));
    assert_eq!(live.tokens.issuer, "http://127.0.0.1:8080");
    assert_eq!(live.tokens.audience, live.tokens.issuer);
    assert_eq!(live.auth.base, "/api/auth");
    assert_eq!(live.routes.iter().count(), 0);
}

#[test]
fn a_flag_takes_the_place_of_what_the_file_says() {
    let flags = Flags {
        listen: "0.0.0.0:80".parse().ok(),
        upstream: server_url("http://app:3000").ok(),
    };
    let text = "server.listen = '127.0.0.1:1'\n[upstreams.app]\nservers = ['demo:', 'http://b']\n";
    let Config { fixed, live } = load_with(text, flags).expect("no problems").config;
    assert_eq!(fixed.listen, [plain("0.0.0.0:80")]);
    assert_eq!(
        live.upstreams[0].servers,
        [Server::Http("app:3000".to_owned())]
    );
}

#[test]
fn an_upstream_on_the_command_line_alone_is_a_whole_configuration() {
    let flags = Flags {
        listen: None,
        upstream: server_url("http://127.0.0.1:3000").ok(),
    };
    let Loaded { config, advice, .. } = load_with(BUILT_IN, flags).expect("no problems");
    assert_eq!(advice, []);
    let route = config.live.routes.iter().next().expect("one route");
    assert_eq!((&*route.name, route.upstream), ("/", 0));
    assert_eq!(route.access, crate::domain::route::Access::default());
    let servers = &config.live.upstreams[route.upstream].servers;
    assert_eq!(*servers, [Server::Http("127.0.0.1:3000".to_owned())]);
}

#[test]
fn what_follows_from_other_keys_follows_them() {
    let Config { fixed, live } = config(
        "[server]\ndata_dir = '/var/lib/g'\npublic_url = 'https://Login.example.com/'\n\
         trusted_proxies = ['10.0.0.1']\n[otp]\ndefault_country = '+44'\nresend_after = '1m'\n",
    );
    assert_eq!(
        fixed.secret,
        MasterSecret::kept_in(Path::new("/var/lib/g"), None)
    );
    assert_eq!(
        fixed.store.backend.to_string(),
        "embedded:/var/lib/g/otp-gateway.redb"
    );
    assert_eq!(live.keys.dir, Path::new("/var/lib/g/keys"));
    assert_eq!(live.tokens.issuer, "https://login.example.com");
    let auth = &live.auth;
    assert_eq!(
        auth.public_url.as_deref(),
        Some("https://login.example.com")
    );
    assert_eq!(
        auth.countries,
        auth::Countries::Only(vec!["+44".parse().expect("Britain")])
    );
    assert_eq!(
        auth.limits.last().expect("one").to_string(),
        "1/60s per phone"
    );
    assert_eq!(auth.resend_in, std::time::Duration::from_mins(1));
}

#[test]
fn a_route_says_all_it_can_say() {
    use crate::domain::{
        route::{Access, HostPattern, PathPattern},
        target::Escape,
    };
    let Config { live, .. } = config(
        r#"
        upstreams.a.servers = "http://a"
        upstreams.b.servers = ["http://b:1", "http://b:2"]
        [[routes]]
        host = "*.example.com"
        path = "/admin"
        methods = ["GET", "PURGE"]
        scopes = ["admin:read"]
        claims = { role = ["admin", "owner"], level = 3 }
        max_auth_age = "1h"
        upstream = "b"
        allow_encoded = ["slash", "percent"]
        forward_token = true
        limits = ["100/s per ip", "30/10s burst 50 per subject"]
        max_body = "1kb"
        response_timeout = "1s"
        "#,
    );
    let route = live.routes.iter().next().expect("one route");
    assert_eq!(&*route.name, "*.example.com/admin");
    assert_eq!(
        route.host,
        Some(HostPattern::Below("example.com".to_owned()))
    );
    assert_eq!(route.path, PathPattern::Prefix("/admin".to_owned()));
    let methods = route.methods.as_ref().expect("two methods");
    assert_eq!(
        methods.iter().map(http::Method::as_str).collect::<Vec<_>>(),
        ["GET", "PURGE"]
    );
    let Access::Required(demands) = &route.access else {
        panic!("a token is required by default");
    };
    assert_eq!(demands.scopes, ["admin:read"]);
    assert_eq!(demands.claims[0], ("level".to_owned(), vec![3.into()]));
    assert_eq!(
        demands.claims[1],
        ("role".to_owned(), vec!["admin".into(), "owner".into()])
    );
    assert_eq!(
        demands.max_auth_age,
        Some(std::time::Duration::from_hours(1))
    );
    let limits: Vec<_> = route.limits.iter().map(ToString::to_string).collect();
    assert_eq!(limits, ["100/1s per ip", "30/10s burst 50 per subject"]);
    assert_eq!(live.upstreams[route.upstream].servers.len(), 2);
    let percent_and_slash = [Escape::Percent, Escape::Slash].into_iter().collect();
    assert_eq!(route.allow_encoded, percent_and_slash);
    assert!(route.forward_token);
    assert_eq!(
        (route.max_body, route.response_timeout.as_secs()),
        (1024, 1)
    );
}

#[test]
fn a_route_gives_its_requests_the_time_of_all_others_unless_it_says_otherwise() {
    const LIMIT: &str = "server.limits.request_timeout = '1m'\n";
    let allotted = |general: &str, own: &str| {
        let text = format!("{general}upstreams.a.servers = 'http://a'\n[[routes]]\n{own}");
        let Config { live, .. } = config(&text);
        let route = live.routes.iter().next().expect("one route");
        route.request_timeout.map(|span| span.as_secs())
    };
    assert_eq!(allotted("", ""), None);
    assert_eq!(allotted(LIMIT, ""), Some(60));
    assert_eq!(allotted(LIMIT, "request_timeout = 'off'"), None);
    for general in ["", LIMIT] {
        assert_eq!(allotted(general, "request_timeout = '2h'"), Some(7200));
    }
}

#[test]
fn the_place_of_a_shared_store_may_be_a_secret() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("url");
    fs::write(&file, "rediss://:hunter2@db/1\n").expect("written");
    let text = format!(
        "server.secret = {{ env = 'MASTER' }}\n[store]\nurl = {{ file = {:?} }}\nprefix = 'shop:'\n",
        file.display()
    );
    let store = config(&text).fixed.store;
    assert_eq!(store.backend.to_string(), "rediss://:…@db:6379/1");
    let store::Backend::Redis(spec) = store.backend else {
        panic!("another store");
    };
    assert_eq!((spec.prefix.as_str(), spec.ca), ("shop:", None));
}

#[test]
fn an_authority_is_only_for_servers_that_are_verified() {
    let dir = tempfile::tempdir().expect("a directory");
    let ca = dir.path().join("ca.pem");
    let text = |scheme| {
        let ca = ca.display();
        format!(
            "server.secret = {{ env = 'MASTER' }}\n[store]\nurl = '{scheme}://db'\nca = {ca:?}\n"
        )
    };
    fs::write(&ca, AUTHORITY).expect("written");
    let store::Backend::Redis(spec) = config(&text("rediss+cluster")).fixed.store.backend else {
        panic!("another store");
    };
    assert_eq!(spec.ca, Roots::from_pem(AUTHORITY.as_bytes()).ok());
    assert!(spec.ca.is_some());
    let problem = |scheme| load(&text(scheme)).expect_err(scheme).to_string();
    assert!(problem("redis").contains("store.ca: is only used by URLs that begin with rediss"));
    for broken in ["", "hunter2", &AUTHORITY.replace("MII", "AAA")] {
        fs::write(&ca, broken).expect("written");
        assert!(problem("rediss").contains("ca.pem holds no certificates in PEM"));
    }
}

/// Of nobody; its key was thrown away.
const AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----
MIIBcTCCARegAwIBAgIUSz7sNGeqBU+uxXgP2K4FJu1pmg8wCgYIKoZIzj0EAwIw
DTELMAkGA1UEAwwCY2EwIBcNMjYxMTIyMTkzMzIwWhgPMjEyNjEwMjkxOTMzMjBa
MA0xCzAJBgNVBAMMAmNhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAElUNjYg60
ToNVeUjoZF4J5Ul4iHuKTzz5Sori42JTgvh/VzVQcyYajU0ux8qmPgICGs9OGh5E
udjsbzHGmvuASaNTMFEwHQYDVR0OBBYEFJ08xPqV+aRVIL7WHjtbbw2ujTy0MB8G
A1UdIwQYMBaAFJ08xPqV+aRVIL7WHjtbbw2ujTy0MA8GA1UdEwEB/wQFMAMBAf8w
CgYIKoZIzj0EAwIDSAAwRQIgPSXibhGZqWztPeJB2baW/EWodbY69dK8zfgYiabk
+WMCIQCIGx/UzzlDMLOBhl6/BmqV1N5TFtiqRKJHt7QHAVZc4A==
-----END CERTIFICATE-----";

#[test]
fn a_secret_comes_from_the_file_the_environment_or_another_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("secret");
    fs::write(&file, format!("{}\n", "m".repeat(32))).expect("written");
    let secret = |toml: &str| config(&format!("server.secret = {toml}")).fixed.secret;
    let plain = secret(&format!("'{}'", "m".repeat(32)));
    assert!(matches!(plain, MasterSecret::Given(_)));
    assert_eq!(secret("{ env = 'MASTER' }"), plain);
    assert_eq!(
        secret(&format!("{{ file = {:?} }}", file.display())),
        plain,
        "without its line end"
    );
    assert_eq!(secret("[{ env = 'MASTER' }]"), plain);
}

#[test]
fn names_follow_from_the_only_secret_or_from_the_one_that_is_said() {
    let [m, n] = ["m", "n"].map(|letter| letter.repeat(32));
    let pseudonyms = |of: &str| Pseudonyms::new(&Secret::new(of.as_bytes())).expect("long");
    let masters = |toml: &str| {
        let secret = config(&format!("[server]\n{toml}")).fixed.secret;
        secret.read().expect("given")
    };
    let one = masters(&format!("secret = '{m}'"));
    assert_eq!(*one.pseudonyms(), pseudonyms(&m));
    // All steps of a rotation: added behind, moved to the front, left alone.
    for (secrets, count) in [
        (format!("['{m}', '{n}']"), 2),
        (format!("['{n}', '{m}']"), 2),
        (format!("'{n}'"), 1),
    ] {
        let step = masters(&format!(
            "secret = {secrets}\npseudonym_secret = {{ env = 'MASTER' }}"
        ));
        assert_eq!(*step.pseudonyms(), pseudonyms(&m), "{secrets}");
        assert_eq!(step.iter().count(), count);
        let first = if secrets.starts_with("['m") { &m } else { &n };
        let current = Masters::of(&Secret::new(first.as_bytes())).expect("long");
        assert_eq!(step.current(), current.current());
        assert_ne!(step, one);
    }
    let kept = config(&format!("server.pseudonym_secret = '{n}'"))
        .fixed
        .secret;
    let expected = MasterSecret::kept_in(Path::new("./data"), Some(pseudonyms(&n)));
    assert_eq!(kept, expected);
}

#[test]
fn no_secret_shows_in_a_configuration_or_its_problems() {
    let text = "[server]\nsecret = 'hunter2hunter2hunter2hunter2hunter2'\n\
                pseudonym_secret = 'hunter2hunter2hunter2hunter2hunter2!'\n[store]\nurl = 'memory:'\n\
                [[otp.test_numbers]]\nnumber = '+16502530000'\ncode = '421337'\nuntil = 2030-12-31\n";
    let shown = format!("{:?}", load(text).expect("no problems"));
    for secret in ["hunter2", "421337", "6502530000"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    let text = "[server]\nsecret = ['hunter2', 'hunter2hunter2hunter2hunter2hunter2', 1]\n\
                pseudonym_secret = 'hunter2'\n\
                public_url = 'https://me:hunter2@example.com'\ntrusted_proxies = 'hunter2'\n\
                [store]\nurl = 'redis://:hunter2@local/host'\n\
                [[otp.test_numbers]]\nnumber = '+16502530000'\ncode = 'hunter2'\nuntil = 2030-12-31\n\
                [upstreams.app]\nservers = 'http://me:hunter2@app'\n";
    let problems = load(text).expect_err("problems").to_string();
    assert!(problems.ends_with("8 problems"), "{problems}");
    assert!(!problems.contains("hunter2"), "{problems}");
}

#[test]
fn without_a_file_there_must_be_an_upstream() {
    let dir = tempfile::tempdir().expect("a directory");
    let default = dir.path().join("gateway.toml");
    let error = Source::default().load_or(&default).expect_err("nothing");
    assert_eq!(
        error.to_string(),
        "there is no gateway.toml here\n  help: name a file with --config FILE, or an app with \
         --upstream http://127.0.0.1:3000"
    );
    let flags = Flags {
        listen: None,
        upstream: server_url("http://app:3000").ok(),
    };
    let source = Source { file: None, flags };
    let servers = |loaded: Loaded| loaded.config.live.upstreams[0].servers.clone();
    let app = [Server::Http("app:3000".to_owned())];
    assert_eq!(servers(source.load_or(&default).expect("no problems")), app);
    fs::write(
        &default,
        "upstreams.own.servers = 'demo:'\nlog.level = 'off'\n",
    )
    .expect("written");
    let loaded = source.load_or(&default).expect("no problems");
    assert_eq!(
        &*loaded.config.live.upstreams[0].name, "own",
        "the file counts when it is there"
    );
    assert_eq!(servers(loaded), app);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let flags = Flags::default();
    let file = Some("/nowhere/gateway.toml".into());
    let error = Source { file, flags }.load().expect_err("nothing there");
    assert!(
        error
            .to_string()
            .starts_with("cannot read /nowhere/gateway.toml: No such file")
    );
}
