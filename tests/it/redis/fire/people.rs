//! People who do at random what people do, and some things that thieves do, at whichever gateway is there.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tokio::time::{Interval, interval, timeout};

use super::{
    super::until,
    GRACE,
    record::{Chronicle, Event},
};
use crate::stage::{
    Tokens,
    client::{Answer, Call},
    inbox::{Inbox, wrong_for},
};

/// A gateway as people see it.
#[derive(Clone)]
pub struct Door {
    pub address: std::net::SocketAddr,
    /// The messages it has sent.
    pub inbox: Inbox,
}

/// The gateways that are open now. Clones are the same ones.
#[derive(Clone, Default)]
pub struct Doors(Arc<Mutex<Vec<Door>>>);

/// Somebody with a phone.
pub struct Person {
    phone: String,
    /// Where their requests come from.
    address: String,
    doors: Doors,
    chronicle: Chronicle,
    chance: StdRng,
    pace: Interval,
    /// Whether they take their time and end no session, so that at any moment somebody has one.
    stays: bool,
    /// The last code they got.
    code: Option<String>,
    /// The session they use.
    login: Option<Login>,
    /// The tokens of sessions that have ended.
    worthless: Vec<Tokens>,
}

struct Login {
    tokens: Tokens,
    /// Whether every request that could have ended it or replaced its tokens was answered.
    is_sure: bool,
    /// A refresh token that was used, and when.
    used: Option<(String, Instant)>,
}

/// How many people stay logged in.
const STAYING: u64 = 4;

/// How long somebody waits for a message before they do something else.
const MESSAGE: Duration = Duration::from_secs(1);

impl Doors {
    /// One more is open.
    pub fn open(&self, door: Door) {
        self.0.lock().unwrap().push(door);
    }

    /// This one is not any more.
    pub fn shut(&self, address: std::net::SocketAddr) {
        self.0
            .lock()
            .unwrap()
            .retain(|door| door.address != address);
    }

    pub fn any(&self, chance: &mut StdRng) -> Door {
        let doors = self.0.lock().unwrap();
        doors[chance.random_range(0..doors.len())].clone()
    }
}

impl Person {
    pub fn new(number: u64, addresses: u64, doors: Doors, chronicle: Chronicle) -> Self {
        let stays = number < STAYING;
        let pace = Duration::from_millis(if stays { 150 } else { 10 });
        Self {
            phone: format!("+1415557{number:04}"),
            address: format!("203.0.113.{}", number % addresses),
            doors,
            chronicle,
            chance: StdRng::seed_from_u64(number),
            pace: interval(pace),
            stays,
            code: None,
            login: None,
            worthless: Vec::new(),
        }
    }

    /// Does one thing after the other.
    pub async fn live(&mut self) {
        loop {
            self.pace.tick().await;
            match (self.chance.random_range(0..12), self.login.is_some()) {
                (0..=2, false) | (11, true) => self.ask_for_a_code().await,
                (3, false) => self.guess().await,
                (_, false) => self.log_in().await,
                (0..=5, true) => self.visit().await,
                (6..=8, true) => self.refresh().await,
                (9, true) if !self.stays => self.use_an_old_token().await,
                (10, true) if !self.stays => self.log_out().await,
                (_, true) => {}
            }
        }
    }

    /// Uses the last refresh token once more, when everything works again: nobody has ended the
    /// session, so it must be there.
    pub async fn still_has_their_session(mut self) {
        let Some(login) = self.login.take().filter(|login| login.is_sure) else {
            return;
        };
        let from = Instant::now();
        let refresh = self.call("refresh", &refresh(&login.tokens.refresh));
        let answer = refresh.try_send().await.expect("an answer");
        if answer.status != 200 {
            let session = login.tokens.session;
            self.chronicle.note(from, Event::Lost { session });
        }
    }

    /// Tries every door with every token of an ended session, until it is refused.
    pub async fn opens_no_door_with_what_has_ended(&self) {
        let doors = self.doors.0.lock().unwrap().clone();
        for door in doors {
            for Tokens { access, .. } in &self.worthless {
                let visit = || Call::new(door.address, "GET", "/orders").bearer(access);
                until(|| async { visit().send().await.status != 200 }).await;
                visit().send().await.is_refused(401, "session_revoked");
            }
        }
    }

    async fn ask_for_a_code(&mut self) {
        let from = Instant::now();
        let door = self.doors.any(&mut self.chance);
        let body = json!({ "mobile_number": self.phone });
        let Some(200) = status(self.at(&door, "send-otp", &body).try_send().await.as_ref()) else {
            return;
        };
        let (phone, address) = (self.phone.clone(), self.address.clone());
        self.chronicle.note(from, Event::Sent { phone, address });
        // The gateway may die before the message is out.
        if let Ok(code) = timeout(MESSAGE, door.inbox.code_for(&self.phone)).await {
            self.code = Some(code);
        }
    }

    async fn guess(&mut self) {
        let code = self.code.as_deref().map_or("000000".to_owned(), wrong_for);
        let answer = self
            .call("verify-otp", &self.attempt(&code))
            .try_send()
            .await;
        assert_ne!(
            status(answer.as_ref()),
            Some(200),
            "a wrong code was accepted"
        );
    }

