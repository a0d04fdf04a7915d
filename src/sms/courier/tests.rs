//! The courier over a store in memory: what it takes, what it sends, and what it writes down.

use std::io::{self, Write};
use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use super::{office::Office, *};
use crate::{
    clock::Timestamp,
    domain::{
        account::AccountKey,
        delivery::{Claimant, Failure, Goes, HANDOVER, Parcel, State, Sure, Turn},
        fraud::Credit,
        otp::{self, ClientKey, Nonce, Tag},
        phone::Phone,
    },
    secret::{Master, Pseudonyms, Secret},
    sms::{
        Channel,
        console::Console,
        letter::Letter,
        wording::{LastLine, Locale, Own, Template},
    },
    store::{self, Backend, Sending},
};

const START: Timestamp = Timestamp::from_secs(1_700_000_000);

/// What a console prints on, and whether it can.
#[derive(Clone, Default)]
struct Paper(Arc<(Mutex<Vec<u8>>, AtomicBool)>);

impl Paper {
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn tear(&self) {
        self.0.1.store(true, Ordering::SeqCst);
    }

    fn mend(&self) {
        self.0.1.store(false, Ordering::SeqCst);
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.1.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.0.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A store, and all that couriers on it share.
struct Town {
    store: Store,
    clock: Clock,
    metrics: Metrics,
    paper: Paper,
}

fn masters(byte: u8) -> Arc<Masters> {
    let secret = Secret::new([byte; 32]);
    let names = Pseudonyms::new(&Secret::new([1; 32])).unwrap();
    let master = Master::new(&secret).unwrap();
    Arc::new(Masters::new(master, Vec::new(), names))
}

fn length() -> Length {
    Length::new(6).unwrap()
}

impl Town {
    async fn new() -> Self {
        let clock = Clock::manual(START);
        let spec = store::Spec {
            backend: Backend::Memory,
            max_size: 64 << 20,
            deadline: Duration::from_secs(30),
        };
        let names = masters(1).pseudonyms().id();
        Self {
            store: Store::open(&spec, names, clock.clone()).await.unwrap(),
            clock,
            metrics: Metrics::new(),
            paper: Paper::default(),
        }
    }

    fn parts(&self, secret: u8) -> Parts {
        let own = Own {
            others: Some(Template::parse("{code} for {minutes} min").unwrap()),
            ..Own::default()
        };
        Parts {
            sms: Sms::console(Console::new(Box::new(self.paper.clone()))),
            store: self.store.clone(),
            masters: masters(secret),
            wording: Wording::new(own, Locale::english(), String::new(), LastLine::default()),
            length: length(),
            metrics: self.metrics.clone(),
            clock: self.clock.clone(),
        }
    }

    fn office(&self) -> Office {
        Office::new(self.parts(1))
    }

    /// Stores a message for the `n`-th person.
    async fn post(&self, n: u8) -> Order {
        let masters = masters(1);
        let message = MessageId::new([n; 16]);
        let phone = format!("+165025300{n:02}");
        let letter = Letter {
            to: Phone::parse(&phone, "+1".parse().unwrap()).unwrap(),
            channel: Channel::Sms,
            locale: Locale::english(),
            asker: ClientKey([n; 8]),
        };
        let start = otp::Start {
            id: ChallengeId::new([n; 16]),
            client: ClientKey([n; 8]),
            nonce: Nonce([n; 16]),
            secret: masters.current().id(),
            known: masters.ids(),
            tag: Tag([n; 16]),
        };
        let parcel = Parcel {
            message,
            sealed: letter.seal(masters.current(), message).unwrap(),
            goes: Goes::Out,
            once: None,
        };
        let policy = otp::Policy {
            length: length(),
            ttl: Duration::from_mins(5),
            max_age: Duration::from_mins(10),
            max_attempts: 5,
            max_failures: 20,
            require_challenge: false,
        };
        let account = AccountKey([n; 16]);
        let sending = self.store.start_challenge(
            account,
            start,
            Vec::new(),
            Credit::unguarded(),
            policy,
            parcel,
        );
        let Sending::Started(started) = sending.await.unwrap() else {
            panic!("nothing speaks against it");
        };
        Order {
            challenge: started.id,
            message,
        }
    }

    async fn state(&self, order: Order) -> State {
        let kept = self.store.delivery(order.challenge).await.unwrap();
        kept.expect("it is kept").state
    }

    fn outcomes(&self, outcome: &str) -> u64 {
        let mut text = String::new();
        self.metrics.encode(&mut text).unwrap();
        let line = format!("otp_gateway_sms_outcomes_total{{outcome=\"{outcome}\"}} ");
        let count = text.lines().find_map(|found| found.strip_prefix(&line));
        count.map_or(0, |count| count.parse().unwrap())
    }
}

#[tokio::test]
async fn what_is_handed_over_is_carried_in_order_and_the_last_before_the_end() {
    let town = Town::new().await;
    let (courier, rounds) = Courier::new(town.parts(1), 4);
    for n in [10, 11] {
        let permit = courier.reserve().unwrap();
        let Order { challenge, message } = town.post(n).await;
        permit.hand_over(challenge, message);
    }
    drop(courier);
    rounds.run(std::future::pending()).await;
    let lines = town.paper.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    for (line, n) in lines.iter().zip([10, 11]) {
        assert!(
            line.starts_with(&format!("SMS to +165025300{n}: ")),
            "{line}"
        );
        assert!(line.ends_with(" for 5 min"), "{line}");
    }
    assert_eq!(town.outcomes("taken"), 2);
}

#[tokio::test]
async fn what_was_handed_over_is_carried_though_the_end_has_come() {
    let town = Town::new().await;
    let (courier, rounds) = Courier::new(town.parts(1), 4);
    let (permit, unused) = (courier.reserve().unwrap(), courier.reserve().unwrap());
    let order = town.post(10).await;
    permit.hand_over(order.challenge, order.message);
    drop(unused);
    rounds.run(std::future::ready(())).await;
    assert_eq!(town.paper.lines().len(), 1);
    assert_eq!(courier.reserve().unwrap_err(), Full);
}

#[tokio::test]
async fn a_full_house_gives_no_place_until_one_is_returned() {
    let town = Town::new().await;
    let (courier, _rounds) = Courier::new(town.parts(1), 1);
    let held = courier.reserve().unwrap();
    assert_eq!(courier.reserve().unwrap_err(), Full);
    // Nobody waits for it, and nothing is lost: the next round finds it.
    courier.hurry(ChallengeId::new([1; 16]), MessageId::new([1; 16]));
    drop(held);
    drop(courier.reserve().unwrap());
}

#[tokio::test]
async fn nothing_is_taken_when_nobody_carries_any_more() {
    let town = Town::new().await;
    let (courier, rounds) = Courier::new(town.parts(1), 4);
    drop(rounds);
    assert_eq!(courier.reserve().unwrap_err(), Full);
}

#[tokio::test]
async fn what_was_never_handed_over_is_found_after_a_while_and_carried_once() {
    let town = Town::new().await;
    let office = town.office();
    let order = town.post(10).await;
    assert!(office.left_behind().await.is_empty());
    town.clock.advance(HANDOVER);
    let found = office.left_behind().await;
    assert_eq!(found, [order]);
    for order in [found[0], order, order] {
        office.carry(order).await;
    }
    assert_eq!(town.paper.lines().len(), 1);
    assert!(office.left_behind().await.is_empty());
}

#[tokio::test]
async fn of_many_couriers_with_the_same_orders_one_carries_each() {
    let town = Town::new().await;
    let mut orders = Vec::new();
    for n in 10..90 {
        orders.push(town.post(n).await);
    }
    let mut couriers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let office = Arc::new(town.office());
        for &order in &orders {
            let office = Arc::clone(&office);
            couriers.spawn(async move { office.carry(order).await });
        }
    }
    couriers.join_all().await;
    let mut lines = town.paper.lines();
    assert_eq!(lines.len(), 80);
    lines.sort();
    lines.dedup();
    assert_eq!(lines.len(), 80);
}

#[tokio::test]
async fn what_nobody_takes_is_tried_again_with_the_same_code_and_for_what_is_left_of_it() {
    let town = Town::new().await;
    let office = town.office();
    let order = town.post(10).await;
    town.paper.tear();
    for pause in [2, 2, 4] {
        office.carry(order).await;
        let State::Queued { due } = town.state(order).await else {
            panic!("it is to be sent again");
        };
        assert_eq!(due.since(town.clock.now()).as_secs(), pause);
        town.clock.advance(Duration::from_secs(pause));
        assert_eq!(office.left_behind().await, [order]);
    }
    town.paper.mend();
    office.carry(order).await;
    let [line] = &town.paper.lines()[..] else {
        panic!("one message");
    };
    assert!(line.ends_with(" for 4 min"), "{line}");
    assert_eq!((town.outcomes("again"), town.outcomes("taken")), (3, 1));
}

#[tokio::test]
async fn what_nobody_takes_until_its_code_is_nearly_dead_has_failed() {
    let town = Town::new().await;
    let office = town.office();
    let order = town.post(10).await;
    town.paper.tear();
    let mut tries = 1;
    office.carry(order).await;
    while let State::Queued { due } = town.state(order).await {
        town.clock.advance(due.since(town.clock.now()));
        office.carry(order).await;
        tries += 1;
    }
    let given_up = State::Failed(Failure::Unavailable);
    assert_eq!(town.state(order).await, given_up);
    assert_eq!(tries, 10);
    town.paper.mend();
    office.carry(order).await;
    assert!(town.paper.lines().is_empty());
    assert_eq!(town.outcomes("failed"), 1);
}

#[tokio::test]
async fn nothing_is_sent_of_a_code_that_is_dead_or_that_somebody_knows() {
    let town = Town::new().await;
    let office = town.office();
    let answered = town.post(10).await;
    let turn = town.store.deliver(answered.challenge, Turn::Answered).await;
    assert!(turn.unwrap().is_some());
    office.carry(answered).await;
    assert_eq!(town.state(answered).await, State::Delivered);
    let late = town.post(11).await;
    town.clock.advance(Duration::from_mins(5));
    office.carry(late).await;
    assert_eq!(town.state(late).await, State::Failed(Failure::Expired));
    assert!(town.paper.lines().is_empty());
}

#[tokio::test]
async fn what_somebody_claimed_who_is_not_heard_of_is_never_sent_a_second_time() {
    let town = Town::new().await;
    let office = town.office();
    let order = town.post(10).await;
    let lease = Duration::from_secs(20);
    let claim = Turn::Claim {
        message: order.message,
        by: Claimant(7),
        lease,
    };
    let claimed = town.store.deliver(order.challenge, claim).await;
    assert!(claimed.unwrap().is_some());
    office.carry(order).await;
    town.clock.advance(lease);
    assert_eq!(office.left_behind().await, [order]);
    office.carry(order).await;
    let State::Sent(sent) = town.state(order).await else {
        panic!("it may have been sent");
    };
    assert_eq!(sent.sure, Sure::Unsure);
    assert!(office.left_behind().await.is_empty());
    assert!(town.paper.lines().is_empty());
    assert_eq!(town.outcomes("unsure"), 1);
}

#[tokio::test]
async fn a_letter_of_a_secret_that_is_gone_is_given_up() {
    let town = Town::new().await;
    let order = town.post(10).await;
    Office::new(town.parts(2)).carry(order).await;
    assert_eq!(town.state(order).await, State::Failed(Failure::Unreadable));
    assert!(town.paper.lines().is_empty());
}

#[tokio::test]
async fn a_resend_takes_the_place_of_what_was_not_sent_yet() {
    let town = Town::new().await;
    let office = town.office();
    let first = town.post(10).await;
    let second = Order {
        message: MessageId::new([99; 16]),
        ..town.post(10).await
    };
    // The second post has the name of the first, so both are the last message; another name is not.
    office.carry(second).await;
    assert!(town.paper.lines().is_empty());
    office.carry(first).await;
    office.carry(first).await;
    assert_eq!(town.paper.lines().len(), 1);
}
