//! The audit log: who proved what, and when, as one line per event; knows nothing of HTTP and never of a code or a token.
//!
//! Events go to the target `audit`, so that an operator can route them to a place of their own.
//! A phone number appears masked, a session by its id.

use std::net::IpAddr;

use crate::{
    domain::{
        budget::Budget,
        fraud::{Alarm, Bits, Suspicion},
        phone::{Kind, Phone},
        session::SessionId,
    },
    observe::guard::Verdict,
};

/// The target of every audit event.
pub const TARGET: &str = "audit";

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A code was handed to the provider.
    OtpSent,
    /// A request for a code came once more, under the same name, and was answered as before.
    OtpRepeated,
    /// A send was refused by the named limit.
    OtpLimited(&'static str),
    /// A send was refused since such numbers are not written to.
    OtpRefused(Refused),
    /// A send was refused since it would cost this budget more than there is.
    OtpUnpaid(Budget),
    /// The conversion guard suspected a place that a send concerned, and this became of it.
    OtpSuspected(Alarm, Verdict),
    /// A send or an answer used a configured test number.
    TestNumberUsed,
    /// The same from outside of the networks that may: its code is not accepted there.
    TestNumberElsewhere,
    /// A right code opened a session.
    OtpVerified,
    /// An answer was refused.
    OtpWrong,
    /// A session's tokens were renewed.
    SessionRefreshed,
    /// A refresh token that was replaced long ago came back; the session was ended.
    SessionReplayed,
    /// Sessions were ended by their owner; one event for each.
    SessionRevoked,
}

/// Why a number is not written to, whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Its country is none of those that are.
    Country,
    /// It is of this kind.
    Kind(Kind),
}

/// What is told of an event, as far as it has that.
#[derive(Clone, Copy, Debug, Default)]
struct Details {
    /// The limit that refused.
    policy: Option<&'static str>,
    /// The budget that is spent.
    budget: Option<Budget>,
    /// The rule that spoke.
    rule: Option<&'static str>,
    /// Of what kind the number is.
    kind: Option<Kind>,
    /// The place that is suspected, what it deserves, and what became of it.
    suspected: Option<(Alarm, Verdict)>,
}

/// Around whom it happened.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The client's address.
    pub ip: IpAddr,
    /// The id under which the access log has the request.
    pub request_id: Option<&'a str>,
    /// Whose phone, shown masked.
    pub phone: Option<&'a Phone>,
    /// Which session.
    pub session: Option<SessionId>,
}

impl Event {
    /// The stable name of the event.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OtpSent => "otp.sent",
            Self::OtpRepeated => "otp.repeated",
            Self::OtpLimited(_) | Self::OtpUnpaid(_) => "otp.limited",
            Self::OtpRefused(_) => "otp.refused",
            Self::OtpSuspected(..) => "otp.suspected",
            Self::TestNumberUsed => "otp.test_number",
            Self::TestNumberElsewhere => "otp.test_number_elsewhere",
            Self::OtpVerified => "otp.verified",
            Self::OtpWrong => "otp.wrong",
            Self::SessionRefreshed => "session.refreshed",
            Self::SessionReplayed => "session.replayed",
            Self::SessionRevoked => "session.revoked",
        }
    }

    /// What is told of it beside its name and its scene.
    fn details(self) -> Details {
        let nothing = Details::default();
        match self {
            Self::OtpLimited(policy) => Details {
                policy: Some(policy),
                ..nothing
            },
            Self::OtpUnpaid(budget) => Details {
                policy: Some("budget"),
                budget: Some(budget),
                ..nothing
            },
            Self::OtpRefused(Refused::Country) => Details {
                rule: Some("country"),
                ..nothing
            },
            Self::OtpRefused(Refused::Kind(kind)) => Details {
                rule: Some("type"),
                kind: Some(kind),
                ..nothing
            },
            Self::OtpSuspected(alarm, verdict) => Details {
                rule: Some(alarm.rule.as_str()),
                suspected: Some((alarm, verdict)),
                ..nothing
            },
            Self::OtpSent
            | Self::OtpRepeated
            | Self::TestNumberUsed
            | Self::TestNumberElsewhere
            | Self::OtpVerified
            | Self::OtpWrong
            | Self::SessionRefreshed
            | Self::SessionReplayed
            | Self::SessionRevoked => nothing,
        }
    }

    /// Whether somebody may be attacking: such events are warnings.
    const fn is_suspicious(self) -> bool {
        match self {
            Self::SessionReplayed
            | Self::OtpSuspected(..)
            | Self::TestNumberUsed
            | Self::TestNumberElsewhere => true,
            Self::OtpSent
            | Self::OtpRepeated
            | Self::OtpLimited(_)
            | Self::OtpRefused(_)
            | Self::OtpUnpaid(_)
            | Self::OtpVerified
            | Self::OtpWrong
            | Self::SessionRefreshed
            | Self::SessionRevoked => false,
        }
    }
}

/// Writes `event` to the audit log.
pub fn record(event: Event, scene: Scene<'_>) {
    let Details {
        policy,
        budget,
        rule,
        kind,
        suspected,
    } = event.details();
    // tracing wants a literal level, hence the two arms of one line.
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                target: TARGET,
                event = event.as_str(),
                policy,
                budget = budget.map(tracing::field::display),
                level = suspected.map(|(alarm, _)| alarm.level.as_str()),
                rule,
                r#type = kind.map(Kind::as_str),
                deserves = suspected.map(|(alarm, _)| deserves(alarm.suspicion)),
                verdict = suspected.map(|(_, verdict)| verdict.as_str()),
                phone = scene.phone.map(Phone::masked),
                ip = %scene.ip,
                session = scene.session.map(tracing::field::display),
                request_id = scene.request_id,
            )
        };
    }
    if event.is_suspicious() {
        line!(warn);
    } else {
        line!(info);
    }
}

/// In words: what was to be proved, or until when nothing is sent.
fn deserves(suspicion: Suspicion) -> String {
    match suspicion {
        Suspicion::Proof(Bits(bits)) => format!("proof of {bits} bits"),
        Suspicion::Blocked(until) => format!("block until {}", until.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_names_its_scene_and_masks_the_phone() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_writer(move || writer.clone())
            .finish();
        let phone = Phone::parse("+16502530000", "+1".parse().unwrap()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            record(
                Event::SessionReplayed,
                Scene {
                    ip: "192.0.2.1".parse().unwrap(),
                    request_id: Some("r-1"),
                    phone: Some(&phone),
                    session: Some(SessionId::new([7; 16])),
                },
            );
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["target"], "audit");
        assert_eq!(line["level"], "WARN");
        let fields = &line["fields"];
        assert_eq!(fields["event"], "session.replayed");
        assert_eq!(fields["ip"], "192.0.2.1");
        assert_eq!(fields["request_id"], "r-1");
        assert_eq!(fields["session"], "07".repeat(16));
        assert_eq!(fields["phone"], phone.masked());
        assert!(fields["policy"].is_null());
        assert!(!text.contains("6502530000"), "{text}");
    }
}