    /// Gives the right code, twice at the same time.
    async fn log_in(&mut self) {
        let Some(code) = self.code.clone() else {
            return self.ask_for_a_code().await;
        };
        let from = Instant::now();
        let attempt = self.attempt(&code);
        let (one, other) = (
            self.call("verify-otp", &attempt),
            self.call("verify-otp", &attempt),
        );
        let (one, other) = tokio::join!(one.try_send(), other.try_send());
        for answer in [one, other].into_iter().flatten() {
            if answer.status == 200 {
                let tokens = Tokens::of(&answer.json());
                let (phone, code, session) =
                    (self.phone.clone(), code.clone(), tokens.session.clone());
                self.chronicle.note(
                    from,
                    Event::Opened {
                        phone,
                        code,
                        session,
                    },
                );
                self.login = Some(Login {
                    tokens,
                    is_sure: true,
                    used: None,
                });
            }
            if answer.status != 503 {
                // It is used up, too old, or was never right.
                self.code = None;
            }
        }
    }

    /// Goes to the app, with a good token or with a worthless one.
    async fn visit(&mut self) {
        let good = self.login.as_ref().map(|login| &login.tokens);
        let tokens = match self.chance.random_range(0..3) {
            0 => self.worthless.last().or(good),
            _ => good,
        };
        let Some(Tokens {
            access, session, ..
        }) = tokens.cloned()
        else {
            return;
        };
        let from = Instant::now();
        let door = self.doors.any(&mut self.chance);
        let visit = Call::new(door.address, "GET", "/orders").bearer(&access);
        match status(visit.try_send().await.as_ref()) {
            Some(200) => self.chronicle.note(from, Event::Passed { session }),
            Some(401) => {
                // A logout that had no answer did happen.
                let is_over = |login: &mut Login| login.tokens.session == session;
                self.login.take_if(is_over);
            }
            _ => {}
        }
    }

    /// Refreshes in two tabs at the same time.
    async fn refresh(&mut self) {
        let Some(mut login) = self.login.take() else {
            return;
        };
        let (from, old) = (Instant::now(), login.tokens.refresh.clone());
        let body = refresh(&old);
        let (one, other) = (self.call("refresh", &body), self.call("refresh", &body));
        let (one, other) = tokio::join!(one.try_send(), other.try_send());
        for answer in [&one, &other] {
            match (answer, status(answer.as_ref())) {
                (Some(answer), Some(200)) => {
                    login.tokens = Tokens::of(&answer.json());
                    self.chronicle.note(
                        from,
                        Event::Rotated {
                            session: login.tokens.session.clone(),
                            old: old.clone(),
                            new: login.tokens.refresh.clone(),
                        },
                    );
                }
                // It came so late that it was a replay.
                (_, Some(400)) => return,
                _ => {}
            }
        }
        login.is_sure = login.tokens.refresh != old;
        if login.is_sure {
            login.used = Some((old, from));
        }
        self.login = Some(login);
    }

    /// What a thief would do: the session must end.
    async fn use_an_old_token(&mut self) {
        let Some(login) = &mut self.login else { return };
        let Some((old, _)) = login.used.take_if(|(_, used)| used.elapsed() > GRACE * 2) else {
            return;
        };
        login.is_sure = false;
        let from = Instant::now();
        let answer = self.call("refresh", &refresh(&old)).try_send().await;
        assert_ne!(
            status(answer.as_ref()),
            Some(200),
            "an old token was good again"
        );
        if status(answer.as_ref()) == Some(400) {
            self.ended(from);
        }
    }

    async fn log_out(&mut self) {
        let Some(login) = &mut self.login else { return };
        login.is_sure = false;
        let access = login.tokens.access.clone();
        let from = Instant::now();
        let door = self.doors.any(&mut self.chance);
        let logout = Call::new(door.address, "POST", "/api/auth/logout").bearer(&access);
        if status(logout.try_send().await.as_ref()) == Some(204) {
            self.ended(from);
        }
    }

    fn ended(&mut self, from: Instant) {
        if let Some(Login { tokens, .. }) = self.login.take() {
            let session = tokens.session.clone();
            self.chronicle.note(from, Event::Ended { session });
            self.worthless.push(tokens);
        }
    }

    fn attempt(&self, code: &str) -> Value {
        json!({ "mobile_number": self.phone, "otp": code, "device_info": "fire" })
    }

    fn call(&mut self, endpoint: &str, body: &Value) -> Call {
        let door = self.doors.any(&mut self.chance);
        self.at(&door, endpoint, body)
    }

    fn at(&self, door: &Door, endpoint: &str, body: &Value) -> Call {
        Call::new(door.address, "POST", &format!("/api/auth/{endpoint}"))
            .json(body)
            .sent_from(&self.address)
    }
}

fn refresh(token: &str) -> Value {
    json!({ "refresh_token": token })
}

fn status(answer: Option<&Answer>) -> Option<u16> {
    answer.map(|answer| answer.status.as_u16())
}
