//! What the auth service goes by; knows nothing of where these settings are written down.

use std::{net::IpAddr, time::Duration};

use ipnet::IpNet;

use crate::{
    auth::captcha,
    clock::Timestamp,
    domain::{
        budget::Budget,
        otp::{self, Code},
        phone::{CallingCode, Kind, Phone},
        prices::Prices,
        quota::Limit,
        session,
    },
    net::{cookies::CookieSecure, introduction::Names},
    observe::audit::Event,
    sms::{Channel, receipt::Tellers, wording::Wording},
    store::revocations::OnOutage,
};

/// The rules of the auth service.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Where the endpoints live, without a slash at the end: `/api/auth`.
    pub base: String,
    /// Further places where they answer: `/api/v1/auth`. Cookies and links use `base` alone.
    pub aliases: Vec<String>,
    /// The country of a number that names none.
    pub default_country: CallingCode,
    /// Countries whose numbers are sent to.
    pub countries: Countries,
    /// Kinds of numbers that are not sent to.
    pub refused_kinds: Vec<Kind>,
    /// How codes and challenges behave.
    pub otp: otp::Policy,
    /// How many codes are sent at most.
    pub limits: Vec<Limit>,
    /// How much money may be spent on codes.
    pub budgets: Vec<Budget>,
    /// What a code costs.
    pub prices: Prices,
    /// What becomes of those whose codes nobody answers.
    pub guard: Guard,
    /// Whose captchas do instead of the work that they have to prove, if anybody's.
    pub captcha: Option<captcha::Spec>,
    /// The pause that a client should keep before it asks for the code again.
    pub resend_in: Duration,
    /// How sessions live and end.
    pub session: session::Policy,
    /// What becomes of tokens while it is not known who was revoked elsewhere.
    pub on_outage: OnOutage,
    /// What stands in `sub`.
    pub subject: SubjectKind,
    /// When cookies are marked `Secure`.
    pub cookie_secure: CookieSecure,
    /// The address under which browsers know the gateway, such as `https://example.com`; without
    /// it, the one they asked for.
    pub public_url: Option<String>,
    /// What messages say.
    pub wording: Wording,
    /// How codes may travel; the first is for those who ask for none.
    pub channels: Vec<Channel>,
    /// Numbers with a code of their own, to which nothing is sent.
    pub test_numbers: Vec<TestNumber>,
    /// Who may tell what became of messages.
    pub tellers: Tellers,
    /// The headers by which a proxy that asks learns who is calling.
    pub identity: Names,
    /// Bytes that a request body may have.
    pub max_body: usize,
    /// How long a request body may take to arrive.
    pub body_timeout: Duration,
}

/// Which countries' numbers are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Countries {
    /// Every one.
    All,
    /// Those with one of these calling codes.
    Only(Vec<CallingCode>),
}

/// The conversion guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// What it does.
    pub mode: Mode,
    /// Networks of systems of the operator's, which ask for many people.
    pub exempt: Vec<IpNet>,
}

/// What the conversion guard does about those whom it suspects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It has them prove some work, or refuses.
    Enforce,
    /// It says so, in the audit log and in metrics.
    Observe,
    /// It is not there.
    Off,
}

/// What identifies a person towards the apps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectKind {
    /// A pseudonym: always the same for one number, and telling nothing about it.
    Derived,
    /// The number itself, in E.164.
    Phone,
}

/// A number for those who cannot receive messages, such as an app store's reviewers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestNumber {
    /// The number.
    pub phone: Phone,
    /// Its code.
    pub code: Code,
    /// From when on it is a number like any other.
    pub until: Timestamp,
    /// From where its code is accepted; from everywhere when there are none.
    pub networks: Vec<IpNet>,
}

impl Spec {
    /// Every path below which it answers.
    pub fn bases(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.base).chain(&self.aliases)
    }

    /// The part of `path` below the base or an alias: `/send-otp` of `/api/auth/send-otp`, and
    /// nothing of the base itself. `None` when the path lies elsewhere.
    pub fn below<'p>(&self, path: &'p str) -> Option<&'p str> {
        self.bases()
            .filter_map(|base| path.strip_prefix(base.as_str()))
            .find(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// How a code travels when nobody says how.
    pub(super) fn channel(&self) -> Channel {
        self.channels.first().copied().unwrap_or(Channel::Sms)
    }

    /// What `phone` is at `now`, if it is a test number: nothing is sent to it then, whoever asks.
    pub(super) fn test_number(&self, phone: &Phone, now: Timestamp) -> Option<&TestNumber> {
        let mut numbers = self.test_numbers.iter();
        numbers.find(|test| test.phone == *phone && now < test.until)
    }
}

impl Guard {
    /// Whether nothing is refused that `ip` asks for.
    pub(super) fn only_watches(&self, ip: IpAddr) -> bool {
        self.mode != Mode::Enforce || self.exempt.iter().any(|net| net.contains(&ip))
    }
}

impl TestNumber {
    /// Whether its code is accepted from `ip`.
    pub fn admits(&self, ip: IpAddr) -> bool {
        self.networks.is_empty() || self.networks.iter().any(|net| net.contains(&ip))
    }

    /// What the audit log calls its use from `ip`.
    pub(super) fn event(&self, ip: IpAddr) -> Event {
        if self.admits(ip) {
            Event::TestNumberUsed
        } else {
            Event::TestNumberElsewhere
        }
    }
}

impl Countries {
    /// Whether numbers of this country are served.
    pub fn include(&self, country: CallingCode) -> bool {
        match self {
            Self::All => true,
            Self::Only(list) => list.contains(&country),
        }
    }
}
