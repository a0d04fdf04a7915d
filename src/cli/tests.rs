//! The program as a shell sees it: arguments and a file in, text and an exit code out.

use std::fs;

use clap::CommandFactory;
use tempfile::TempDir;

use super::*;
use crate::config::Config;

mod explain;
mod keys_and_tokens;

/// A directory with a configuration.
struct Place {
    dir: TempDir,
}

/// What a run of the program left behind.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    exit: Exit,
    out: String,
    err: String,
}

impl Place {
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let data = dir.path().join("data");
        let text = format!("server.data_dir = {:?}\n{text}", data.display().to_string());
        fs::write(dir.path().join("gateway.toml"), text).expect("written");
        Self { dir }
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, "")
    }

    fn run_with(&self, args: &[&str], input: &str) -> Ran {
        let file = self.dir.path().join("gateway.toml");
        let file = file.to_str().expect("a path in UTF-8");
        run_plain(&[args, &["--config", file]].concat(), input)
    }

    fn config(&self) -> Config {
        let file = Some(self.dir.path().join("gateway.toml"));
        let flags = Flags::default();
        Source { file, flags }.load().expect("no problems").config
    }
}

fn run_plain(args: &[&str], input: &str) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let args = std::iter::once("otp-gateway").chain(args.iter().copied());
    let exit = run(
        args.map(OsString::from),
        &mut Streams {
            input: &mut input.as_bytes(),
            out: &mut out,
            err: &mut err,
            reader: Reader::Other,
        },
    );
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Ran {
        exit,
        out: text(out),
        err: text(err),
    }
}

#[test]
fn the_description_of_the_arguments_holds_together() {
    Cli::command().debug_assert();
}

#[test]
fn every_way_to_say_it_is_understood() {
    for args in [
        "",
        "serve",
        "--upstream http://127.0.0.1:3000",
        "serve --upstream demo: --listen 0.0.0.0:80 --config x.toml",
        "--config x.toml check",
        "check --config x.toml",
        "explain GET /x",
        "explain DELETE https://example.com/x --upstream demo:",
        "keys list",
        "keys rotate --config x.toml",
        "token inspect",
        "token inspect abc",
        "simulate fraud --seed 7",
    ] {
        let args = std::iter::once("otp-gateway").chain(args.split_whitespace());
        Cli::try_parse_from(args.clone()).unwrap_or_else(|error| panic!("{args:?}: {error}"));
    }
}

#[test]
fn what_is_not_understood_is_a_mistake_of_usage() {
    for args in [
        "frobnicate",
        "--upstream ftp://127.0.0.1:3000",
        "--upstream http://me:pw@host",
        "--listen 8080",
        "explain GET",
        "explain G(T /x",
        "explain GET x",
        "explain GET example.com:80",
        "keys",
        "keys rotate now",
        "token",
        "check --strict",
        "simulate",
        "simulate fraud --seed many",
    ] {
        let given: Vec<_> = args.split_whitespace().collect();
        let ran = Place::new("").run(&given);
        assert_eq!((ran.exit, ran.out.as_str()), (Exit::Usage, ""), "{args}");
        assert!(!ran.err.is_empty(), "{args}");
    }
}

#[test]
fn help_and_version_are_answers() {
    let version = run_plain(&["--version"], "");
    assert_eq!((version.exit, version.err.as_str()), (Exit::Done, ""));
    assert_eq!(
        version.out,
        format!("otp-gateway {}\n", env!("CARGO_PKG_VERSION"))
    );
    let help = run_plain(&["help", "explain"], "");
    assert_eq!((help.exit, help.err.as_str()), (Exit::Done, ""));
    assert!(
        help.out.contains("Usage: otp-gateway explain"),
        "{}",
        help.out
    );
}

#[test]
fn each_way_to_end_has_its_own_exit_code() {
    let codes = [
        (Exit::Done, 0),
        (Exit::Failed, 1),
        (Exit::Usage, 64),
        (Exit::Config, 78),
    ];
    for (exit, code) in codes {
        assert_eq!(ExitCode::from(exit), ExitCode::from(code));
    }
}

#[test]
fn check_says_ok_when_it_is() {
    let ran = Place::new("").run(&["check"]);
    let ok = Ran {
        exit: Exit::Done,
        out: "ok\n".to_owned(),
        err: String::new(),
    };
    assert_eq!(ran, ok);
}

#[test]
fn check_warns_of_what_should_not_go_into_production() {
    let ran = Place::new("server.public_url = 'https://a.example'\nserver.secret = '0123456789abcdef0123456789abcdef'\n").run(&["check"]);
    let file = ran.out.lines().next().expect("a line");
    assert!(
        file.starts_with("warning: ")
            && file.contains("gateway.toml: sms.providers: codes are printed"),
        "{file}"
    );
    assert!(ran.out.ends_with("\nok\n"), "{}", ran.out);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
}

#[test]
fn every_command_shows_all_problems_of_the_file() {
    let place = Place::new("otp.ttl = 5\notp.lenght = 6\n");
    for args in [
        &["check"][..],
        &["serve"],
        &[],
        &["explain", "GET", "/"],
        &["keys", "list"],
        &["token", "inspect", "x"],
    ] {
        let ran = place.run(args);
        assert_eq!((ran.exit, ran.out.as_str()), (Exit::Config, ""), "{args:?}");
        assert!(
            ran.err
                .contains("gateway.toml:2:11: otp.ttl: expected a span of time"),
            "{}",
            ran.err
        );
        assert!(
            ran.err
                .contains("gateway.toml:3:5: otp.lenght: unknown key"),
            "{}",
            ran.err
        );
        assert!(ran.err.ends_with("\n2 problems\n"), "{}", ran.err);
    }
}

#[test]
fn a_file_that_is_not_there_is_a_problem_of_configuration() {
    let ran = run_plain(&["check", "--config", "/nowhere.toml"], "");
    assert_eq!(ran.exit, Exit::Config);
    assert_eq!(
        ran.err,
        "cannot read /nowhere.toml: No such file or directory (os error 2)\n"
    );
}

#[test]
fn a_gateway_that_cannot_listen_fails_and_says_where() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let ran =
        Place::new("admin.listen = 'off'\nstore.url = 'memory:'\n").run(&["--listen", &address]);
    assert_eq!(ran.exit, Exit::Failed);
    assert!(
        ran.err
            .starts_with(&format!("cannot listen on {address}: ")),
        "{}",
        ran.err
    );
}
