//! `[auth]`, `[otp]`, `[sms]` and `[session]`: how people log in.

use std::{num::NonZeroU32, time::Duration};

use crate::{
    auth::{self, Countries},
    config::{
        captcha::captcha,
        document::Section,
        guard::guard,
        item::Item,
        path::BasePath,
        problem::Reported,
        test_numbers::test_numbers,
        tokens::Sessions,
        units::Size,
        url::Origin,
        value::{Text, Value},
        wording::wording,
    },
    domain::{
        budget::Budget,
        otp::{self, Length},
        phone::{CallingCode, Kind},
        prices::Prices,
        quota::{Limit, Per, Quota},
        session,
    },
    net::{cookies::CookieSecure, introduction::Names},
    sms::{Channel, receipt::Tellers},
    store::revocations::OnOutage,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// Where the auth service is.
#[derive(Debug, Clone)]
pub struct Bases {
    /// The path that it calls its own.
    pub base: BasePath,
    /// Where it answers, too.
    pub aliases: Vec<BasePath>,
}

impl Bases {
    /// All of its paths, its own one first.
    pub fn all(&self) -> impl Iterator<Item = &BasePath> {
        std::iter::once(&self.base).chain(&self.aliases)
    }
}

/// Everything the auth service goes by, put together from the sections of `root`.
pub fn login(
    root: &Section<'_>,
    bases: Result<Bases, Reported>,
    public_url: Option<&Origin>,
    sessions: Result<Sessions, Reported>,
    channels: Result<Vec<Channel>, Reported>,
    identity: Result<Names, Reported>,
) -> Result<auth::Spec, Reported> {
    let auth = root.section("auth");
    let max_body = auth.read_within("max_body", r#""16kb""#, Size(1 << 10)..=Size(1 << 20));
    let body_timeout = auth.read_within("body_timeout", r#""10s""#, SECOND..=MINUTE * 5);
    let otp = otp(&root.section("otp"), public_url);
    let wording = wording(&root.section("sms"), public_url);
    let session = root.section("session");
    let cookie_secure = session.read("cookie_secure", r#""auto""#);
    let on_outage = session.read("on_store_outage", r#""serve""#);
    // All sessions of a subject are one record of the store, read and written as a whole.
    let max_per_subject = session.read_within("max_per_subject", "20", 1..=100);

    let (bases, sessions, otp, wording) = (bases?, sessions?, otp?, wording?);
    let aliases = bases.aliases.into_iter().map(|BasePath(alias)| alias);
    Ok(auth::Spec {
        base: bases.base.0,
        aliases: aliases.collect(),
        default_country: otp.default_country,
        countries: otp.countries,
        refused_kinds: otp.refused_kinds,
        otp: otp.policy,
        limits: otp.limits,
        budgets: otp.budgets,
        prices: otp.prices,
        guard: otp.guard,
        captcha: otp.captcha,
        resend_in: otp.resend_in,
        session: session::Policy {
            idle: sessions.idle,
            absolute: sessions.absolute,
            grace: sessions.grace,
            max_per_subject: max_per_subject?,
        },
        on_outage: on_outage?,
        subject: sessions.subject,
        cookie_secure: cookie_secure?,
        public_url: public_url.map(Origin::to_string),
        wording,
        channels: channels?,
        test_numbers: otp.test_numbers,
        tellers: Tellers::default(),
        identity: identity?,
        max_body: max_body?.bytes(),
        body_timeout: body_timeout?,
    })
}

/// Reads where the auth service is. None of its paths may be above another one.
pub fn bases(auth: &Section<'_>) -> Result<Bases, Reported> {
    let base = auth.read("base", r#""/api/auth""#);
    let aliases = auth.read("aliases", r#"["/api/v1/auth"]"#);
    let bases = Bases {
        base: base?,
        aliases: aliases?,
    };
    for (at, alias) in bases.aliases.iter().enumerate() {
        if bases.all().take(at + 1).any(|base| base.overlaps(alias)) {
            let BasePath(alias) = alias;
            let what = format!("{alias} stands above or below another path of the gateway");
            return Err(auth.refuse("aliases", what, None));
        }
    }
    Ok(bases)
}

/// What `[otp]` says.
struct Otp {
    policy: otp::Policy,
    limits: Vec<Limit>,
    budgets: Vec<Budget>,
    prices: Prices,
    guard: auth::Guard,
    captcha: Option<auth::captcha::Spec>,
    resend_in: Duration,
    default_country: CallingCode,
    countries: Countries,
    refused_kinds: Vec<Kind>,
    test_numbers: Vec<auth::TestNumber>,
}

fn otp(section: &Section<'_>, public_url: Option<&Origin>) -> Result<Otp, Reported> {
    let policy = policy(section);
    let limits: Result<Vec<Limit>, _> = section.read(
        "limits",
        r#"["3/30m per phone", "20/1h per ip", "2000/1h per country", "10000/1d per all"]"#,
    );
    let resend_after = section.read_within("resend_after", r#""0s""#, Duration::ZERO..=MINUTE * 60);
    let resend_in = section.read_within("resend_in", r#""30s""#, Duration::ZERO..=MINUTE * 60);
    let default_country = section.read("default_country", r#""+1""#);
    let countries: Result<CountryList, _> = section.read("countries", "[]");
    let refused_kinds = section.read(
        "refuse_types",
        r#"["premium_rate", "shared_cost", "toll_free", "pager", "uan", "voicemail"]"#,
    );
    let budgets = section.read("budgets", "[]");
    let prices = section.read("prices", "{}");
    let guard = guard(section);
    let captcha = captcha(section, public_url);
    let length = policy
        .as_ref()
        .map(|policy| policy.length)
        .map_err(|reported| *reported);
    let test_numbers = test_numbers(section, length, default_country);

    let (default_country, resend_after) = (default_country?, resend_after?);
    let mut limits = limits?;
    limits.extend(pause(resend_after));
    Ok(Otp {
        policy: policy?,
        limits,
        budgets: budgets?,
        prices: prices?,
        guard: guard?,
        captcha: captcha?,
        resend_in: resend_in?.max(resend_after),
        countries: countries?.with(default_country),
        refused_kinds: refused_kinds?,
        default_country,
        test_numbers: test_numbers?,
    })
}

fn policy(section: &Section<'_>) -> Result<otp::Policy, Reported> {
    let length = section.read("length", "6");
    let ttl = section.read_within("ttl", r#""5m""#, SECOND * 30..=MINUTE * 60);
    let max_age = section.read_within("max_age", r#""10m""#, SECOND * 30..=MINUTE * 60);
    let max_attempts = section.read_within("max_attempts", "5", 1..=10);
    // NIST SP 800-63B §5.2.2: at most 100 failures in a row for one account.
    let max_failures = section.read_within("max_failures", "20", 2..=100);
    let require_challenge = section.read("require_challenge", "false");
    let (ttl, max_age) = (ttl?, max_age?);
    if ttl > max_age {
        let what = "must not be longer than `max_age`";
        return Err(section.refuse("ttl", what, None));
    }
    Ok(otp::Policy {
        length: length?,
        ttl,
        max_age,
        max_attempts: max_attempts?,
        max_failures: max_failures?,
        require_challenge: require_challenge?,
    })
}

/// A pause between two sends is a limit of one per that span.
fn pause(resend_after: Duration) -> Option<Limit> {
    let quota = Quota {
        max: NonZeroU32::MIN,
        window: resend_after,
    };
    let per = Per::Phone;
    (!resend_after.is_zero()).then_some(Limit { quota, per })
}

/// `otp.countries`: none named stands for the default country.
enum CountryList {
    All,
    Named(Vec<CallingCode>),
}

impl CountryList {
    fn with(self, default: CallingCode) -> Countries {
        match self {
            Self::All => Countries::All,
            Self::Named(codes) if codes.is_empty() => Countries::Only(vec![default]),
            Self::Named(codes) => Countries::Only(codes),
        }
    }
}

impl Value for CountryList {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        const EXPECTED: &str = "a list such as [\"+1\", \"+44\"], or \"*\" for all countries";
        if item.value().as_str() == Some("*") {
            return Ok(Self::All);
        }
        match item.elements() {
            Some(_) => Value::read(item).map(Self::Named),
            None => Err(item.expected(EXPECTED)),
        }
    }
}

impl Value for Length {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        Self::new(u8::read(item)?).map_err(|why| item.refuse(why, None))
    }
}

impl Text for CallingCode {
    const EXPECTED: &'static str = "the calling code of a country such as \"+1\" or \"+44\"";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Text for Kind {
    const EXPECTED: &'static str = "a kind of number: \"fixed_line\", \"mobile\", \"toll_free\", \
        \"premium_rate\", \"shared_cost\", \"voip\", \"personal\", \"pager\", \"uan\" or \"voicemail\"";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Text for CookieSecure {
    const EXPECTED: &'static str = "\"auto\", \"always\" or \"never\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(Self::Auto),
            "always" => Some(Self::Always),
            "never" => Some(Self::Never),
            _ => None,
        }
    }
}

impl Text for OnOutage {
    const EXPECTED: &'static str = "\"serve\" or \"refuse\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "serve" => Some(Self::Serve),
            "refuse" => Some(Self::Refuse),
            _ => None,
        }
    }
}
