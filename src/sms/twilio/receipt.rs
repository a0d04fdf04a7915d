//! What Twilio tells of messages and calls, in our words; knows nothing of who asks it to.

use super::signature::Fields;
use crate::sms::receipt::{Outcome, Reason, Told};

/// What these fields of a status callback tell. A status that is not known is none that would be news.
pub fn read(fields: &Fields) -> Told {
    let field = |wanted: &str| {
        let mut fields = fields.iter();
        let found = fields.find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    };
    let either = |message, call| field(message).or_else(|| field(call));
    Told {
        outcome: either("MessageStatus", "CallStatus").and_then(outcome),
        reference: either("MessageSid", "CallSid")
            .filter(|sid| is_sid(sid))
            .map(str::to_owned),
        reason: field("ErrorCode").and_then(Reason::code),
    }
}

/// A call that was not taken has told nobody a code, as a message that no phone has.
fn outcome(status: &str) -> Option<Outcome> {
    match status {
        "delivered" | "read" | "completed" => Some(Outcome::Arrived),
        "undelivered" | "failed" | "busy" | "no-answer" | "canceled" => Some(Outcome::Lost),
        _ => None,
    }
}

fn is_sid(text: &str) -> bool {
    text.len() == 34 && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(fields: &[(&str, &str)]) -> Told {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        read(&fields.iter().map(owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_became_of_a_message_is_its_status() {
        let sid = "SM0123456789abcdef0123456789abcdef";
        for (status, expected) in [
            ("accepted", None),
            ("scheduled", None),
            ("queued", None),
            ("sending", None),
            ("sent", None),
            ("something-new", None),
            ("", None),
            ("delivered", Some(Outcome::Arrived)),
            ("read", Some(Outcome::Arrived)),
            ("undelivered", Some(Outcome::Lost)),
            ("failed", Some(Outcome::Lost)),
            ("canceled", Some(Outcome::Lost)),
        ] {
            let told = told(&[("MessageSid", sid), ("MessageStatus", status)]);
            assert_eq!(told.outcome, expected, "{status}");
            assert_eq!(told.reference.as_deref(), Some(sid));
            assert_eq!(told.reason, None);
        }
    }

    #[test]
    fn what_became_of_a_call_is_whether_somebody_heard_it() {
        for (status, expected) in [
            ("initiated", None),
            ("ringing", None),
            ("in-progress", None),
            ("completed", Some(Outcome::Arrived)),
            ("busy", Some(Outcome::Lost)),
            ("no-answer", Some(Outcome::Lost)),
            ("failed", Some(Outcome::Lost)),
            ("canceled", Some(Outcome::Lost)),
        ] {
            let sid = "CA0123456789abcdef0123456789abcdef";
            let told = told(&[("CallStatus", status), ("CallSid", sid)]);
            assert_eq!(told.outcome, expected, "{status}");
            assert_eq!(told.reference.as_deref(), Some(sid));
        }
    }

    #[test]
    fn a_reason_is_a_code_of_twilios_and_nothing_else_is_kept() {
        let lost = told(&[
            ("MessageStatus", "undelivered"),
            ("ErrorCode", "30003"),
            ("To", "+16502530000"),
            ("MessageSid", "+16502530000"),
        ]);
        assert_eq!(lost.reason, Reason::code("30003"));
        assert_eq!(lost.reference, None);
        assert!(!format!("{lost:?}").contains("6502530000"));
        let odd = told(&[("MessageStatus", "failed"), ("ErrorCode", "+16502530000")]);
        assert_eq!(odd.reason, None);
    }
}
