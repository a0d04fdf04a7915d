//! Links to real servers: what reaches them, what comes back in time, and what is never sent twice.

mod cluster;
mod open;
mod recovery;
mod sentinel;
mod single;

use std::time::Duration;

use super::{Link, VERBS};
use crate::store::{
    Error,
    redis::{Spec, group::Group, script::Script},
};

/// Far more than any answer takes, so that a test that waits for it has found something.
const DEADLINE: Duration = Duration::from_secs(1);

/// Adds one to a key, and returns what it is then.
fn count() -> Script {
    Script::new("return redis.call('INCR', KEYS[1])".to_owned())
}

fn spec(url: &str) -> Spec {
    url.parse().expect(url)
}

async fn link(url: &str) -> Link {
    Link::open(&spec(url), DEADLINE).await.expect(url)
}

/// Counts in the group of that byte.
async fn count_in(link: &Link, group: u8) -> Result<redis::Value, Error> {
    let group = Group::new(group);
    let key = format!("otp:{group}count");
    link.call(&count(), group, &[key], &[""; 0]).await
}

/// Lets others work until it is so.
async fn until(mut is_so: impl FnMut() -> bool) {
    let begun = tokio::time::Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "not in time");
        tokio::task::yield_now().await;
    }
}

/// The same until it works: how often it was tried.
async fn count_until_it_works(link: &Link, group: u8) -> usize {
    let begun = tokio::time::Instant::now();
    let mut tries = 1;
    while let Err(error) = count_in(link, group).await {
        assert!(begun.elapsed() < Duration::from_secs(30), "{error}");
        tries += 1;
        tokio::task::yield_now().await;
    }
    tries
}
