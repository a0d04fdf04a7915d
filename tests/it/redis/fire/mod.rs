//! Two gateways under fire: many people at both, one gateway killed, Redis killed too, and a judge who reads what happened.

mod people;
mod record;
mod rules;
mod spending;

use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::task::JoinSet;

use self::{
    people::{Door, Doors, Person},
    record::{Chronicle, Event, Record},
    rules::{Limit, Rules},
};
use crate::stage::{
    BEHIND_A_PROXY,
    program::Program,
    redis::{DURABLE, RedisServer},
    upstream::Upstream,
};

/// How many people there are, and from how many addresses they come.
const PEOPLE: u64 = 16;
const ADDRESSES: u64 = 4;

/// How much happens in each act of the play.
const ACT: usize = 250;

/// How long a used refresh token can be used again.
const GRACE: Duration = Duration::from_secs(2);

const RULES: Rules = Rules {
    per_phone: Limit {
        max: 4,
        window: Duration::from_secs(4),
    },
    per_address: Limit {
        max: 12,
        window: Duration::from_secs(3),
    },
    // Milliseconds, but for a gateway that has just lost Redis: it hears of what was ended
    // meanwhile when it has found it again, and a busy machine takes its time.
    revoked_within: Duration::from_secs(4),
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_keep_every_promise_while_one_is_killed_and_redis_too() {
    let mut redis = RedisServer::with(&DURABLE);
    let limits = [
        RULES.per_phone.written("phone"),
        RULES.per_address.written("ip"),
    ];
    let settings = format!("otp.limits = {limits:?}\notp.guard.mode = \"off\"\n");
    let fleet = Fleet::with(&redis, Upstream::start().await.address, &settings);
    let (doors, chronicle) = (Doors::default(), Chronicle::default());
    let _kept = fleet.open(&doors).await;
    let (doomed, its_address) = fleet.open(&doors).await;
    let mut people = JoinSet::new();
    let (done, end) = tokio::sync::watch::channel(());
    for number in 0..PEOPLE {
        let mut person = Person::new(number, ADDRESSES, doors.clone(), chronicle.clone());
        let mut end = end.clone();
        people.spawn(async move {
            tokio::select! {
                () = person.live() => {}
                _ = end.changed() => {}
            }
            person
        });
    }

    chronicle.grows_by(ACT).await;
    // Nobody is told: some of them are at it right now.
    doomed.kill().await;
    doors.shut(its_address);
    chronicle.grows_by(ACT).await;
    let _second = fleet.open(&doors).await;
    chronicle.grows_by(ACT).await;
    redis.kill();
    // Who has a token visits the app all the same.
    chronicle.grows_by(ACT / 20).await;
    redis.restart();
    chronicle.grows_by(2 * ACT).await;

    drop(done);
    let people = people.join_all().await;
    let since = Instant::now();
    for person in &people {
        person.opens_no_door_with_what_has_ended().await;
    }
    assert!(since.elapsed() < RULES.revoked_within);
    for person in people {
        person.still_has_their_session().await;
    }
    let records = chronicle.records();
    assert_eq!(RULES.violations(&records), Vec::<String>::new());
    is_worth_judging(&records);
}

/// Asserts that everything happened often enough to say something.
fn is_worth_judging(records: &[Record]) {
    let mut counts = [0; 5];
    for record in records {
        let kind = match record.event {
            Event::Sent { .. } => 0,
            Event::Opened { .. } => 1,
            Event::Rotated { .. } => 2,
            Event::Ended { .. } => 3,
            Event::Passed { .. } => 4,
            Event::Lost { .. } => continue,
        };
        counts[kind] += 1;
    }
    assert!(counts.iter().all(|count| *count >= 20), "{counts:?}");
}

/// Gateways with one configuration, each a process of its own.
struct Fleet(TempDir);

impl Fleet {
    fn with(redis: &RedisServer, app: SocketAddr, settings: &str) -> Self {
        let dir = TempDir::new().expect("a directory");
        let configuration = format!(
            "store.url = \"redis://{}\"\nstore.deadline = \"1s\"\n\
             server.listen = \"127.0.0.1:0\"\nserver.workers = 2\nserver.access_log = false\n\
             server.secret = \"what every gateway of this fleet knows\"\n{BEHIND_A_PROXY}\n\
             admin.listen = \"off\"\nlog.level = \"warn\"\n\
             otp.max_failures = 100\n{settings}\
             tokens.issuer = \"https://login.test\"\ntokens.refresh_grace = \"{}s\"\n\
             [upstreams.app]\nservers = [\"http://{app}\"]\n[[routes]]\npath = \"/\"\n",
            redis.address(),
            GRACE.as_secs(),
        );
        std::fs::write(dir.path().join("gateway.toml"), configuration).expect("a file");
        Self(dir)
    }

    /// Starts one more gateway.
    async fn open(&self, doors: &Doors) -> (Program, SocketAddr) {
        let program = Program::run(self.path(), &[]);
        let address = program.address().await;
        let inbox = program.out.clone();
        doors.open(Door { address, inbox });
        (program, address)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Limit {
    fn written(self, per: &str) -> String {
        format!("{}/{}s per {per}", self.max, self.window.as_secs())
    }
}
