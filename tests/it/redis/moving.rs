//! A gateway that moves from its file to Redis, by the program's own command: nobody has to log in again.

use std::{fs, net::SocketAddr, time::Duration};

use tempfile::TempDir;

use crate::stage::{
    Tokens,
    client::Call,
    program::Program,
    redis::{Cutter, RedisServer, Weather, wait_for},
    steps::{log_in, me, refresh, send, verify},
};

#[tokio::test]
async fn who_is_logged_in_stays_so_and_who_is_not_does_not_come_back() {
    let house = House::new();
    let (program, address) = house.open("embedded:").await;
    let [kept, ended] = [
        log_in(&program, address, ANN).await,
        log_in(&program, address, BOB).await,
    ];
    let logout = Call::new(address, "POST", "/api/auth/logout").bearer(&ended.access);
    assert_eq!(logout.send().await.status, 204);
    let refreshed = Tokens::of(&refresh(address, &kept).await.json());
    // Two of three codes for Ann.
    assert_eq!(send(address, ANN).await.status, 200);
    let code = program.out.nth_code_for(ANN, 2).await;
    program.kill().await;

    let (exit, said, complaint) = house.copy("embedded:", &house.redis()).await;
    assert_eq!((exit, complaint.as_str()), (0, ""));
    assert!(
        said.contains("1 accounts, 1 sessions, 3 windows, 4 meters, 3 messages, 1 revoked"),
        "{said}"
    );
    for kept in ["master.secret", "keys", "store.url   redis://"] {
        assert!(said.contains(kept), "{said}");
    }

    let (program, address) = house.open(&house.redis()).await;
    assert_eq!(me(address, &refreshed).await.status, 200);
    me(address, &ended).await.is_refused(401, "session_revoked");
    refresh(address, &ended)
        .await
        .is_refused(400, "invalid_grant");
    // The old token still gives the same successor.
    let again = Tokens::of(&refresh(address, &kept).await.json());
    assert_eq!(again.session, kept.session);
    assert_eq!(refresh(address, &refreshed).await.status, 200);
    assert_eq!(verify(address, ANN, &code).await.status, 200);
    verify(address, ANN, &code)
        .await
        .is_refused(400, "invalid_otp");
    assert_eq!(send(address, ANN).await.status, 200);
    send(address, ANN).await.is_refused(429, "rate_limited");
    drop(program);

    // What has happened here since is not undone by copying once more.
    let (exit, said, _) = house.copy("embedded:", &house.redis()).await;
    assert_eq!(exit, 0);
    assert!(
        said.starts_with("everything had been copied before"),
        "{said}"
    );
}

