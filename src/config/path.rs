//! Paths of requests as they are written in a file: in the one form in which requests are matched.

use crate::{
    config::{item::Item, problem::Reported, value::Value},
    domain::target::{Ambiguity, CanonicalPath, Escapes},
};

/// A path in canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPath(pub String);

/// A path in canonical form that other paths can be below of: without a slash at its end, not the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasePath(pub String);

impl Value for RequestPath {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let text = item.text("a path such as \"/api\"")?;
        if text.contains(['?', '#']) {
            return Err(item.refuse("a path has no query and no fragment", None));
        }
        let canonical = CanonicalPath::parse(text)
            .map_err(|why| item.refuse(format!("no request could match: {why}"), None))?;
        // What it leads to would depend on who reads it.
        if let Some(escape) = canonical.escapes().beyond(Escapes::default()) {
            let why = Ambiguity::from(escape);
            return Err(item.refuse(format!("no request could match: {why}"), None));
        }
        if canonical.is_rewritten() {
            let help = format!("write \"{}\"", canonical.as_str());
            let what = "no request could match: paths are compared in their canonical form";
            return Err(item.refuse(what, Some(help)));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Value for BasePath {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let RequestPath(path) = RequestPath::read(item)?;
        if path.ends_with('/') {
            return Err(item.refuse("must have a name behind its last slash", None));
        }
        Ok(Self(path))
    }
}

impl BasePath {
    /// Whether `path` is this one or below it.
    pub fn holds(&self, path: &str) -> bool {
        path.strip_prefix(&self.0)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether one of the two is the other or below it.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.holds(&other.0) || other.holds(&self.0)
    }
}
