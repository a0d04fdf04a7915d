//! `[server.tls]`: HTTPS, its certificates, and the doors that only lead there.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use http::HeaderValue;

use crate::{
    clock::{Clock, Timestamp},
    config::{
        document::Section,
        problem::{Advice, Reported},
        units,
        value::{Address, Addresses, Text},
    },
    net::tls::{self, ClientAuth, Files, MinVersion, Pair, Spec, Validity},
};

/// What `[server.tls]` says.
#[derive(Debug)]
pub struct Tls {
    /// Where HTTPS is spoken.
    pub listen: Vec<Address>,
    /// Where clients are led there.
    pub redirect: Vec<Address>,
    /// How; `None` when nobody listens.
    pub spec: Option<Spec>,
    /// What browsers are told of coming back.
    pub hsts: Option<HeaderValue>,
    /// What is to be thought of, in production too, but is no reason not to serve.
    pub advice: Vec<Advice>,
}

/// What browsers are told of coming back: for how long, and for whom.
struct Hsts(Option<HeaderValue>);

#[derive(Clone, Copy)]
enum Clients {
    Off,
    Optional,
    Required,
}

const DAY: Duration = Duration::from_hours(24);

/// A site that wants to be in the browsers' own lists must promise as much (hstspreload.org).
const LEAST_FOR_PRELOAD: Duration = Duration::from_hours(24 * 365);

