//! `POST verify-otp`: the code comes back and a session is opened; knows nothing of how the code was sent.
//!
//! One answer stands for wrong, expired, used and never sent, so that nobody learns which numbers
//! have asked for a code.

use http::StatusCode;
use serde_json::json;

use crate::{
    auth::{
        call::{Call, Desk},
        chance, derive, guard,
        pair::{Generation, Pair},
        send_otp,
        spec::Spec,
        wire::{self, Fields, Reply, Wrong},
    },
    domain::{
        otp::{self, ChallengeId, Code, Tag},
        phone::Phone,
        session::SessionId,
    },
    observe::{audit::Event, metrics},
    reject::{self, Reject},
    store::{Answered, Login},
    token::Grant,
};

/// Characters that a client may say about itself.
pub const MAX_DEVICE_INFO: usize = 512;

/// How people prove themselves here (RFC 8176): a one-time code, by text message.
const AMR: [&str; 2] = ["otp", "sms"];

/// An answer to a challenge.
#[derive(Debug)]
pub struct Attempt {
    /// Whose phone the code is said to have reached.
    pub phone: Phone,
    /// The code.
    pub code: Code,
    /// The challenge it answers, if the caller names one.
    pub challenge: Option<ChallengeId>,
    /// What the client says about itself.
    pub device_info: String,
}

/// Answers an attempt.
pub async fn answer(desk: &Desk, call: &Call, fields: Fields) -> Result<Reply, Reject> {
    let attempt = read(fields, desk.spec())?;
    let pair = verify(desk, call, attempt).await?;
    wire::json(StatusCode::OK, &pair.to_json())
}

/// The challenge that `text` names. What is no id names a challenge that nobody has: ids are 128
/// random bits, and it must not count as naming none.
pub fn challenge(text: &str) -> ChallengeId {
    text.parse().unwrap_or(ChallengeId::new([0; 16]))
}

/// Judges the attempt and opens a session if it is right, in one step of the store.
pub async fn verify(desk: &Desk, call: &Call, attempt: Attempt) -> Result<Pair, Reject> {
    let (spec, masters) = (desk.spec(), &desk.parts.masters);
    let phone = attempt.phone;
    let subject = derive::subject(masters, spec.subject, &phone);
    let account = derive::account_key(masters, &subject);
    let id = SessionId::new(chance::bytes()?);
    let login = Login {
        id,
        device_info: attempt.device_info,
        ip: call.client.ip.to_string(),
        policy: spec.session,
        access_ttl: desk.revoked_for(),
    };
    let answer = otp::Answer {
        challenge: attempt.challenge,
        client: derive::client_key(masters, &call.client),
        tags: tags(desk, call, &phone, &attempt.code)?,
    };
    let store = &desk.parts.store;
    let answered = store.answer_challenge(
        account,
        answer,
        spec.otp,
        login,
        guard::debtors(desk, call, &phone),
    );
    match answered.await? {
        Answered::Opened(session) => {
            let grant = Grant {
                subject,
                session: id,
                phone: phone.as_e164().to_owned(),
                auth_time: session.opened_at,
                amr: AMR.map(str::to_owned).to_vec(),
            };
            opened(desk, call, &phone, &grant)
        }
        Answered::Wrong { attempts_left } => {
            call.audit(Event::OtpWrong, Some(&phone), None);
            desk.parts.metrics.otp_answer(metrics::Answer::Wrong);
            Err(wrong(attempts_left))
        }
    }
}

/// What the store compares. The code of a test number that comes from outside of its networks is
/// compared as one that nobody knows: judged, counted and answered like any wrong one.
fn tags(desk: &Desk, call: &Call, phone: &Phone, code: &Code) -> Result<Vec<Tag>, Reject> {
    let test = desk.spec().test_number(phone, call.now);
    match test.filter(|test| !test.admits(call.client.ip)) {
        None => Ok(derive::tags(&desk.parts.masters, phone, code)),
        Some(test) => {
            call.audit(test.event(call.client.ip), Some(phone), None);
            Ok(vec![Tag(chance::bytes()?)])
        }
    }
}

fn read(mut fields: Fields, spec: &Spec) -> Result<Attempt, Wrong> {
    let phone = send_otp::phone(&mut fields, spec);
    let code = code(&mut fields, spec);
    let challenge = fields.optional("challenge_id");
    let device_info = fields.text_or_object("device_info").unwrap_or_default();
    if device_info.chars().count() > MAX_DEVICE_INFO {
        fields.refuse("device_info", "must be at most 512 characters");
    }
    let attempt = phone.zip(code).map(|(phone, code)| Attempt {
        phone,
        code,
        challenge: challenge.as_deref().map(self::challenge),
        device_info,
    });
    fields.finish(attempt)
}

/// Reads `otp`. What has not even the form of a code uses up no attempt.
pub fn code(fields: &mut Fields, spec: &Spec) -> Option<Code> {
    let text = fields.required("otp")?;
    fields.parsed("otp", Code::parse(&text, spec.otp.length))
}

/// The first tokens of a session that was opened this moment, by the clock of the store.
fn opened(desk: &Desk, call: &Call, phone: &Phone, grant: &Grant) -> Result<Pair, Reject> {
    call.audit(Event::OtpVerified, Some(phone), Some(grant.session));
    if let Some(test) = desk.spec().test_number(phone, call.now) {
        call.audit(test.event(call.client.ip), Some(phone), Some(grant.session));
    }
    desk.parts.metrics.otp_answer(metrics::Answer::Right);
    let now = grant.auth_time;
    let generation = Generation {
        number: 0,
        issued_at: now,
        opened_at: now,
    };
    Pair::issue(desk, grant, generation, now)
}

fn wrong(attempts_left: Option<u32>) -> Reject {
    const DETAIL: &str = "The code is wrong, was used or has expired.";
    match attempts_left {
        None => Reject::new(reject::Code::InvalidOtp, DETAIL),
        Some(left) => Reject::new(
            reject::Code::InvalidOtp,
            match left {
                0 => format!("{DETAIL} Ask for a new one."),
                1 => format!("{DETAIL} 1 attempt is left."),
                many => format!("{DETAIL} {many} attempts are left."),
            },
        )
        .with("attempts_left", json!(left)),
    }
}
