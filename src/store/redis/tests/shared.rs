//! What gateways have in common through one server: limits, codes, sessions, its time, and the news.

use std::{collections::HashSet, io::Write, net::TcpStream, sync::Arc, time::Duration};

use super::{RedisServer, keys_of, spec_at, stage_on};
use crate::{
    clock::{Clock, Timestamp},
    store::{
        Answered, Revoke, Rotated, Sending, Store,
        contract::{
            ACCESS_TTL, ANN, BEGINNING, NAMES, OTP, SESSION, Stage, UNGUARDED, at_once, charge,
            login, parcel, session_id, start,
        },
        redis::stage::{Cutter, Reply, frame},
    },
};

/// Two gateways on one server, each with connections of its own.
async fn gateways() -> (Arc<RedisServer>, Store, Store) {
    let server = Arc::new(RedisServer::start());
    let spec = spec_at(&format!("redis://{}", server.address()), "shop:");
    let one = Store::open(&spec, NAMES, Clock::System).await.unwrap();
    let other = Store::open(&spec, NAMES, Clock::System).await.unwrap();
    (server, one, other)
}

async fn sent(store: &Store) -> crate::domain::otp::Started {
    let sent = store.start_challenge(ANN, start(1, 1), vec![], UNGUARDED, *OTP, parcel());
    let Ok(Sending::Started(started)) = sent.await else {
        panic!("it was not sent");
    };
    started
}

#[tokio::test]
async fn of_a_hundred_right_answers_at_two_gateways_one_opens_a_session() {
    let (_server, one, other) = gateways().await;
    let started = sent(&one).await;
    let answered = at_once(100, |n| {
        let store = if n % 2 == 0 { &one } else { &other }.clone();
        let (answer, login) = (Stage::right(&started), login(session_id(n)));
        Box::pin(async move {
            store
                .answer_challenge(ANN, answer, *OTP, login, vec![])
                .await
        })
    })
    .await;
    let opened = answered.iter().filter(|a| matches!(a, Answered::Opened(_)));
    assert_eq!(opened.count(), 1);
    assert_eq!(other.sessions(ANN, SESSION).await.unwrap().len(), 1);
}

#[tokio::test]
async fn of_a_hundred_sends_at_two_gateways_three_are_admitted() {
    let (_server, one, other) = gateways().await;
    let limits = vec![
        charge(1, 3, Duration::from_mins(30)),
        charge(2, 50, Duration::from_mins(30)),
    ];
    let sent = at_once(100, |n| {
        let store = if n % 2 == 0 { &one } else { &other }.clone();
        let (start, limits) = (start(n, n.into()), limits.clone());
        Box::pin(async move {
            store
                .start_challenge(ANN, start, limits, UNGUARDED, *OTP, parcel())
                .await
        })
    })
    .await;
    let started = sent.iter().filter(|s| matches!(s, Sending::Started(_)));
    assert_eq!(started.count(), 3);
}

#[tokio::test]
async fn a_hundred_rotations_at_two_gateways_have_one_successor() {
    let (_server, one, other) = gateways().await;
    let id = logged_in(&one).await;
    let rotated = at_once(100, |n| {
        let store = if n % 2 == 0 { &one } else { &other }.clone();
        let ip = String::new();
        Box::pin(async move { store.rotate(ANN, id, 0, ip, SESSION, ACCESS_TTL).await })
    })
    .await;
    let successors: HashSet<_> = rotated
        .iter()
        .map(|rotated| match rotated {
            Rotated::To {
                generation,
                issued_at,
                ..
            } => (*generation, *issued_at),
            Rotated::Replayed | Rotated::Ended => panic!("{rotated:?}"),
        })
        .collect();
    assert_eq!(successors.len(), 1);
}

