//! What the embedded store makes of the file it finds.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use redb::{Database, TableDefinition};
use tempfile::tempdir;

use super::{spec, stage_at};
use crate::{
    clock::Clock,
    domain::delivery::{HANDOVER, Status},
    secret::SecretId,
    store::{
        Backend, OpenError, Revoke, Sending, Store,
        contract::{
            ANN, BEGINNING, BOB, NAMES, SESSION, message, named, start,
            whoever_answers_nothing_is_suspected_in_the_end,
        },
        embedded::tables::{DELIVERIES, DUE, METERS, ONCE},
        transfer::{Entry, Source, Stamp},
    },
};

async fn refusal(path: &Path) -> OpenError {
    let backend = Backend::Embedded(path.to_owned());
    Store::open(&spec(backend), NAMES, Clock::manual(BEGINNING))
        .await
        .unwrap_err()
}

/// A store at `path` with one session of Ann in it, closed.
async fn written(path: &Path) {
    let stage = stage_at(path).await;
    stage.open(1, ANN).await;
    stage.store.close().await;
}

/// Opening `path` is refused with an error that names it, and leaves it as it was.
async fn is_refused_and_left_alone(path: &Path) {
    let before = fs::read(path).unwrap();
    let refusal = refusal(path).await;
    assert!(matches!(refusal, OpenError::Corrupt { .. }), "{refusal:?}");
    assert!(refusal.to_string().contains(path.to_str().unwrap()));
    assert!(fs::read(path).unwrap() == before, "{refusal}");
}

#[tokio::test]
async fn what_was_written_is_there_when_it_is_opened_again() {
    let home = tempdir().unwrap();
    let path = home.path().join("store.redb");
    let (kept, ended) = {
        let stage = stage_at(&path).await;
        let (kept, ended) = (stage.open(1, ANN).await, stage.open(2, BOB).await);
        stage.revoke(BOB, Revoke::All).await;
        stage.store.close().await;
        (kept, ended)
    };
    let stage = stage_at(&path).await;
    assert_eq!(stage.sessions(ANN).await, [kept]);
    assert!(stage.is_revoked(ended));
    assert!(!stage.is_revoked(kept));
}

#[tokio::test]
async fn a_closed_store_refuses_and_does_not_hang() {
    let home = tempdir().unwrap();
    let stage = stage_at(&home.path().join("store.redb")).await;
    stage.store.close().await;
    assert!(stage.store.ready().await.is_err());
    stage.store.close().await;
}

#[tokio::test]
async fn a_second_store_on_the_file_is_told_that_it_is_in_use() {
    let home = tempdir().unwrap();
    let path = home.path().join("store.redb");
    let stage = stage_at(&path).await;
    let refusal = refusal(&path).await;
    assert!(matches!(refusal, OpenError::Locked { .. }), "{refusal:?}");
    assert!(refusal.to_string().contains(path.to_str().unwrap()));
    // The first one is not disturbed.
    stage.open(1, ANN).await;
}

#[tokio::test]
async fn two_that_create_the_same_file_do_not_both_succeed() {
    let home = tempdir().unwrap();
    let path = home.path().join("store.redb");
    let spec = spec(Backend::Embedded(path.clone()));
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let spec = spec.clone();
        racing.spawn(async move { Store::open(&spec, NAMES, Clock::manual(BEGINNING)).await });
    }
    let mut open = Vec::new();
    for outcome in racing.join_all().await {
        match outcome {
            Ok(store) => open.push(store),
            Err(refusal) => assert!(matches!(refusal, OpenError::Locked { .. }), "{refusal:?}"),
        }
    }
    assert_eq!(open.len(), 1);
}

#[tokio::test]
async fn a_new_store_is_readable_by_its_owner_only() {
    let home = tempdir().unwrap();
    let path = home.path().join("data/inner/store.redb");
    stage_at(&path).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    let files: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
}

#[tokio::test]
async fn what_a_crash_left_of_a_new_store_is_no_obstacle() {
    let home = tempdir().unwrap();
    let path = home.path().join("store.redb");
    fs::write(home.path().join("store.redb.new"), "half a store").unwrap();
    stage_at(&path).await.open(1, ANN).await;
}

#[tokio::test]
async fn an_empty_file_is_not_taken_for_a_new_store() {
    let home = tempdir().unwrap();
    let path = home.path().join("store.redb");
    fs::write(&path, "").unwrap();
    is_refused_and_left_alone(&path).await;
}

