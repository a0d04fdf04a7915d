//! The gateway.toml in the root shows every key that is read, with its default, and nothing else.

use toml::de::DeTable;

use super::*;
use crate::config::document::Keys;

const ROOT: &str = include_str!("../../../gateway.toml");

/// The file with every commented key made active.
fn uncommented() -> String {
    let is_key = |line: &str| line.starts_with('#') && !line.starts_with("# ") && line.len() > 1;
    let lines = ROOT.lines().map(|line| match line.strip_prefix('#') {
        Some(key) if is_key(line) => key,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Every key of `text` by its pattern and the text of its value, as far as `keys` reads it whole.
fn written(text: &str, keys: &Keys) -> Vec<(String, String)> {
    fn walk(
        text: &str,
        table: &DeTable<'_>,
        pattern: &str,
        keys: &Keys,
        found: &mut Vec<(String, String)>,
    ) {
        for (key, value) in table {
            let known = keys
                .get(pattern)
                .is_some_and(|keys| keys.contains_key(&**key.get_ref()));
            let path = document::join(pattern, key.get_ref());
            let value_text = || text[value.span()].to_owned();
            if known {
                found.push((path, value_text()));
            } else if let Some(table) = value.get_ref().as_table() {
                let named = format!("{pattern}.*");
                let path = if keys.contains_key(&named) {
                    named
                } else {
                    path
                };
                walk(text, table, &path, keys, found);
            } else if let Some(tables) = value.get_ref().as_array() {
                for table in tables {
                    let table = table.get_ref().as_table().expect("tables of a section");
                    walk(text, table, &format!("{path}[]"), keys, found);
                }
            } else {
                found.push((path, value_text()));
            }
        }
    }
    let table = DeTable::parse(text).expect("valid TOML");
    let mut found = Vec::new();
    walk(text, table.get_ref(), "", keys, &mut found);
    found.sort();
    found
}

/// Every key that is read, with its default.
fn read() -> (Keys, Vec<(String, String)>) {
    let text = "[[routes]]\n[[otp.test_numbers]]\n[[sms.routes]]\n[[server.tls.certificates]]\n[upstreams.app]\n";
    let document = Document::parse("", text, env).expect("valid TOML");
    let read = resolve::read(&document.root(), &Flags::default());
    assert!(read.is_err(), "some keys have no default");
    let keys = document.keys().clone();
    let mut all: Vec<_> = keys
        .iter()
        .flat_map(|(section, keys)| {
            keys.iter()
                .map(|(key, default)| (document::join(section, key), (*default).to_owned()))
        })
        .collect();
    all.sort();
    (keys, all)
}

#[test]
fn the_root_gateway_toml_shows_every_key_with_its_default_and_nothing_else() {
    let (keys, defaults) = read();
    assert!(defaults.len() > 70, "{}", defaults.len());
    let active = written(ROOT, &keys);
    let expected: Vec<_> = defaults
        .into_iter()
        .map(|(key, default)| {
            let active = active.iter().find(|(active, _)| *active == key);
            active.cloned().unwrap_or((key, default))
        })
        .collect();
    assert_eq!(written(&uncommented(), &keys), expected);
}

#[test]
fn only_what_has_no_default_is_active_in_the_root_gateway_toml() {
    let (keys, _) = read();
    let active = written(ROOT, &keys);
    let names: Vec<_> = active.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(names, ["routes[].path", "upstreams.*.servers"]);
}

#[test]
fn the_root_gateway_toml_works_as_it_is_and_with_every_key_active() {
    let as_it_is = load(ROOT).expect("no problems");
    assert_eq!(as_it_is.advice, []);
    assert_eq!(as_it_is.config.live.routes.iter().count(), 1);
    assert_eq!(as_it_is.config.live.upstreams[0].servers, [Server::Demo]);
    let active = load(&uncommented()).expect("no problems");
    assert_eq!(active.config.fixed, as_it_is.config.fixed);
}

#[test]
fn every_line_of_the_root_gateway_toml_fits_a_screen_and_says_what_it_is_for() {
    for line in ROOT.lines() {
        assert!(line.chars().count() <= 120, "{line}");
    }
}

proptest::proptest! {
    /// Whatever is done to a file, it is read or its problems are told.
    #[test]
    fn no_change_to_a_file_panics(
        line in 0_usize..140,
        at in 0_usize..80,
        cut in 0_usize..20,
        put in "([\"'\\[\\]{}=.#\n0-9a-z -]|\\PC){0,6}",
    ) {
        let text = uncommented();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if let Some(line) = lines.get_mut(line) {
            let mut chars: Vec<char> = line.chars().collect();
            let start = at.min(chars.len());
            let end = (start + cut).min(chars.len());
            chars.splice(start..end, put.chars());
            *line = chars.into_iter().collect();
        }
        if let Err(problems) = load(&lines.join("\n")) {
            proptest::prop_assert!(problems.iter().count() > 0);
        }
    }
}
