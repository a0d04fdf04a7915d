//! The plan keeper: who may import whom, who alone may know what, and what stands nowhere. All findings at once.

use std::{fmt::Write, fs, path::Path};

use self::{
    imports::{Reach, reaches},
    source::Source,
};

mod imports;
mod source;

/// The floors, from the ground up. A room imports only lower ones, and none beside it.
const FLOORS: [&[&str]; 9] = [
    &["clock", "secret", "body"],
    &["domain", "reject"],
    &["observe"],
    &["store", "token", "net"],
    &["limit", "sms"],
    &["edge", "auth", "proxy"],
    &["config"],
    &["app"],
    &["cli"],
];

/// Something that only some places may do or know.
struct Privilege {
    /// How it looks in code.
    words: &'static [&'static str],
    /// Where it may stand: folders end with a slash.
    places: &'static [&'static str],
    /// Why not elsewhere.
    why: &'static str,
}

/// Who alone knows what, in tests too.
const KNOWLEDGE: &[Privilege] = &[
    Privilege {
        words: &["toml::", "toml_edit", "toml_datetime"],
        places: &["src/config/"],
        why: "only config knows TOML",
    },
    Privilege {
        words: &["redb::", "use redb"],
        places: &["src/store/embedded/"],
        why: "only store/embedded knows the database",
    },
    Privilege {
        words: &["redis::Cmd", "redis::cmd(", "use redis::{", "bb8"],
        places: &["src/store/redis/"],
        why: "only store/redis knows Redis",
    },
    Privilege {
        words: &["jsonwebtoken"],
        places: &["src/token/"],
        why: "only token knows how a JWT is signed",
    },
    Privilege {
        words: &["ppp::"],
        places: &["src/net/proxy_protocol.rs"],
        why: "only net/proxy_protocol knows what proxies announce",
    },
    Privilege {
        words: &["rlibphonenumber"],
        places: &["src/domain/phone.rs", "src/domain/phone/kind.rs"],
        why: "only domain/phone knows the numbering plans",
    },
    Privilege {
        words: &["prometheus_client"],
        places: &["src/observe/"],
        why: "only observe knows how metrics are kept",
    },
    Privilege {
        words: &["clap::"],
        places: &["src/cli/"],
        why: "only cli knows arguments",
    },
];

/// Who alone does what, tests aside.
const DEEDS: &[Privilege] = &[
    Privilege {
        words: &["TcpSocket", "hyper::server", ".accept()"],
        places: &["src/net/"],
        why: "only net makes listening sockets and speaks HTTP to clients",
    },
    Privilege {
        words: &["socket2::"],
        places: &["src/net/", "src/store/redis/link/dial.rs"],
        why: "sockets are set up where they are made",
    },
    Privilege {
        // app holds what net bound, and binds for the operators and the demo.
        words: &["TcpListener"],
        places: &["src/net/", "src/app/"],
        why: "listeners are made in net and held in app",
    },
    Privilege {
        words: &["TcpStream::connect", "client::conn", "legacy::Client"],
        places: &[
            "src/net/dial.rs",
            "src/net/client.rs",
            "src/proxy/",
            "src/store/redis/link/dial.rs",
        ],
        why: "net opens connections to apps for proxy and to whomever the gateway asks, the store those to its servers",
    },
    Privilege {
        words: &["SystemTime::now"],
        places: &["src/clock.rs", "src/edge/access_log.rs"],
        why: "time is an argument; only the clock asks for it, and the log for its lines",
    },
    Privilege {
        words: &["Instant::now"],
        places: &[
            "src/clock.rs",
            "src/net/timer.rs",
            "src/proxy/upload.rs",
            "src/edge/access_log.rs",
            "src/store/redis/link/",
        ],
        why: "time is an argument; only deadlines and measurements ask for it",
    },
    Privilege {
        words: &["SysRng", "SystemRandom"],
        places: &[
            "src/auth/chance.rs",
            "src/token/key/signer.rs",
            "src/token/keys/material.rs",
            "src/proxy/upgrade.rs",
            "src/sms/courier/office.rs",
            "src/app/",
        ],
        why: "chance has one door in each room that may have it",
    },
    Privilege {
        words: &["thread_rng", "rand::rng(", "rand::random", "fastrand"],
        places: &[],
        why: "all chance comes from the operating system",
    },
    Privilege {
        words: &["env::var", "env::vars"],
        places: &["src/config/"],
        why: "only config reads the environment",
    },
    Privilege {
        words: &["println!", "print!(", "eprintln!", "eprint!("],
        places: &[],
        why: "a writer is handed in",
    },
    Privilege {
        words: &["process::exit"],
        places: &[],
        why: "exit codes are returned, so that everything is dropped before",
    },
    Privilege {
        words: &[
            ".unwrap()",
            ".expect(",
            "todo!",
            "unimplemented!",
            "dbg!",
            "panic!(",
        ],
        places: &[],
        why: "no request may bring a worker down",
    },
    Privilege {
        words: &["unsafe ", "#[allow", "cfg!(", "#[cfg(feature", "#[cfg(not"],
        places: &[],
        why: "one program, checked as a whole",
    },
];