#[tokio::test]
async fn a_file_that_is_something_else_is_refused() {
    let home = tempdir().unwrap();
    let path = home.path().join("store.redb");
    for foreign in [vec![0; 1 << 20], b"hello".repeat(50_000), b"redb".to_vec()] {
        fs::write(&path, foreign).unwrap();
        is_refused_and_left_alone(&path).await;
    }
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_refused_wherever_it_was_cut() {
    let home = tempdir().unwrap();
    let path = home.path().join("store.redb");
    written(&path).await;
    let whole = fs::read(&path).unwrap();
    for len in [
        1,
        100,
        4096,
        whole.len() / 2,
        whole.len() - 4096,
        whole.len() - 1,
    ] {
        fs::write(&path, &whole[..len]).unwrap();
        is_refused_and_left_alone(&path).await;
    }
}

#[tokio::test]
async fn damage_anywhere_is_refused_or_does_no_harm() {
    let home = tempdir().unwrap();
    let path = home.path().join("store.redb");
    written(&path).await;
    let whole = fs::read(&path).unwrap();
    let mut refused = 0;
    for at in (0..whole.len()).step_by(2039) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        fs::write(&path, damaged).unwrap();
        let backend = Backend::Embedded(path.clone());
        match Store::open(&spec(backend), NAMES, Clock::manual(BEGINNING)).await {
            // It hit a page that holds nothing.
            Ok(store) => {
                let sessions = store.sessions(ANN, SESSION);
                assert_eq!(sessions.await.unwrap().len(), 1, "damage at {at}");
                store.close().await;
            }
            Err(refusal) => {
                assert!(matches!(refusal, OpenError::Corrupt { .. }), "{refusal:?}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn a_file_of_another_format_is_refused() {
    const META: TableDefinition<'_, &str, u32> = TableDefinition::new("meta");
    let home = tempdir().unwrap();
    let path = home.path().join("store.redb");
    written(&path).await;
    edit(&path, |transaction| {
        let mut meta = transaction.open_table(META).unwrap();
        meta.insert("format", 1).unwrap();
    });
    let refusal = refusal(&path).await;
    assert!(
        matches!(refusal, OpenError::Format { found: 1, .. }),
        "{refusal:?}"
    );
}

#[tokio::test]
async fn a_queued_message_and_the_name_of_a_request_outlive_a_restart() {
    let home = tempdir().unwrap();
    let path = home.path().join("store.redb");
    let stage = stage_at(&path).await;
    let Sending::Started(started) = stage.send_parcel(ANN, start(1, 1), named(1, 5, 1)).await
    else {
        panic!("no limit was named");
    };
    stage.store.close().await;

    let stage = stage_at(&path).await;
    stage.clock.advance(HANDOVER);
    assert_eq!(stage.due().await, [started.id]);
    let again = stage.send_parcel(ANN, start(1, 2), named(2, 5, 1)).await;
    assert_eq!(again, Sending::Repeated(started.clone()));
    stage.claimed(&started, message(1)).await;
    stage.store.close().await;

    // Whoever was claiming it has ended, and is waited for no longer than anybody.
    let stage = stage_at(&path).await;
    stage.wait_until(started.expires_at);
    assert_eq!(stage.due().await, [started.id]);
    assert_eq!(
        stage.delivery(&started).await.unwrap().status(),
        Status::Sent
    );
}

#[tokio::test]
async fn a_file_of_an_earlier_gateway_is_copied_and_worked_on() {
    let home = tempdir().unwrap();
    let path = home.path().join("store.redb");
    written(&path).await;
    edit(&path, |transaction| {
        for table in [METERS, DELIVERIES, ONCE] {
            assert!(transaction.delete_table(table).unwrap());
        }
        assert!(transaction.delete_table(DUE).unwrap());
    });
    let (spec, clock) = (
        spec(Backend::Embedded(path.clone())),
        Clock::manual(BEGINNING),
    );
    let source = Source::open(&spec, NAMES, clock, Stamp(1)).await;
    let mut source = source.unwrap();
    let mut entries = Vec::new();
    while let Some(batch) = source.next().await.unwrap() {
        entries.extend(batch.entries);
    }
    assert!(
        matches!(entries.as_slice(), [Entry::Account { .. }]),
        "{entries:?}"
    );
    drop(source);
    let stage = stage_at(&path).await;
    assert_eq!(stage.sessions(ANN).await.len(), 1);
    let started = stage.queue(BOB, 1).await;
    stage.claimed(&started, message(1)).await;
    whoever_answers_nothing_is_suspected_in_the_end(stage).await;
}

#[tokio::test]
async fn a_file_whose_names_follow_from_another_secret_is_refused_and_left_alone() {
    let home = tempdir().unwrap();
    let path = home.path().join("store.redb");
    written(&path).await;
    let spec = spec(Backend::Embedded(path.clone()));
    let others = SecretId::new([9; 4]);
    for _ in 0..2 {
        let refused = Store::open(&spec, others, Clock::manual(BEGINNING)).await;
        let refused = refused.unwrap_err();
        assert!(matches!(refused, OpenError::Names { .. }), "{refused:?}");
        assert!(refused.to_string().contains("server.pseudonym_secret"));
    }
    let ours = Store::open(&spec, NAMES, Clock::manual(BEGINNING)).await;
    let sessions = ours.unwrap().sessions(ANN, SESSION).await;
    assert_eq!(sessions.unwrap().len(), 1);
}

#[tokio::test]
async fn a_database_that_is_not_a_store_is_refused() {
    let home = tempdir().unwrap();
    let path = home.path().join("store.redb");
    drop(Database::create(&path).unwrap());
    let refusal = refusal(&path).await;
    assert!(matches!(refusal, OpenError::Corrupt { .. }), "{refusal:?}");
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_named() {
    let home = tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let refused: [PathBuf; 2] = [file.join("store.redb"), home.path().to_owned()];
    for path in refused {
        let refusal = refusal(&path).await;
        assert!(matches!(refusal, OpenError::Io { .. }), "{refusal:?}");
        assert!(refusal.to_string().contains(home.path().to_str().unwrap()));
    }
}

/// Changes a closed store behind its back.
pub fn edit(path: &Path, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}