#[tokio::test]
async fn a_copy_that_is_killed_is_ended_by_the_next_one() {
    let house = House::new();
    let (program, address) = house.open("embedded:").await;
    let kept = log_in(&program, address, ANN).await;
    program.kill().await;

    // Slow enough to be killed when some of it is there and some is not.
    let (line, redis) = (Cutter::before(house.server.address()), house.redis());
    line.set(Weather::Slow(Duration::from_millis(200)));
    let slow = format!("redis://{}", line.address());
    let copying = Program::run(house.dir.path(), &House::arguments("embedded:", &slow));
    wait_for("a part of the copy", || {
        let bookmark = house.server.cli(&["HGET", "otp:{00}meta", "bookmark"]);
        (!bookmark.is_empty()).then_some(())
    });
    copying.kill().await;

    house.configure(&redis);
    let mut early = Program::run(house.dir.path(), &[]);
    assert_eq!(early.ends().await, 1);
    let complaint = early.err.line(|_| true).await;
    assert!(complaint.contains("is being copied"), "{complaint}");
    let (exit, said, complaint) = house.copy("embedded:", &redis).await;
    assert_eq!(exit, 0, "{complaint}");
    assert!(
        said.starts_with("went on where an earlier copy had stopped"),
        "{said}"
    );
    let (_program, address) = house.open(&redis).await;
    assert_eq!(refresh(address, &kept).await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_copied_is_refused_with_its_reason_and_without_a_password() {
    let house = House::new();
    let redis = house.redis();
    let mine = "redis://:hunter2@";
    let elsewhere = format!("embedded:{}", house.dir.path().join("other").display());
    for (from, to, exit, why) in [
        ("embedded:", mine, 64, "--to: the URL names no host"),
        (
            "rediss://x/hunter2",
            "embedded:",
            64,
            "--from: the URL has a database that is no number",
        ),
        (
            "env:HUNTER2_IS_UNSET",
            "embedded:",
            64,
            "HUNTER2_IS_UNSET is not set",
        ),
        ("embedded:", "embedded:", 64, "are the same store"),
        ("memory:", &redis, 1, "memory: holds nothing"),
        ("embedded:", &redis, 1, "there is no store at"),
        (&redis, "embedded:", 1, "there is no store at redis://"),
    ] {
        // The secret of a first run, without which there is nothing to be copied.
        fs::create_dir_all(house.dir.path().join("data")).expect("a directory");
        fs::write(house.dir.path().join("data/master.secret"), "x".repeat(43)).expect("a file");
        let (code, said, complaint) = house.copy(from, to).await;
        assert_eq!(
            (code, said.as_str()),
            (exit, ""),
            "{from} {to}: {complaint}"
        );
        assert!(complaint.contains(why), "{from} {to}: {complaint}");
        assert!(!complaint.contains("hunter2"), "{complaint}");
    }
    let (_program, _) = house.open("embedded:").await;
    let (code, _, complaint) = house.copy("embedded:", &redis).await;
    assert_eq!(code, 1);
    assert!(
        complaint.contains("another otp-gateway uses"),
        "{complaint}"
    );
    // Of another deployment.
    let (other, _) = house.open(&elsewhere).await;
    other.kill().await;
    house
        .server
        .cli(&["HSET", "otp:{00}meta", "form", "1", "secret", "00000000"]);
    let (code, _, complaint) = house.copy(&elsewhere, &redis).await;
    assert_eq!(code, 1);
    assert!(
        complaint.contains("another pseudonym secret"),
        "{complaint}"
    );
}

const ANN: &str = "+14155550100";
const BOB: &str = "+14155550101";

/// A directory with a configuration for each store, and a Redis.
struct House {
    dir: TempDir,
    server: RedisServer,
}

impl House {
    const SECRET: &str = "[server.secret]\nfile = \"data/master.secret\"\n";

    fn new() -> Self {
        let dir = TempDir::new().expect("a directory");
        let server = RedisServer::start();
        Self { dir, server }
    }

    fn redis(&self) -> String {
        format!("redis://{}", self.server.address())
    }

    /// A gateway on this store. What is not in the store stays in the directory.
    async fn open(&self, store: &str) -> (Program, SocketAddr) {
        self.configure(store);
        let program = Program::run(self.dir.path(), &[]);
        let address = program.address().await;
        (program, address)
    }

    fn configure(&self, store: &str) {
        let configuration = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"off\"\n\
             {}[tokens]\nissuer = \"https://login.test\"\n\
             [otp]\nlimits = [\"3/30m per phone\", \"100/1h per ip\"]\n\
             [store]\nurl = \"{store}\"\n[upstreams.app]\nservers = [\"demo:\"]\n\
             [[routes]]\npath = \"/\"\n",
            // What a first run made for itself is to be given to gateways that share a store.
            if store.starts_with("redis") {
                Self::SECRET
            } else {
                ""
            },
        );
        fs::write(self.dir.path().join("gateway.toml"), configuration).expect("a file");
    }

    fn arguments<'a>(from: &'a str, to: &'a str) -> [&'a str; 6] {
        ["store", "copy", "--from", from, "--to", to]
    }

    /// Exit code, output and complaints.
    async fn copy(&self, from: &str, to: &str) -> (i32, String, String) {
        let file = self.dir.path().join("gateway.toml");
        if !file.exists() {
            let configuration =
                "[upstreams.app]\nservers = [\"demo:\"]\n[[routes]]\npath = \"/\"\n";
            fs::write(file, configuration).expect("a file");
        }
        let mut program = Program::run(self.dir.path(), &Self::arguments(from, to));
        let code = program.ends().await;
        let (out, err) = program.said().await;
        (code, out, err)
    }
}
