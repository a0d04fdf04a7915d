//! What Twilio is asked, word for word, and what its answers are taken for.

use std::{collections::BTreeMap, time::Duration};

use http::StatusCode;

use super::*;
use crate::sms::{http::Line, message::tests::message};

const ACCOUNT: &str = "AC00000000000000000000000000000001";

fn spec() -> Spec {
    Spec {
        base_url: "https://api.twilio.com".to_owned(),
        account_sid: ACCOUNT.to_owned(),
        user: "SK00000000000000000000000000000002".to_owned(),
        password: Secret::new(*b"hunter2"),
        sms: Some(Sender::From("+15550001111".to_owned())),
        whatsapp: Some("+15550002222".to_owned()),
        whatsapp_content: None,
        voice: Some("+15550003333".to_owned()),
        status_callback: None,
        signed_with: None,
    }
}

fn twilio(spec: Spec) -> Twilio {
    let line = Line {
        connect_timeout: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        authorities: None,
    };
    Twilio::new(spec, Client::new(&line).unwrap())
}

/// The fields of a request for a message by `channel`.
fn form(spec: Spec, channel: Channel) -> BTreeMap<String, String> {
    let message = Message {
        channel,
        ..message("Code: 421337 & more")
    };
    let request = twilio(spec).request(&message).unwrap();
    form_urlencoded::parse(request.body())
        .into_owned()
        .collect()
}

fn fields<const N: usize>(expected: [(&str, &str); N]) -> BTreeMap<String, String> {
    let expected = expected.into_iter();
    expected
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
}

fn reply(status: u16, body: &'static str) -> Reply {
    Reply {
        status: StatusCode::from_u16(status).unwrap(),
        retry_after: Some(Duration::from_secs(3)),
        body: Some(Bytes::from_static(body.as_bytes())),
    }
}

#[test]
fn a_text_message_is_asked_for_by_a_form() {
    let request = twilio(spec()).request(&message("Hi")).unwrap();
    assert_eq!(request.method(), "POST");
    assert_eq!(
        request.uri().to_string(),
        format!("https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages.json")
    );
    // SK00000000000000000000000000000002:hunter2
    assert_eq!(
        request.headers()["authorization"],
        "Basic U0swMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMjpodW50ZXIy"
    );
    assert_eq!(
        form(spec(), Channel::Sms),
        fields([
            ("To", "+16502530000"),
            ("From", "+15550001111"),
            ("Body", "Code: 421337 & more"),
            ("ValidityPeriod", "300"),
        ])
    );
}

#[test]
fn a_messaging_service_takes_the_place_of_a_number() {
    let service = "MG00000000000000000000000000000004";
    let form = form(
        Spec {
            sms: Some(Sender::Service(service.to_owned())),
            status_callback: Some("https://a.example/told".to_owned()),
            ..spec()
        },
        Channel::Sms,
    );
    assert_eq!(form["MessagingServiceSid"], service);
    assert_eq!(
        form["StatusCallback"],
        "https://a.example/told?challenge=08080808080808080808080808080808\
         &message=msg_07070707070707070707070707070707"
    );
    assert!(!form.contains_key("From"));
}

#[test]
fn both_numbers_of_a_whatsapp_message_say_so() {
    assert_eq!(
        form(spec(), Channel::WhatsApp),
        fields([
            ("To", "whatsapp:+16502530000"),
            ("From", "whatsapp:+15550002222"),
            ("Body", "Code: 421337 & more"),
        ])
    );
    let content = "HX00000000000000000000000000000005";
    let form = form(
        Spec {
            whatsapp_content: Some(content.to_owned()),
            ..spec()
        },
        Channel::WhatsApp,
    );
    assert_eq!(form["ContentSid"], content);
    assert_eq!(form["ContentVariables"], "{\"1\":\"421337\"}");
    assert!(!form.contains_key("Body"));
}

#[test]
fn a_call_says_the_text_twice() {
    let form = form(spec(), Channel::Voice);
    assert_eq!(
        (&*form["To"], &*form["From"]),
        ("+16502530000", "+15550003333")
    );
    let said = "<Say language=\"en-US\">Code: 421337 &amp; more</Say>";
    assert_eq!(form["Twiml"].matches(said).count(), 2);
    assert_eq!(
        twilio(spec()).target(Channel::Voice),
        "POST https://api.twilio.com/2010-04-01/Accounts/AC0000…/Calls.json"
    );
}

#[test]
fn an_account_carries_what_it_has_a_sender_for() {
    let mute = Spec {
        sms: None,
        whatsapp: None,
        voice: None,
        ..spec()
    };
    for channel in [Channel::Sms, Channel::WhatsApp, Channel::Voice] {
        assert!(spec().carries(channel));
        assert!(!mute.carries(channel));
    }
}

#[test]
fn an_answer_with_a_name_for_the_message_is_a_yes() {
    let accepted = read(&reply(
        201,
        r#"{"sid": "SM1", "status": "queued", "error_code": null}"#,
    ));
    assert_eq!(accepted.unwrap().reference.as_deref(), Some("SM1"));
}

#[test]
fn what_answers_yes_in_other_words_may_have_sent() {
    for body in ["", "<html>", "{}", "{\"sid\": 1}"] {
        for status in [200, 201, 202] {
            let error = read(&reply(status, body)).unwrap_err();
            assert_eq!(error.class, Class::Unknown, "{status} {body}");
        }
    }
}

#[test]
fn a_refusal_is_what_its_code_says_or_else_its_status() {
    let wait = Some(Duration::from_secs(3));
    for (status, body, expected) in [
        (
            400,
            r#"{"code": 21211, "message": "The 'To' number +1 is not valid"}"#,
            Class::InvalidNumber,
        ),
        (400, r#"{"code": 21610}"#, Class::Blocked),
        (401, r#"{"code": 20003}"#, Class::Misconfigured),
        (
            429,
            r#"{"code": 20429}"#,
            Class::Throttled { retry_after: wait },
        ),
        (429, "slow down", Class::Throttled { retry_after: wait }),
        (503, r#"{"code": 20503}"#, Class::Down),
        (503, "no healthy upstream", Class::Unknown),
        (500, r#"{"code": 20500}"#, Class::Unknown),
        (400, r#"{"code": 99999}"#, Class::Misconfigured),
        (302, "", Class::Misconfigured),
    ] {
        let error = read(&reply(status, body)).unwrap_err();
        assert_eq!(error.class, expected, "{status} {body}");
    }
    let error = read(&reply(400, r#"{"code": 21211, "message": "+16502530000"}"#)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no message reaches this number: status 400, code 21211"
    );
}

#[test]
fn nothing_shows_what_proves_who_we_are() {
    let twilio = twilio(spec());
    let request = twilio.request(&message("Hi")).unwrap();
    let shown = format!("{twilio:?} {:?}", request.headers());
    assert!(
        !shown.contains("hunter2") && !shown.contains("U0sw"),
        "{shown}"
    );
}
