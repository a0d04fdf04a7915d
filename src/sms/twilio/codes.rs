//! Twilio's error codes (twilio.com/docs/api/errors) as classes: of requests, and of what becomes of messages later.

use crate::sms::error::Class;

const THROTTLED: Class = Class::Throttled { retry_after: None };

/// Codes and what they mean to whoever wants to send, in the order of the codes.
const CODES: &[(u32, Class)] = &[
    (10001, Class::Misconfigured), // the account is not active
    (13223, Class::InvalidNumber), // calls: the form of the number
    (13224, Class::InvalidNumber), // calls: no such number
    (13225, Class::Blocked),       // calls: a forbidden number
    (13227, Class::Blocked),       // calls: no permission for the country
    (14107, THROTTLED),            // messages per second
    (20001, Class::Misconfigured), // an unknown parameter
    (20002, Class::Misconfigured), // a page that does not exist
    (20003, Class::Misconfigured), // authentication, or no money
    (20004, Class::Misconfigured), // the method is not allowed
    (20005, Class::Misconfigured), // the account is not active
    (20006, Class::Misconfigured), // access denied
    (20008, Class::Misconfigured), // not with test credentials
    (20404, Class::Misconfigured), // no such account
    (20429, THROTTLED),            // requests at the same time
    (20503, Class::Down),          // the service is unavailable
    (21201, Class::InvalidNumber), // calls: no number
    (21205, Class::Misconfigured), // calls: the address of what is to be said
    (21210, Class::Misconfigured), // calls: the sender is not verified
    (21211, Class::InvalidNumber), // the form of the number
    (21212, Class::Misconfigured), // the form of the sender
    (21213, Class::Misconfigured), // calls: no sender
    (21214, Class::InvalidNumber), // calls: the number cannot be reached
    (21215, Class::Blocked),       // calls: no permission for the country
    (21216, Class::Blocked),       // calls: a forbidden number
    (21217, Class::InvalidNumber), // no valid number
    (21219, Class::Misconfigured), // trial: the number is not verified
    (21265, Class::InvalidNumber), // a short code
    (21401, Class::InvalidNumber), // no valid number
    (21407, Class::InvalidNumber), // no SMS for this kind of number
    (21408, Class::Blocked),       // no permission for the country
    (21601, Class::Misconfigured), // the sender has no SMS
    (21602, Class::Misconfigured), // no text
    (21603, Class::Misconfigured), // no sender
    (21604, Class::InvalidNumber), // no number
    (21606, Class::Misconfigured), // not a sender of the account
    (21608, Class::Misconfigured), // trial: the number is not verified
    (21609, Class::Misconfigured), // the status callback
    (21610, Class::Blocked),       // the owner opted out
    (21611, THROTTLED),            // the sender's queue is full
    (21612, Class::Blocked),       // not from this sender to that network
    (21614, Class::InvalidNumber), // not a mobile number
    (21617, Class::Misconfigured), // the text is too long
    (21619, Class::Misconfigured), // no text
    (21635, Class::InvalidNumber), // a landline
    (21654, Class::Misconfigured), // no such content
    (21655, Class::Misconfigured), // the name of the content
    (21656, Class::Misconfigured), // the variables of the content
    (21659, Class::Misconfigured), // the sender is not Twilio's
    (21660, Class::Misconfigured), // the sender is another account's
    (21701, Class::Misconfigured), // no such messaging service
    (21703, Class::Misconfigured), // a messaging service without senders
    (21704, Class::Misconfigured), // a messaging service without senders
    (21705, Class::Misconfigured), // the messaging service
    (21712, Class::Misconfigured), // the sender is of no messaging service
    (30001, THROTTLED),            // later: the queue overflowed
    (30002, Class::Misconfigured), // later: the account is suspended
    (30003, Class::Down),          // later: the phone is off, or out of reach
    (30004, Class::Blocked),       // later: the number is blocked
    (30005, Class::InvalidNumber), // later: nobody has the number
    (30006, Class::InvalidNumber), // later: a landline, or a network that cannot be reached
    (30007, Class::Blocked),       // later: filtered by the network
    (30008, Class::Unknown),       // later: nobody knows
    (30034, Class::Misconfigured), // later: the sender is not registered
    (30036, Class::Down),          // later: not delivered while it was of use
    (30410, Class::Down),          // later: the network did not answer
    (30450, Class::Blocked),       // later: taken for pumping
    (32203, Class::Blocked),       // calls: a number of high risk
    (32205, Class::Blocked),       // calls: a country of high risk
    (63003, Class::InvalidNumber), // WhatsApp: nobody there
    (63007, Class::Misconfigured), // WhatsApp: no such sender
    (63016, Class::Misconfigured), // WhatsApp: without a template
    (63018, THROTTLED),            // WhatsApp: messages per second
    (63024, Class::InvalidNumber), // WhatsApp: nobody there
    (63032, Class::Blocked),       // WhatsApp: not to this person
];

/// What `code` means; `None` for one that says nothing more than the answer's status.
pub fn class(code: u32) -> Option<Class> {
    let at = CODES.binary_search_by_key(&code, |(code, _)| *code).ok()?;
    CODES.get(at).map(|(_, class)| *class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_in_order_and_each_stands_there_once() {
        assert!(CODES.is_sorted_by(|(a, _), (b, _)| a < b));
    }

    #[test]
    fn the_codes_that_come_every_day_lead_to_the_right_deed() {
        for (code, expected) in [
            (21211, Class::InvalidNumber),
            (21614, Class::InvalidNumber),
            (21408, Class::Blocked),
            (21610, Class::Blocked),
            (20429, THROTTLED),
            (20003, Class::Misconfigured),
            (21606, Class::Misconfigured),
            (30003, Class::Down),
            (30008, Class::Unknown),
        ] {
            assert_eq!(class(code), Some(expected), "{code}");
        }
        assert_eq!(class(1), None);
        assert_eq!(
            class(20500),
            None,
            "a failure of the server may come after the deed"
        );
    }
}
