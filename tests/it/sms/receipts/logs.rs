//! What SNS writes down of messages: found as long as it is waited for.

use crate::{
    sms::stage,
    stage::{
        PHONE, Stage,
        carrier::{Carrier, saying},
    },
};

const GROUP: &str = "sns/eu-west-1/123456789012/DirectPublishToPhoneNumber";

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

/// Whoever may not read logs still sends.
#[tokio::test]
async fn logs_that_cannot_be_read_keep_nobody_from_logging_in() {
    let refused = "{\"__type\": \"AccessDeniedException\"}";
    let logs = Carrier::start(saying("400 Bad Request", "", refused)).await;
    let (stage, sns) = by_sns(&logs).await;
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    let text = sns
        .asked(1)
        .await
        .remove(0)
        .field("Message")
        .expect("a text");
    logs.asked(4).await;
    let code = crate::stage::inbox::code_in(&format!(": {text}"));
    assert_eq!(stage.answer(PHONE, &code).await.status, 200);
}
