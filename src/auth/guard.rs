//! The conversion guard's part of a send: on whose credit it is, and what is said to whoever is suspected; the rules are `domain::fraud`'s.
//!
//! Test numbers cost nothing and concern no place. What is refused is refused for the place alone: a
//! number that is known here and one that is not are answered alike.

use std::fmt;

use serde_json::{Value, json};

use crate::{
    auth::{
        budget,
        call::{Call, Desk},
        captcha::{self, Unsolved},
        derive,
        puzzle::{self, Puzzle, Unproven},
        send_otp::Wish,
        spec::Mode,
        wire::Wrong,
    },
    domain::{
        account::AccountKey,
        fraud::{Alarm, Bits, Credit, Debtor, Shown, Suspicion},
        phone::Phone,
    },
    observe::{audit::Event, guard::Verdict, metrics::Send},
    reject::{Code, FieldError, Reject},
};

/// What whoever asks has shown, or why it shows nothing.
#[derive(Debug, Clone, Copy)]
pub struct Proven(Result<Proof, Flaw>);

/// Why somebody may be trusted.
#[derive(Debug, Clone, Copy)]
enum Proof {
    /// So much work was done; none, usually.
    Work(Bits),
    /// A captcha was solved.
    Captcha,
}

/// Why what was shown is no proof.
#[derive(Debug, Clone, Copy)]
enum Flaw {
    Work(Unproven),
    Captcha(Unsolved),
}

/// The places that a code for `phone` concerns when `call` asks for it, or answers it.
pub fn debtors(desk: &Desk, call: &Call, phone: &Phone) -> Vec<Debtor> {
    let spec = desk.spec();
    match spec.guard.mode {
        Mode::Off => Vec::new(),
        Mode::Enforce | Mode::Observe if spec.test_number(phone, call.now).is_some() => Vec::new(),
        Mode::Enforce | Mode::Observe => derive::debtors(&desk.parts.masters, phone, &call.client),
    }
}

/// Checks the proof that came with a wish, if one did. Only what is none at all is a mistake: one that
/// has become too old is answered with a new puzzle.
pub fn proven(desk: &Desk, call: &Call, wish: &Wish) -> Result<Proven, Reject> {
    let Some(proof) = &wish.proof else {
        return Ok(Proven(Ok(Proof::Work(Bits(0)))));
    };
    let masters = &desk.parts.masters;
    match puzzle::shown(masters, proof, &wish.phone, &call.client, call.now) {
        Err(error @ Unproven::Form) => Err(Wrong(vec![FieldError {
            field: "proof",
            message: error.to_string().into(),
        }])
        .into()),
        shown => Ok(Proven(shown.map(Proof::Work).map_err(Flaw::Work))),
    }
}

/// The captcha that came with a wish in place of the work that is demanded, checked; `None` when none
/// came, or none would do. Only now is it looked at, since it can be used once.
pub async fn solved(desk: &Desk, call: &Call, wish: &Wish, alarm: Alarm) -> Option<Proven> {
    let (captcha, token) = desk.parts.captcha.as_ref().zip(wish.captcha.as_ref())?;
    match alarm.suspicion {
        Suspicion::Proof(_) => {}
        Suspicion::Blocked(_) => return None,
    }
    let checked = captcha.check(token, call.client.ip).await;
    desk.parts.metrics.guard().captcha(checked.into());
    let proof = checked.map(|()| Proof::Captcha).map_err(Flaw::Captcha);
    Some(Proven(proof))
}

/// On whose credit a code is sent, and what it costs.
pub fn credit(
    desk: &Desk,
    call: &Call,
    phone: &Phone,
    account: AccountKey,
    proven: Proven,
) -> Credit {
    let guard = &desk.spec().guard;
    Credit {
        debtors: debtors(desk, call, phone),
        expenses: budget::expenses(desk, call, phone, account),
        shown: if guard.only_watches(call.client.ip) {
            Shown::Everything
        } else {
            Shown::Proof(proven.bits())
        },
    }
}

/// Notes that a code is sent in spite of a suspicion.
pub fn note(desk: &Desk, call: &Call, phone: &Phone, alarm: Alarm, proven: Proven) {
    let verdict = match proven {
        _ if desk.spec().guard.only_watches(call.client.ip) => Verdict::Noted,
        Proven(Ok(Proof::Captcha)) => Verdict::Solved,
        Proven(Ok(Proof::Work(_)) | Err(_)) => Verdict::Proved,
    };
    tell(desk, call, phone, alarm, verdict);
}

/// What whoever is suspected hears.
pub fn refuse(desk: &Desk, call: &Call, phone: &Phone, alarm: Alarm, proven: Proven) -> Reject {
    desk.parts.metrics.otp_send(Send::Suspected);
    match alarm.suspicion {
        Suspicion::Proof(bits) => {
            tell(desk, call, phone, alarm, Verdict::ProofRequired);
            proof_required(desk, call, phone, bits, proven)
        }
        Suspicion::Blocked(until) => {
            tell(desk, call, phone, alarm, Verdict::Blocked);
            let wait = until.since(call.now);
            Reject::new(
                Code::RateLimited,
                "Too many codes were sent here that nobody entered; wait before the next one.",
            )
            .with("violated-policies", json!(["guard"]))
            .with("retry_after", json!(wait.as_secs().max(1)))
            .retry_after(wait)
        }
    }
}

fn proof_required(desk: &Desk, call: &Call, phone: &Phone, bits: Bits, proven: Proven) -> Reject {
    let master = desk.parts.masters.current();
    let puzzle = Puzzle::set(master, phone, &call.client, bits, call.now);
    let detail =
        "Too many codes were sent here that nobody entered; solve the puzzle and ask again.";
    let reject = match proven {
        Proven(Ok(_)) => Reject::new(Code::ProofRequired, detail),
        Proven(Err(flaw)) => Reject::new(Code::ProofRequired, format!("{detail} {flaw}.")),
    };
    let reject = match (&desk.parts.captcha, proven) {
        (None, _) | (Some(_), Proven(Err(Flaw::Captcha(Unsolved::Unasked)))) => reject,
        (Some(captcha), _) => reject.with("captcha", offer(captcha.spec())),
    };
    reject.with(
        "proof",
        json!({
            "algorithm": "sha-256",
            "puzzle": puzzle.to_string(),
            "bits": bits.0,
            "expires_in": puzzle.expires_in(call.now).as_secs(),
        }),
    )
}

/// Which captcha does instead of the work.
fn offer(captcha: &captcha::Spec) -> Value {
    json!({
        "provider": captcha.provider.as_str(),
        "site_key": captcha.site_key,
        "action": captcha::ACTION,
    })
}

fn tell(desk: &Desk, call: &Call, phone: &Phone, alarm: Alarm, verdict: Verdict) {
    call.audit(Event::OtpSuspected(alarm, verdict), Some(phone), None);
    desk.parts.metrics.guard().count(alarm, verdict);
}

impl Proven {
    /// As how much work it counts. A captcha is as good as the hardest proof, and opens nothing that is
    /// blocked.
    const fn bits(self) -> Bits {
        match self.0 {
            Ok(Proof::Work(bits)) => bits,
            Ok(Proof::Captcha) => Bits::HARDEST,
            Err(_) => Bits(0),
        }
    }

    /// Whether it is a captcha that was solved.
    pub const fn is_captcha(self) -> bool {
        matches!(self.0, Ok(Proof::Captcha))
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Work(why) => write!(f, "The proof {why}"),
            Self::Captcha(why) => write!(f, "The captcha {why}"),
        }
    }
}