/// What no test does.
const TEST_SINS: &[(&str, &str)] = &[
    ("#[ignore", "a test that does not run proves nothing"),
    ("#[should_panic", "say what is refused, and how"),
    ("thread::sleep", "wait for the event, not for time"),
    ("time::sleep(", "wait for the event, not for time"),
];

/// Lines of the longest file.
const LONGEST: usize = 450;

#[test]
fn every_room_imports_only_lower_floors() {
    let mut findings = Vec::new();
    for source in sources(&["src"]) {
        let modules = source.modules();
        let Some(room) = modules.first() else {
            continue;
        };
        let Some(floor) = floor_of(room) else {
            findings.push(format!("{}: a room that is not in the plan", source.path));
            continue;
        };
        for Reach { line, room: other } in reaches(&source) {
            if other == *room || may_reach(floor, &other) {
                continue;
            }
            let path = &source.path;
            findings.push(format!("{path}:{line}: {room} (floor {floor}) -> {other}"));
        }
    }
    report(&findings);
}

#[test]
fn what_one_room_knows_no_other_does() {
    let mut findings = Vec::new();
    for source in sources(&["src"]) {
        let lines = || source.code.lines().enumerate();
        for privilege in KNOWLEDGE {
            privilege.check(
                &source.path,
                lines().map(|(at, l)| (at + 1, l)),
                &mut findings,
            );
        }
        for privilege in DEEDS {
            privilege.check(&source.path, source.product(), &mut findings);
        }
        // A text, so it is looked for in the file as it stands.
        let product = source
            .text
            .lines()
            .take(source.tests_from.saturating_sub(1));
        for (at, line) in product.enumerate() {
            if line.contains("problem+json") && source.path != "src/reject.rs" {
                let place = format!("{}:{}", source.path, at + 1);
                findings.push(format!("{place}: only reject builds problem documents"));
            }
        }
    }
    report(&findings);
}

/// A permission that nobody uses any more is a door left open.
#[test]
fn every_privilege_is_needed_where_it_is_given() {
    let sources = sources(&["src"]);
    let mut findings = Vec::new();
    for privilege in KNOWLEDGE.iter().chain(DEEDS) {
        for place in privilege.places {
            let here = |source: &&Source| source.path.starts_with(place);
            let uses = |source: &Source| privilege.words.iter().any(|w| source.code.contains(w));
            if !sources.iter().filter(here).any(uses) {
                findings.push(format!("{place}: {}", privilege.why));
            }
        }
    }
    report(&findings);
}

#[test]
fn tests_run_always_and_never_sleep() {
    let mut findings = Vec::new();
    for source in sources(&["src", "tests"]) {
        for (number, line) in source.tests() {
            for (sin, why) in TEST_SINS.iter().filter(|(sin, _)| line.contains(sin)) {
                findings.push(format!("{}:{number}: {sin}: {why}", source.path));
            }
        }
    }
    report(&findings);
}

#[test]
fn every_file_says_what_it_is_and_stays_short() {
    let mut findings = Vec::new();
    for source in sources(&["src", "tests", "examples", "benches"]) {
        if !source.text.starts_with("//! ") {
            findings.push(format!("{}: does not begin with //!", source.path));
        }
        let lines = source.text.lines().count();
        if lines > LONGEST {
            findings.push(format!("{}: {lines} lines", source.path));
        }
        let name = source.path.rsplit(['/', '.']).nth(1).unwrap_or_default();
        if [
            "util", "utils", "common", "helpers", "types", "misc", "manager",
        ]
        .contains(&name)
        {
            findings.push(format!("{}: a name that says nothing", source.path));
        }
    }
    report(&findings);
}

/// Whoever builds this stands in another place.
#[test]
fn nothing_tells_of_the_machine_it_was_written_on() {
    let folders = ["home", "root", "tmp", "work"].map(|folder| format!("/{folder}/"));
    let mut findings = Vec::new();
    let mut look = |path: &str, text: &str| {
        for (at, line) in text.lines().enumerate() {
            for folder in folders.iter().filter(|folder| line.contains(*folder)) {
                findings.push(format!("{path}:{}: {folder}", at + 1));
            }
        }
    };
    for source in sources(&["src", "tests", "examples", "benches"]) {
        look(&source.path, &source.text);
    }
    for file in [
        "Cargo.toml",
        "README.md",
        "gateway.toml",
        "tests/run",
        "tests/conformance/run",
        ".ci/run",
    ] {
        let text = fs::read_to_string(root().join(file)).unwrap_or_default();
        look(file, &text);
    }
    report(&findings);
}

