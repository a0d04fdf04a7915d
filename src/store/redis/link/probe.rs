//! A first try of what the store will do, so that what would fail for ever fails at the start; keeps no connection.

use super::{
    fault::Fault,
    refusal::{NoConnection, Refusal},
    way::Way,
};
use crate::store::redis::{script::Script, spec::Prefix};

/// Reads and removes a key that nobody has.
const TRIAL: &str = "return redis.call('EXISTS', KEYS[1]) + redis.call('DEL', KEYS[1])";

/// Connects and runs a script that changes nothing. What it meets besides a refusal of its user
/// may pass, and is left to the verbs.
pub async fn try_out(way: &Way, prefix: &Prefix) -> Result<(), NoConnection> {
    let (connection, group) = way.probe().await?;
    let trial = Script::new(TRIAL.to_owned());
    let key = format!("{}{group}trial", prefix.as_str());
    let run = trial.run(&[key], &[""; 0]);
    match connection.send(&[&trial.load(), &run]).await {
        Err(Fault::Refused { code, text }) if &*code == "NOPERM" => {
            Err(Refusal::Permission(text).into())
        }
        Ok(_) | Err(_) => Ok(()),
    }
}
