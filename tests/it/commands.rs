//! The program from a shell: what it says, how it exits, and keys that are rotated under a running gateway.

use std::{collections::BTreeSet, fs, net::SocketAddr};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::stage::{PATIENCE, PHONE, Tokens, client::Call, jwt, program::Program};

const CONFIGURATION: &str = "server.listen = \"127.0.0.1:0\"\nadmin.listen = \"off\"\n\
    [upstreams.app]\nservers = [\"demo:\"]\n[[routes]]\npath = \"/\"\n";

fn place(configuration: &str) -> TempDir {
    let dir = TempDir::new().expect("a directory");
    fs::write(dir.path().join("gateway.toml"), configuration).expect("a file");
    dir
}

/// Runs a command to its end: exit code, output and complaints.
async fn run(dir: &TempDir, args: &[&str]) -> (i32, String, String) {
    let mut program = Program::run(dir.path(), args);
    let code = program.ends().await;
    let (out, err) = program.said().await;
    (code, out, err)
}

#[tokio::test]
async fn a_bad_configuration_is_told_whole_with_its_places_and_serves_nobody() {
    let dir = place("otp.ttl = 5\notp.lenght = 6\n[[routes]]\npath = \"admin\"\n");
    for args in [&["check"][..], &[], &["serve"]] {
        let (code, out, err) = run(&dir, args).await;
        assert_eq!((code, out.as_str()), (78, ""), "{args:?}");
        for place in ["gateway.toml:1:11: otp.ttl", "gateway.toml:2:5: otp.lenght"] {
            assert!(err.contains(place), "{err}");
        }
        assert!(err.contains("gateway.toml:4:8: "), "{err}");
        assert!(err.contains("did you mean"), "{err}");
    }
}

#[tokio::test]
async fn a_good_configuration_and_a_mistake_of_usage_are_told_apart() {
    let dir = place(CONFIGURATION);
    let (code, out, _) = run(&dir, &["check"]).await;
    assert_eq!((code, out.lines().last()), (0, Some("ok")));
    let (code, out, err) = run(&dir, &["chekc"]).await;
    assert_eq!((code, out.as_str()), (64, ""));
    assert!(err.contains("chekc"), "{err}");
}

#[tokio::test]
async fn an_explanation_is_what_then_happens() {
    let dir = place(
        "server.listen = \"127.0.0.1:0\"\nadmin.listen = \"off\"\nstore.url = \"memory:\"\n\
         [upstreams.app]\nservers = [\"demo:\"]\n\
         [[routes]]\npath = \"/\"\nname = \"everything\"\n\
         [[routes]]\npath = \"/open\"\nauth = \"none\"\nname = \"open\"\n\
         [[routes]]\npath = \"/read\"\nmethods = [\"GET\"]\nauth = \"none\"\n",
    );
    let program = Program::run(dir.path(), &[]);
    let address = program.address().await;
    for (method, path, words, status) in [
        (
            "GET",
            "/",
            &["everything", "required", "missing_token"][..],
            401,
        ),
        ("GET", "/%6Fpen/x", &["open", "none", "/open/x"], 200),
        ("GET", "/openx", &["everything", "required"], 401),
        ("POST", "/read", &["405", "method_not_allowed"], 405),
        ("GET", "/open/../x", &["400", "invalid_request_target"], 400),
        ("GET", "/api/auth/me", &["gateway"], 401),
    ] {
        let (code, told, _) = run(&dir, &["explain", method, path]).await;
        assert_eq!(code, 0, "{told}");
        for word in words {
            assert!(told.contains(word), "{word} in {told}");
        }
        let answer = Call::new(address, method, path).send().await;
        assert_eq!(answer.status, status, "{method} {path}");
    }
}

#[tokio::test]
async fn keys_are_rotated_under_a_running_gateway_and_nobody_is_logged_out() {
    let dir = place(CONFIGURATION);
    let program = Program::run(dir.path(), &[]);
    let address = program.address().await;
    let old = log_in(&program, address).await;
    let old_kid = kid(&old);
    let before = published(address).await;
    assert!(before.contains(&old_kid));

    let (code, told, _) = run(&dir, &["keys", "rotate"]).await;
    assert_eq!(code, 1, "{told}");
    assert_eq!(published(address).await, before);
    let (code, told, _) = run(&dir, &["keys", "rotate", "--at-once"]).await;
    assert_eq!(code, 0, "{told}");
    let line = |what: &str| {
        let line = told.lines().find(|line| line.ends_with(what));
        let kid = line.and_then(|line| line.split(' ').next());
        kid.unwrap_or_else(|| panic!("{what} in {told}")).to_owned()
    };
    let new_kid = line("signs now");
    assert_eq!(line("only verifies now"), old_kid);
    // The next one had been published before, so that everybody knows it when it begins to sign.
    assert!(before.contains(&new_kid));
    let taken_over = program.out.line(|line| line.contains("taken over"));
    timeout(PATIENCE, taken_over).await.expect("in time");

    let keys = published(address).await;
    assert!(
        keys.contains(&old_kid) && keys.contains(&new_kid),
        "{keys:?}"
    );
    let new = log_in(&program, address).await;
    assert_eq!(kid(&new), new_kid);
    for tokens in [&old, &new] {
        let answer = Call::new(address, "GET", "/")
            .bearer(&tokens.access)
            .send()
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let refreshed = Call::new(address, "POST", "/api/auth/refresh")
        .json(&json!({ "refresh_token": old.refresh }))
        .send()
        .await;
    assert_eq!(kid(&Tokens::of(&refreshed.json())), new_kid);

    let (code, listed, _) = run(&dir, &["keys", "list"]).await;
    assert_eq!(code, 0);
    for (kid, state) in [(&new_kid, "active"), (&old_kid, "retired")] {
        let line = listed.lines().find(|line| line.starts_with(kid.as_str()));
        assert!(line.is_some_and(|line| line.contains(state)), "{listed}");
    }
}

async fn log_in(program: &Program, address: SocketAddr) -> Tokens {
    let before = program.out.messages_to(PHONE).len();
    let asked = Call::new(address, "POST", "/api/auth/send-otp")
        .json(&json!({ "mobile_number": PHONE }))
        .send()
        .await;
    assert_eq!(asked.status, 200, "{asked:?}");
    let code = program.out.nth_code_for(PHONE, before + 1).await;
    let answered = Call::new(address, "POST", "/api/auth/verify-otp")
        .json(&json!({ "mobile_number": PHONE, "otp": code, "device_info": "test" }))
        .send()
        .await;
    Tokens::of(&answered.json())
}

fn kid(tokens: &Tokens) -> String {
    jwt::header(&tokens.access)["kid"]
        .as_str()
        .expect("a kid")
        .to_owned()
}

/// The names of the published keys.
async fn published(address: SocketAddr) -> BTreeSet<String> {
    let path = "/api/auth/.well-known/jwks.json";
    let keys = Call::new(address, "GET", path).send().await.json();
    let keys: Vec<Value> = serde_json::from_value(keys["keys"].clone()).expect("keys");
    keys.iter()
        .map(|key| key["kid"].as_str().expect("a kid").to_owned())
        .collect()
}
