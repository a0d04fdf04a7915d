//! Routes: which one a request meets, whom it lets through, and to which app it leads.

use std::time::Duration;

use crate::stage::{
    PHONE, Stage, Tokens,
    frames::{END_STREAM, Frame, Frames, GET, Outcome},
    upstream::{Upstream, reply},
    wire::Wire,
};

/// A stage with these routes, and the tokens of somebody who is logged in.
async fn with_routes(routes: &[&str]) -> (Stage, Tokens) {
    let stage = Stage::with(routes).await;
    let tokens = stage.log_in(PHONE).await;
    (stage, tokens)
}

/// An open route for `path` that forwards nothing else.
fn open(path: &str) -> String {
    format!("[[routes]]\npath = \"{path}\"\nauth = \"none\"")
}

/// The code of the refusal, or the status when it is none.
async fn outcome(stage: &Stage, host: &str, path: &str) -> String {
    let answer = stage.get(path).header("host", host).send().await;
    if answer.status == 200 {
        return "200".to_owned();
    }
    answer.json()["code"].as_str().expect("a code").to_owned()
}

#[tokio::test]
async fn a_path_that_no_route_knows_is_not_found_and_reaches_no_app() {
    let stage = Stage::with(&[&open("/a"), &open("/b/c")]).await;
    for path in ["/", "/ab", "/a.b", "/A", "/b", "/b/cc", "/b/c%20", "/x/a"] {
        let answer = stage.get(path).send().await;
        answer.is_refused(404, "not_found");
    }
    assert_eq!(stage.upstream.seen().len(), 0);
}

