//! `[tokens]`: what tokens say, how long they and their sessions live, and where the keys are.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Map, Value as Json};

use crate::{
    auth::SubjectKind,
    config::{Keys, document::Section, problem::Reported, value::Text},
    token::{self, Algorithm, Timetable},
};

/// What `[tokens]` says.
#[derive(Debug)]
pub struct Tokens {
    /// How tokens are made and judged.
    pub spec: token::Spec,
    /// What access tokens are signed with.
    pub keys: Keys,
    /// What the auth service has to know of it.
    pub sessions: Sessions,
}

/// What the auth service has to know: whom tokens name, and how long a login may be prolonged.
#[derive(Debug, Clone, Copy)]
pub struct Sessions {
    /// What stands in `sub`.
    pub subject: SubjectKind,
    /// A session that is not refreshed for so long has ended.
    pub idle: Duration,
    /// No session gets older than this.
    pub absolute: Duration,
    /// For so long a used refresh token gives the same successor again.
    pub grace: Duration,
}

/// Claims that the gateway itself sets.
const OWN: [&str; 12] = [
    "amr",
    "aud",
    "auth_time",
    "exp",
    "gen",
    "iat",
    "iss",
    "jti",
    "nbf",
    "phone_number",
    "sid",
    "sub",
];

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// `[tokens]`. `issuer` is who we are unless the file says otherwise; keys are in `data_dir`
/// unless it says otherwise.
pub fn tokens(section: &Section<'_>, issuer: &str, data_dir: &Path) -> Result<Tokens, Reported> {
    let written: Result<Option<String>, _> = section.read("issuer", r#""""#);
    let audience: Result<Option<String>, _> = section.read("audience", r#""""#);
    let algorithm = section.read("algorithm", r#""ES256""#);
    let dir: Result<Option<PathBuf>, _> = section.read("keys", r#""""#);
    let keys_spread = section.read_within("keys_spread", r#""2m""#, SECOND * 5..=DAY);
    let access_ttl = section.read_within("access_ttl", r#""15m""#, SECOND..=DAY);
    let leeway = section.read_within("leeway", r#""30s""#, Duration::ZERO..=MINUTE * 5);
    let sessions = sessions(section);
    let extra_claims = extra_claims(section);

    let issuer = written?.unwrap_or_else(|| issuer.to_owned());
    let (access_ttl, sessions) = (access_ttl?, sessions?);
    if access_ttl > sessions.idle {
        let what = "must not be longer than `refresh_idle`: the session would end before its token";
        return Err(section.refuse("access_ttl", what, None));
    }
    let spec = token::Spec {
        audience: audience?.unwrap_or_else(|| issuer.clone()),
        issuer,
        access_ttl,
        leeway: leeway?,
        extra_claims: extra_claims?,
    };
    Ok(Tokens {
        keys: Keys {
            dir: dir?.unwrap_or_else(|| data_dir.join("keys")),
            algorithm: algorithm?,
            timetable: Timetable::new(spec.access_life(), keys_spread?),
        },
        spec,
        sessions,
    })
}

fn sessions(section: &Section<'_>) -> Result<Sessions, Reported> {
    let subject = section.read("subject", r#""derived""#);
    let idle = section.read_within("refresh_idle", r#""30d""#, MINUTE..=DAY * 3650);
    let absolute = section.read_within("refresh_max_age", r#""90d""#, MINUTE..=DAY * 3650);
    let grace = section.read_within("refresh_grace", r#""30s""#, Duration::ZERO..=MINUTE * 10);
    let (idle, absolute) = (idle?, absolute?);
    if idle > absolute {
        let what = "must not be longer than `refresh_max_age`";
        return Err(section.refuse("refresh_idle", what, None));
    }
    Ok(Sessions {
        subject: subject?,
        idle,
        absolute,
        grace: grace?,
    })
}

fn extra_claims(section: &Section<'_>) -> Result<Map<String, Json>, Reported> {
    let claims: Map<_, _> = section.read("claims", "{}")?;
    let own: Vec<_> = claims
        .keys()
        .filter(|name| OWN.contains(&name.as_str()))
        .collect();
    match own.first() {
        Some(name) => {
            let what = format!("the gateway sets the claim \"{name}\" itself");
            Err(section.refuse("claims", what, None))
        }
        None => Ok(claims),
    }
}

impl Text for Algorithm {
    const EXPECTED: &'static str = "\"ES256\", \"EdDSA\", \"RS256\" or \"HS256\"";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Text for SubjectKind {
    const EXPECTED: &'static str = "\"derived\" or \"phone\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "derived" => Some(Self::Derived),
            "phone" => Some(Self::Phone),
            _ => None,
        }
    }
}
