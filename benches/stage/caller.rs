//! Somebody who logs in, as the benchmarks of the store need them: straight at its verbs.

use std::{num::NonZeroU32, sync::LazyLock, time::Duration};

use otp_gateway::{
    Master, Secret, SessionId, Store,
    verbs::{
        AccountKey, Answer, Bucket, ChallengeId, Charge, ClientKey, Credit, Goes, Length, Login,
        MessageId, Nonce, OtpPolicy, Parcel, Quota, SessionPolicy, Start, Tag,
    },
};

/// The secret of all of them.
pub static MASTER: LazyLock<Master> =
    LazyLock::new(|| Master::new(&Secret::new([7; 32])).expect("long enough"));

/// How sessions live.
pub const SESSION: SessionPolicy = SessionPolicy {
    idle: Duration::from_hours(30 * 24),
    absolute: Duration::from_hours(90 * 24),
    grace: Duration::from_secs(30),
    max_per_subject: 20,
};

/// How long an access token lives.
pub const ACCESS_TTL: Duration = Duration::from_mins(15);

/// What a browser says about itself.
const DEVICE: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// Somebody with a phone and an address of their own.
#[derive(Debug, Clone, Copy)]
pub struct Caller(pub u64);

impl Caller {
    /// Asks for a code, unguarded: the guard's four meters are four small records more.
    pub async fn send(self, store: &Store, charges: Vec<Charge>) {
        let sent = store.start_challenge(
            self.account(),
            self.start(),
            charges,
            Credit::unguarded(),
            otp(),
            self.parcel(),
        );
        sent.await.expect("it is stored");
    }

    /// Answers it.
    pub async fn answer(self, store: &Store) {
        let answer = Answer {
            challenge: Some(self.start().id.beside(self.account())),
            client: self.start().client,
            tags: vec![self.start().tag],
        };
        let login = Login {
            id: self.session(),
            device_info: DEVICE.to_owned(),
            ip: "2001:db8:1234:5678::1".to_owned(),
            policy: SESSION,
            access_ttl: ACCESS_TTL,
        };
        let answered = store.answer_challenge(self.account(), answer, otp(), login, Vec::new());
        answered.await.expect("it is stored");
    }

    /// Uses the first refresh token.
    pub async fn rotate(self, store: &Store) {
        let (id, ip) = (self.session(), "2001:db8:1234:5678::1".to_owned());
        let rotated = store.rotate(self.account(), id, 0, ip, SESSION, ACCESS_TTL);
        rotated.await.expect("it is stored");
    }

    /// The default limits: two small windows of the caller's own, two large ones that all share.
    pub fn charges(self) -> Vec<Charge> {
        let charge = |bucket, max, minutes| Charge {
            bucket: Bucket(bucket),
            quota: Quota {
                max: NonZeroU32::new(max).expect("not zero"),
                window: Duration::from_mins(minutes),
            },
        };
        vec![
            charge(self.key(2), 3, 30),
            charge(self.key(3), 20, 60),
            charge([1; 16], 100_000_000, 60),
            charge([2; 16], 100_000_000, 60),
        ]
    }

    /// Whose name in the store follows from the number.
    pub fn account(self) -> AccountKey {
        AccountKey(self.key(1))
    }

    /// The one session.
    pub fn session(self) -> SessionId {
        SessionId::new(self.key(4))
    }

    /// The message, with as much inside as a phone number and a language take.
    fn parcel(self) -> Parcel {
        Parcel {
            message: MessageId::new(self.key(8)),
            sealed: vec![8; 64],
            goes: Goes::Out,
            once: None,
        }
    }

    fn start(self) -> Start {
        Start {
            id: ChallengeId::new(self.key(5)),
            client: ClientKey([1; 8]),
            nonce: Nonce(self.key(6)),
            secret: MASTER.id(),
            known: vec![MASTER.id()],
            tag: Tag(self.key(7)),
        }
    }

    /// Keys are pseudo-random, as the keyed hashes are that they stand for.
    fn key(self, purpose: u64) -> [u8; 16] {
        let mix = (self.0 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ purpose.wrapping_mul(0xd6e8_feb8_6659_fd93);
        let mixed =
            u128::from(mix ^ (mix >> 29)).wrapping_mul(0xda94_2042_e4dd_58b5_d6e8_feb8_6659_fd93);
        mixed.to_be_bytes()
    }
}

fn otp() -> OtpPolicy {
    OtpPolicy {
        length: Length::new(6).expect("six digits"),
        ttl: Duration::from_mins(5),
        max_age: Duration::from_mins(10),
        max_attempts: 5,
        max_failures: 20,
        require_challenge: false,
    }
}
