//! Redis as the tests need it: real servers, alone, in a Cluster or watched by Sentinels, and a line that can be cut. Knows nothing of the gateway.

// It blocks and has threads of its own, so that it does not matter which runtime a test has, or whether
// that one is stuck. The unit tests of the store include the same files.

pub mod cluster;
pub mod cutter;
pub mod frame;
pub mod port;
mod reply;
pub mod sentinels;
pub mod server;
pub mod tls;

use std::{
    thread,
    time::{Duration, Instant},
};

pub use self::{
    cluster::RedisCluster,
    cutter::{Cut, Cutter, Weather},
    reply::Reply,
    sentinels::Sentinels,
    server::{DURABLE, Server as RedisServer},
};

/// How long a server may take to do what it was told.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two questions whether it is done.
const PAUSE: Duration = Duration::from_millis(5);

/// Asks until there is an answer.
#[track_caller]
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "not in time: {what}");
        thread::park_timeout(PAUSE);
    }
}
