//! `keys`: what is in the directory of signing keys, and its rotation.

use std::{io::Write, time::Duration};

use crate::{
    cli::{Error, Exit},
    clock::Timestamp,
    config::{Live, Span},
    token::{Keyring, Listed, Pace, State, Timetable},
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
        let prospect = prospect(&key, live.keys.timetable).unwrap_or_default();
        let row = format!(
            "{:<24} {:<8} {:<6} {:<12} {prospect}",
            key.kid,
            key.state.to_string(),
            key.algorithm.as_str(),
            in_seconds(key.age).to_string(),
        );
        writeln!(out, "{}", row.trim_end())?;
    }
    Ok(Exit::Done)
}

/// Goes on to the next key, and tells what that changed.
pub fn rotate(live: &Live, pace: Pace, now: Timestamp, out: &mut dyn Write) -> Result<Exit, Error> {
    let keys = &live.keys;
    let done = Keyring::rotate(&keys.dir, keys.algorithm, now, keys.timetable, pace)?;
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
    let Some(waits) = done.waits else {
        return Ok(Exit::Done);
    };
    let wait = in_seconds(waits.wait);
    writeln!(
        out,
        "{:<24} signs not yet: not everybody may know it before {wait} from now\n\
         Rotate again then, or --at-once if the active key must not be used any more.",
        waits.kid
    )?;
    Ok(Exit::Failed)
}

/// What will become of a key, and when.
fn prospect(key: &Listed, timetable: Timetable) -> Option<String> {
    let left = |span: Duration| Some(in_seconds(span.checked_sub(key.age)?));
    match key.state {
        State::Next => left(timetable.notice).map(|left| format!("may sign in {left}")),
        State::Active => None,
        State::Retired => Some(match left(timetable.keep_retired) {
            Some(left) => format!("verifies for {left}"),
            None => "not used any more".to_owned(),
        }),
    }
}

/// Rounded up: whoever waits for so long has waited long enough.
fn in_seconds(span: Duration) -> Span {
    Span(Duration::from_secs(
        span.as_millis()
            .div_ceil(1000)
            .try_into()
            .unwrap_or(u64::MAX),
    ))
}
