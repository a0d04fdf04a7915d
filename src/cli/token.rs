//! `token inspect`: what a token says, and whether this gateway would take it. It asks no store, so a revoked session is not seen.

use std::{io::Write, sync::Arc};

use arc_swap::ArcSwap;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::{
    cli::{Error, Exit},
    clock::Timestamp,
    config::Config,
    token::{Keyring, Refusal, Tokens},
};

/// Shows header and claims of `token` as they stand there, then the verdict.
pub fn inspect(
    config: &Config,
    token: &str,
    now: Timestamp,
    out: &mut dyn Write,
) -> Result<Exit, Error> {
    for part in token.split('.').take(2) {
        match decode(part) {
            Some(json) => writeln!(out, "{json:#}")?,
            None => writeln!(out, "(not JSON in base64url)")?,
        }
    }
    match verify(config, token, now)? {
        Ok(verdict) => {
            writeln!(out, "{verdict}")?;
            Ok(Exit::Done)
        }
        Err(refusal) => {
            writeln!(out, "refused: {refusal}")?;
            Ok(Exit::Failed)
        }
    }
}

/// What is good about the token, by the keys of `config`.
fn verify(config: &Config, token: &str, now: Timestamp) -> Result<Result<String, Refusal>, Error> {
    let live = &config.live;
    let keep = live.keys.timetable.keep_retired;
    let keys = Keyring::load(&live.keys.dir, live.keys.algorithm, now, keep)?;
    let masters = config.fixed.secret.read()?;
    let keys = Arc::new(ArcSwap::from_pointee(keys));
    let tokens = Tokens::new(live.tokens.clone(), &masters, keys);
    let left = |kind: &str, until: Timestamp| {
        format!("valid: {kind} for another {}s", until.since(now).as_secs())
    };
    let access = tokens.verify_access(token, now);
    Ok(match access {
        Ok(access) => Ok(left("an access token", access.expires_at)),
        Err(Refusal::WrongType) => tokens
            .verify_refresh(token, now)
            .map(|refresh| left("a refresh token", refresh.expires_at)),
        Err(refusal) => Err(refusal),
    })
}

fn decode(part: &str) -> Option<Value> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}
