//! The exact words for everything that can be wrong; about routes and upstreams in `ways`, about limits in `rates`, about other pages in `pages`, about secrets in `secrets`.

mod pages;
mod rates;
mod secrets;
mod ways;

use super::*;

/// Loads `text` and compares what is printed, without the last line, which counts.
pub fn check(text: &str, expected: &str) {
    let printed = load(text).expect_err(text).to_string();
    let (problems, count) = printed.rsplit_once('\n').expect("a last line");
    assert_eq!(problems.trim_end(), expected, "{text}");
    let found = problems
        .lines()
        .filter(|line| line.starts_with("gateway.toml"))
        .count();
    assert!(count.starts_with(&found.to_string()), "{count}");
}

/// One upstream, which most routes need.
const APP: &str = "upstreams.app.servers = 'http://a'\n";

fn check_route(text: &str, expected: &str) {
    check(&format!("{APP}[[routes]]\n{text}"), expected);
}

#[test]
fn broken_toml_is_shown_at_its_place() {
    check(
        "[otp\nttl = 1",
        "gateway.toml:1:5: not valid TOML: unclosed table, expected `]`",
    );
    check(
        "[otp]\nttl = \"1m\"\nttl = \"2m\"\n",
        "gateway.toml:3:1: not valid TOML: duplicate key",
    );
}

#[test]
fn all_problems_are_found_at_once_in_the_order_of_the_file() {
    check(
        "[otp]\nlength = 3\nttl = 5\n[server]\nlisten = ['here', 1]\nworkers = -1\n",
        "gateway.toml:2:10: otp.length: a code has 4 to 10 digits\n\
         gateway.toml:3:7: otp.ttl: expected a span of time such as \"30s\" or \"1h30m\", found an integer\n\
         gateway.toml:5:11: server.listen[0]: expected an address with a port such as \"127.0.0.1:8080\", found \"here\"\n\
         gateway.toml:5:19: server.listen[1]: expected an address with a port such as \"127.0.0.1:8080\", found an integer\n\
         gateway.toml:6:11: server.workers: -1 is out of range",
    );
}

#[test]
fn an_unknown_key_is_told_what_it_may_have_meant() {
    check(
        "[otp]\nlenght = 6\n",
        "gateway.toml:2:1: otp.lenght: unknown key\n  help: did you mean `length = 6`?",
    );
    check(
        "[session]\naccess_ttl = \"5m\"\n",
        "gateway.toml:2:1: session.access_ttl: unknown key\n  help: it belongs to `[tokens]`",
    );
    check(
        "[log]\ncolour = true\n",
        "gateway.toml:2:1: log.colour: unknown key\n  help: known here: format, level",
    );
    check(
        "[[route]]\npath = '/'\n",
        "gateway.toml:1:3: route: unknown key\n  help: did you mean `[[routes]]`?",
    );
    check(
        "[otp.test_number]\nnumber = 1\n",
        "gateway.toml:1:6: otp.test_number: unknown key\n  help: did you mean `[[otp.test_numbers]]`?",
    );
    check(
        "[upstreams.app]\nservers = 'demo:'\nserver = 'demo:'\n",
        "gateway.toml:3:1: upstreams.app.server: unknown key\n  \
         help: did you mean `servers = [\"http://127.0.0.1:3000\"]`?",
    );
    check_route(
        "hots = 'a'\n",
        "gateway.toml:3:1: routes[0].hots: unknown key\n  help: did you mean `host = \"\"`?",
    );
}

#[test]
fn a_section_must_be_a_section() {
    check(
        "server = 5\n",
        "gateway.toml:1:10: server: expected a table `[server]`, found an integer",
    );
    check(
        "[routes]\n",
        "gateway.toml:1:1: routes: expected tables `[[routes]]`, found a table",
    );
    check(
        "routes = [1]\n",
        "gateway.toml:1:11: routes[0]: expected tables `[[routes]]`, found an integer",
    );
    check(
        "[upstreams]\napp = 'x'\n",
        "gateway.toml:2:7: upstreams.app: expected a table `[upstreams.app]`, found a string",
    );
}

