//! The embedded store among processes: one that is killed, one that is in the way, one whose disk is full.

use std::{
    io::{self, BufRead, BufReader, Lines, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use tempfile::tempdir;
use tokio::task::JoinSet;

use super::{spec, stage_at};
use crate::{
    clock::Clock,
    domain::{
        account::AccountKey,
        delivery::{Parcel, Turned},
        session::SessionId,
    },
    store::{
        Answered, Backend, Error, OpenError, Revoke, Rotated, Sending, Spec, Store,
        contract::{
            ANN, BEGINNING, NAMES, OTP, Stage, UNGUARDED, claim, login, parcel, parcel_of, start,
        },
    },
};

const ROLE: &str = "OTP_GATEWAY_TEST_ROLE";
const PATH: &str = "OTP_GATEWAY_TEST_STORE";

/// What the children say begins with this, to be told from what the test harness says.
const SAYS: &str = "child: ";

/// This test program once more, as a child that plays one role.
struct Actor {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Actor {
    fn new(mut command: Command, role: &str, path: &Path) -> Self {
        let mut child = command
            .args(["--exact", "--nocapture"])
            .arg("store::embedded::tests::processes::a_child_plays_the_role_it_was_given")
            .env(ROLE, role)
            .env(PATH, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take(),
            lines: BufReader::new(child.stdout.take().unwrap()).lines(),
            child,
        }
    }

    /// The next thing it says; `None` when it has ended.
    fn next(&mut self) -> Option<String> {
        self.lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix(SAYS).map(str::to_owned))
    }

    fn expect(&mut self, line: &str) {
        assert_eq!(self.next().as_deref(), Some(line));
    }

    /// Lets it go on from where it waits.
    fn go_on(&mut self) {
        self.stdin = None;
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn this_program() -> PathBuf {
    std::env::current_exe().unwrap()
}

fn say(line: &str) {
    // One write for the whole line, so that a kill cannot leave half of it.
    let line = format!("\n{SAYS}{line}\n");
    io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

fn wait_to_go_on() {
    io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// Not a test by itself: what the others start as their child. Without a role it has nothing to do.
#[tokio::test]
async fn a_child_plays_the_role_it_was_given() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let path = PathBuf::from(std::env::var_os(PATH).unwrap());
    match role.as_str() {
        "hold" => hold(&path).await,
        "write" => write_until_killed(&path).await,
        "queue" => queue_until_killed(&path).await,
        "fill" => fill_the_disk(&path).await,
        other => panic!("no such role: {other}"),
    }
}

async fn hold(path: &Path) {
    let _stage = stage_at(path).await;
    say("open");
    wait_to_go_on();
}

#[tokio::test]
async fn a_file_that_another_process_uses_is_refused_until_it_lets_go() {
    let home = tempdir().unwrap();
    let path = home.path().join("store.redb");
    let mut holder = Actor::new(Command::new(this_program()), "hold", &path);
    holder.expect("open");
    let spec = spec(Backend::Embedded(path.clone()));
    let refusal = Store::open(&spec, NAMES, Clock::System).await.unwrap_err();
    assert!(matches!(refusal, OpenError::Locked { .. }), "{refusal:?}");
    assert!(refusal.to_string().contains(path.to_str().unwrap()));
    holder.go_on();
    assert_eq!(holder.next(), None);
    holder.child.wait().unwrap();
    stage_at(&path).await.open(1, ANN).await;
}

/// A session id that says who opened it, and as the how manieth.
fn numbered(writer: u8, n: u64) -> SessionId {
    let mut id = [writer; 16];
    id[..8].copy_from_slice(&n.to_be_bytes());
    SessionId::new(id)
}

/// Everybody who logs in has an account of their own.
fn account_of(writer: u8, n: u64) -> AccountKey {
    AccountKey(*numbered(writer, n).as_bytes())
}

/// A whole login, told only by its result.
async fn log_in(stage: &Stage, writer: u8, n: u64) -> Result<(), Error> {
    let (id, account) = (numbered(writer, n), account_of(writer, n));
    let sent = stage
        .store
        .start_challenge(account, start(1, n), vec![], UNGUARDED, *OTP, parcel());
    let Sending::Started(started) = sent.await? else {
        panic!("no limit was named");
    };
    let answer = Stage::right(&started);
    let answered = stage
        .store
        .answer_challenge(account, answer, *OTP, login(id), vec![])
        .await?;
    assert!(matches!(answered, Answered::Opened(_)));
    Ok(())
}

async fn write_until_killed(path: &Path) {
    let mut writers = JoinSet::new();
    let stage = std::sync::Arc::new(stage_at(path).await);
    for writer in 0..8 {
        let stage = std::sync::Arc::clone(&stage);
        writers.spawn(async move {
            for n in 0.. {
                log_in(&stage, writer, n).await.unwrap();
                say(&format!("opened {writer} {n}"));
                if n % 2 == 1 {
                    let ended = stage.revoke(account_of(writer, n), Revoke::All).await;
                    assert_eq!(ended, [numbered(writer, n)]);
                    say(&format!("ended {writer} {n}"));
                }
            }
        });
    }
    writers.join_all().await;
}

#[tokio::test]
async fn all_that_was_acknowledged_is_there_after_kill_9() {
    let home = tempdir().unwrap();
    let path = home.path().join("store.redb");
    for round in 0..3 {
        let path = path.with_extension(round.to_string());
        let mut writer = Actor::new(Command::new(this_program()), "write", &path);
        let mut said = Vec::new();
        while said.len() < 300 + 50 * round {
            said.push(writer.next().expect("it writes until it is killed"));
        }
        // SIGKILL: nothing is flushed, no destructor runs.
        writer.child.kill().unwrap();
        while let Some(line) = writer.next() {
            said.push(line);
        }

        let stage = stage_at(&path).await;
        for line in &said {
            let mut words = line.split(' ');
            let what = words.next().unwrap();
            let writer = words.next().unwrap().parse().unwrap();
            let n: u64 = words.next().unwrap().parse().unwrap();
            let id = numbered(writer, n);
            let rotated = stage.rotate(account_of(writer, n), id, 0).await;
            let is_open = matches!(rotated, Rotated::To { .. });
            match what {
                "ended" => assert!(!is_open && stage.is_revoked(id), "{line}"),
                // The end of an odd one may have been on its way.
                _ if n % 2 == 1 => {}
                _ => assert!(is_open, "{line}"),
            }
        }
    }
}

/// The message of this number of a writer.
fn parcel_by(writer: u8, n: u64) -> Parcel {
    parcel_of(n * 256 + u64::from(writer))
}

/// Queues messages, and claims every other one.
async fn queue_until_killed(path: &Path) {
    let mut writers = JoinSet::new();
    let stage = std::sync::Arc::new(stage_at(path).await);
    for writer in 0..8 {
        let stage = std::sync::Arc::clone(&stage);
        writers.spawn(async move {
            for n in 0.. {
                let (account, parcel) = (account_of(writer, n), parcel_by(writer, n));
                let message = parcel.message;
                let sent = stage
                    .send_parcel(account, start(writer + 1, n), parcel)
                    .await;
                let Sending::Started(started) = sent else {
                    panic!("{sent:?}");
                };
                say(&format!("queued {writer} {n}"));
                if n % 2 == 1 {
                    stage.claimed(&started, message).await;
                    say(&format!("claimed {writer} {n}"));
                }
            }
        });
    }
    writers.join_all().await;
}

#[tokio::test]
async fn no_message_is_lost_and_none_claimed_twice_after_kill_9() {
    let home = tempdir().unwrap();
    let path = home.path().join("store.redb");
    let mut writer = Actor::new(Command::new(this_program()), "queue", &path);
    let mut said = Vec::new();
    while said.len() < 400 {
        said.push(writer.next().expect("it writes until it is killed"));
    }
    writer.child.kill().unwrap();
    while let Some(line) = writer.next() {
        said.push(line);
    }

    let stage = stage_at(&path).await;
    let mut claimed = 0;
    for line in &said {
        let mut words = line.split(' ');
        let what = words.next().unwrap();
        let writer: u8 = words.next().unwrap().parse().unwrap();
        let n: u64 = words.next().unwrap().parse().unwrap();
        let challenge = start(writer + 1, n).id.beside(account_of(writer, n));
        let claim = claim(parcel_by(writer, n).message);
        let turned = stage.store.deliver(challenge, claim).await.unwrap();
        let is_mine = matches!(turned.expect("it is there"), Turned::Claimed(_));
        match what {
            "claimed" => assert!(!is_mine, "{line}"),
            // The claim of an odd one may have been on its way, or is told in another line.
            _ if n % 2 == 1 => {}
            _ => {
                assert!(is_mine, "{line}");
                claimed += 1;
            }
        }
    }
    assert!(claimed > 50, "{claimed}");
}

/// Logs people in until the disk is full, and again when it has room.
async fn fill_the_disk(path: &Path) {
    let clock = Clock::manual(BEGINNING);
    let spec = Spec {
        max_size: u64::MAX,
        ..spec(Backend::Embedded(path.to_owned()))
    };
    let store = Store::open(&spec, NAMES, clock.clone()).await.unwrap();
    let stage = Stage {
        store,
        clock,
        _home: None,
    };
    let (mut opened, mut failures) = (0, 0);
    while failures < 5 {
        match log_in(&stage, 1, opened).await {
            Ok(()) => opened += 1,
            Err(Error::Unavailable(text)) => {
                assert!(text.contains(path.to_str().unwrap()), "{text}");
                // Until it is tried again everybody is told at once.
                assert!(stage.store.ready().await.is_err());
                stage.clock.advance(Duration::from_secs(1));
                failures += 1;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    say("full");
    wait_to_go_on();
    stage.store.ready().await.unwrap();
    for n in 0..opened {
        let rotated = stage.rotate(account_of(1, n), numbered(1, n), 0).await;
        assert!(matches!(rotated, Rotated::To { .. }), "{n} of {opened}");
        log_in(&stage, 3, n).await.unwrap();
    }
    say(&format!("recovered {opened}"));
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_is_over_when_there_is_room() {
    let home = tempdir().unwrap();
    let path = home.path().join("store.redb");
    // A limit on the size of files acts as a full disk does, and needs no privilege. Exceeding it
    // is an error only for who ignores the signal.
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "trap '' XFSZ; exec prlimit --fsize=200000: \"$0\" \"$@\"",
        ])
        .arg(this_program());
    let mut filler = Actor::new(command, "fill", &path);
    filler.expect("full");
    let pid = filler.child.id().to_string();
    let lifted = Command::new("prlimit")
        .args(["--fsize=unlimited:", "--pid", &pid])
        .status();
    assert!(lifted.unwrap().success());
    filler.go_on();
    let said = filler.next().unwrap_or_default();
    let opened: u64 = said
        .strip_prefix("recovered ")
        .expect("it recovers")
        .parse()
        .unwrap();
    assert!(opened > 50, "{opened}");
    assert!(filler.child.wait().unwrap().success());
    let stage = stage_at(&path).await;
    for n in 0..opened {
        assert_eq!(stage.sessions(account_of(3, n)).await, [numbered(3, n)]);
    }
}
