//! `otp-gateway sms test`: one message, every step of it, and an exit code that says what to do.

use std::path::Path;

use tempfile::TempDir;

use super::twilio_at;
use crate::stage::{
    PHONE,
    carrier::{Carrier, Manner, saying},
    program::Program,
};

struct Ran {
    code: i32,
    out: String,
    err: String,
}

async fn run(dir: &Path, args: &[&str]) -> Ran {
    let mut program = Program::run(dir, &[&["sms", "test"], args].concat());
    let code = program.ends().await;
    let (out, err) = program.said().await;
    Ran { code, out, err }
}

/// A directory with the configuration of a gateway whose only provider behaves like this.
async fn place(manner: Manner) -> (TempDir, Carrier) {
    let carrier = Carrier::start(manner).await;
    let dir = TempDir::new().expect("a directory");
    let mut lines = twilio_at(carrier.address);
    lines[0] = "sms.providers = \"twilio\"".to_owned();
    std::fs::write(dir.path().join("gateway.toml"), lines.join("\n")).expect("a file");
    (dir, carrier)
}

/// What is printed, with the code and the duration left out.
fn plain(out: &str, code: &str) -> String {
    let words: Vec<_> = out
        .replace(code, "CODE")
        .lines()
        .map(str::to_owned)
        .collect();
    let millis = |line: &str| {
        let Some((before, after)) = line.split_once(" after ") else {
            return line.to_owned();
        };
        let (_, rest) = after.split_once(" ms").expect("milliseconds");
        format!("{before} after N ms{rest}")
    };
    let lines: Vec<_> = words.iter().map(|line| millis(line)).collect();
    lines.join("\n")
}

#[tokio::test]
async fn every_step_of_a_message_is_shown() {
    let (dir, carrier) = place(saying("201 Created", "", "{\"sid\": \"SM1\"}")).await;
    let ran = run(dir.path(), &[PHONE, "--locale", "de"]).await;
    assert_eq!((ran.code, &*ran.err), (0, ""), "{}", ran.out);
    let asked = carrier.asked(1).await.remove(0);
    let body = asked.field("Body").expect("a text");
    let code = body.split(' ').next().expect("a code");
    assert_eq!(
        plain(&ran.out, code),
        format!(
            "providers  twilio; 3s to connect, 10s in all\n\
             message    sms to +1********00 in de\n           \
             | CODE ist Ihr Code für otp-gateway. Er gilt 5 Minuten.\n\
             length     55 of 160 characters (GSM-7), 1 message\n\
             twilio     POST http://{}/2010-04-01/Accounts/AC0123…/Messages.json\n           \
             taken after N ms, status 201, its name for it is SM1\n\
             sent       by twilio",
            carrier.address
        )
    );
}

#[tokio::test]
async fn a_dry_run_shows_all_and_sends_nothing() {
    let (dir, carrier) = place(Manner::Silent).await;
    let ran = run(dir.path(), &["+442070313000", "--dry-run"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("| "), "{}", ran.out);
    assert!(
        ran.out
            .contains("note       otp.countries has not that of this number")
    );
    assert!(
        ran.out.ends_with("not sent   this was a dry run"),
        "{}",
        ran.out
    );
    assert_eq!(carrier.connections(), 0);
}

#[tokio::test]
async fn whom_a_number_goes_to_by_how_it_begins_is_shown() {
    let (dir, carrier) = place(Manner::Silent).await;
    let file = dir.path().join("gateway.toml");
    let route = "\n[[sms.routes]]\nprefix = \"+1415\"\nproviders = [\"console\", \"twilio\"]\n";
    let text = std::fs::read_to_string(&file).expect("a file") + route;
    std::fs::write(file, text).expect("a file");
    for (number, asked) in [
        (PHONE, "console, then twilio (the route +1415); 3s"),
        ("+16502530000", "twilio; 3s"),
    ] {
        let ran = run(dir.path(), &[number, "--dry-run"]).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(
            ran.out.starts_with(&format!("providers  {asked}")),
            "{}",
            ran.out
        );
    }
    assert_eq!(carrier.connections(), 0);
}

#[tokio::test]
async fn the_exit_code_says_what_to_do() {
    for (status, body, exit, words) in [
        ("429 Too Many Requests", "", 75, "throttled after"),
        (
            "401 Unauthorized",
            "{\"code\": 20003}",
            78,
            "misconfigured after",
        ),
        (
            "400 Bad Request",
            "{\"code\": 21211}",
            1,
            "invalid_number after",
        ),
        ("400 Bad Request", "{\"code\": 21610}", 1, "blocked after"),
        ("500 Internal Server Error", "", 1, "unknown after"),
    ] {
        let (dir, _carrier) = place(saying(status, "", body)).await;
        let ran = run(dir.path(), &[PHONE]).await;
        assert_eq!(ran.code, exit, "{status}: {}", ran.out);
        assert!(ran.out.contains(words), "{}", ran.out);
        assert!(ran.out.contains("\nnot sent   "), "{}", ran.out);
        assert!(!ran.out.contains(PHONE) && !ran.out.contains("hunter2"));
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_said_before() {
    let (dir, carrier) = place(Manner::Silent).await;
    let ran = run(dir.path(), &["nobody"]).await;
    assert_eq!(ran.code, 64);
    assert!(
        ran.err.starts_with("the number must be 10 to 15 digits"),
        "{}",
        ran.err
    );
    let ran = run(dir.path(), &[PHONE, "--channel", "pigeon"]).await;
    assert_eq!(ran.code, 64);
    assert!(
        ran.err.contains("must be sms, whatsapp or voice"),
        "{}",
        ran.err
    );
    let ran = run(dir.path(), &[PHONE, "--channel", "voice"]).await;
    assert_eq!(ran.code, 78, "{}", ran.out);
    assert!(
        ran.out.contains("it does not carry messages of this kind"),
        "{}",
        ran.out
    );
    assert_eq!(carrier.connections(), 0);
}