impl Privilege {
    fn check<'a>(
        &self,
        path: &str,
        lines: impl Iterator<Item = (usize, &'a str)>,
        findings: &mut Vec<String>,
    ) {
        let is_here = |place: &&str| {
            let is_folder = place.ends_with('/');
            path == *place || (is_folder && path.starts_with(*place))
        };
        if self.places.iter().any(is_here) {
            return;
        }
        for (number, line) in lines {
            for word in self.words.iter().filter(|word| line.contains(*word)) {
                let why = self.why;
                findings.push(format!("{path}:{number}: {}: {why}", word.trim()));
            }
        }
    }
}

fn floor_of(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// Names that are no rooms are what the root itself exports: those stand above everybody.
fn may_reach(floor: usize, other: &str) -> bool {
    floor_of(other).is_some_and(|other| other < floor)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let sources = source::read(root(), folders);
    assert!(!sources.is_empty(), "no sources below {folders:?}");
    sources
}

fn report(findings: &[String]) {
    let mut all = String::new();
    for finding in findings {
        writeln!(all, "  {finding}").expect("a string takes everything");
    }
    assert!(findings.is_empty(), "{} findings:\n{all}", findings.len());
}

/// The keeper itself, kept: each text holds one breach that it must see, or none.
mod keeper {
    use super::*;

    fn rooms(path: &str, text: &str) -> Vec<String> {
        let reaches = reaches(&Source::new(path, text));
        reaches.into_iter().map(|reach| reach.room).collect()
    }

    #[test]
    fn sees_every_form_of_an_import() {
        let path = "src/net/conn.rs";
        assert_eq!(rooms(path, "use crate::app::App;"), ["app"]);
        assert_eq!(rooms(path, "fn f(a: &crate::app::App) {}"), ["app"]);
        let nested = "use crate::{\n    a::{x, y::{z}},\n    b,\n    c::{self},\n};";
        assert_eq!(rooms(path, nested), ["a", "b", "c"]);
        assert_eq!(rooms(path, "//! See [`crate::app`].\n"), ["app"]);
        assert_eq!(rooms(path, "const A: &str = \"crate::app\";"), [""; 0]);
        assert_eq!(
            rooms(path, "const A: &str = r#\"\" crate::app\"#;"),
            [""; 0]
        );
    }

    #[test]
    fn sees_who_leaves_a_room_by_the_stairs() {
        assert_eq!(rooms("src/net/conn.rs", "use super::peer;"), [""; 0]);
        assert_eq!(
            rooms("src/net/conn.rs", "use super::super::app;"),
            ["super"]
        );
        assert_eq!(
            rooms("src/net/conn.rs", "use super::{super::app};"),
            ["super"]
        );
        assert_eq!(rooms("src/net/mod.rs", "use super::app;"), ["super"]);
        assert_eq!(rooms("src/body.rs", "use super::app;"), ["super"]);
        let inline = "//! B.\n#[cfg(test)]\nmod tests {\n    use super::*;\n}\n";
        assert_eq!(rooms("src/body.rs", inline), [""; 0]);
        let inline = inline.replace("super::*", "super::super::app");
        assert_eq!(rooms("src/body.rs", &inline), ["super"]);
    }

    #[test]
    fn knows_the_floors() {
        let floor = |room| floor_of(room).expect("a room");
        assert!(may_reach(floor("edge"), "store"));
        assert!(!may_reach(floor("store"), "edge"));
        assert!(!may_reach(floor("auth"), "proxy"));
        assert!(!may_reach(floor("auth"), "Clock"));
    }

    #[test]
    fn tells_code_from_texts_comments_and_tests() {
        let text = "let a = \"x.unwrap()\"; // y.unwrap()\nlet b = '\"'; z.unwrap();\n\
                    /* w.unwrap() */ fn f<'a>(v: &'a str) {}\n\
                    #[cfg(test)]\nmod tests {\n    t.unwrap();\n}\n";
        let source = Source::new("src/body.rs", text);
        let mut findings = Vec::new();
        let [unwrap] = DEEDS
            .iter()
            .filter(|d| d.words.contains(&".unwrap()"))
            .collect::<Vec<_>>()[..]
        else {
            panic!("one rule about unwrap");
        };
        unwrap.check(&source.path, source.product(), &mut findings);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].starts_with("src/body.rs:2: "), "{findings:?}");
        assert!(source.code.contains("fn f<'a>(v: &'a str) {}"));
    }
}
