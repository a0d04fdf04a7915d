//! The real program killed without warning, twice on one store, and on a store that is broken.

use std::{fs, net::SocketAddr, path::Path};

use tempfile::TempDir;

use crate::stage::{
    PHONE, Tokens,
    client::Call,
    program::Program,
    steps::{log_in, me, refresh, send, verify},
};

#[tokio::test]
async fn what_was_acknowledged_survives_being_killed() {
    let house = House::new();
    let (program, address) = house.open().await;
    let (kept, ended) = (
        log_in(&program, address, PHONE).await,
        log_in(&program, address, PHONE).await,
    );
    let logout = Call::new(address, "POST", "/api/auth/logout").bearer(&ended.access);
    assert_eq!(logout.send().await.status, 204);
    program.kill().await;

    let (program, address) = house.open().await;
    assert_eq!(me(address, &kept).await.status, 200);
    me(address, &ended).await.is_refused(401, "session_revoked");
    let kept = Tokens::of(&refresh(address, &kept).await.json());
    program.kill().await;

    let (program, address) = house.open().await;
    assert_eq!(me(address, &kept).await.status, 200);
    // Two of three codes were sent before, by processes that are long gone.
    assert_eq!(send(address, PHONE).await.status, 200);
    let code = program.out.code_for(PHONE).await;
    program.kill().await;

    let (_program, address) = house.open().await;
    send(address, PHONE).await.is_refused(429, "rate_limited");
    assert_eq!(verify(address, PHONE, &code).await.status, 200);
}

#[tokio::test]
async fn a_second_process_on_one_store_says_so_and_ends() {
    let house = House::new();
    let (first, address) = house.open().await;
    let mut second = house.run();
    assert_eq!(second.ends().await, 1);
    let complaint = second.err.line(|_| true).await;
    assert!(
        complaint.contains("another otp-gateway uses"),
        "{complaint}"
    );
    assert!(complaint.contains(&house.store()), "{complaint}");
    // The first one has not noticed.
    log_in(&first, address, PHONE).await;
}

#[tokio::test]
async fn a_store_that_is_broken_is_named_and_left_alone() {
    let house = House::new();
    let (program, _) = house.open().await;
    program.kill().await;
    let garbage = b"this was a store once ".repeat(1000);
    fs::write(house.store(), &garbage).expect("a file");
    let mut program = house.run();
    assert_eq!(program.ends().await, 1);
    let complaint = program.err.line(|_| true).await;
    assert!(complaint.contains(&house.store()), "{complaint}");
    assert!(complaint.contains("is not a sound store"), "{complaint}");
    assert_eq!(fs::read(house.store()).expect("a file"), garbage);
}

#[tokio::test]
async fn the_log_tells_what_happened_and_no_secret() {
    let house = House::new();
    let (program, address) = house.open().await;
    let tokens = log_in(&program, address, PHONE).await;
    let code = program.out.code_for(PHONE).await;
    verify(address, PHONE, "000000").await;
    Call::new(address, "POST", "/api/auth/logout")
        .bearer(&tokens.access)
        .send()
        .await;
    let news = |event: &'static str| program.out.line(move |line| line.contains(event));
    for event in ["otp.sent", "otp.verified", "otp.wrong", "session.revoked"] {
        let line = news(event).await;
        assert!(line.contains("audit"), "{line}");
        assert!(line.contains("127.0.0.1"), "{line}");
    }
    let masked = news("otp.verified").await;
    assert!(masked.contains("+1********00"), "{masked}");
    assert!(masked.contains(&tokens.session), "{masked}");

    for line in program.out.lines() {
        if line.starts_with("SMS to ") {
            continue;
        }
        for secret in [&tokens.access, &tokens.refresh, &code, "4155550100"] {
            assert!(!line.contains(secret), "{line}");
        }
    }
    assert!(program.err.lines().is_empty(), "{:?}", program.err.lines());
}

#[tokio::test]
async fn a_replayed_refresh_token_is_a_warning_in_the_audit_log() {
    let house = House::with("[tokens]\nrefresh_grace = \"0s\"\n");
    let (program, address) = house.open().await;
    let tokens = log_in(&program, address, PHONE).await;
    assert_eq!(refresh(address, &tokens).await.status, 200);
    let replayed = refresh(address, &tokens).await;
    replayed.is_refused(400, "invalid_grant");
    let news = program.out.line(|line| line.contains("session.replayed"));
    let news = news.await;
    assert!(news.contains("WARN"), "{news}");
    assert!(news.contains(&tokens.session), "{news}");
    let id = replayed.header("x-request-id");
    assert!(news.contains(id), "{news}");
}

/// A directory with a configuration, in which one program after the other runs.
struct House(TempDir);

impl House {
    fn new() -> Self {
        Self::with("")
    }

    /// The same, with further tables.
    fn with(tables: &str) -> Self {
        let dir = TempDir::new().expect("a directory");
        let store = dir.path().join("store.redb");
        let configuration = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"off\"\n\
             [store]\nurl = \"embedded:{}\"\n[upstreams.app]\nservers = [\"demo:\"]\n\
             [[routes]]\npath = \"/\"\n{tables}",
            store.display()
        );
        fs::write(dir.path().join("gateway.toml"), configuration).expect("a file");
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn store(&self) -> String {
        self.path().join("store.redb").display().to_string()
    }

    fn run(&self) -> Program {
        Program::run(self.path(), &[])
    }

    async fn open(&self) -> (Program, SocketAddr) {
        let program = self.run();
        let address = program.address().await;
        (program, address)
    }
}
