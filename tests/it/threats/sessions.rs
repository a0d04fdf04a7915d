//! Sessions: what was verified once is not believed for anything else, or for longer, or for anybody else.

use std::time::Duration;

use otp_gateway::config::{Flags, Source};
use serde_json::json;
use tempfile::TempDir;

use super::{DOORS, gate, refuses};
use crate::stage::{
    PHONE,
    browser::Browser,
    client::{Call, Connection},
    jwt,
    upstream::told,
};

const CLAIMS: &str = "tokens.claims = { role = \"user\", scope = \"read\" }";

// T1, what is remembered of a token is not what a route makes of it: Oathkeeper CVE-2026-33496 and CVE-2021-32701.
#[tokio::test]
async fn a_token_that_opens_one_route_is_judged_anew_by_the_next() {
    let stage = gate(&[
        CLAIMS,
        DOORS[0],
        "[[routes]]\npath = \"/write\"\nscopes = [\"write\"]",
        "[[routes]]\npath = \"/admin\"\nclaims = { role = [\"admin\"] }",
        "[[routes]]\npath = \"/fresh\"\nmax_auth_age = \"1m\"",
    ])
    .await;
    let tokens = stage.log_in(PHONE).await;
    let mut connection = Connection::open(stage.address).await;
    stage.pass(Duration::from_secs(61));
    for _ in 0..2 {
        let open = stage.get("/orders").bearer(&tokens.access);
        assert_eq!(connection.send(open).await.status, 200);
        assert_eq!(stage.arrived_at().await, ["/orders"]);
        for (path, status, code) in [
            ("/write", 403, "insufficient_scope"),
            ("/admin", 403, "insufficient_scope"),
            ("/fresh", 401, "insufficient_user_authentication"),
        ] {
            let call = stage.get(path).bearer(&tokens.access);
            let answer = connection.send(call).await;
            refuses(&stage, path, answer, status, code).await;
        }
    }
}

// T2, a signature that is not looked at where the rest is known: Pomerium CVE-2021-29652.
#[tokio::test]
async fn a_token_that_is_remembered_vouches_for_none_that_resembles_it() {
    let stage = gate(&DOORS).await;
    let tokens = stage.log_in(PHONE).await;
    let token = &tokens.access;
    let good = stage.get("/orders").bearer(token);
    assert_eq!(good.clone().send().await.status, 200);
    assert_eq!(stage.arrived_at().await, ["/orders"]);
    let (head, signature) = token.rsplit_once('.').expect("three parts");
    let mut claims = jwt::claims(token);
    claims["sub"] = json!("somebody else");
    let grafted = jwt::seal(&jwt::header(token), &claims, |_| Vec::new());
    for (row, like) in [
        ("another header", jwt::bent(token, 0)),
        ("other claims", jwt::bent(token, 1)),
        ("another signature", jwt::bent(token, 2)),
        (
            "other claims, same signature",
            format!("{grafted}{signature}"),
        ),
        ("padded", format!("{token}=")),
        ("longer", format!("{token}{token}")),
        ("shorter", token[..token.len() - 1].to_owned()),
        ("in another case", token.to_uppercase()),
        ("a fourth part", format!("{head}.{signature}.{signature}")),
    ] {
        let answer = stage.get("/orders").bearer(&like).send().await;
        refuses(&stage, row, answer, 401, "invalid_token").await;
    }
    assert_eq!(good.send().await.status, 200);
}

// T3, what was true at the login: Pomerium CVE-2021-41230; logout that only the browser knows of: CVE-2024-21492.
#[tokio::test]
async fn what_is_remembered_of_a_session_ends_with_it() {
    let stage = gate(&DOORS).await;
    let tokens = stage.log_in(PHONE).await;
    let mut connection = Connection::open(stage.address).await;
    let orders = || stage.get("/orders").bearer(&tokens.access);
    assert_eq!(connection.send(orders()).await.status, 200);
    assert_eq!(stage.arrived_at().await, ["/orders"]);
    let logout = stage.post("/api/auth/logout").bearer(&tokens.access);
    assert_eq!(logout.send().await.status, 204);
    let answer = connection.send(orders()).await;
    refuses(&stage, "the same token", answer, 401, "session_revoked").await;
    let refreshed = stage.refresh(&tokens.refresh).await;
    refreshed.is_refused(400, "invalid_grant");
}

// T5, somebody else's session under the login: oauth2-proxy CVE-2026-34454; session fixation.
#[tokio::test]
async fn a_login_begins_a_session_of_its_own_whatever_cookies_came_with_it() {
    let stage = gate(&DOORS).await;
    let mut enemy = Browser::new(&stage);
    enemy.log_in(&stage, "+14155550199", "/").await;
    let planted = enemy.cookie("otp_access").expect("a cookie").to_owned();
    let theirs = jwt::claims(&planted);

    let planted_cookie = format!("otp_access={planted}");
    let with_planted = |call: Call| call.header("cookie", &planted_cookie);
    let asked = with_planted(stage.send_otp(PHONE)).send().await;
    assert_eq!(asked.status, 200);
    let code = stage.inbox.code_for(PHONE).await;
    let answered = with_planted(stage.verify_otp(PHONE, &code)).send().await;
    let mine = jwt::claims(answered.json()["access_token"].as_str().expect("a token"));
    assert_ne!(mine["sid"], theirs["sid"]);
    assert_ne!(mine["sub"], theirs["sub"]);

    let seen = enemy.open("/orders").await.json();
    assert_eq!(told(&seen, "x-auth-phone"), ["+14155550199"]);
}

