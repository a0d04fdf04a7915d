//! One thread, one transaction, many verbs: what is shared and what must not be.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
        mpsc::{Receiver, sync_channel},
    },
    thread,
    time::Duration,
};

use redb::TableDefinition;
use tempfile::tempdir;
use tokio::{
    sync::oneshot,
    task::{JoinHandle, JoinSet, yield_now},
};

use super::{
    super::{Embedded, Message, Writer, keeper::Keeper, place::Place, room::Room, sweep::Sweep},
    figures,
    files::edit,
    in_a_file_stage, stage_at,
};
use crate::{
    clock::Clock,
    store::{
        Answered, Error, Revoke, Sending, Store,
        contract::{
            ACCESS_TTL, ANN, BEGINNING, NAMES, OTP, SESSION, Stage, UNGUARDED, account, charge,
            login, parcel, session_id, start,
        },
    },
};

/// A store whose thread does not run yet, so that what is asked waits in the queue.
struct Stopped {
    store: Store,
    handle: Embedded,
    messages: Receiver<Message>,
}

impl Stopped {
    fn new(queue: usize, deadline: Duration) -> Self {
        let (sender, messages) = sync_channel(queue);
        let handle = Embedded {
            messages: sender,
            deadline,
            name: "test".into(),
            revocations: Arc::default(),
            figures: Arc::default(),
        };
        Self {
            store: Store::Embedded(handle.clone()),
            handle,
            messages,
        }
    }

    /// Lets the thread run until nobody can ask any more.
    fn run_on(self, place: Place, clock: Clock) -> thread::JoinHandle<()> {
        let Embedded {
            revocations,
            figures,
            ..
        } = self.handle;
        let keeper = Keeper::open(place, NAMES, Arc::clone(&revocations), clock.now()).unwrap();
        let writer = Writer {
            keeper,
            room: Room::new(1 << 30),
            sweep: Sweep::default(),
            clock,
            messages: self.messages,
            revocations,
            figures,
        };
        thread::spawn(move || writer.run())
    }
}

/// Asks `n` verbs, and returns when all of them are in the queue.
async fn ask<T: Send + 'static, F>(n: u8, ask: impl Fn(u8) -> F) -> Vec<JoinHandle<T>>
where
    F: Future<Output = T> + Send + 'static,
{
    let begun = Arc::new(AtomicU8::new(0));
    let asked = (0..n)
        .map(|i| {
            let (begun, verb) = (Arc::clone(&begun), ask(i));
            tokio::spawn(async move {
                begun.fetch_add(1, Relaxed);
                // Its first poll queues it, and nothing comes in between.
                verb.await
            })
        })
        .collect();
    while begun.load(Relaxed) < n {
        yield_now().await;
    }
    asked
}

#[tokio::test]
async fn all_that_wait_share_one_commit() {
    let home = tempdir().unwrap();
    let place = Place::File(home.path().join("store.redb"));
    let stopped = Stopped::new(100, Duration::from_mins(1));
    let store = stopped.store.clone();
    let asked = ask(100, |n| {
        let store = store.clone();
        async move {
            let sent =
                store.start_challenge(account(n), start(n, 1), vec![], UNGUARDED, *OTP, parcel());
            sent.await.unwrap();
        }
    })
    .await;
    let thread = stopped.run_on(place, Clock::manual(BEGINNING));
    for verb in asked {
        verb.await.unwrap();
    }
    assert_eq!(
        (figures(&store).verbs(), figures(&store).commits()),
        (100, 1)
    );
    drop(store);
    thread.join().unwrap();
}

#[tokio::test]
async fn many_writers_make_far_fewer_commits_than_verbs() {
    let stage = in_a_file_stage().await;
    let mut writers = JoinSet::new();
    for n in 0..64 {
        let store = stage.store.clone();
        writers.spawn(async move {
            for i in 0..20 {
                let sent = store.start_challenge(
                    account(n),
                    start(n, i),
                    vec![],
                    UNGUARDED,
                    *OTP,
                    parcel(),
                );
                sent.await.unwrap();
            }
        });
    }
    writers.join_all().await;
    let figures = figures(&stage.store);
    assert_eq!(figures.verbs(), 64 * 20);
    assert!(figures.commits() * 4 < figures.verbs(), "{figures:?}");
}

