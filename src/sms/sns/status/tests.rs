//! What is asked of the logs, and what is taken from their lines.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{super::tests::Lender, *};
use crate::{
    clock::Clock,
    secret::Secret,
    sms::{
        message::tests::message,
        sns::{Credentials, Given, credentials::Keeper, tests::client},
    },
};

const GROUP: &str = "sns/eu-west-1/1/DirectPublishToPhoneNumber";

/// What the documentation of SNS shows.
fn line(id: &str, status: &str, response: &str) -> String {
    json!({
        "notification": { "messageId": id, "timestamp": "2016-06-28 00:40:34.558" },
        "delivery": {
            "phoneCarrier": "My Phone Carrier", "mnc": 270, "mcc": 310,
            "numberOfMessageParts": 1, "destination": "+14155550100", "priceInUSD": 0.00645,
            "smsType": "Transactional", "providerResponse": response, "dwellTimeMs": 599,
            "dwellTimeMsUntilDeviceAck": 1344,
        },
        "status": status,
    })
    .to_string()
}

fn page(lines: &[String], next: Option<&str>) -> String {
    let events: Vec<_> = lines
        .iter()
        .map(|line| json!({ "message": line }))
        .collect();
    json!({ "events": events, "nextToken": next }).to_string()
}

/// A look-out over the logs of `lender`, and what it waits for: as many messages, `1`, `2` and so on.
async fn status(lender: &Lender, clock: &Clock, awaited: usize) -> Status {
    let given = Given::Key(Credentials {
        access_key: "AKIDEXAMPLE".to_owned(),
        secret_key: Secret::new(*b"hunter2"),
        session_token: None,
        expires_at: None,
    });
    let spec = Spec {
        base_url: lender.start().await,
        group: GROUP.to_owned(),
        every: Duration::from_secs(5),
    };
    let logs = Logs {
        base_url: spec.base_url.clone(),
        region: "eu-west-1".to_owned(),
        keeper: Arc::new(Keeper::new(given, "eu-west-1", client())),
        client: client(),
        clock: clock.clone(),
    };
    let status = Status::new(&spec, logs, Awaited::default());
    for name in 1..=awaited {
        send(&status, &name.to_string(), clock.now());
    }
    status
}

fn send(status: &Status, name: &str, at: Timestamp) {
    let accepted = Accepted {
        provider: "sns",
        reference: Some(name.to_owned()),
        status: None,
    };
    status.awaited.add(&accepted, &message("Hi"), at);
}

fn clock() -> Clock {
    Clock::manual(Timestamp::from_secs(1_000))
}

/// The bodies of what the logs were asked.
fn asked(lender: &Lender) -> Vec<Value> {
    let asked = lender.asked();
    let bodies = asked.iter().filter_map(|text| text.split_once("\r\n\r\n"));
    bodies
        .map(|(_, body)| serde_json::from_str(body).expect("JSON"))
        .collect()
}

#[tokio::test]
async fn what_stands_in_the_logs_is_told_once_and_nothing_of_strangers() {
    let lender = Lender::default();
    let lines = [
        line("1", "SUCCESS", "Message has been accepted by phone carrier"),
        line("2", "FAILURE", "Unknown error attempting to reach phone"),
        line("somebody-elses", "SUCCESS", ""),
        "START RequestId".to_owned(),
    ];
    lender.says("/", page(&lines, None));
    let mut status = status(&lender, &clock(), 2).await;
    let (mut found, result) = status.look().await;
    assert_eq!(result, Ok(()));
    found.sort_by_key(|receipt| receipt.told.reference.clone());
    let told: Vec<_> = found.iter().map(|receipt| &receipt.told).collect();
    assert_eq!(
        told,
        [
            &Told {
                outcome: Some(Outcome::Arrived),
                reference: Some("1".to_owned()),
                reason: None,
            },
            &Told {
                outcome: Some(Outcome::Lost),
                reference: Some("2".to_owned()),
                reason: Reason::words("Unknown error attempting to reach phone"),
            },
        ]
    );
    assert_eq!(found[0].challenge, message("").challenge);
    assert_eq!(found[0].message, message("").id);
    // Nothing is waited for any more, so nobody is asked.
    let before = lender.asked().len();
    assert_eq!(status.look().await, (Vec::new(), Ok(())));
    assert_eq!(lender.asked().len(), before);
}