async fn logged_in(store: &Store) -> crate::domain::session::SessionId {
    let started = sent(store).await;
    let (answer, login) = (Stage::right(&started), login(session_id(1)));
    let answered = store
        .answer_challenge(ANN, answer, *OTP, login, vec![])
        .await;
    assert!(matches!(answered, Ok(Answered::Opened(_))), "{answered:?}");
    session_id(1)
}

#[tokio::test]
async fn the_time_is_the_servers() {
    let (server, one, _other) = gateways().await;
    let time = || {
        let time = server.cli(&["TIME"]);
        let (secs, micros) = time.split_once('\n').unwrap();
        let millis = secs.parse::<u64>().unwrap() * 1000 + micros.parse::<u64>().unwrap() / 1000;
        Timestamp::from_millis(millis)
    };
    let before = time();
    let started = sent(&one).await;
    let after = time();
    assert!(before <= started.sent_at && started.sent_at <= after);
    assert_eq!(started.expires_at, started.sent_at + OTP.ttl);
}

#[tokio::test]
async fn whatever_is_kept_will_be_forgotten() {
    let (server, one, _other) = gateways().await;
    let limits = [(1, 3, 30), (2, 20, 60), (3, 1000, 24 * 60)]
        .map(|(bucket, max, minutes)| charge(bucket, max, Duration::from_mins(minutes)));
    let id = logged_in(&one).await;
    let sent = one.start_challenge(ANN, start(1, 2), limits.to_vec(), UNGUARDED, *OTP, parcel());
    sent.await.unwrap();
    let ttl = |kind: &str| -> u64 {
        let keys = keys_of(&server, kind);
        assert_eq!(keys.len(), 1, "{kind} {keys:?}");
        server.cli(&["PTTL", &keys[0]]).parse().unwrap()
    };
    let margin = Duration::from_mins(1);
    let about = |millis: u64, span: Duration| {
        let most = u64::try_from((span + margin).as_millis()).unwrap();
        assert!((most - 30_000..=most).contains(&millis), "{millis} {most}");
    };
    about(ttl("}c:"), OTP.ttl);
    about(ttl("}s:"), SESSION.idle);
    let mut windows: Vec<u64> = keys_of(&server, "}w:")
        .iter()
        .map(|key| server.cli(&["PTTL", key]).parse().unwrap())
        .collect();
    windows.sort_unstable();
    for (millis, limit) in windows.into_iter().zip(limits) {
        about(millis, limit.quota.window * 9 / 8);
    }
    one.revoke(ANN, Revoke::One(id), ACCESS_TTL).await.unwrap();
    about(ttl("}r"), ACCESS_TTL);
    assert!(keys_of(&server, "}s:").is_empty());
    // All but whose keys they are.
    for key in keys_of(&server, "") {
        let lasts = server.cli(&["PTTL", &key]) == "-1";
        assert_eq!(lasts, key == "shop:{00}meta", "{key}");
    }
}

#[tokio::test]
async fn every_verb_is_one_round_trip() {
    let server = RedisServer::start();
    let line = Cutter::before(server.address());
    let spec = spec_at(&format!("redis://{}", line.address()), "shop:");
    let store = Store::open(&spec, NAMES, Clock::System).await.unwrap();
    // The first time, the server learns the scripts.
    do_everything(&store, &line).await;
    let before = line.count("EVALSHA");
    let asked = do_everything(&store, &line).await;
    assert_eq!(asked, [1, 2, 3, 4, 5, 6, 7].map(|nth| before + nth));
}

