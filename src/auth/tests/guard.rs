//! The conversion guard from outside: who is sent nothing, what they are told, and how they go on.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::stage::{self, Answer, Ask, NUMBER, Stage, TEST_NUMBER};
use crate::auth::{Guard, Mode, Spec};

/// Messages that a range may owe, and the one that finds out.
const HANDFUL: usize = 6;

fn guarded(mode: Mode) -> Spec {
    Spec {
        limits: Vec::new(),
        guard: Guard {
            mode,
            exempt: vec!["10.0.0.0/8".parse().unwrap()],
        },
        ..stage::spec()
    }
}

/// A number of a range, far from the others.
fn number(n: usize) -> String {
    format!("+1650253{:04}", 100 * n)
}

/// An address in a network of its own.
fn address(n: usize) -> String {
    format!("198.51.{n}.1")
}

async fn ask_from(stage: &Stage, ip: &str, body: &Value) -> Answer {
    stage.ask(Ask::post("/send-otp", body).client_at(ip)).await
}

/// Asks for one code after the other, each from elsewhere, until one is refused.
async fn until_refused(stage: &Stage) -> (usize, Answer) {
    for n in 0..100 {
        let body = json!({ "mobile_number": number(n) });
        let answer = ask_from(stage, &address(n), &body).await;
        if answer.status != 200 {
            return (n, answer);
        }
    }
    panic!("nothing is ever refused");
}

/// What a small client does, and the README says.
fn solve(puzzle: &str, bits: u64) -> String {
    let tries = (0_u64..).map(|nonce| format!("{puzzle}.{nonce}"));
    let mut solutions = tries.filter(|proof| {
        let hash = digest(&SHA256, proof.as_bytes());
        let first = u64::from_be_bytes(hash.as_ref()[..8].try_into().unwrap());
        u64::from(first.leading_zeros()) >= bits
    });
    solutions.next().unwrap()
}

fn solved(answer: &Answer) -> String {
    let proof = &answer.json()["proof"];
    solve(
        proof["puzzle"].as_str().unwrap(),
        proof["bits"].as_u64().unwrap(),
    )
}

#[tokio::test]
async fn whoever_pumps_a_range_is_asked_for_a_proof_of_work() {
    let stage = Stage::with(guarded(Mode::Enforce), 64).await;
    let (sent, refused) = until_refused(&stage).await;
    assert_eq!(sent, HANDFUL);
    assert_eq!(refused.refusal(), (403, "proof_required".to_owned()));
    let proof = &refused.json()["proof"];
    assert_eq!(proof["algorithm"], "sha-256");
    assert_eq!(proof["bits"], 16);
    assert_eq!(proof["expires_in"], 300);
    assert_eq!(stage.messages().await.len(), HANDFUL);
    let counted = "otp_guard_total{level=\"range\",rule=\"debt\",verdict=\"proof_required\"}";
    assert_eq!(stage.metric(counted), 1);
    assert_eq!(stage.metric("otp_sends_total{result=\"suspected\"}"), 1);
}

#[tokio::test]
async fn a_solved_puzzle_gets_its_message_for_that_number_from_that_client_alone() {
    let stage = Stage::with(guarded(Mode::Enforce), 64).await;
    let (n, refused) = until_refused(&stage).await;
    let proof = solved(&refused);
    let with = |n: usize| json!({ "mobile_number": number(n), "proof": proof });
    for answer in [
        ask_from(&stage, &address(n), &with(n + 1)).await,
        ask_from(&stage, &address(n + 1), &with(n)).await,
    ] {
        assert_eq!(answer.refusal(), (403, "proof_required".to_owned()));
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("solves no puzzle that was set for this number"));
    }
    let answer = ask_from(&stage, &address(n), &with(n)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let counted = "otp_guard_total{level=\"range\",rule=\"debt\",verdict=\"proved\"}";
    assert_eq!(stage.metric(counted), 1);
}

#[tokio::test]
async fn an_old_proof_is_answered_with_a_new_puzzle_and_no_proof_with_a_mistake() {
    let stage = Stage::with(guarded(Mode::Enforce), 64).await;
    let (n, refused) = until_refused(&stage).await;
    let proof = solved(&refused);
    stage.clock.advance(Duration::from_mins(5));
    let body = json!({ "mobile_number": number(n), "proof": proof });
    let answer = ask_from(&stage, &address(n), &body).await;
    assert_eq!(answer.refusal(), (403, "proof_required".to_owned()));
    let body = json!({ "mobile_number": number(n), "proof": solved(&answer) });
    assert_eq!(ask_from(&stage, &address(n), &body).await.status, 200);
    for wrong in ["", "1", "a.b"] {
        let body = json!({ "mobile_number": number(n), "proof": wrong });
        let answer = ask_from(&stage, &address(n), &body).await;
        assert_eq!(answer.wrong_fields(), ["proof"], "{wrong}");
    }
}

