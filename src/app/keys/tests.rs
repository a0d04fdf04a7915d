//! Directories of keys that change under a running gateway, in order and out of it.

use std::{os::unix::fs::symlink, pin::pin};

use tempfile::TempDir;
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout},
};

use super::*;
use crate::token::{Key, Pace, Timetable};

const NOW: Timestamp = Timestamp::from_secs(1_900_000_000);
const KEEP: Duration = Duration::from_hours(1);

/// A gateway's view of a directory, as it begins.
fn open(dir: &Path) -> KeyWatch {
    let directory = KeyDirectory {
        path: dir.to_owned(),
        algorithm: Algorithm::Hs256,
        keep_retired: KEEP,
    };
    directory.open(NOW).expect("keys")
}

fn place() -> (TempDir, KeyWatch) {
    let dir = tempfile::tempdir().expect("a directory");
    let watch = open(dir.path());
    (dir, watch)
}

/// Goes on to the next key, whoever knows it.
fn rotate(dir: &Path) -> String {
    let timetable = Timetable::new(KEEP, Duration::ZERO);
    let rotated = Keyring::rotate(dir, Algorithm::Hs256, NOW, timetable, Pace::AtOnce);
    rotated.expect("rotated").activated.expect("a key")
}

fn kids(watch: &KeyWatch) -> Vec<String> {
    watch.keys.load().iter().map(kid).collect()
}

fn kid(key: &Key) -> String {
    key.kid().to_owned()
}

fn signing(keys: &Arc<ArcSwap<Keyring>>) -> Option<String> {
    keys.load().signing().map(kid)
}

fn run(watch: KeyWatch) -> JoinHandle<()> {
    tokio::spawn(watch.run(Clock::manual(NOW)))
}

fn just_before(span: Duration) -> Timestamp {
    (NOW + span).minus(Duration::from_millis(1))
}

/// Where a file is put out of the gateway's sight.
fn away(file: &Path) -> PathBuf {
    file.with_extension("away")
}

fn key_file(dir: &Path, kid: &str, state: &str) -> PathBuf {
    dir.join(format!("{kid}.{state}.key"))
}

#[tokio::test(start_paused = true)]
async fn a_change_is_taken_over_without_being_asked_for() {
    let (dir, watch) = place();
    let keys = Arc::clone(watch.keys());
    let mut running = pin!(watch.run(Clock::manual(NOW)));
    // It goes on for ever. The first look is over, and the second one has not begun.
    drop(timeout(LOOK / 2, &mut running).await);
    let new = rotate(dir.path());
    assert_ne!(signing(&keys).as_ref(), Some(&new));
    drop(timeout(LOOK, &mut running).await);
    assert_eq!(signing(&keys), Some(new));
}

