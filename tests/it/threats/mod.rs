//! The threat suite: every known way past a gate like this one, tried over real sockets from the outside.

mod admin;
mod brute_force;
mod desync;
mod floods;
mod forwarded;
mod hosts;
mod http_2;
mod identity;
mod paths;
mod pool;
mod redirects;
mod sessions;
mod tokens;
mod upgrades;

use crate::stage::{
    Stage,
    client::Answer,
    wire::Wire,
    witness::{IN_ORDER, MARKED},
};

/// A way for those who are logged in, and one for everybody.
const DOORS: [&str; 2] = [
    "[[routes]]\npath = \"/\"",
    "[[routes]]\npath = \"/public\"\nauth = \"none\"",
];

/// The other way round: all is open but one place.
const ONE_CLOSED: [&str; 2] = [
    "[[routes]]\npath = \"/\"\nauth = \"none\"",
    "[[routes]]\npath = \"/admin\"",
];

/// A gateway with the defaults and these ways, at which [`Stage::arrived`] tells what the app saw.
async fn gate(settings: &[&str]) -> Stage {
    Stage::with(&[&[IN_ORDER, MARKED], settings].concat()).await
}

/// What comes back for `head`, a request's head without its last empty line.
async fn say(stage: &Stage, head: impl AsRef<[u8]>) -> Answer {
    let mut wire = Wire::to(stage.address).await;
    wire.send(head).await;
    wire.send("\r\n\r\n").await;
    wire.answer().await
}

/// What comes back for a GET of `target`.
async fn ask(stage: &Stage, target: &str) -> Answer {
    say(stage, format!("GET {target} HTTP/1.1\r\nHost: app.test")).await
}

/// Asserts on both sides: the request is refused with this status and code, and the app never heard of
/// it. Gives back what was said about the reason.
async fn refuses(stage: &Stage, row: &str, answer: Answer, status: u16, code: &str) -> String {
    assert_eq!(answer.status, status, "{row:?}: {answer:?}");
    answer.is_refused(status, code);
    let arrived = stage.arrived_at().await;
    assert!(arrived.is_empty(), "{row:?} reached the app: {arrived:?}");
    let problem = answer.json();
    problem["detail"].as_str().unwrap_or_default().to_owned()
}

/// The same for a GET of `target`.
async fn refuses_target(stage: &Stage, target: &str, status: u16, code: &str) -> String {
    let answer = ask(stage, target).await;
    refuses(stage, target, answer, status, code).await
}