#[tokio::test]
async fn whoever_proves_all_work_is_stopped_for_a_while_in_the_end() {
    let stage = Stage::with(guarded(Mode::Enforce), 64).await;
    let (first, _) = until_refused(&stage).await;
    let mut answers = Vec::new();
    for n in first..first + 20 {
        let mut body = json!({ "mobile_number": number(n) });
        let mut answer = ask_from(&stage, &address(n), &body).await;
        if answer.status == 403 {
            body["proof"] = json!(solved(&answer));
            answer = ask_from(&stage, &address(n), &body).await;
        }
        answers.push(answer);
    }
    let blocked = answers.last().unwrap();
    assert_eq!(blocked.refusal(), (429, "rate_limited".to_owned()));
    assert_eq!(blocked.headers["retry-after"], "900");
    assert_eq!(blocked.json()["violated-policies"], json!(["guard"]));
    let sent = answers.iter().filter(|answer| answer.status == 200);
    assert_eq!(sent.count(), 7);
    // Elsewhere nobody notices.
    let elsewhere = json!({ "mobile_number": "+14155550100" });
    assert_eq!(
        ask_from(&stage, "203.0.113.1", &elsewhere).await.status,
        200
    );
    stage.clock.advance(Duration::from_secs(899));
    let body = json!({ "mobile_number": number(0) });
    assert_eq!(ask_from(&stage, &address(0), &body).await.status, 429);
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(ask_from(&stage, &address(0), &body).await.status, 403);
}

#[tokio::test]
async fn people_who_enter_their_codes_are_never_asked() {
    let stage = Stage::with(guarded(Mode::Enforce), 64).await;
    for n in 0..40 {
        stage.login(&number(n)).await;
        stage.clock.advance(Duration::from_secs(20));
    }
}

#[tokio::test]
async fn whoever_counts_through_numbers_is_asked_for_a_proof_after_three_of_them() {
    let stage = Stage::with(guarded(Mode::Enforce), 64).await;
    let ask = async |n: usize| {
        let body = json!({ "mobile_number": format!("+1650253{n:04}") });
        let answer = ask_from(&stage, &address(n % 200), &body).await;
        // Nothing is owed any more.
        stage.clock.advance(Duration::from_hours(24));
        answer
    };
    for n in 0..3 {
        assert_eq!(ask(n).await.status, 200, "{n}");
    }
    for n in 3..6 {
        assert_eq!(ask(n).await.refusal(), (403, "proof_required".to_owned()));
    }
    let counted = "otp_guard_total{level=\"range\",rule=\"sequence\",verdict=\"proof_required\"}";
    assert_eq!(stage.metric(counted), 3);
    assert_eq!(ask(5000).await.status, 200);
}

#[tokio::test]
async fn one_network_that_asks_for_everybody_is_suspected_as_well() {
    let stage = Stage::with(guarded(Mode::Enforce), 64).await;
    let ask = async |n: usize| {
        // Each number is in a block of its own.
        let body = json!({ "mobile_number": format!("+1{}5550100", [415, 212, 312, 650, 702, 206, 305][n]) });
        ask_from(&stage, &format!("203.0.113.{n}"), &body).await
    };
    for n in 0..6 {
        assert_eq!(ask(n).await.status, 200, "{n}");
    }
    assert_eq!(ask(6).await.refusal(), (403, "proof_required".to_owned()));
    let counted = "otp_guard_total{level=\"network\",rule=\"debt\",verdict=\"proof_required\"}";
    assert_eq!(stage.metric(counted), 1);
}

#[tokio::test]
async fn where_it_only_watches_everything_is_sent_and_told() {
    let observed = Stage::with(guarded(Mode::Observe), 64).await;
    let exempt = Stage::with(guarded(Mode::Enforce), 64).await;
    for (stage, ip) in [(&observed, "198.51.100.1"), (&exempt, "10.1.2.3")] {
        for n in 0..20 {
            let body = json!({ "mobile_number": number(n) });
            assert_eq!(ask_from(stage, ip, &body).await.status, 200);
        }
        let noted = |level| {
            stage.metric(&format!(
                "otp_guard_total{{level=\"{level}\",rule=\"debt\",verdict=\"noted\"}}"
            ))
        };
        assert_eq!(noted("range") + noted("network"), 14);
    }
    let off = Stage::with(guarded(Mode::Off), 64).await;
    for n in 0..20 {
        assert_eq!(off.send(&number(n)).await.status, 200);
    }
}

#[tokio::test]
async fn a_test_number_costs_nobody_anything() {
    let stage = Stage::with(guarded(Mode::Enforce), 64).await;
    for _ in 0..20 {
        assert_eq!(stage.send(TEST_NUMBER).await.status, 200);
    }
    // It lies in the same range.
    assert_eq!(stage.send(NUMBER).await.status, 200);
}
