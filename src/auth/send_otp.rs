//! `POST send-otp`: a code is sent to a phone; knows nothing of what the code will be used for.
//!
//! Every number that may be written to takes the same way and the same time: the message is queued,
//! not sent, and a test number differs only in that its place in the queue is given back.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use crate::{
    auth::{
        call::{Call, Desk},
        chance, derive,
        spec::Spec,
        wire::{self, Fields, Reply, Wrong},
    },
    domain::{
        otp::{self, ChallengeId, Code, Nonce},
        phone::{CallingCode, Phone},
    },
    observe::{audit::Event, metrics::Send},
    reject::{self, Reject},
    sms::{Message, outbox::Permit},
    store::Sending,
};

/// A code is on its way.
#[derive(Debug)]
pub struct Sent {
    /// The caller's challenge.
    pub challenge: ChallengeId,
    /// Until the code dies.
    pub expires_in: Duration,
}

/// Answers a request for a code.
pub async fn answer(desk: &Desk, call: &Call, fields: Fields) -> Result<Reply, Reject> {
    let phone = read(fields, desk.spec())?;
    let sent = send(desk, call, &phone).await?;
    wire::json(
        StatusCode::OK,
        &json!({
            "challenge_id": sent.challenge.to_string(),
            "expires_in": sent.expires_in.as_secs(),
            "resend_in": desk.spec().resend_in.as_secs(),
            "channel": "sms",
            "mobile_number": phone.masked(),
        }),
    )
}

/// Reads `mobile_number` and the `country_code` that a national number needs.
pub fn phone(fields: &mut Fields, spec: &Spec) -> Option<Phone> {
    let country = match fields.optional("country_code") {
        Some(text) => fields.parsed("country_code", text.parse::<CallingCode>()),
        None => Some(spec.default_country),
    };
    // Read even when the country is wrong: everything that is missing is named at once.
    let text = fields.required("mobile_number");
    let (country, text) = (country?, text?);
    fields.parsed("mobile_number", Phone::parse(&text, country))
}

/// Starts or continues a challenge for `phone`, and queues its code.
pub async fn send(desk: &Desk, call: &Call, phone: &Phone) -> Result<Sent, Reject> {
    let spec = desk.spec();
    if !spec.countries.include(phone.calling_code()) {
        return Err(Reject::new(
            reject::Code::CountryNotAllowed,
            "Codes are not sent to numbers of this country.",
        ));
    }
    // First of all a place for the message: what is stored below can then always be sent.
    let permit = desk.parts.outbox.reserve().inspect_err(|_| {
        desk.parts.metrics.otp_send(Send::Overloaded);
    })?;
    let started = start(desk, call, phone).await?;
    let code = code_of(desk, &started)?;
    let sent = Sent {
        challenge: started.id,
        expires_in: started.expires_at.since(started.sent_at),
    };
    if spec.test_code(phone, call.now).is_some() {
        call.audit(Event::TestNumberUsed, Some(phone), None);
        desk.parts.metrics.otp_send(Send::TestNumber);
    } else {
        queue(permit, spec, phone, code, sent.expires_in);
        call.audit(Event::OtpSent, Some(phone), None);
        desk.parts.metrics.otp_send(Send::Sent);
    }
    Ok(sent)
}

fn read(mut fields: Fields, spec: &Spec) -> Result<Phone, Wrong> {
    let phone = phone(&mut fields, spec);
    if fields.optional("channel").is_some_and(|name| name != "sms") {
        fields.refuse("channel", "must be sms");
    }
    // Messages have one language so far; the field is there so that clients can name theirs.
    drop(fields.optional("locale"));
    fields.finish(phone)
}