// T6, tokens in URLs: Envoy's and Kong's defaults read them there, and every log along the way keeps them.
#[tokio::test]
async fn a_token_in_a_url_or_a_body_is_no_token_and_is_in_no_log() {
    let stage = gate(&DOORS).await;
    let tokens = stage.log_in(PHONE).await;
    let token = &tokens.access;
    for name in ["access_token", "jwt", "token", "authorization", "bearer"] {
        let target = format!("/orders?{name}={token}");
        let answer = stage.get(&target).send().await;
        assert!(!answer.text().contains(token.as_str()), "{name}");
        refuses(&stage, name, answer, 401, "missing_token").await;
        let form = format!("{name}={token}");
        let posted = stage.post("/orders").form(&form).send().await;
        refuses(&stage, name, posted, 401, "missing_token").await;
    }
    for name in [
        "x-access-token",
        "x-auth-token",
        "proxy-authorization",
        "token",
    ] {
        let value = format!("Bearer {token}");
        let answer = stage.get("/orders").header(name, &value).send().await;
        refuses(&stage, name, answer, 401, "missing_token").await;
    }
    // Sent in order by one worker: the line of the last one is behind those of all others.
    let last = stage.get("/public/last").send().await;
    let id = last.header("x-request-id").to_owned();
    stage.access_log.line(|line| line.contains(&id)).await;
    let signature = token.rsplit('.').next().expect("three parts");
    for line in stage.access_log.lines() {
        assert!(!line.contains(signature), "{line}");
    }
}

// T8, two identities in one: oauth2-proxy CVE-2026-40574 (`a@b@c`); here it is the phone number.
#[tokio::test]
async fn a_number_that_two_readers_could_take_for_two_people_gets_no_code() {
    let stage = gate(&DOORS).await;
    let other = "+14155550177";
    for body in [
        format!("{{\"mobile_number\":\"{PHONE}\",\"mobile_number\":\"{other}\"}}"),
        format!("{{\"mobile_number\":\"{PHONE},{other}\"}}"),
        format!("{{\"mobile_number\":\"{PHONE};{other}\"}}"),
        format!("{{\"mobile_number\":\"{PHONE}\\n{other}\"}}"),
        format!("{{\"mobile_number\":\"{PHONE}\\u0000{other}\"}}"),
        format!("{{\"mobile_number\":\"{PHONE}@{other}\"}}"),
        format!("{{\"mobile_number\":\"{PHONE}x{other}\"}}"),
        format!("{{\"mobile_number\":\"{PHONE};ext=1\"}}"),
        format!("{{\"mobile_number\":\"tel:{PHONE};phone-context={other}\"}}"),
        format!("{{\"mobile_number\":[\"{PHONE}\",\"{other}\"]}}"),
        format!("{{\"mobile_number\":{{\"$ne\":\"{other}\"}}}}"),
    ] {
        let call = stage.post("/api/auth/send-otp");
        let call = call.header("content-type", "application/json");
        let answer = call.body(body.clone()).send().await;
        let refused = [400, 422].contains(&answer.status.as_u16());
        assert!(refused, "{body}: {answer:?}");
    }
    stage.settle().await;
    for phone in [PHONE, other] {
        assert!(stage.inbox.messages_to(phone).is_empty(), "{phone}");
    }
}

// T9, a rule that is not understood lets everybody in: Traefik CVE-2026-54762, Caddy CVE-2026-27586, CVE-2021-21411.
#[tokio::test]
async fn a_rule_that_is_misspelt_opens_no_gateway() {
    for (rule, complaint) in [
        ("auth = \"requierd\"", "auth"),
        ("auth = \"None\"", "auth"),
        ("auth = false", "auth"),
        ("Auth = \"required\"", "Auth"),
        ("scope = [\"admin\"]", "scope"),
        ("scopes = \"admin\"", "scopes"),
        ("scopes = [\"\"]", "scopes"),
        ("auth = \"none\"\nscopes = [\"admin\"]", "scopes"),
        ("auth = \"none\"\nclaims = { role = [\"admin\"] }", "claims"),
        ("claims = { role = [] }", "role"),
        ("max_auth_age = \"1x\"", "max_auth_age"),
        ("methods = [\"GET,POST\"]", "methods"),
        ("path = \"/public/../admin\"", "path"),
    ] {
        let dir = TempDir::new().expect("a directory");
        let file = dir.path().join("gateway.toml");
        let path = if rule.starts_with("path") {
            ""
        } else {
            "path = \"/\"\n"
        };
        let text = format!("upstreams.app.servers = \"demo:\"\n[[routes]]\n{path}{rule}\n");
        std::fs::write(&file, text).expect("a file");
        let flags = Flags::default();
        let loaded = Source {
            file: Some(file),
            flags,
        }
        .load();
        let problems = loaded.err().unwrap_or_else(|| panic!("{rule} is taken"));
        assert!(
            problems.to_string().contains(complaint),
            "{rule}: {problems}"
        );
    }
}

// T9, the other side: what is not said is closed.
#[tokio::test]
async fn a_route_that_says_nothing_lets_nobody_in() {
    let stage = gate(&["[[routes]]\npath = \"/\"\nmethods = [\"GET\", \"POST\"]"]).await;
    for (method, status, code) in [
        ("GET", 401, "missing_token"),
        ("POST", 401, "missing_token"),
        ("PUT", 405, "method_not_allowed"),
        ("get", 405, "method_not_allowed"),
        ("GETS", 405, "method_not_allowed"),
        ("PROPFIND", 405, "method_not_allowed"),
    ] {
        let answer = stage.call(method, "/").send().await;
        refuses(&stage, method, answer, status, code).await;
    }
}