#[tokio::test]
async fn whoever_asks_gets_all_that_was_there_when_it_asked() {
    let (dir, watch) = place();
    let (keys, lookout) = (Arc::clone(watch.keys()), watch.lookout().clone());
    let running = run(watch);
    for _ in 0..10 {
        // The second rotation brings a key that nobody has seen as "next".
        rotate(dir.path());
        let new = rotate(dir.path());
        lookout.look().await;
        assert_eq!(signing(&keys), Some(new));
    }
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn however_many_ask_there_is_a_pause_between_two_looks() {
    let (_dir, watch) = place();
    let lookout = watch.lookout().clone();
    let running = run(watch);
    lookout.look().await;
    let began = Instant::now();
    for _ in 0..10 {
        lookout.look().await;
    }
    assert!(began.elapsed() >= PAUSE * 10, "{:?}", began.elapsed());
    running.abort();
}

#[tokio::test]
async fn a_key_that_is_missing_for_a_moment_verifies_all_the_time() {
    let (dir, mut watch) = place();
    let before = kids(&watch);
    let next = key_file(dir.path(), &before[1], "next");
    fs::rename(&next, away(&next)).expect("away");
    watch.look(NOW).await;
    assert_eq!(kids(&watch), before);
    watch.look(just_before(GONE)).await;
    assert_eq!(kids(&watch), before);
    fs::rename(away(&next), &next).expect("back");
    watch.look(just_before(GONE)).await;
    // Had it been counted as missing all the time, it would be gone now.
    fs::rename(&next, away(&next)).expect("away");
    watch.look(NOW + GONE).await;
    assert_eq!(kids(&watch), before);
}

#[tokio::test]
async fn a_key_that_was_deleted_is_gone_soon() {
    let (dir, mut watch) = place();
    let before = kids(&watch);
    fs::remove_file(key_file(dir.path(), &before[1], "next")).expect("deleted");
    watch.look(NOW).await;
    watch.look(NOW + GONE).await;
    assert_eq!(kids(&watch), before[..1]);
}

#[tokio::test]
async fn a_key_that_comes_counts_at_once_even_while_others_are_missing() {
    let (dir, mut watch) = place();
    let before = kids(&watch);
    rotate(dir.path());
    let retired = key_file(dir.path(), &before[0], "retired");
    fs::rename(&retired, away(&retired)).expect("away");
    watch.look(NOW).await;
    assert_eq!(signing(watch.keys()).as_ref(), Some(&before[1]));
    assert_eq!(kids(&watch).len(), 3);
    assert_eq!(kids(&watch)[..2], before);
}

/// As a tool leaves it that copies what is new before it deletes what is old, or the other way.
#[tokio::test]
async fn a_copy_that_is_under_way_changes_nothing_until_it_is_whole() {
    let (origin, first) = place();
    let copy = tempfile::tempdir().expect("a directory");
    let copied = |name: &str, from: &Path| {
        fs::copy(from, copy.path().join(name)).expect("copied");
    };
    let [active, next] = [&kids(&first)[0], &kids(&first)[1]].map(String::clone);
    for (kid, state) in [(&active, "active"), (&next, "next")] {
        let name = format!("{kid}.{state}.key");
        copied(&name, &origin.path().join(&name));
    }
    let mut watch = open(copy.path());
    let before = kids(&watch);
    rotate(origin.path());
    let retired = format!("{active}.retired.key");
    copied(&retired, &origin.path().join(&retired));
    for _ in 0..3 {
        watch.look(NOW).await;
        assert_eq!(kids(&watch), before, "one key in two files");
        assert_eq!(signing(watch.keys()).as_ref(), Some(&active));
    }
    fs::remove_file(key_file(copy.path(), &active, "active")).expect("deleted");
    watch.look(NOW).await;
    assert_eq!(signing(watch.keys()).as_ref(), Some(&active), "nobody else");
    let activated = format!("{next}.active.key");
    copied(&activated, &origin.path().join(&activated));
    fs::remove_file(key_file(copy.path(), &next, "next")).expect("deleted");
    watch.look(NOW).await;
    assert_eq!(signing(watch.keys()), Some(next));
    assert_eq!(kids(&watch), before);
}

/// Kubernetes turns one link when a mounted secret changes; the files keep their names.
#[tokio::test]
async fn links_that_are_turned_to_other_files_are_noticed() {
    let (old, first) = place();
    let (new, second) = place();
    let mount = tempfile::tempdir().expect("a directory");
    let kid = kids(&first)[0].clone();
    let name = format!("{kid}.active.key");
    // The same name, another key, another time.
    let replaced = new.path().join(&name);
    fs::rename(key_file(new.path(), &kids(&second)[0], "active"), &replaced).expect("named");
    let file = fs::File::open(&replaced).expect("a file");
    file.set_modified(SystemTime::UNIX_EPOCH).expect("a time");
    let turn = |to: &Path| {
        let aside = mount.path().join("..data_tmp");
        symlink(to, &aside).expect("a link");
        fs::rename(aside, mount.path().join("..data")).expect("turned");
    };
    turn(old.path());
    symlink(Path::new("..data").join(&name), mount.path().join(&name)).expect("a link");
    let mut watch = open(mount.path());
    let sign = |watch: &KeyWatch| watch.keys.load().signing().and_then(|key| key.sign("x"));
    let before = sign(&watch);
    turn(new.path());
    watch.look(NOW).await;
    assert_ne!(sign(&watch), before);
}

#[tokio::test]
async fn the_same_keys_are_not_taken_over_again() {
    let (dir, mut watch) = place();
    let before = watch.keys.load_full();
    for later in [Duration::ZERO, READ_AGAIN] {
        watch.look(NOW + later).await;
        assert!(Arc::ptr_eq(&before, &watch.keys.load_full()));
    }
    // A retired key goes when it is old enough, and no file changes then.
    rotate(dir.path());
    watch.look(NOW).await;
    assert_eq!(kids(&watch).len(), 3);
    watch.look(NOW + KEEP).await;
    assert_eq!(kids(&watch).len(), 3);
    watch.look(NOW + KEEP + READ_AGAIN).await;
    watch.look(NOW + KEEP + READ_AGAIN + GONE).await;
    assert_eq!(kids(&watch).len(), 2);
}