#[tokio::test]
async fn what_changes_nothing_is_not_committed() {
    let stage = in_a_file_stage().await;
    let limit = [charge(1, 1, Duration::from_mins(1))];
    stage.send_within(&limit).await;
    let commits = figures(&stage.store).commits();
    assert_eq!(commits, 1);

    assert!(matches!(
        stage.send_within(&limit).await,
        Sending::Limited { .. }
    ));
    stage.store.ready().await.unwrap();
    stage.sessions(ANN).await;
    stage.rotate(ANN, session_id(9), 0).await;
    stage.revoke(ANN, Revoke::All).await;
    let started = stage.send(account(2), start(1, 1)).await;
    stage.answer(account(3), Stage::right(&started), 1).await;
    assert_eq!(figures(&stage.store).commits(), commits + 1);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_stops_only_who_needs_it() {
    const ACCOUNTS: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("accounts");
    let home = tempdir().unwrap();
    let path = home.path().join("store.redb");
    let stage = stage_at(&path).await;
    let started = stage.send(account(1), start(1, 1)).await;
    stage.store.close().await;
    edit(&path, |transaction| {
        let mut accounts = transaction.open_table(ACCOUNTS).unwrap();
        // Alive for ever, and not a record.
        accounts
            .insert(&account(2).0, [0xff; 40].as_slice())
            .unwrap();
    });

    let stopped = Stopped::new(100, Duration::from_mins(1));
    let store = stopped.store.clone();
    let asked = ask(3, |n| {
        let (store, answer) = (store.clone(), Stage::wrong(&started));
        let login = login(session_id(n));
        async move {
            let answered = store.answer_challenge(account(n + 1), answer, *OTP, login, vec![]);
            answered.await
        }
    })
    .await;
    let thread = stopped.run_on(Place::File(path), Clock::manual(BEGINNING));
    let mut answers = Vec::new();
    for answer in asked {
        answers.push(answer.await.unwrap());
    }
    let wrong = |attempts_left| Answered::Wrong { attempts_left };
    // The first one was run twice, and has happened once.
    assert_eq!(answers[0], Ok(wrong(Some(4))));
    assert!(matches!(&answers[1], Err(Error::Unavailable(text)) if text.contains("accounts")));
    assert_eq!(answers[2], Ok(wrong(None)));
    assert_eq!(figures(&store).failures(), 0);
    drop(store);
    thread.join().unwrap();
}

#[tokio::test]
async fn a_verb_that_panics_stops_only_itself() {
    const ACCOUNTS: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("accounts");
    let home = tempdir().unwrap();
    let path = home.path().join("store.redb");
    stage_at(&path).await.store.close().await;
    edit(&path, |transaction| {
        // A session at the last generation there is: to count on is an overflow, which panics in
        // a test. The fields are those of an account without a code, in their order.
        let (at, never) = (BEGINNING.as_millis(), u64::MAX);
        let none: [u8; 4] = [0; 4];
        let told = (at, at, "phone", "::1");
        let nothing: Vec<u8> = Vec::new();
        let session = ([2_u8; 16], told, never, u32::MAX, nothing);
        let account = (none, 0_u64, vec![session]);
        let mut row = never.to_be_bytes().to_vec();
        row.extend(postcard::to_stdvec(&account).unwrap());
        let mut accounts = transaction.open_table(ACCOUNTS).unwrap();
        accounts.insert(&ANN.0, row.as_slice()).unwrap();
    });

    let stopped = Stopped::new(100, Duration::from_mins(1));
    let store = stopped.store.clone();
    let asked = ask(3, |n| {
        let store = store.clone();
        async move {
            let sent =
                store.start_challenge(account(n), start(n, 1), vec![], UNGUARDED, *OTP, parcel());
            if n == 1 {
                let ip = String::new();
                let id = session_id(2);
                let rotated = store.rotate(ANN, id, u32::MAX, ip, SESSION, ACCESS_TTL);
                rotated.await.map(drop)
            } else {
                sent.await.map(drop)
            }
        }
    })
    .await;
    let thread = stopped.run_on(Place::File(path), Clock::manual(BEGINNING));
    let mut answers = Vec::new();
    for answer in asked {
        answers.push(answer.await.unwrap());
    }
    assert_eq!(answers[0], Ok(()));
    assert!(matches!(&answers[1], Err(Error::Unavailable(text)) if text.contains("panicked")));
    assert_eq!(answers[2], Ok(()));
    assert_eq!(figures(&store).failures(), 0);
    drop(store);
    thread.join().unwrap();
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let stopped = Stopped::new(2, Duration::from_mins(1));
    let waiting = ask(2, |_| {
        let store = stopped.store.clone();
        async move { store.ready().await }
    })
    .await;
    assert_eq!(stopped.store.ready().await, Err(Error::Overloaded));
    assert!(waiting.iter().all(|verb| !verb.is_finished()));
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_not_begun() {
    let stopped = Stopped::new(2, Duration::ZERO);
    let store = stopped.store.clone();
    let sent = store.start_challenge(account(1), start(1, 1), vec![], UNGUARDED, *OTP, parcel());
    assert_eq!(sent.await, Err(Error::Timeout));
    let (closed, told) = oneshot::channel();
    stopped
        .handle
        .messages
        .send(Message::Close(closed))
        .unwrap();
    let thread = stopped.run_on(Place::Memory(<_>::default()), Clock::manual(BEGINNING));
    told.await.unwrap();
    assert_eq!(figures(&store).rows(), 0);
    thread.join().unwrap();
}

#[tokio::test]
async fn closing_serves_what_was_asked_before() {
    let stage = in_a_file_stage().await;
    let asked = ask(100, |n| {
        let store = stage.store.clone();
        async move {
            let sent =
                store.start_challenge(account(n), start(n, 1), vec![], UNGUARDED, *OTP, parcel());
            sent.await.map(drop)
        }
    })
    .await;
    stage.store.close().await;
    for verb in asked {
        assert_eq!(verb.await.unwrap(), Ok(()));
    }
}

#[tokio::test]
async fn a_store_in_memory_forgets_with_its_last_handle() {
    let stage = super::in_memory_stage().await;
    stage.open(1, ANN).await;
    drop(stage);
    assert!(
        super::in_memory_stage()
            .await
            .sessions(ANN)
            .await
            .is_empty()
    );
}
