//! `POST send-otp`: a code is sent to a phone; knows nothing of what the code will be used for.
//!
//! Every number that may be written to takes the same way and the same time: the message is stored
//! in the step that begins the challenge, and the courier told of it. A test number differs only in
//! that its place with the courier is given back. That it is one is told to nobody: whoever asks
//! from elsewhere than its networks gets the same answer.

use std::time::Duration;

use http::{StatusCode, header};
use serde_json::json;

use crate::{
    auth::{
        budget,
        call::{Call, Desk},
        captcha::Token,
        chance, derive,
        guard::{self, Proven},
        request_key::RequestKey,
        spec::Spec,
        wire::{self, Fields, Reply, Wrong},
    },
    domain::{
        account::AccountKey,
        delivery::{Goes, Once, Parcel},
        otp::{self, ChallengeId, Code, Nonce},
        phone::{CallingCode, Phone},
    },
    observe::{
        audit::{Event, Refused},
        metrics::Send,
    },
    reject::{self, Reject},
    secret::Masters,
    sms::{
        Channel, MessageId,
        letter::Letter,
        wording::{Hints, Locale},
    },
    store::{Notes, Sending},
};

/// A code is on its way.
#[derive(Debug)]
pub struct Sent {
    /// The caller's challenge.
    pub challenge: ChallengeId,
    /// Until the code dies.
    pub expires_in: Duration,
}

/// What is asked for.
#[derive(Debug)]
pub struct Wish {
    /// Whom a code is to reach.
    pub phone: Phone,
    /// By which way.
    pub channel: Channel,
    /// In which language, if that is said.
    pub locale: Option<Locale>,
    /// A proof of some work, `PUZZLE.NONCE`.
    pub proof: Option<String>,
    /// What a captcha gave for being solved.
    pub captcha: Option<Token>,
    /// By what the same wish is known when it comes once more.
    pub key: Option<RequestKey>,
}