/// The one step in the store: all limits admit it and the challenge stands, or nothing happened.
async fn start(desk: &Desk, call: &Call, phone: &Phone) -> Result<otp::Started, Reject> {
    let (spec, masters) = (desk.spec(), &desk.parts.masters);
    let current = masters.current();
    let nonce = Nonce(chance::bytes()?);
    let drawn = derive::code(current, nonce, spec.otp.length).ok_or_else(underivable)?;
    let code = spec.test_code(phone, call.now).unwrap_or(&drawn);
    let start = otp::Start {
        id: ChallengeId::new(chance::bytes()?),
        client: derive::client_key(masters, &call.client),
        nonce,
        secret: current.id(),
        known: masters.ids(),
        tag: derive::tag(current, phone, code),
    };
    let subject = derive::subject(masters, spec.subject, phone);
    let account = derive::account_key(masters, &subject);
    let charges = derive::charges(masters, &spec.limits, phone, account, &call.client);
    let store = &desk.parts.store;
    let sending = store.start_challenge(account, start, charges, spec.otp);
    match sending.await? {
        Sending::Started(started) => Ok(started),
        Sending::Limited { charge, wait } => Err(limited(desk, call, phone, charge, wait)),
    }
}

/// The code of a challenge, which may be an earlier one that is sent once more.
fn code_of(desk: &Desk, started: &otp::Started) -> Result<Code, Reject> {
    desk.parts
        .masters
        .find(started.secret)
        .and_then(|master| derive::code(master, started.nonce, desk.spec().otp.length))
        .ok_or_else(underivable)
}

fn limited(desk: &Desk, call: &Call, phone: &Phone, at: usize, wait: Duration) -> Reject {
    desk.parts.metrics.otp_send(Send::Limited);
    let Some(limit) = desk.spec().limits.get(at) else {
        return Reject::new(reject::Code::Internal, "A limit without a name was hit.");
    };
    let (policy, quota) = (limit.per.as_str(), limit.quota);
    call.audit(Event::OtpLimited(policy), Some(phone), None);
    Reject::rate_limited(policy, quota.max.get(), quota.window, wait)
}

fn queue(permit: Permit, spec: &Spec, phone: &Phone, code: Code, expires_in: Duration) {
    permit.send(Message {
        to: phone.clone(),
        text: text(spec, &code, expires_in),
        code,
    });
}

/// Fills in the template in one pass, so that nothing that is filled in is filled in once more.
fn text(spec: &Spec, code: &Code, expires_in: Duration) -> String {
    // Rounded down: a person told "5 minutes" must have them.
    let minutes = (expires_in.as_secs() / 60).max(1).to_string();
    let words = [
        ("{code}", code.reveal()),
        ("{minutes}", &minutes),
        ("{sender}", &spec.sender),
    ];
    let mut text = String::with_capacity(spec.message.len() + 16);
    let mut rest = spec.message.as_str();
    while let Some(brace) = rest.find('{') {
        let (before, from_brace) = rest.split_at(brace);
        text.push_str(before);
        let found = words
            .iter()
            .find_map(|(name, word)| Some((*word, from_brace.strip_prefix(name)?)));
        let (word, after) = found.unwrap_or_else(|| from_brace.split_at(1));
        text.push_str(word);
        rest = after;
    }
    text.push_str(rest);
    text
}

/// The store sends no code again whose secret we do not know, so only luck beyond words or another
/// program's record leads here.
fn underivable() -> Reject {
    tracing::error!("the code of a challenge cannot be derived");
    Reject::new(reject::Code::Internal, "The code cannot be made.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::tests::stage;
    use crate::domain::otp::Length;

    #[test]
    fn a_message_is_filled_in_once() {
        let code = Code::parse("042137", Length::new(6).unwrap()).unwrap();
        let of = |message: &str, sender: &str, secs| {
            let spec = Spec {
                message: message.to_owned(),
                sender: sender.to_owned(),
                ..stage::spec()
            };
            text(&spec, &code, Duration::from_secs(secs))
        };
        assert_eq!(
            of("{sender}: {code}, {minutes} min. {code}", "Shop", 300),
            "Shop: 042137, 5 min. 042137"
        );
        assert_eq!(of("{sender}", "{code}", 300), "{code}");
        assert_eq!(of("{{code}} {x} {", "Shop", 300), "{042137} {x} {");
        assert_eq!(of("{minutes}", "", 299), "4");
        assert_eq!(of("{minutes}", "", 20), "1");
    }
}
