//! The conversion guard's part of a send: on whose credit it is, and what is said to whoever is suspected; the rules are `domain::fraud`'s.
//!
//! Test numbers cost nothing and concern no place. What is refused is refused for the place alone: a
//! number that is known here and one that is not are answered alike.

use serde_json::json;

use crate::{
    auth::{
        call::{Call, Desk},
        derive,
        puzzle::{self, Puzzle, Unproven},
        send_otp::Wish,
        spec::Mode,
        wire::Wrong,
    },
    domain::{
        fraud::{Alarm, Bits, Credit, Debtor, Shown, Suspicion},
        phone::Phone,
    },
    observe::{audit::Event, guard::Verdict, metrics::Send},
    reject::{Code, FieldError, Reject},
};

/// What whoever asks has shown, or why it shows nothing.
#[derive(Debug, Clone, Copy)]
pub struct Proven(Result<Bits, Unproven>);

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
        return Ok(Proven(Ok(Bits(0))));
    };
    let masters = &desk.parts.masters;
    match puzzle::shown(masters, proof, &wish.phone, &call.client, call.now) {
        Err(error @ Unproven::Form) => Err(Wrong(vec![FieldError {
            field: "proof",
            message: error.to_string().into(),
        }])
        .into()),
        shown => Ok(Proven(shown)),
    }
}

/// On whose credit a code is sent.
pub fn credit(desk: &Desk, call: &Call, phone: &Phone, proven: Proven) -> Credit {
    let Proven(proven) = proven;
    let guard = &desk.spec().guard;
    Credit {
        debtors: debtors(desk, call, phone),
        shown: if guard.only_watches(call.client.ip) {
            Shown::Everything
        } else {
            Shown::Proof(proven.unwrap_or(Bits(0)))
        },
    }
}

/// Notes that a code is sent in spite of a suspicion.
pub fn note(desk: &Desk, call: &Call, phone: &Phone, alarm: Alarm) {
    let verdict = if desk.spec().guard.only_watches(call.client.ip) {
        Verdict::Noted
    } else {
        Verdict::Proved
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
    let Proven(proven) = proven;
    let detail =
        "Too many codes were sent here that nobody entered; solve the puzzle and ask again.";
    let reject = match proven {
        Ok(_) => Reject::new(Code::ProofRequired, detail),
        Err(why) => Reject::new(Code::ProofRequired, format!("{detail} The proof {why}.")),
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

fn tell(desk: &Desk, call: &Call, phone: &Phone, alarm: Alarm, verdict: Verdict) {
    call.audit(Event::OtpSuspected(alarm, verdict), Some(phone), None);
    desk.parts.metrics.guard().count(alarm.level, verdict);
}