#[tokio::test]
async fn both_logs_are_asked_from_a_little_before_the_oldest_message_on() {
    let lender = Lender::default();
    lender.says("/", page(&[], None));
    let clock = clock();
    let mut status = status(&lender, &clock, 1).await;
    assert_eq!(status.look().await.1, Ok(()));
    clock.advance(Duration::from_mins(5));
    assert_eq!(status.look().await.1, Ok(()));
    let asked = asked(&lender);
    let failures = format!("{GROUP}/Failure");
    let expected = [
        (GROUP, 970_000),
        (failures.as_str(), 970_000),
        // From a little before the last look on.
        (GROUP, 970_000),
        (failures.as_str(), 970_000),
    ];
    for (asked, (group, since)) in asked.iter().zip(expected) {
        assert_eq!(asked["logGroupName"], group);
        assert_eq!(asked["startTime"], since);
        assert!(asked.get("nextToken").is_none());
    }
    assert_eq!(asked.len(), 4);
    assert!(lender.asked()[0].contains("x-amz-target: Logs_20140328.FilterLogEvents\r\n"));
    clock.advance(Duration::from_secs(30));
    assert_eq!(status.look().await.1, Ok(()));
    assert_eq!(self::asked(&lender)[4]["startTime"], 1_270_000);
}

#[tokio::test]
async fn a_look_reads_some_pages_and_the_next_one_goes_on_there() {
    let lender = Lender::default();
    lender.says("/", page(&[], Some("further")));
    let clock = clock();
    let mut status = status(&lender, &clock, 1).await;
    assert_eq!(status.look().await.1, Ok(()));
    let tokens = |asked: &[Value]| {
        asked
            .iter()
            .filter(|it| it["nextToken"] == "further")
            .count()
    };
    assert_eq!(asked(&lender).len(), 2 * PAGES);
    assert_eq!(tokens(&asked(&lender)), 2 * (PAGES - 1));
    clock.advance(Duration::from_secs(5));
    lender.says("/", page(&[], None));
    assert_eq!(status.look().await.1, Ok(()));
    let further = asked(&lender).split_off(2 * PAGES);
    assert_eq!((further.len(), tokens(&further)), (2, 2));
    assert!(further.iter().all(|it| it["startTime"] == 970_000));
    // That look began when the first page was read.
    assert_eq!(status.readers[0].seen, Timestamp::from_secs(970));
}

#[tokio::test]
async fn after_a_failure_a_look_begins_anew() {
    let lender = Lender::default();
    lender.says("/", page(&[], Some("further")));
    let mut status = status(&lender, &clock(), 1).await;
    assert_eq!(status.look().await.1, Ok(()));
    lender.answers.lock().unwrap().clear();
    assert!(status.look().await.1.is_err());
    lender.says("/", page(&[line("1", "SUCCESS", "")], None));
    let before = asked(&lender).len();
    let (found, result) = status.look().await;
    assert_eq!((found.len(), result), (1, Ok(())));
    assert!(asked(&lender)[before].get("nextToken").is_none());
}

#[tokio::test]
async fn messages_are_waited_for_as_long_as_anybody_asks_and_not_without_end() {
    let lender = Lender::default();
    let clock = clock();
    let status = status(&lender, &clock, 0).await;
    let awaited = &status.awaited;
    for name in 0..=MOST_AWAITED {
        send(&status, &name.to_string(), clock.now());
    }
    assert_eq!(awaited.messages().len(), MOST_AWAITED);
    status.wanted().await;
    clock.advance(AWAITED_FOR);
    assert_eq!(awaited.since(clock.now()), None);
    assert!(awaited.messages().is_empty());
}

#[tokio::test]
async fn whoever_waits_for_a_message_wakes_up_when_one_is_sent() {
    let clock = clock();
    let status = status(&Lender::default(), &clock, 0).await;
    let wake = async {
        tokio::task::yield_now().await;
        send(&status, "1", clock.now());
    };
    tokio::join!(status.wanted(), wake);
}

#[test]
fn no_line_but_a_status_is_read() {
    for text in [
        "",
        "{}",
        r#"{"notification": {}, "status": "SUCCESS"}"#,
        r#"{"notification": {"messageId": "1"}, "status": "PENDING"}"#,
        r#"{"notification": {"messageId": 1}, "status": "SUCCESS"}"#,
    ] {
        assert_eq!(read(text), None, "{text}");
    }
    let bare = r#"{"notification": {"messageId": "1"}, "status": "FAILURE"}"#;
    assert!(read(bare).is_some());
}
