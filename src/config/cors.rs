//! `cors` of a route and of `[auth]`: whose pages may ask from another origin.

use std::{sync::Arc, time::Duration};

use http::{HeaderName, Method};

use crate::{
    config::{document::Section, item::Item, problem::Reported, value::Value},
    domain::cors::{Cookies, Cors, InvalidOrigin, OriginPattern, Origins},
};

const DAY: Duration = Duration::from_hours(24);

/// `cors` of a route.
pub fn route_cors(route: &Section<'_>) -> Result<Option<Arc<Cors>>, Reported> {
    let section = route.section("cors");
    let cookies = section.read("credentials", "false");
    let cors = read(&section, cookies, r#"["Authorization", "Content-Type"]"#)?;
    match &cors {
        Some(cors) if cors.origins == Origins::Any && cors.cookies == Cookies::Count => {
            let what = "with the origin \"*\" every page could act as whoever looks at it";
            let help = "name the origins".to_owned();
            Err(section.refuse("credentials", what, Some(help)))
        }
        Some(_) | None => Ok(cors),
    }
}

/// `cors` of `[auth]`. Its cookies are for pages of this origin: pages of others log in for tokens.
pub fn own_cors(auth: &Section<'_>) -> Result<Option<Arc<Cors>>, Reported> {
    let headers = r#"["Authorization", "Content-Type", "Idempotency-Key"]"#;
    read(&auth.section("cors"), Ok(Cookies::Kept), headers)
}

fn read(
    section: &Section<'_>,
    cookies: Result<Cookies, Reported>,
    usual_headers: &'static str,
) -> Result<Option<Arc<Cors>>, Reported> {
    let origins: Result<Vec<Wanted>, _> = section.read("origins", "[]");
    let methods: Result<Vec<Method>, _> = section.read("methods", "[]");
    let headers: Result<Vec<HeaderName>, _> = section.read("headers", usual_headers);
    let expose: Result<Vec<HeaderName>, _> = section.read("expose", "[]");
    let max_age = section.read_within("max_age", r#""10m""#, Duration::ZERO..=DAY);
    let cors = Cors {
        origins: together(section, origins?)?,
        methods: methods?,
        headers: headers?,
        expose: expose?,
        cookies: cookies?,
        max_age: max_age?,
    };
    if cors.origins != Origins::These(Vec::new()) {
        return Ok(Some(Arc::new(cors)));
    }
    let said = [
        ("methods", !cors.methods.is_empty()),
        ("expose", !cors.expose.is_empty()),
        ("credentials", cors.cookies == Cookies::Count),
    ];
    match said.into_iter().find(|(_, is_said)| *is_said) {
        Some((key, _)) => {
            let help = "for instance `origins = [\"https://app.example.com\"]`".to_owned();
            Err(section.refuse(key, "means nothing without `origins`", Some(help)))
        }
        None => Ok(None),
    }
}

/// All origins, or a list of them: never both.
fn together(section: &Section<'_>, origins: Vec<Wanted>) -> Result<Origins, Reported> {
    let count = origins.len();
    let named = origins.into_iter().filter_map(|Wanted(origin)| origin);
    let named: Vec<_> = named.collect();
    match (named.len(), count) {
        (0, 1..) => Ok(Origins::Any),
        (named, count) if named < count => {
            let what = "\"*\" is every origin, so no other one can stand beside it";
            Err(section.refuse("origins", what, None))
        }
        (_, _) => Ok(Origins::These(named)),
    }
}

/// An origin, or all of them.
struct Wanted(Option<OriginPattern>);

impl Value for Wanted {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let text = item.text("an origin such as \"https://app.example.com\"")?;
        if text == "*" {
            return Ok(Self(None));
        }
        let pattern = OriginPattern::parse(text).map_err(|why| {
            let help = match &why {
                InvalidOrigin::Spelling(spelt) => Some(format!("write \"{spelt}\"")),
                InvalidOrigin::Unknown | InvalidOrigin::Null => None,
            };
            item.refuse(why, help)
        })?;
        Ok(Self(Some(pattern)))
    }
}

impl Value for Cookies {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        bool::read(item).map(|count| if count { Self::Count } else { Self::Kept })
    }
}
