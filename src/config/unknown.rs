//! Keys of a file that nobody asked for, and what their writer may have meant; knows only the keys that were asked for.

use std::ops::Range;

use toml::de::DeTable;

use crate::config::document::{Keys, join};

/// A key that means nothing where it stands.
#[derive(Debug, PartialEq, Eq)]
pub struct Stray {
    /// Where.
    pub span: Range<usize>,
    /// Its path.
    pub path: String,
    /// What may have been meant.
    pub help: String,
}

/// Every stray key of `root`, given all keys that were asked for.
pub fn keys(root: &DeTable<'_>, known: &Keys) -> Vec<Stray> {
    let mut strays = Vec::new();
    walk(root, "", "", known, &mut strays);
    strays
}

/// Looks through one table. `pattern` is what `known` calls it, `path` what people do.
fn walk(table: &DeTable<'_>, path: &str, pattern: &str, known: &Keys, strays: &mut Vec<Stray>) {
    let here = known.get(pattern);
    for (key, value) in table {
        let (span, key): (_, &str) = (key.span(), key.get_ref());
        if here.is_some_and(|keys| keys.contains_key(key)) {
            continue;
        }
        let path = join(path, key);
        let named = join(pattern, key);
        let any_name = join(pattern, "*");
        let section = if known.contains_key(&any_name) {
            any_name
        } else {
            named
        };
        let each = format!("{section}[]");
        let array = value
            .get_ref()
            .as_array()
            .filter(|_| known.contains_key(&each));
        let table = value
            .get_ref()
            .as_table()
            .filter(|_| known.contains_key(&section));
        for (at, element) in array.into_iter().flatten().enumerate() {
            if let Some(table) = element.get_ref().as_table() {
                walk(table, &format!("{path}[{at}]"), &each, known, strays);
            }
        }
        if let Some(table) = table {
            walk(table, &path, &section, known, strays);
        }
        // A section that is not a table has been reported by whoever asked for it.
        if !known.contains_key(&each) && !known.contains_key(&section) {
            strays.push(Stray {
                span,
                help: meant(key, pattern, known),
                path,
            });
        }
    }
}

/// What `key` in the section `pattern` was probably meant to be.
fn meant(key: &str, pattern: &str, known: &Keys) -> String {
    let keys = known.get(pattern).into_iter().flatten();
    let keys = keys.map(|(name, default)| (*name, format!("`{name} = {default}`")));
    let sections = known.keys().filter_map(|section| {
        let name = match pattern {
            "" => section.as_str(),
            _ => section.strip_prefix(pattern)?.strip_prefix('.')?,
        };
        let name = name
            .split(['.', '['])
            .next()
            .filter(|name| !name.is_empty())?;
        Some((name, format!("`{}`", header(section))))
    });
    let here: Vec<_> = keys.chain(sections).collect();
    let nearest = here
        .iter()
        .map(|(name, shown)| (strsim::damerau_levenshtein(key, name), name, shown))
        .filter(|(distance, name, _)| *distance <= name.len() / 3)
        .min();
    if let Some((_, _, shown)) = nearest {
        return format!("did you mean {shown}?");
    }
    let elsewhere = known.iter().find(|(_, keys)| keys.contains_key(key));
    if let Some((section, _)) = elsewhere {
        return format!("it belongs to `{}`", header(section));
    }
    let mut names: Vec<_> = here.into_iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    format!("known here: {}", names.join(", "))
}

/// How the section is opened in a file.
fn header(pattern: &str) -> String {
    let pattern = pattern.replace('*', "NAME");
    match pattern.strip_suffix("[]") {
        Some(array) => format!("[[{array}]]"),
        // A table of the last table of an array is opened like any other.
        None => format!("[{}]", pattern.replace("[]", "")),
    }
}