/// Answers a request for a code.
pub async fn answer(desk: &Desk, call: &Call, fields: Fields) -> Result<Reply, Reject> {
    let key = RequestKey::of(call)?;
    let wish = Wish {
        key,
        ..read(fields, desk.spec())?
    };
    let sent = send(desk, call, &wish).await?;
    wire::json(
        StatusCode::OK,
        &json!({
            "challenge_id": sent.challenge.to_string(),
            "expires_in": sent.expires_in.as_secs(),
            "resend_in": desk.spec().resend_in.as_secs(),
            "channel": wish.channel.as_str(),
            "mobile_number": wish.phone.masked(),
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

impl Wish {
    /// A code for `phone` by the way that is chosen when nobody chooses.
    pub fn new(phone: Phone, spec: &Spec) -> Self {
        Self {
            phone,
            channel: spec.channel(),
            locale: None,
            proof: None,
            captcha: None,
            key: None,
        }
    }
}

/// Starts or continues a challenge for a phone, and queues its code.
pub async fn send(desk: &Desk, call: &Call, wish: &Wish) -> Result<Sent, Reject> {
    let (spec, phone) = (desk.spec(), &wish.phone);
    writable(spec, phone).map_err(|refused| refuse(desk, call, phone, refused))?;
    let proven = guard::proven(desk, call, wish)?;
    // First of all a place for the message: what is stored below is then carried at once.
    let permit = desk.parts.courier.reserve().inspect_err(|_| {
        desk.parts.metrics.otp_send(Send::Overloaded);
    })?;
    let parcel = parcel(desk, call, wish)?;
    let message = parcel.message;
    let started = match start(desk, call, wish, parcel, proven).await? {
        Begun::Now(started) => started,
        Begun::Before(started) => return Ok(repeated(desk, call, phone, &started)),
    };
    if let Some(test) = spec.test_number(phone, call.now) {
        call.audit(test.event(call.client.ip), Some(phone), None);
        desk.parts.metrics.otp_send(Send::TestNumber);
    } else {
        permit.hand_over(started.id, message);
        call.audit(Event::OtpSent, Some(phone), None);
        desk.parts.metrics.otp_send(Send::Sent);
    }
    Ok(Sent {
        challenge: started.id,
        expires_in: started.expires_at.since(started.sent_at),
    })
}

/// What a wish that came before, under the same name, is answered with once more.
fn repeated(desk: &Desk, call: &Call, phone: &Phone, started: &otp::Started) -> Sent {
    call.audit(Event::OtpRepeated, Some(phone), None);
    desk.parts.metrics.otp_send(Send::Repeated);
    let whole = started.expires_at.since(started.sent_at);
    Sent {
        challenge: started.id,
        // Never more than was said at first, whatever our clock thinks.
        expires_in: started.expires_at.since(call.now).min(whole),
    }
}

/// Whether codes are sent to such numbers at all: some receive none, or cost whoever writes to them.
fn writable(spec: &Spec, phone: &Phone) -> Result<(), Refused> {
    if !spec.countries.include(phone.calling_code()) {
        return Err(Refused::Country);
    }
    let kind = phone.kind();
    match kind.filter(|kind| spec.refused_kinds.contains(kind)) {
        Some(kind) => Err(Refused::Kind(kind)),
        None => Ok(()),
    }
}

fn refuse(desk: &Desk, call: &Call, phone: &Phone, refused: Refused) -> Reject {
    call.audit(Event::OtpRefused(refused), Some(phone), None);
    desk.parts.metrics.otp_send(Send::Refused);
    match refused {
        Refused::Country => Reject::new(
            reject::Code::CountryNotAllowed,
            "Codes are not sent to numbers of this country.",
        ),
        Refused::Kind(kind) => {
            let message = format!("is a number of a kind that codes are not sent to: {kind}");
            let detail = format!("Codes are not sent to numbers of this kind: {kind}.");
            let errors = json!([{ "field": "mobile_number", "message": message }]);
            Reject::new(reject::Code::ValidationFailed, detail).with("errors", errors)
        }
    }
}

fn read(mut fields: Fields, spec: &Spec) -> Result<Wish, Wrong> {
    let phone = phone(&mut fields, spec);
    let channel = channel(&mut fields, spec);
    // A language that nobody knows is no reason not to send.
    let locale = fields.optional("locale");
    let locale = locale.and_then(|text| text.parse().ok());
    let proof = fields.optional("proof");
    let captcha = fields.optional("captcha");
    let captcha = captcha.and_then(|text| fields.parsed("captcha", text.parse()));
    fields.finish(phone.zip(channel).map(|(phone, channel)| Wish {
        phone,
        channel,
        locale,
        proof,
        captcha,
        key: None,
    }))
}

fn channel(fields: &mut Fields, spec: &Spec) -> Option<Channel> {
    let Some(name) = fields.optional("channel") else {
        return Some(spec.channel());
    };
    let known = spec.channels.iter().find(|known| known.as_str() == name);
    if known.is_none() {
        let names: Vec<_> = spec.channels.iter().map(|known| known.as_str()).collect();
        fields.refuse("channel", format!("must be {}", names.join(" or ")));
    }
    known.copied()
}

/// A challenge that stands.
enum Begun {
    /// Its code is to be sent.
    Now(otp::Started),
    /// It was: the same request had come already.
    Before(otp::Started),
}

/// All limits admit it and the challenge stands, or nothing happened. Where work is demanded and a
/// captcha was solved instead, it is tried once more with that.
async fn start(
    desk: &Desk,
    call: &Call,
    wish: &Wish,
    parcel: Parcel,
    mut proven: Proven,
) -> Result<Begun, Reject> {
    let phone = &wish.phone;
    let mut sending = step(desk, call, wish, parcel.clone(), proven).await?;
    if let Sending::Suspected(alarm) = sending
        && let Some(solved) = guard::solved(desk, call, wish, alarm).await
    {
        proven = solved;
        if proven.is_captcha() {
            sending = step(desk, call, wish, parcel, proven).await?;
        }
    }
    match sending {
        Sending::Started(started) => {
            budget::count(desk, call, phone);
            Ok(Begun::Now(started))
        }
        Sending::Despite(started, Notes { alarm, scarce }) => {
            budget::count(desk, call, phone);
            if let Some(alarm) = alarm {
                guard::note(desk, call, phone, alarm, proven);
            }
            for at in scarce {
                budget::warn(desk, at);
            }
            Ok(Begun::Now(started))
        }
        Sending::Unpaid { expense, wait } => Err(budget::refuse(desk, call, phone, expense, wait)),
        Sending::Limited { charge, wait } => Err(limited(desk, call, phone, charge, wait)),
        Sending::Suspected(alarm) => Err(guard::refuse(desk, call, phone, alarm, proven)),
        Sending::Repeated(started) => Ok(Begun::Before(started)),
        Sending::Reused => Err(Reject::new(
            reject::Code::IdempotencyKeyReused,
            "Another code was asked for with this Idempotency-Key; use a new one for each.",
        )),
    }
}

/// The one step in the store.
async fn step(
    desk: &Desk,
    call: &Call,
    wish: &Wish,
    parcel: Parcel,
    proven: Proven,
) -> Result<Sending, Reject> {
    let (spec, masters, phone) = (desk.spec(), &desk.parts.masters, &wish.phone);
    let current = masters.current();
    let nonce = Nonce(chance::bytes()?);
    let drawn = Code::derive(current, nonce, spec.otp.length).ok_or_else(underivable)?;
    let test = spec.test_number(phone, call.now);
    let code = test.map_or(&drawn, |test| &test.code);
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
    let credit = guard::credit(desk, call, phone, account, proven);
    let parcel = Parcel {
        once: once(masters, call, account, wish),
        ..parcel
    };
    let sending = store.start_challenge(account, start, charges, credit, spec.otp, parcel);
    Ok(sending.await?)
}

/// By what the store knows the wish when it comes once more. Proofs are no part of it: they are shown
/// for the same wish.
fn once(masters: &Masters, call: &Call, account: AccountKey, wish: &Wish) -> Option<Once> {
    let locale = wish.locale.as_ref().map_or("", Locale::as_str);
    let what = [wish.channel.as_str(), locale];
    let key = wish.key.as_ref()?;
    let (phone, client) = (&wish.phone, &call.client);
    Some(derive::once(masters, phone, account, client, key, &what))
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

/// What is to be sent and to whom, in the language of whoever asks.
fn parcel(desk: &Desk, call: &Call, wish: &Wish) -> Result<Parcel, Reject> {
    let (spec, phone) = (desk.spec(), &wish.phone);
    let chosen = spec.wording.choose(Hints {
        locale: wish.locale.as_ref(),
        accept_language: call.header(&header::ACCEPT_LANGUAGE),
        country: phone.calling_code(),
    });
    let impossible = |what: &'static str| Reject::new(reject::Code::Internal, what);
    let chosen = chosen.ok_or_else(|| impossible("There is no text to send a code in."))?;
    let letter = Letter {
        to: phone.clone(),
        channel: wish.channel,
        locale: chosen.locale.clone(),
        asker: derive::client_key(&desk.parts.masters, &call.client),
    };
    let message = MessageId::new(chance::bytes()?);
    let sealed = letter.seal(desk.parts.masters.current(), message);
    Ok(Parcel {
        message,
        sealed: sealed.ok_or_else(|| impossible("The message cannot be sealed."))?,
        goes: match spec.test_number(phone, call.now) {
            Some(_) => Goes::Nowhere,
            None => Goes::Out,
        },
        once: None,
    })
}

/// Only luck beyond words leads here.
fn underivable() -> Reject {
    tracing::error!("the code of a challenge cannot be derived");
    Reject::new(reject::Code::Internal, "The code cannot be made.")
}
