//! What SNS writes down of messages: found as long as it is waited for.

use serde_json::{Value, json};

use crate::{
    sms::{counted, stage},
    stage::{
        PHONE, Stage,
        carrier::{Carrier, Manner, saying},
    },
};

const GROUP: &str = "sns/eu-west-1/123456789012/DirectPublishToPhoneNumber";

/// Logs in which SNS has written this of the message that it calls `567910cd`.
fn logs(status: &str) -> Manner {
    let line = json!({
        "notification": { "messageId": "567910cd", "timestamp": "2016-06-28 00:40:34.558" },
        "delivery": { "destination": PHONE, "providerResponse": "Phone has blocked SMS" },
        "status": status,
    });
    let page = json!({ "events": [{ "message": line.to_string() }] });
    saying("200 OK", "", &page.to_string())
}

/// SNS, and a gateway that looks there for what became of messages.
async fn by_sns(logs: &Carrier) -> (Stage, Carrier) {
    let xml = "<PublishResponse><PublishResult><MessageId>567910cd</MessageId></PublishResult></PublishResponse>";
    let carrier = Carrier::start(saying("200 OK", "", xml)).await;
    let settings = [
        "sms.providers = [\"sns\", \"console\"]",
        "sms.sns.region = \"eu-west-1\"",
        "sms.sns.access_key_id = \"AKIDEXAMPLE\"",
        "sms.sns.secret_access_key = \"hunter2\"",
        "sms.sns.status_every = \"100ms\"",
        &format!("sms.sns.base_url = \"http://{}\"", carrier.address),
        &format!("sms.sns.logs_url = \"http://{}\"", logs.address),
        &format!("sms.sns.status_log = \"{GROUP}\""),
    ];
    (stage(&settings.map(str::to_owned)).await, carrier)
}

/// What SNS was asked to send.
async fn text_for(sns: &Carrier) -> String {
    let asked = sns.asked(1).await.remove(0);
    asked.field("Message").expect("a text")
}

#[tokio::test]
async fn a_message_arrives_when_the_log_says_so() {
    let logs = Carrier::start(logs("SUCCESS")).await;
    let (stage, _sns) = by_sns(&logs).await;
    assert_eq!(logs.requests().len(), 0, "nothing is waited for");
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    counted(&stage, "sns", "accepted").await;
    super::learnt_by(&stage, "sns", "arrived").await;
    let asked = logs.requests().remove(0);
    assert!(
        asked
            .head
            .contains("x-amz-target: logs_20140328.filterlogevents"),
        "{}",
        asked.head
    );
    let scope = "/20300317/eu-west-1/logs/aws4_request";
    assert!(
        asked
            .header("authorization")
            .is_some_and(|it| it.contains(scope))
    );
    let body: Value = serde_json::from_str(&asked.body).expect("JSON");
    assert_eq!(body["logGroupName"], GROUP);
    assert_eq!(stage.inbox.lines(), [""; 0]);
}

#[tokio::test]
async fn a_message_that_sns_lost_goes_to_the_next_provider_with_the_same_code() {
    let logs = Carrier::start(logs("FAILURE")).await;
    let (stage, sns) = by_sns(&logs).await;
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    let text = text_for(&sns).await;
    let code = stage.inbox.code_for(PHONE).await;
    assert!(text.contains(&code));
    super::learnt_by(&stage, "sns", "lost").await;
    assert_eq!(stage.answer(PHONE, &code).await.status, 200);
}

/// Whoever may not read logs still sends.
#[tokio::test]
async fn logs_that_cannot_be_read_keep_nobody_from_logging_in() {
    let refused = "{\"__type\": \"AccessDeniedException\"}";
    let logs = Carrier::start(saying("400 Bad Request", "", refused)).await;
    let (stage, sns) = by_sns(&logs).await;
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    let text = text_for(&sns).await;
    logs.asked(4).await;
    let code = crate::stage::inbox::code_in(&format!(": {text}"));
    assert_eq!(stage.answer(PHONE, &code).await.status, 200);
}
