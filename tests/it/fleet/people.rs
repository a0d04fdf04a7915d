//! People who log in, ask the app and refresh all the time, at whichever gateway, and stumble over every answer that is not the right one.

use std::{
    net::SocketAddr,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    task::{AbortHandle, JoinSet},
    time::{interval, timeout},
};

use super::SIZE;
use crate::stage::{
    PATIENCE, Tokens,
    client::{Answer, Call},
    inbox::Inbox,
    jwt,
};

/// What everybody knows.
#[derive(Default)]
pub struct World {
    /// Where the gateways are.
    addresses: RwLock<Vec<SocketAddr>>,
    /// Every phone.
    pub inbox: Inbox,
    asked: AtomicUsize,
    is_over: AtomicBool,
}

/// Somebody, and what they hold.
pub struct Person {
    world: Arc<World>,
    phone: String,
    /// Who they are, by their first token.
    subject: Option<String>,
}

/// People who are at it.
pub struct Crowd {
    world: Arc<World>,
    people: JoinSet<()>,
    lives: Vec<AbortHandle>,
    /// How often each has done everything there is to do.
    rounds: Vec<Arc<AtomicUsize>>,
}

/// How often a client asks when nobody answers: at each gateway, and once more at the first, which
/// may have been on its way to another address.
const ATTEMPTS: usize = 3;

impl World {
    /// A gateway is there now.
    pub fn moved(&self, number: usize, address: SocketAddr) {
        let mut addresses = self.addresses.write().unwrap();
        addresses.truncate(SIZE);
        match addresses.get_mut(number) {
            Some(known) => *known = address,
            None => addresses.push(address),
        }
    }

    fn address(&self, number: usize) -> SocketAddr {
        self.addresses.read().unwrap()[number % SIZE]
    }

    /// Asks one gateway after the other until one answers. They take turns, so that whatever
    /// belongs together is asked here and there.
    async fn ask(&self, call: impl Fn(SocketAddr) -> Call) -> Answer {
        let first = self.asked.fetch_add(1, Ordering::Relaxed);
        for attempt in 0..ATTEMPTS {
            let answered = call(self.address(first + attempt)).try_send().await;
            if let Some(answer) = answered {
                return answer;
            }
        }
        panic!("nobody answers");
    }
}

impl Person {
    pub fn new(world: &Arc<World>, number: usize) -> Self {
        Self {
            world: Arc::clone(world),
            phone: format!("+1415557{number:04}"),
            subject: None,
        }
    }

    /// The whole way, and it must lead to the same person every time.
    pub async fn log_in(&mut self) -> Tokens {
        let inbox = &self.world.inbox;
        let before = inbox.messages_to(&self.phone).len();
        self.post("send-otp", &json!({ "mobile_number": self.phone }))
            .await;
        let code = inbox.nth_code_for(&self.phone, before + 1).await;
        let answer = json!({ "mobile_number": self.phone, "otp": code, "device_info": "test" });
        let tokens = Tokens::of(&self.post("verify-otp", &answer).await.json());
        let claims = jwt::claims(&tokens.access);
        let subject = claims["sub"].as_str().expect("a subject").to_owned();
        let known = self.subject.get_or_insert_with(|| subject.clone());
        assert_eq!(*known, subject, "somebody else");
        tokens
    }

    pub async fn refresh(&self, tokens: &Tokens) -> Tokens {
        let body = json!({ "refresh_token": tokens.refresh });
        Tokens::of(&self.post("refresh", &body).await.json())
    }

    /// Asks the app, and the gateway who one is.
    pub async fn ask_app(&self, tokens: &Tokens) {
        for path in ["/orders", "/api/auth/me"] {
            let ask = |to| Call::new(to, "GET", path).bearer(&tokens.access);
            let answer = self.world.ask(ask).await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
        }
    }

    async fn post(&self, endpoint: &str, body: &Value) -> Answer {
        let answer = self.try_post(endpoint, body).await;
        assert_eq!(answer.status, 200, "{endpoint}: {answer:?}");
        answer
    }

    /// The same, whatever the answer is.
    pub async fn try_post(&self, endpoint: &str, body: &Value) -> Answer {
        let path = format!("/api/auth/{endpoint}");
        let ask = |to| Call::new(to, "POST", &path).json(body);
        self.world.ask(ask).await
    }

    /// Everything there is to do, again and again.
    async fn live(mut self, rounds: Arc<AtomicUsize>) {
        let mut tokens = self.log_in().await;
        while !self.world.is_over.load(Ordering::Relaxed) {
            for _ in 0..3 {
                self.ask_app(&tokens).await;
                tokens = self.refresh(&tokens).await;
            }
            self.ask_app(&tokens).await;
            // The session goes on while its owner logs in on another device.
            let other = self.log_in().await;
            self.ask_app(&other).await;
            rounds.fetch_add(1, Ordering::Relaxed);
        }
        self.ask_app(&tokens).await;
    }
}

impl Crowd {
    /// So many people begin.
    pub fn gather(world: &Arc<World>, size: usize) -> Self {
        let mut crowd = Self {
            world: Arc::clone(world),
            people: JoinSet::new(),
            lives: Vec::new(),
            rounds: Vec::new(),
        };
        for number in 0..size {
            let rounds = Arc::new(AtomicUsize::new(0));
            crowd.rounds.push(Arc::clone(&rounds));
            let person = Person::new(world, number);
            crowd.lives.push(crowd.people.spawn(person.live(rounds)));
        }
        crowd
    }

    /// Waits until everybody has done everything once more, from the beginning to the end.
    pub async fn goes_on(&self) {
        let count = || {
            let rounds = self.rounds.iter();
            rounds.map(|rounds| rounds.load(Ordering::Relaxed))
        };
        let before: Vec<_> = count().collect();
        let all = async {
            let mut looks = interval(Duration::from_millis(10));
            // The round that is under way began before.
            while !count().zip(&before).all(|(now, before)| now >= before + 2) {
                let is_well = !self.lives.iter().any(AbortHandle::is_finished);
                assert!(is_well, "somebody stumbled");
                looks.tick().await;
            }
        };
        timeout(PATIENCE, all).await.expect("in time");
    }

    /// Ends it: whatever somebody stumbled over is told.
    pub async fn disperses(self) {
        self.world.is_over.store(true, Ordering::Relaxed);
        self.people.join_all().await;
    }
}
