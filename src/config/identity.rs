//! `[identity]`: the headers that tell an app who is calling.

use http::HeaderName;

use crate::{
    config::{document::Section, problem::Reported, value::Entries},
    net::introduction::Names,
};

/// What servers and proxies read themselves; the identity must not pose as it.
const TAKEN: [&str; 18] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-real-ip",
    "x-request-id",
];

/// `[identity]`.
pub fn identity(section: &Section<'_>) -> Result<Names, Reported> {
    let subject = section.read("subject", r#""X-Auth-Subject""#);
    let phone = section.read("phone", r#""X-Auth-Phone""#);
    let session = section.read("session", r#""X-Auth-Session""#);
    let claims: Result<Entries<_>, _> = section.read("claims", "{}");
    let names = Names {
        subject: subject?,
        phone: phone?,
        session: session?,
        claims: claims?.0,
    };
    check(section, &names)?;
    Ok(names)
}

/// No name may be taken, and no two may be the same to a server that folds them.
fn check(section: &Section<'_>, names: &Names) -> Result<(), Reported> {
    let own = [
        ("subject", &names.subject),
        ("phone", &names.phone),
        ("session", &names.session),
    ];
    let claims = names.claims.iter().map(|(_, name)| ("claims", name));
    let mut seen: Vec<(&str, String)> = Vec::new();
    let mut verdict = Ok(());
    for (key, name) in own.into_iter().chain(claims) {
        let folded = folded(name);
        if TAKEN.contains(&folded.as_str()) || folded.starts_with("x-forwarded-") {
            let what = format!("the header {name} has another meaning already");
            verdict = Err(section.refuse(key, what, None));
        }
        if let Some((other, _)) = seen.iter().find(|(_, earlier)| *earlier == folded) {
            let what = format!("the header {name} is the one of `{other}`");
            let help = "servers may take `-`, `_` and `.` for the same".to_owned();
            verdict = Err(section.refuse(key, what, Some(help)));
        }
        seen.push((key, folded));
    }
    verdict
}

/// The name as servers see it that turn headers into variables (RFC 3875 §4.1.18).
fn folded(name: &HeaderName) -> String {
    name.as_str().replace(['_', '.'], "-")
}