/// Uses every verb, and looks after each how often the server has been asked.
async fn do_everything(store: &Store, line: &Cutter) -> [usize; 7] {
    let asked = || line.count("EVALSHA");
    let limits = [0, 1, 2, 3].map(|bucket| charge(bucket, 9, Duration::from_mins(30)));
    let sent = store.start_challenge(ANN, start(1, 1), limits.to_vec(), UNGUARDED, *OTP, parcel());
    let Sending::Started(started) = sent.await.unwrap() else {
        panic!("limited");
    };
    let sent = asked();
    let [wrong, right] = [Stage::wrong(&started), Stage::right(&started)];
    let answered = store.answer_challenge(ANN, wrong, *OTP, login(session_id(1)), vec![]);
    answered.await.unwrap();
    let refused = asked();
    let answered = store.answer_challenge(ANN, right, *OTP, login(session_id(1)), vec![]);
    answered.await.unwrap();
    let opened = asked();
    let rotated = store.rotate(ANN, session_id(1), 0, String::new(), SESSION, ACCESS_TTL);
    rotated.await.unwrap();
    let rotated = asked();
    store.sessions(ANN, SESSION).await.unwrap();
    let listed = asked();
    store.revoke(ANN, Revoke::All, ACCESS_TTL).await.unwrap();
    let revoked = asked();
    store.take(limits.to_vec()).await.unwrap();
    [sent, refused, opened, rotated, listed, revoked, asked()]
}

/// What other gateways hear, and what those read that come late.
#[tokio::test]
async fn an_end_is_told_and_written_down() {
    let server = Arc::new(RedisServer::start());
    let stage = stage_on(&server).await;
    let mut line = TcpStream::connect(server.address()).unwrap();
    let (mut news, mut unread) = (line.try_clone().unwrap(), Vec::new());
    line.write_all(&frame::of(&["PSUBSCRIBE", "*revoked"]))
        .unwrap();
    Reply::read(&mut news, &mut unread).unwrap();

    let ids = [stage.open(1, ANN).await, stage.open(2, ANN).await];
    stage.revoke(ANN, Revoke::All).await;
    let until = (BEGINNING + ACCESS_TTL).as_millis();
    let told = ids.map(|id| [id.as_bytes().as_slice(), &until.to_be_bytes()].concat());
    let message = Reply::read(&mut news, &mut unread).unwrap();
    assert_eq!(message.members()[3], Reply::Bytes(told.concat()));
    let revoked = keys_of(&server, "{aa}r").remove(0);
    let score = until.to_string();
    let members = server.cli(&["ZRANGE", &revoked, "0", "-1", "WITHSCORES"]);
    assert_eq!(members.matches(&score).count(), 2);

    // Whoever is ended later takes the place of what nobody needs any more.
    let id = stage.open(3, ANN).await;
    stage.clock.advance(ACCESS_TTL + Duration::from_mins(1));
    stage.revoke(ANN, Revoke::One(id)).await;
    assert_eq!(server.cli(&["ZCARD", &revoked]), "1");
}

/// It is told now and then how long to live, and always long enough.
#[tokio::test]
async fn a_busy_window_lives_as_long_as_its_events_and_keeps_no_others() {
    const WINDOW: Duration = Duration::from_mins(40);
    let server = Arc::new(RedisServer::start());
    let stage = stage_on(&server).await;
    let limit = charge(1, 30, WINDOW);
    let told = || -> usize {
        let stat = server.info("cmdstat_pexpire").unwrap_or_default();
        let calls = stat.split(',').find_map(|word| word.strip_prefix("calls="));
        calls.map_or(0, |calls| calls.parse().unwrap())
    };
    let mut lives_until = stage.now();
    for event in 0..100 {
        let before = told();
        assert!(stage.refusal(&[limit]).await.is_none(), "{event}");
        let window = keys_of(&server, "}w:").remove(0);
        if told() > before {
            let ttl = server.cli(&["PTTL", &window]).parse().unwrap();
            lives_until = stage.now() + Duration::from_millis(ttl);
        }
        assert!(lives_until >= stage.now() + WINDOW, "{event}");
        let held: usize = server.cli(&["LLEN", &window]).parse().unwrap();
        assert_eq!(held, (event + 1).min(30));
        stage.clock.advance(WINDOW / 30);
    }
    assert!(told() < 30, "{}", told());
}
