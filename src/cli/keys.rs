//! `keys`: what is in the directory of signing keys, and its rotation.

use std::io::Write;

use crate::{
    cli::{Error, Exit},
    clock::Timestamp,
    config::{Live, Span},
    token::Keyring,
};

/// Shows every key.
pub fn list(live: &Live, now: Timestamp, out: &mut dyn Write) -> Result<Exit, Error> {
    let keys = Keyring::list(&live.keys.dir, now)?;
    if keys.is_empty() {
        writeln!(
            out,
            "none yet: the first run makes them in {}",
            live.keys.dir.display()
        )?;
    }
    for key in keys {
        let age = Span(std::time::Duration::from_secs(key.age.as_secs()));
        writeln!(
            out,
            "{:<24} {:<8} {:<6} {age}",
            key.kid,
            key.state.to_string(),
            key.algorithm.as_str()
        )?;
    }
    Ok(Exit::Done)
}

/// Goes on to the next key, and tells what that changed.
pub fn rotate(live: &Live, now: Timestamp, out: &mut dyn Write) -> Result<Exit, Error> {
    let keep = live.tokens.keep_retired();
    let done = Keyring::rotate(&live.keys.dir, live.keys.algorithm, now, keep)?;
    let told = [
        ("made", done.created),
        ("signs now", done.activated.into_iter().collect()),
        ("only verifies now", done.retired),
        ("deleted", done.deleted),
    ];
    for (what, keys) in told {
        for kid in keys {
            writeln!(out, "{kid:<24} {what}")?;
        }
    }
    Ok(Exit::Done)
}
