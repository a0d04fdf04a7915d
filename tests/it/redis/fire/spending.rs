//! Money and credit under fire: whatever is killed meanwhile, no more is sent than a budget or the guard admits.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;
use tokio::task::JoinSet;

use super::{super::until, Fleet, people::Doors};
use crate::stage::{
    client::{Answer, Call},
    redis::{DURABLE, RedisServer},
    upstream::Upstream,
};

/// How many ask at the same time.
const CROWD: u64 = 8;

/// Answers in each act of the play.
const ACT: usize = 60;

/// Those who ask, each time for another number and from elsewhere.
#[derive(Clone)]
struct Crowd {
    doors: Doors,
    /// The n-th number, and the address that asks for it.
    wish: fn(usize) -> (String, String),
    asked: Arc<AtomicUsize>,
    answered: Arc<AtomicUsize>,
    /// Codes that were said to be sent.
    sent: Arc<AtomicUsize>,
}

impl Crowd {
    async fn ask(&self, chance: &mut StdRng) -> Option<Answer> {
        let (phone, address) = (self.wish)(self.asked.fetch_add(1, SeqCst));
        let door = self.doors.any(chance);
        let ask = Call::new(door.address, "POST", "/api/auth/send-otp")
            .json(&json!({ "mobile_number": phone }))
            .sent_from(&address);
        let answer = ask.try_send().await?;
        self.answered.fetch_add(1, SeqCst);
        self.sent
            .fetch_add(usize::from(answer.status == 200), SeqCst);
        Some(answer)
    }

    /// Waits until so many more answers were given.
    async fn goes_on(&self) {
        let goal = self.answered.load(SeqCst) + ACT;
        until(|| async { self.answered.load(SeqCst) >= goal }).await;
    }

    fn ask_on(&self) -> JoinSet<()> {
        let mut asking = JoinSet::new();
        for number in 0..CROWD {
            let crowd = self.clone();
            asking.spawn(async move {
                let mut chance = StdRng::seed_from_u64(number);
                loop {
                    crowd.ask(&mut chance).await;
                    tokio::task::yield_now().await;
                }
            });
        }
        asking
    }
}

/// How many codes a crowd is told were sent while one gateway is killed, and Redis too; and what they
/// hear in the end.
async fn under_fire(settings: &str, wish: fn(usize) -> (String, String)) -> (usize, Answer) {
    let mut redis = RedisServer::with(&DURABLE);
    let fleet = Fleet::with(&redis, Upstream::start().await.address, settings);
    let doors = Doors::default();
    let _kept = fleet.open(&doors).await;
    let (doomed, its_address) = fleet.open(&doors).await;
    let crowd = Crowd {
        doors,
        wish,
        asked: Arc::default(),
        answered: Arc::default(),
        sent: Arc::default(),
    };
    let mut asking = crowd.ask_on();
    doomed.kill().await;
    crowd.doors.shut(its_address);
    crowd.goes_on().await;
    let _second = fleet.open(&crowd.doors).await;
    redis.kill();
    crowd.goes_on().await;
    redis.restart();
    crowd.goes_on().await;
    asking.shutdown().await;
    let mut chance = StdRng::seed_from_u64(CROWD);
    loop {
        match crowd.ask(&mut chance).await {
            // It has not found Redis again.
            Some(answer) if answer.status == 503 => {}
            Some(answer) if answer.status != 200 => {
                return (crowd.sent.load(SeqCst), answer);
            }
            Some(_) | None => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_budget_is_exceeded_whatever_is_killed() {
    // Each number is in a block of its own, so that the guard has nothing to say.
    let settings = "otp.limits = []\notp.guard.mode = \"enforce\"\n\
                    otp.budgets = [\"15.50/1d per all\"]\notp.prices = { default = \"1.00\" }\n";
    let (sent, refused) = under_fire(settings, |n| {
        let (area, network) = (201 + n % 90, n % 250);
        (format!("+1{area}5550100"), format!("203.0.{network}.1"))
    })
    .await;
    // What was under way to the one that was killed may be lost, and is paid for all the same.
    assert!((1..=15).contains(&sent), "{sent}");
    refused.is_refused(429, "rate_limited");
    assert_eq!(refused.json()["violated-policies"], json!(["budget"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_range_is_given_more_credit_whatever_is_killed() {
    let settings = "otp.limits = []\notp.guard.mode = \"enforce\"\n";
    let (sent, refused) = under_fire(settings, |n| {
        let (tail, network) = (100 * (n % 100), n % 250);
        (format!("+1415555{tail:04}"), format!("203.0.{network}.1"))
    })
    .await;
    assert!(sent <= 6, "{sent}");
    refused.is_refused(403, "proof_required");
}
