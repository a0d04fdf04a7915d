//! What lies in Redis tells nobody who is logged in: neither a number nor a name nor a code stands there.

use super::open;
use crate::stage::{
    PATIENCE, PHONE, Stage, Tokens,
    inbox::wrong_for,
    jwt,
    redis::{RedisServer, Reply},
};

#[tokio::test]
async fn nothing_that_is_kept_names_anybody() {
    for subject in ["derived", "phone"] {
        let redis = RedisServer::start();
        let url = format!("redis://{}", redis.address());
        let kind = format!("tokens.subject = \"{subject}\"");
        let limits = "otp.limits = [\"9/30m per phone\", \"9/1h per ip\", \"9/1h per country\"]";
        let guard = "otp.guard.mode = \"observe\"";
        let stage = open(&url, PATIENCE / 2, &[&kind, limits, guard]).await;
        let (tokens, code) = live(&stage).await;
        let claims = jwt::claims(&tokens.access);
        let sub = claims["sub"].as_str().expect("a subject");
        assert_eq!(sub == PHONE, subject == "phone");

        let kept = everything_in(&redis);
        // A code, sessions, revoked ones, three windows, four meters, and whose all this is.
        assert!(kept.len() >= 11, "{}", kept.len());
        let national = PHONE.trim_start_matches("+1");
        let signature = tokens.refresh.rsplit('.').next().expect("a signature");
        for secret in [national, sub, signature] {
            is_nowhere(secret.as_bytes(), &kept);
        }
        let bits = u128::from_str_radix(sub.trim_start_matches('+'), 16).expect("digits");
        is_nowhere(&bits.to_be_bytes(), &kept);
        // The moments in windows may have any digits.
        let records: Vec<_> = kept
            .into_iter()
            .filter(|(key, _)| !has(key, b"}w:"))
            .collect();
        is_nowhere(code.as_bytes(), &records);
    }
}

/// Somebody logs in twice, uses it, logs out once and is about to log in again: the tokens that are
/// left, and the code that is out.
async fn live(stage: &Stage) -> (Tokens, String) {
    let gone = stage.log_in(PHONE).await;
    let kept = stage.log_in(PHONE).await;
    let kept = Tokens::of(&stage.refresh(&kept.refresh).await.json());
    let out = stage.post("/api/auth/logout").bearer(&gone.access).send();
    assert_eq!(out.await.status, 204);
    stage.ask_for_code(PHONE).await;
    let code = stage.inbox.nth_code_for(PHONE, 3).await;
    let wrong = stage.answer(PHONE, &wrong_for(&code)).await;
    wrong.is_wrong_code(Some(4));
    (kept, code)
}

/// Every key and all that is under it, as it is.
fn everything_in(redis: &RedisServer) -> Vec<(Vec<u8>, Vec<u8>)> {
    let ask = |command: &[&str]| redis.ask(command).expect("an answer");
    let keys = redis.cli(&["KEYS", "*"]);
    let read = |key: &str| {
        let value = match &*redis.cli(&["TYPE", key]) {
            "string" => ask(&["GET", key]),
            "list" => ask(&["LRANGE", key, "0", "-1"]),
            "zset" => ask(&["ZRANGE", key, "0", "-1", "WITHSCORES"]),
            "hash" => ask(&["HGETALL", key]),
            other => panic!("{key} is a {other}"),
        };
        let mut bytes = Vec::new();
        flatten(&value, &mut bytes);
        (key.as_bytes().to_vec(), bytes)
    };
    keys.lines().map(read).collect()
}

fn flatten(reply: &Reply, into: &mut Vec<u8>) {
    match reply {
        Reply::Bytes(bytes) => into.extend(bytes),
        Reply::List(members) => members.iter().for_each(|member| {
            flatten(member, into);
            into.push(b'\n');
        }),
        other @ (Reply::Number(_) | Reply::Nothing | Reply::Error(_)) => panic!("{other:?}"),
    }
}

#[track_caller]
fn is_nowhere(secret: &[u8], kept: &[(Vec<u8>, Vec<u8>)]) {
    assert!(secret.len() >= 6);
    for (key, value) in kept {
        let name = String::from_utf8_lossy(key);
        assert!(
            !has(key, secret) && !has(value, secret),
            "{name}: {secret:?}"
        );
    }
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
