//! What has become of a message, as whoever asked for it is told, and nobody else.

use http::StatusCode;
use serde_json::json;

use crate::stage::{
    BEHIND_A_PROXY, PATIENCE, PHONE, Stage,
    carrier::{Carrier, Manner, saying},
    client::{Answer, Call},
};

fn look(stage: &Stage, challenge: &str) -> Call {
    stage.get(&format!("/api/auth/challenges/{challenge}"))
}

/// What is told as soon as the message has come so far.
async fn told(stage: &Stage, challenge: &str, status: &str) -> Answer {
    let waiting = async {
        loop {
            let answer = look(stage, challenge).send().await;
            assert_eq!(answer.status, 200, "{answer:?}");
            if answer.json()["status"] == status {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    let told = tokio::time::timeout(PATIENCE, waiting).await;
    told.unwrap_or_else(|_| panic!("never {status}"))
}

/// A gateway that sends by the program at `carrier`.
async fn sending_by(carrier: &Carrier) -> Stage {
    let url = format!("sms.webhook.url = \"http://{}/\"", carrier.address);
    let key = "sms.webhook.secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"";
    // Nobody loses patience with it during a test.
    let patient = "sms.timeout = \"60s\"";
    Stage::with(&["sms.providers = \"webhook\"", &url, key, patient]).await
}

#[tokio::test]
async fn whoever_asked_is_told_word_for_word_that_the_message_is_out() {
    let stage = Stage::new().await;
    let challenge = stage.ask_for_code(PHONE).await.challenge();
    stage.inbox.code_for(PHONE).await;
    let answer = told(&stage, &challenge, "sent").await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(
        answer.json(),
        json!({ "status": "sent", "channel": "sms", "expires_in": 300 })
    );
}

#[tokio::test]
async fn a_message_that_nobody_can_receive_has_failed_for_a_reason() {
    let refusal = saying("400 Bad Request", "", "{\"error\": \"invalid_number\"}");
    let carrier = Carrier::start(refusal).await;
    let stage = sending_by(&carrier).await;
    let challenge = stage.ask_for_code(PHONE).await.challenge();
    let answer = told(&stage, &challenge, "failed").await;
    assert_eq!(answer.json()["reason"], "invalid_number");
}

#[tokio::test]
async fn a_message_that_is_with_a_silent_provider_is_still_queued() {
    let carrier = Carrier::start(Manner::Silent).await;
    let stage = sending_by(&carrier).await;
    let challenge = stage.ask_for_code(PHONE).await.challenge();
    carrier.asked(1).await;
    let answer = told(&stage, &challenge, "queued").await;
    assert_eq!(answer.json().get("reason"), None);
}

#[tokio::test]
async fn a_test_number_reads_like_one_that_was_written_to() {
    let number =
        "[[otp.test_numbers]]\nnumber = \"+14155550199\"\ncode = \"246810\"\nuntil = 2099-12-31";
    let stage = Stage::with(&[number]).await;
    let real = stage.ask_for_code(PHONE).await.challenge();
    let test = stage.ask_for_code("+14155550199").await.challenge();
    let (real, test) = (
        told(&stage, &real, "sent").await,
        told(&stage, &test, "sent").await,
    );
    assert_eq!(real.json(), test.json());
}

#[tokio::test]
async fn for_everybody_else_the_challenge_does_not_exist() {
    let stage = Stage::with(&[BEHIND_A_PROXY]).await;
    let asked = stage.send_otp(PHONE).sent_from("203.0.113.7").send().await;
    let challenge = asked.challenge();
    let owner = look(&stage, &challenge).sent_from("203.0.113.7");
    assert_eq!(owner.send().await.status, 200);

    let mut others = vec![
        look(&stage, &challenge)
            .sent_from("203.0.113.8")
            .send()
            .await,
        look(&stage, &challenge).send().await,
    ];
    // One that never was, beside one that is, and what is none at all.
    let last = if challenge.ends_with('0') { "1" } else { "0" };
    let near = format!("{}{last}", &challenge[..challenge.len() - 1]);
    for id in [
        &*near,
        &"0".repeat(32),
        &challenge.to_uppercase(),
        "x",
        &"a".repeat(5000),
    ] {
        if id != challenge {
            others.push(look(&stage, id).sent_from("203.0.113.7").send().await);
        }
    }
    for other in &others {
        other.is_refused(404, "not_found");
        assert_eq!(other.body, others[0].body);
        assert!(!other.text().contains("sms"));
    }
}

#[tokio::test]
async fn it_is_only_read() {
    let stage = Stage::new().await;
    let challenge = stage.ask_for_code(PHONE).await.challenge();
    let path = format!("/api/auth/challenges/{challenge}");
    let alias = format!("/api/v1/auth/challenges/{challenge}");
    let head = stage.call("HEAD", &path).send().await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(stage.get(&alias).send().await.status, 200);
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let answer = stage.call(method, &path).send().await;
        answer.is_refused(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), "GET, HEAD");
    }
    for path in [
        "/api/auth/challenges",
        "/api/auth/challenges/",
        "/api/auth/challenges/a/b",
    ] {
        stage.get(path).send().await.is_refused(404, "not_found");
    }
}

#[tokio::test]
async fn looking_costs_nothing_and_the_code_is_still_good() {
    let stage = Stage::with(&["otp.limits = [\"1/30m per phone\"]"]).await;
    let challenge = stage.ask_for_code(PHONE).await.challenge();
    let code = stage.inbox.code_for(PHONE).await;
    for _ in 0..20 {
        assert_eq!(look(&stage, &challenge).send().await.status, 200);
    }
    assert_eq!(stage.answer(PHONE, &code).await.status, 200);
    // What became of the message is still told when its code is used up.
    assert_eq!(look(&stage, &challenge).send().await.status, 200);
}