#[test]
fn every_type_says_what_it_expects() {
    for (text, expected) in [
        (
            "otp.ttl = '5 minutes'",
            "otp.ttl: expected a span of time such as \"30s\" or \"1h30m\", found \"5 minutes\"",
        ),
        (
            "server.limits.max_header = '32'",
            "server.limits.max_header: expected a size such as \"16kb\" or \"10mb\", found \"32\"",
        ),
        (
            "otp.limits = ['3 per phone']",
            "otp.limits[0]: expected a limit such as \"3/30m per phone\" (or per ip, per country, per all), found \"3 per phone\"",
        ),
        (
            "otp.limits = '3/30m per phone'",
            "otp.limits: expected a list, found a string",
        ),
        (
            "server.access_log = 'on'",
            "server.access_log: expected true or false, found a string",
        ),
        (
            "otp.max_attempts = 5.0",
            "otp.max_attempts: expected a whole number, found a float",
        ),
        (
            "server.trusted_proxies = ['10/8']",
            "server.trusted_proxies[0]: expected an address or a network such as \"10.0.0.0/8\", found \"10/8\"",
        ),
        (
            "admin.listen = 'no'",
            "admin.listen: expected an address with a port such as \"127.0.0.1:9090\", or \"off\", found \"no\"",
        ),
        (
            "store.url = 'postgres://x'",
            "store.url: must be memory:, embedded:PATH or a URL that begins with redis",
        ),
        (
            "store.url = 'redis://:hunter2@db/x'",
            "store.url: has a database that is no number",
        ),
        (
            "store.url = { env = 'STORE' }",
            "store.url: the environment variable STORE is not set",
        ),
        (
            "store.ca = '/nowhere/ca.pem'",
            "store.ca: cannot read /nowhere/ca.pem: No such file or directory (os error 2)",
        ),
        (
            "store.prefix = '{otp}'",
            "store.prefix: must be at most 64 letters, digits and : . - _",
        ),
        (
            "log.level = 'verbose'",
            "log.level: expected \"off\", \"error\", \"warn\", \"info\", \"debug\" or \"trace\", found \"verbose\"",
        ),
        (
            "log.format = true",
            "log.format: expected \"text\" or \"json\", found a boolean",
        ),
        (
            "server.mode = 'prod'",
            "server.mode: expected \"development\" or \"production\", found \"prod\"",
        ),
        (
            "tokens.algorithm = 'none'",
            "tokens.algorithm: expected \"ES256\", \"EdDSA\", \"RS256\" or \"HS256\", found \"none\"",
        ),
        (
            "tokens.subject = 'uuid'",
            "tokens.subject: expected \"derived\" or \"phone\", found \"uuid\"",
        ),
        (
            "tokens.claims = []",
            "tokens.claims: expected a table, found a list",
        ),
        (
            "session.cookie_secure = 'yes'",
            "session.cookie_secure: expected \"auto\", \"always\" or \"never\", found \"yes\"",
        ),
        (
            "session.on_store_outage = 'deny'",
            "session.on_store_outage: expected \"serve\" or \"refuse\", found \"deny\"",
        ),
        (
            "otp.default_country = '+999'",
            "otp.default_country: expected the calling code of a country such as \"+1\" or \"+44\", found \"+999\"",
        ),
        (
            "otp.countries = '+1'",
            "otp.countries: expected a list such as [\"+1\", \"+44\"], or \"*\" for all countries, found a string",
        ),
        (
            "otp.guard.mode = 'on'",
            "otp.guard.mode: expected \"enforce\", \"observe\" or \"off\", found \"on\"",
        ),
        (
            "sms.providers = 'pigeon'",
            "sms.providers: expected \"twilio\", \"sns\", \"webhook\" or \"console\", found \"pigeon\"",
        ),
        (
            "sms.templates.de = '{cod}'",
            "sms.templates.de: only {code}, {minutes} and {sender} may stand in braces",
        ),
        (
            "sms.templates.en = 'hello'",
            "sms.templates.en: a message without {code} helps nobody",
        ),
        (
            "identity.phone = 'X Phone'",
            "identity.phone: expected the name of a header such as \"X-Auth-Subject\", found \"X Phone\"",
        ),
        (
            "auth.base = '/'",
            "auth.base: must have a name behind its last slash",
        ),
        (
            "auth.base = 'api'",
            "auth.base: no request could match: the path must begin with a slash",
        ),
        (
            "server.public_url = 'login.example.com'",
            "server.public_url: is not a URL such as \"https://login.example.com\"",
        ),
        ("server.listen = []", "server.listen: must not be empty"),
        (
            "server.data_dir = ''",
            "server.data_dir: expected a path, found \"\"",
        ),
    ] {
        let column =
            text.find("= ").expect("a value") + 3 + usize::from(expected.contains("[0]: "));
        check(text, &format!("gateway.toml:1:{column}: {expected}"));
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_what_would() {
    for (text, expected) in [
        (
            "otp.ttl = '0s'",
            "otp.ttl: must be between \"30s\" and \"1h\", is \"0s\"",
        ),
        (
            "otp.max_failures = 101",
            "otp.max_failures: must be between 2 and 100, is 101",
        ),
        (
            "store.deadline = '0s'",
            "store.deadline: must be between \"100ms\" and \"1m\", is \"0s\"",
        ),
        (
            "server.limits.max_header = '1kb'",
            "server.limits.max_header: must be between \"8kb\" and \"1mb\", is \"1kb\"",
        ),
        (
            "server.limits.headers = '0s'",
            "server.limits.headers: must be between \"1s\" and \"1h\", is \"0s\"",
        ),
        (
            "server.limits.max_age = '0s'",
            "server.limits.max_age: expected a span of time of a second or more such as \"1h\", or \"off\", found \"0s\"",
        ),
        (
            "server.limits.min_rate = '2mb'",
            "server.limits.min_rate: must be between \"0b\" and \"1mb\", is \"2mb\"",
        ),
        (
            "server.limits.ping = '0s'",
            "server.limits.ping: must be between \"1s\" and \"1h\", is \"0s\"",
        ),
        (
            "server.limits.half_closed = '0s'",
            "server.limits.half_closed: must be between \"1s\" and \"1h\", is \"0s\"",
        ),
        (
            "server.limits.max_headers = 0",
            "server.limits.max_headers: must be between 1 and 10000, is 0",
        ),
        (
            "server.limits.max_streams = 0",
            "server.limits.max_streams: must be between 1 and 10000, is 0",
        ),
        (
            "tokens.access_ttl = '0s'",
            "tokens.access_ttl: must be between \"1s\" and \"1d\", is \"0s\"",
        ),
        (
            "otp.ttl = '11m'",
            "otp.ttl: must not be longer than `max_age`",
        ),
        (
            "tokens.refresh_idle = '91d'",
            "tokens.refresh_idle: must not be longer than `refresh_max_age`",
        ),
        (
            "tokens.claims = { sub = 'me' }",
            "tokens.claims: the gateway sets the claim \"sub\" itself",
        ),
        (
            "auth.aliases = ['/api/auth/v1']",
            "auth.aliases: /api/auth/v1 stands above or below another path of the gateway",
        ),
        (
            "identity.phone = 'Authorization'",
            "identity.phone: the header authorization has another meaning already",
        ),
        (
            "identity.phone = 'X_Forwarded_For'",
            "identity.phone: the header x_forwarded_for has another meaning already",
        ),
        (
            "identity.phone = 'X_Auth.Subject'",
            "identity.phone: the header x_auth.subject is the one of `subject`\n  help: servers may take `-`, `_` and `.` for the same",
        ),
    ] {
        let column = text.find("= ").expect("a value") + 3;
        check(text, &format!("gateway.toml:1:{column}: {expected}"));
    }
    check(
        "[otp]\nmax_age = '1m'\n",
        "gateway.toml:1:1: otp.ttl: must not be longer than `max_age`",
    );
    check(
        "tokens.access_ttl = '1h'\ntokens.refresh_idle = '30m'\n",
        "gateway.toml:1:21: tokens.access_ttl: must not be longer than `refresh_idle`: the session would end before its token",
    );
}

#[test]
fn test_numbers_must_be_whole() {
    check(
        "[[otp.test_numbers]]\nnumber = 'me'\ncode = '12345'\nuntil = 18:00:00\n[[otp.test_numbers]]\n",
        "gateway.toml:2:10: otp.test_numbers[0].number: must be 10 to 15 digits, with or without a leading +, not beginning with 0\n\
         gateway.toml:3:8: otp.test_numbers[0].code: must be 6 digits\n\
         gateway.toml:4:9: otp.test_numbers[0].until: expected a date such as 2030-12-31 or 2030-12-31T18:00:00Z, found a time without a day or an offset\n\
         gateway.toml:5:1: otp.test_numbers[1].number: is missing\n  help: for instance `number = \"+15550001111\"`\n\
         gateway.toml:5:1: otp.test_numbers[1].code: is missing\n  help: for instance `code = \"123456\"`\n\
         gateway.toml:5:1: otp.test_numbers[1].until: is missing\n  help: for instance `until = 2030-12-31`",
    );
    let number =
        "[[otp.test_numbers]]\nnumber = '+16502530000'\ncode = '123456'\nuntil = '2030-12-31'\n";
    check(
        &format!("{number}{}", number.replace("+1650", "1 (650) ")),
        "gateway.toml:6:10: otp.test_numbers[1].number: stands here for the second time",
    );
}

/// A gateway that others reach, with everything that suits a developer's machine alone.
const TOY: &str = "[server]\nlisten = '0.0.0.0:80'\n[store]\nurl = 'memory:'\n[upstreams.app]\nservers = 'demo:'\n";

const TOY_ADVICE: [&str; 5] = [
    "gateway.toml:2:10: server.listen: phone numbers, codes and tokens travel in the clear\n  \
     help: listen in `[server.tls]`, or put TLS in front: name it in `trusted_proxies`, or say `public_url = \"https://…\"`",
    "gateway.toml:1:1: server.secret: the master secret is made by the first run and kept in ./data/master.secret\n  \
     help: `secret = { file = \"PATH\" }` takes one that you keep safe",
    "gateway.toml:4:7: store.url: every session is lost when the gateway stops\n  help: \"embedded:\" keeps them",
    "gateway.toml: sms.providers: codes are printed on the console, nobody receives them\n  \
     help: \"twilio\", \"sns\" or \"webhook\" sends them",
    "gateway.toml:6:11: upstreams.app.servers: the demo app shows its visitors everything it receives",
];

#[test]
fn a_toy_in_reach_of_others_comes_with_advice() {
    let advice = load(TOY).expect("no problems").advice;
    let printed: Vec<_> = advice.iter().map(ToString::to_string).collect();
    assert_eq!(printed, TOY_ADVICE);
}

#[test]
fn in_production_a_toy_is_an_error() {
    let text = TOY.replacen("[server]\n", "[server]\nmode = 'production'\n", 1);
    let printed = load(&text).expect_err("a toy").to_string();
    assert!(printed.ends_with("5 problems"), "{printed}");
    for advice in TOY_ADVICE {
        let (_, what) = advice.split_once(": ").expect("a place");
        assert!(printed.contains(what), "{what} in {printed}");
    }
}

#[test]
fn a_careful_gateway_needs_no_advice_but_a_way_to_send() {
    let careful = "[server]\nlisten = '0.0.0.0:80'\npublic_url = 'https://a.example'\nsecret = { env = 'MASTER' }\n\
                   [upstreams.app]\nservers = 'http://app:3000'\n";
    let advice = load(careful).expect("no problems").advice;
    let keys: Vec<_> = advice
        .iter()
        .map(|Advice(problem)| problem.key.as_str())
        .collect();
    assert_eq!(keys, ["sms.providers"]);
}

#[test]
fn the_kinds_and_networks_of_the_guard_say_which_of_them_is_wrong() {
    check(
        "otp.guard.exempt = ['10.0.0.0/8', 'here']",
        "gateway.toml:1:35: otp.guard.exempt[1]: expected an address or a network such as \
         \"10.0.0.0/8\", found \"here\"",
    );
    check(
        "otp.refuse_types = ['landline']",
        "gateway.toml:1:21: otp.refuse_types[0]: expected a kind of number: \"fixed_line\", \
         \"mobile\", \"toll_free\", \"premium_rate\", \"shared_cost\", \"voip\", \"personal\", \
         \"pager\", \"uan\" or \"voicemail\", found \"landline\"",
    );
}