/// `[server.tls]`. Without an address to listen on the files it names are not read.
pub fn tls(section: &Section<'_>) -> Result<Tls, Reported> {
    let listen = section.read::<Addresses>("listen", "[]");
    let redirect = section.read::<Addresses>("redirect", "[]");
    let files = section.sections("certificates");
    let pairs: Vec<_> = files.iter().map(pair).collect();
    let min_version = section.read("min_version", r#""1.2""#);
    let clients = section.read("client_auth", r#""off""#);
    let authorities = section.read("client_ca", r#""""#);
    let hsts = section.read::<Hsts>("hsts", r#""off""#);

    let certificates: Result<Vec<Pair>, _> = pairs.into_iter().collect();
    let clients = client_auth(section, clients?, authorities?);
    let spec = Spec {
        certificates: certificates?,
        min_version: min_version?,
        clients: clients?,
    };
    let (Addresses(listen), Addresses(redirect), Hsts(hsts)) = (listen?, redirect?, hsts?);
    let advice = if listen.is_empty() {
        without_https(section, &redirect, &spec)?
    } else if spec.certificates.is_empty() {
        let help = "for instance `certificates = [{ cert = \"cert.pem\", key = \"key.pem\" }]`";
        return Err(section.refuse("listen", "HTTPS needs a certificate", Some(help.to_owned())));
    } else {
        read(section, &files, &spec, Clock::System.now())?
    };
    Ok(Tls {
        spec: (!listen.is_empty()).then_some(spec),
        listen,
        redirect,
        hsts,
        advice,
    })
}

/// Nobody listens for HTTPS, so nobody can be led there, and certificates are of no use.
fn without_https(
    section: &Section<'_>,
    redirect: &[Address],
    spec: &Spec,
) -> Result<Vec<Advice>, Reported> {
    let help = Some("for instance `listen = \"0.0.0.0:443\"`".to_owned());
    let what = "no address listens for HTTPS";
    if !redirect.is_empty() {
        return Err(section.refuse("redirect", what, help));
    }
    let unused = !spec.certificates.is_empty();
    let advice = unused.then(|| Advice(section.problem("certificates", what, help)));
    Ok(advice.into_iter().collect())
}

/// `[[server.tls.certificates]]`.
fn pair(section: &Section<'_>) -> Result<Pair, Reported> {
    let certificate: Result<PathBuf, _> = section.require("cert", r#""cert.pem""#);
    let key: Result<PathBuf, _> = section.require("key", r#""key.pem""#);
    Ok(Pair {
        certificate: certificate?,
        key: key?,
    })
}

fn client_auth(
    section: &Section<'_>,
    clients: Clients,
    authorities: Option<PathBuf>,
) -> Result<ClientAuth, Reported> {
    match (clients, authorities) {
        (Clients::Off, None) => Ok(ClientAuth::Off),
        (Clients::Optional, Some(file)) => Ok(ClientAuth::Optional(file)),
        (Clients::Required, Some(file)) => Ok(ClientAuth::Required(file)),
        (Clients::Off, Some(_)) => {
            let help = "`client_auth = \"required\"` refuses clients without one";
            let what = "nobody is asked for a certificate";
            Err(section.refuse("client_ca", what, Some(help.to_owned())))
        }
        (Clients::Optional | Clients::Required, None) => {
            let help = "`client_ca = \"PATH\"` names the authorities they must come from";
            let what = "there is nothing to judge the certificates of clients by";
            Err(section.refuse("client_auth", what, Some(help.to_owned())))
        }
    }
}

/// Reads all files as the gateway will, and says what is wrong with them where they are named.
fn read(
    section: &Section<'_>,
    files: &[Section<'_>],
    spec: &Spec,
    now: Timestamp,
) -> Result<Vec<Advice>, Reported> {
    let about = |file: &Path, what: String| {
        let mut pairs = files.iter().zip(&spec.certificates);
        let named = pairs.find_map(|(section, pair)| {
            let is_cert = pair.certificate == file;
            let key = if is_cert { "cert" } else { "key" };
            (is_cert || pair.key == file).then_some((section, key))
        });
        let (section, key) = named.unwrap_or((section, "client_ca"));
        section.problem(key, what, None)
    };
    let mut troubles = Vec::new();
    let opened = Files::open(spec, Clock::System, &mut |error: tls::Error| {
        let what = error.to_string();
        troubles.push(match error.file() {
            Some(file) => about(file, what),
            None => section.problem("listen", what, None),
        });
    });
    for trouble in troubles {
        section.report(trouble);
    }
    let held = opened.ok_or(Reported)?.held();
    let odd = held.iter().filter_map(|held| {
        let what = untimely(held.validity?, now)?;
        let what = format!("the certificate in {} {what}", held.file.display());
        Some(Advice(about(&held.file, what)))
    });
    Ok(odd.collect())
}

/// What is to be said of a certificate that clients will not accept at this time.
fn untimely(validity: Validity, now: Timestamp) -> Option<String> {
    let days = |span: Duration| match span.as_secs() / DAY.as_secs() {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    if validity.not_after < now {
        let ago = days(now.since(validity.not_after));
        return Some(format!("has expired {ago} ago"));
    }
    (now < validity.not_before).then(|| {
        let wait = days(validity.not_before.since(now));
        format!("will be valid only in {wait}")
    })
}

impl Text for MinVersion {
    const EXPECTED: &'static str = "\"1.2\" or \"1.3\" (older versions of TLS are broken)";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "1.2" => Some(Self::Tls12),
            "1.3" => Some(Self::Tls13),
            _ => None,
        }
    }
}

impl Text for Clients {
    const EXPECTED: &'static str = "\"off\", \"optional\" or \"required\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "off" => Some(Self::Off),
            "optional" => Some(Self::Optional),
            "required" => Some(Self::Required),
            _ => None,
        }
    }
}

impl Text for Hsts {
    const EXPECTED: &'static str = "\"off\", a span such as \"730d\", or one with more behind it: \
        \"730d; includeSubDomains\", \"730d; includeSubDomains; preload\" (of a year at least)";

    fn parse(text: &str) -> Option<Self> {
        if text == "off" {
            return Some(Self(None));
        }
        let (span, rest) = text.split_once(';').unwrap_or((text, ""));
        let span = units::duration(span.trim_end())?;
        let age = format!("max-age={}", span.as_secs());
        let value = match rest.trim() {
            "" => age,
            "includeSubDomains" => format!("{age}; includeSubDomains"),
            "includeSubDomains; preload" if span >= LEAST_FOR_PRELOAD => {
                format!("{age}; includeSubDomains; preload")
            }
            _ => return None,
        };
        HeaderValue::try_from(value).ok().map(|it| Self(Some(it)))
    }
}
