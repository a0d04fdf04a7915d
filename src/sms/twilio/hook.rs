//! Where Twilio tells what became of messages: how it is asked to, and how it is known again when it does.

use form_urlencoded::Serializer;

use super::{receipt, signature::is_genuine};
use crate::{
    secret::Secret,
    sms::{
        Message,
        receipt::{Receipt, Refused},
    },
};

/// A place of ours that Twilio asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Its public URL.
    pub url: String,
    /// What Twilio signs with: the account's auth token, also when an API key sends.
    pub token: Secret,
}

/// The URL at which it is told what became of `message`: it names whose it is, so that nothing has
/// to be looked up by Twilio's names.
pub fn url_for(message: &Message, url: &str) -> String {
    let (challenge, id) = (message.challenge.to_string(), message.id.to_string());
    let about = Serializer::new(String::new())
        .append_pair("challenge", &challenge)
        .append_pair("message", &id)
        .finish();
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}{about}")
}

impl Hook {
    /// What a request for our URL with this query tells. What its target or its `Host` look like
    /// here is not asked: they may have been rewritten on the way, and Twilio signs what it was given.
    pub fn read(&self, query: &str, signature: &str, body: &[u8]) -> Result<Receipt, Refused> {
        let place = self.url.split('?').next().unwrap_or_default();
        let url = format!("{place}?{query}");
        let fields: Vec<_> = form_urlencoded::parse(body).into_owned().collect();
        if !is_genuine(&self.token, &url, &fields, signature) {
            return Err(Refused::Forged);
        }
        let about = |wanted: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            let found = pairs.find(|(name, _)| name == wanted);
            found.map(|(_, value)| value).ok_or(Refused::Unreadable)
        };
        let unreadable = |_| Refused::Unreadable;
        Ok(Receipt {
            challenge: about("challenge")?.parse().map_err(unreadable)?,
            message: about("message")?.parse().map_err(unreadable)?,
            told: receipt::read(&fields),
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;
    use base64::{Engine, prelude::BASE64_STANDARD};

    use super::*;
    use crate::sms::{message::tests::message, receipt::Outcome};

    const BODY: &[u8] =
        b"MessageStatus=delivered&MessageSid=SM0123456789abcdef0123456789abcdef&To=%2B16502530000";

    fn hook(url: &str) -> Hook {
        Hook {
            url: url.to_owned(),
            token: Secret::new(*b"hunter2"),
        }
    }

    /// How Twilio signs [`BODY`] for `url`.
    fn signature(url: &str) -> String {
        let signed = format!(
            "{url}MessageSidSM0123456789abcdef0123456789abcdefMessageStatusdeliveredTo+16502530000"
        );
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"hunter2");
        BASE64_STANDARD.encode(hmac::sign(&key, signed.as_bytes()))
    }

    fn query(url: &str) -> &str {
        url.split_once('?').unwrap().1
    }

    #[test]
    fn what_it_is_asked_to_name_it_names() {
        for place in [
            "https://login.example.com/api/auth/receipts/twilio",
            "https://hooks.example.com:8443/told?key=a%20b",
        ] {
            let url = url_for(&message("Hi"), place);
            let hook = hook(place);
            let receipt = hook.read(query(&url), &signature(&url), BODY).unwrap();
            assert_eq!(receipt.challenge, message("").challenge);
            assert_eq!(receipt.message, message("").id);
            assert_eq!(receipt.told.outcome, Some(Outcome::Arrived));
        }
        assert_eq!(
            url_for(&message("Hi"), "https://a.example/b"),
            "https://a.example/b?challenge=08080808080808080808080808080808\
             &message=msg_07070707070707070707070707070707"
        );
    }

    #[test]
    fn what_was_signed_for_another_place_or_message_is_forged() {
        let place = "https://a.example/b";
        let url = url_for(&message("Hi"), place);
        let about = query(&url);
        for signed in [
            url.replace("a.example", "b.example"),
            url.replace("https", "http"),
            url.replace("/b", "/c"),
            url.replace("0707", "0708"),
            url.replace("0808", "0809"),
            place.to_owned(),
        ] {
            let read = hook(place).read(about, &signature(&signed), BODY);
            assert_eq!(read, Err(Refused::Forged), "{signed}");
        }
        let read = hook(place).read(about, &signature(&url), b"MessageStatus=failed");
        assert_eq!(read, Err(Refused::Forged));
    }

    #[test]
    fn what_twilio_tells_of_nothing_of_ours_is_unreadable() {
        let place = "https://a.example/b";
        for about in [
            "",
            "challenge=1&message=2",
            "message=msg_07070707070707070707070707070707",
        ] {
            let url = format!("{place}?{about}");
            let read = hook(place).read(about, &signature(&url), BODY);
            assert_eq!(read, Err(Refused::Unreadable), "{about}");
        }
    }
}
