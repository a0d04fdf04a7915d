//! `headers` of `[server]` and of a route: what browsers are told to be careful with.

use http::{HeaderName, HeaderValue, header};

use crate::{
    config::{document::Section, problem::Reported, value::Text},
    domain::route::Headers,
};

/// What is said, of everything that can be.
#[derive(Debug, Clone, Default)]
pub struct Careful {
    nosniff: Option<HeaderValue>,
    frame: Option<HeaderValue>,
    referrer: Option<HeaderValue>,
}

/// `[server.headers]`.
pub fn everywhere(section: &Section<'_>) -> Result<Careful, Reported> {
    let nosniff = section.read("nosniff", r#""off""#);
    let frame = section.read("frame", r#""off""#);
    let referrer = section.read("referrer", r#""off""#);
    let (Sniffing(nosniff), Framing(frame), Referrer(referrer)) = (nosniff?, frame?, referrer?);
    Ok(Careful {
        nosniff,
        frame,
        referrer,
    })
}

/// `headers` of a route, which says what it says in place of `general`.
pub fn of_route(route: &Section<'_>, general: &Careful) -> Result<Careful, Reported> {
    let section = route.section("headers");
    let nosniff: Result<Option<Sniffing>, _> = section.read("nosniff", r#""""#);
    let frame: Result<Option<Framing>, _> = section.read("frame", r#""""#);
    let referrer: Result<Option<Referrer>, _> = section.read("referrer", r#""""#);
    let general = general.clone();
    Ok(Careful {
        nosniff: nosniff?.map_or(general.nosniff, |Sniffing(own)| own),
        frame: frame?.map_or(general.frame, |Framing(own)| own),
        referrer: referrer?.map_or(general.referrer, |Referrer(own)| own),
    })
}

impl From<&Careful> for Headers {
    fn from(careful: &Careful) -> Self {
        let said: [(HeaderName, _); 3] = [
            (header::X_CONTENT_TYPE_OPTIONS, &careful.nosniff),
            (header::X_FRAME_OPTIONS, &careful.frame),
            (header::REFERRER_POLICY, &careful.referrer),
        ];
        let said = said.into_iter();
        said.filter_map(|(name, value)| Some((name, value.clone()?)))
            .collect()
    }
}

/// Whether browsers may guess at the type of what they get.
struct Sniffing(Option<HeaderValue>);

/// Who may show a page inside of theirs.
struct Framing(Option<HeaderValue>);

/// How much others learn of where somebody came from (Referrer Policy §3).
struct Referrer(Option<HeaderValue>);

/// Those that tell others no more than browsers do by themselves.
const REFERRER_POLICIES: [&str; 5] = [
    "no-referrer",
    "same-origin",
    "origin",
    "strict-origin",
    "strict-origin-when-cross-origin",
];

impl Text for Sniffing {
    const EXPECTED: &'static str = "\"on\" or \"off\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "on" => Some(Self(Some(HeaderValue::from_static("nosniff")))),
            "off" => Some(Self(None)),
            _ => None,
        }
    }
}

impl Text for Framing {
    const EXPECTED: &'static str = "\"deny\", \"same-origin\" or \"off\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "deny" => Some(Self(Some(HeaderValue::from_static("DENY")))),
            "same-origin" => Some(Self(Some(HeaderValue::from_static("SAMEORIGIN")))),
            "off" => Some(Self(None)),
            _ => None,
        }
    }
}

impl Text for Referrer {
    const EXPECTED: &'static str = "\"no-referrer\", \"same-origin\", \"strict-origin-when-cross-origin\" or its like, or \"off\"";

    fn parse(text: &str) -> Option<Self> {
        if text == "off" {
            return Some(Self(None));
        }
        let known = REFERRER_POLICIES.into_iter().find(|known| *known == text)?;
        Some(Self(Some(HeaderValue::from_static(known))))
    }
}