// RFC 9110 §9.3.7.
#[tokio::test]
async fn who_asks_about_the_gateway_as_a_whole_is_answered_by_it() {
    let stage = Stage::with(&[&open("/")]).await;
    let mut client = Wire::to(stage.address).await;
    client.send("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 204);
    let allowed = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
    assert_eq!(answer.header("allow"), allowed);
    let mut client = Frames::to(stage.address).await;
    let fields = [&[(":method", "OPTIONS"), (":path", "*")], &GET[1..]].concat();
    client.send(&[Frame::head(1, END_STREAM, &fields)]).await;
    assert_eq!(client.outcome(1).await, Outcome::Answered(String::new()));
    let asked = |line: &str| line.contains(" 204 OPTIONS * ");
    stage.access_log.line(asked).await;
    assert_eq!(stage.upstream.seen().len(), 0);
}

#[tokio::test]
async fn a_prefix_holds_itself_and_everything_below_it() {
    let stage = Stage::with(&[&open("/a")]).await;
    for path in ["/a", "/a/", "/a?x=1", "/a/b/c", "/%61/b"] {
        assert_eq!(stage.get(path).send().await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn an_exact_path_holds_nothing_below_it() {
    let exact = "[[routes]]\npath = \"/ping\"\nmatch = \"exact\"\nauth = \"none\"";
    let stage = Stage::with(&[exact]).await;
    assert_eq!(outcome(&stage, "h", "/ping").await, "200");
    for path in ["/ping/", "/ping/x", "/pin", "/pings"] {
        assert_eq!(outcome(&stage, "h", path).await, "not_found", "{path}");
    }
}

#[tokio::test]
async fn a_route_that_says_nothing_about_its_callers_lets_nobody_in() {
    let stage = Stage::with(&["[[routes]]\npath = \"/\""]).await;
    stage.get("/").send().await.is_refused(401, "missing_token");
    assert_eq!(stage.upstream.seen().len(), 0);
}

#[tokio::test]
async fn the_most_specific_route_decides_whatever_their_order() {
    let routes = [
        "[[routes]]\npath = \"/\"\nauth = \"none\"",
        "[[routes]]\npath = \"/a\"",
        "[[routes]]\npath = \"/a/open\"\nauth = \"none\"",
        "[[routes]]\npath = \"/a/open/x\"\nmatch = \"exact\"",
    ];
    let mut turned = routes;
    turned.reverse();
    for routes in [routes, turned] {
        let stage = Stage::with(&routes).await;
        for (path, wanted) in [
            ("/", "200"),
            ("/ab", "200"),
            ("/a", "missing_token"),
            ("/a/openx", "missing_token"),
            ("/a/open", "200"),
            ("/a/open/y", "200"),
            ("/a/open/x", "missing_token"),
            ("/a/open/x/", "200"),
        ] {
            assert_eq!(outcome(&stage, "h", path).await, wanted, "{path}");
        }
    }
}

#[tokio::test]
async fn a_host_decides_before_any_path_and_in_every_spelling() {
    let stage = Stage::with(&[
        "[[routes]]\nhost = \"a.test\"\npath = \"/\"",
        "[[routes]]\nhost = \"*.a.test\"\npath = \"/x\"\nauth = \"none\"",
        "[[routes]]\npath = \"/x/y\"\nauth = \"none\"",
    ])
    .await;
    for (host, path, wanted) in [
        ("a.test", "/x/y", "missing_token"),
        ("A.Test", "/x/y", "missing_token"),
        ("a.test.", "/x/y", "missing_token"),
        ("a.test:8080", "/x/y", "missing_token"),
        ("b.a.test", "/x", "200"),
        ("c.B.a.test.:80", "/x", "200"),
        ("ba.test", "/x", "not_found"),
        ("ba.test", "/x/y", "200"),
        ("b.test", "/", "not_found"),
    ] {
        assert_eq!(outcome(&stage, host, path).await, wanted, "{host} {path}");
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_know_is_refused_and_told_the_others() {
    let stage = Stage::with(&[
        "[[routes]]\npath = \"/a\"\nmethods = [\"GET\"]\nauth = \"none\"\nname = \"read\"",
        "[[routes]]\npath = \"/a\"\nmethods = [\"POST\", \"PUT\"]\nname = \"write\"",
        "[[routes]]\npath = \"/\"\nauth = \"none\"",
    ])
    .await;
    assert_eq!(stage.get("/a").send().await.status, 200);
    for method in ["POST", "PUT"] {
        let answer = stage.call(method, "/a").send().await;
        answer.is_refused(401, "missing_token");
    }
    for method in ["DELETE", "PATCH", "OPTIONS", "get", "PURGE"] {
        let answer = stage.call(method, "/a/b").send().await;
        answer.is_refused(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), "GET, POST, PUT");
    }
    let purged = stage.call("PURGE", "/b").send().await;
    assert_eq!(purged.json()["method"], "PURGE");
    assert_eq!(stage.upstream.seen().len(), 2);
}

#[tokio::test]
async fn an_open_route_looks_at_no_token_at_all() {
    let stage = Stage::with(&[&open("/")]).await;
    for token in ["nonsense", "a b"] {
        assert_eq!(stage.get("/").bearer(token).send().await.status, 200);
    }
}

#[tokio::test]
async fn an_optional_route_lets_strangers_in_and_bad_tokens_not() {
    let (stage, tokens) = with_routes(&["[[routes]]\npath = \"/\"\nauth = \"optional\""]).await;
    assert_eq!(stage.get("/").send().await.status, 200);
    let known = stage.get("/").bearer(&tokens.access).send().await;
    assert_eq!(known.status, 200);
    let broken = stage.get("/").bearer("nonsense").send().await;
    broken.is_refused(401, "invalid_token");
    stage.pass(Duration::from_mins(16));
    let expired = stage.get("/").bearer(&tokens.access).send().await;
    expired.is_refused(401, "token_expired");
    assert_eq!(stage.upstream.seen().len(), 2);
}

#[tokio::test]
async fn a_refusal_names_what_is_wrong_with_the_token_as_the_standard_wants() {
    let (stage, _) = with_routes(&[]).await;
    let missing = stage.get("/").send().await;
    assert_eq!(missing.header("www-authenticate"), "Bearer");
    let broken = stage.get("/").bearer("nonsense").send().await;
    let challenge = broken.header("www-authenticate");
    assert!(challenge.starts_with("Bearer error=\"invalid_token\", "));
    let other = stage
        .get("/")
        .header("authorization", "Basic YTpi")
        .send()
        .await;
    other.is_refused(401, "missing_token");
    let twice = stage.get("/").bearer("a").bearer("b").send().await;
    twice.is_refused(401, "invalid_token");
}

#[tokio::test]
async fn all_scopes_of_a_route_must_be_in_the_token() {
    let route =
        |path: &str, scopes: &str| format!("[[routes]]\npath = \"{path}\"\nscopes = [{scopes}]");
    let (stage, tokens) = with_routes(&[
        "tokens.claims = { scope = \"orders:read orders:write\" }",
        &route("/both", "\"orders:read\", \"orders:write\""),
        &route("/more", "\"orders:read\", \"orders:delete\""),
        &route("/part", "\"orders\""),
    ])
    .await;
    let both = stage.get("/both").bearer(&tokens.access).send().await;
    assert_eq!(both.status, 200);
    for path in ["/more", "/part"] {
        let answer = stage.get(path).bearer(&tokens.access).send().await;
        answer.is_refused(403, "insufficient_scope");
        let challenge = answer.header("www-authenticate");
        assert!(challenge.starts_with("Bearer error=\"insufficient_scope\""));
    }
}

#[tokio::test]
async fn every_claim_of_a_route_must_hold_one_of_its_values() {
    let route =
        |path: &str, claims: &str| format!("[[routes]]\npath = \"{path}\"\nclaims = {claims}");
    let (stage, tokens) = with_routes(&[
        "tokens.claims = { tenant = \"acme\", roles = [\"clerk\", \"buyer\"], level = 3 }",
        &route(
            "/in",
            "{ tenant = [\"other\", \"acme\"], roles = \"buyer\", level = 3 }",
        ),
        &route("/tenant", "{ tenant = \"acm\" }"),
        &route("/roles", "{ tenant = \"acme\", roles = \"admin\" }"),
        &route("/type", "{ level = \"3\" }"),
        &route("/absent", "{ nothing = \"\" }"),
    ])
    .await;
    let inside = stage.get("/in").bearer(&tokens.access).send().await;
    assert_eq!(inside.status, 200);
    for path in ["/tenant", "/roles", "/type", "/absent"] {
        let answer = stage.get(path).bearer(&tokens.access).send().await;
        answer.is_refused(403, "insufficient_scope");
    }
}

#[tokio::test]
async fn an_old_login_is_sent_to_log_in_again_where_a_route_wants_a_recent_one() {
    let route = "[[routes]]\npath = \"/\"\nmax_auth_age = \"10m\"";
    let (stage, tokens) = with_routes(&[route]).await;
    let ask = async |token: &str| stage.get("/").bearer(token).send().await;
    stage.pass(Duration::from_mins(10));
    assert_eq!(ask(&tokens.access).await.status, 200);
    stage.pass(Duration::from_millis(1));
    let refused = ask(&tokens.access).await;
    refused.is_refused(401, "insufficient_user_authentication");
    let challenge = refused.header("www-authenticate");
    assert!(challenge.starts_with("Bearer error=\"insufficient_user_authentication\""));

    // A new token of the old login is no new login.
    let refreshed = Tokens::of(&stage.refresh(&tokens.refresh).await.json());
    let refused = ask(&refreshed.access).await;
    refused.is_refused(401, "insufficient_user_authentication");
    let again = stage.log_in(PHONE).await;
    assert_eq!(ask(&again.access).await.status, 200);
}

#[tokio::test]
async fn demands_hold_for_whoever_sends_a_token_on_an_optional_route() {
    let route = "[[routes]]\npath = \"/\"\nauth = \"optional\"\nscopes = [\"x\"]";
    let (stage, tokens) = with_routes(&[route]).await;
    assert_eq!(stage.get("/").send().await.status, 200);
    let known = stage.get("/").bearer(&tokens.access).send().await;
    known.is_refused(403, "insufficient_scope");
}

#[tokio::test]
async fn each_route_leads_to_its_own_app() {
    let other = Upstream::doing(|_| Box::pin(async { reply("the other app") })).await;
    let stage = Stage::with(&[
        &format!("upstreams.other.servers = \"http://{}\"", other.address),
        "[[routes]]\npath = \"/\"\nupstream = \"app\"\nauth = \"none\"",
        "[[routes]]\npath = \"/other\"\nupstream = \"other\"\nauth = \"none\"",
    ])
    .await;
    assert_eq!(stage.get("/x").send().await.json()["target"], "/x");
    let answer = stage.get("/other/x").send().await;
    assert_eq!(answer.text(), "the other app");
    assert_eq!(other.seen()[0]["target"], "/other/x");
}

#[tokio::test]
async fn the_servers_of_an_app_take_turns_and_a_dead_one_is_passed_over() {
    let named = async |name: &'static str| {
        Upstream::doing(move |_| Box::pin(async move { reply(name) })).await
    };
    let (a, b) = (named("a").await, named("b").await);
    let stage = Stage::with(&[
        "server.workers = 1",
        &format!(
            "upstreams.app.servers = [\"http://{}\", \"http://127.0.0.1:1\", \"http://{}\"]",
            a.address, b.address
        ),
        &open("/"),
    ])
    .await;
    let mut answers = String::new();
    for _ in 0..6 {
        answers.push_str(&stage.get("/").send().await.text());
    }
    assert_eq!(answers, "abbabb");
}

#[tokio::test]
async fn nothing_reaches_an_app_below_the_auth_paths_in_whatever_spelling() {
    let stage = Stage::with(&[&open("/"), &open("/api")]).await;
    for path in [
        "/api/auth",
        "/api/auth/",
        "/api/auth/nothing",
        "/api/v1/auth/nothing",
        "/%61pi/auth/nothing",
        "/api/%61%75th/x/y",
    ] {
        let answer = stage.get(path).send().await;
        answer.is_refused(404, "not_found");
    }
    assert_eq!(stage.upstream.seen().len(), 0);
    // What only looks like them is the app's.
    for path in [
        "/api/authors",
        "/api/auth.json",
        "/API/auth",
        "/api/v2/auth/me",
    ] {
        assert_eq!(stage.get(path).send().await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_request_without_a_host_meets_no_route_of_a_host() {
    let stage = Stage::with(&[
        "[[routes]]\nhost = \"a.test\"\npath = \"/a\"\nauth = \"none\"",
        "[[routes]]\npath = \"/b\"\nauth = \"none\"",
    ])
    .await;
    let status = async |path: &str| {
        let mut wire = Wire::to(stage.address).await;
        wire.send(format!("GET {path} HTTP/1.0\r\n\r\n")).await;
        wire.answer().await.status
    };
    assert_eq!(status("/a").await, 404);
    assert_eq!(status("/b").await, 200);
}
