//! `[sms]` and its providers: what they lead to, and every way to get them wrong.

use super::{problems::check, *};
use crate::sms::{
    Channel, Name, ProviderSpec,
    route::Routing,
    sns::{self, Given},
    twilio::{self, Sender},
};

const ACCOUNT: &str = "account_sid = 'AC0123456789abcdef0123456789abcdef'\n";
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn twilio(lines: &str) -> twilio::Spec {
    let text = format!("sms.providers = 'twilio'\n[sms.twilio]\n{ACCOUNT}{lines}");
    match config(&text).live.sms.providers.pop() {
        Some(ProviderSpec::Twilio(spec)) => spec,
        other => panic!("{other:?}"),
    }
}

fn check_twilio(lines: &str, expected: &str) {
    check(
        &format!("sms.providers = ['console', 'twilio']\n[sms.twilio]\n{lines}"),
        expected,
    );
}

#[test]
fn providers_stand_in_the_order_of_the_file() {
    let text = format!(
        "[sms]\nproviders = ['webhook', 'sns', 'twilio', 'console']\nchannels = ['sms', 'voice']\n\
         timeout = '2s'\n[sms.twilio]\n{ACCOUNT}auth_token = {{ env = 'MASTER' }}\nfrom = 'MyShop'\n\
         [sms.sns]\nregion = 'eu-west-1'\n[sms.webhook]\nurl = 'https://a.example/b'\nsecret = '{KEY}'\n"
    );
    let live = config(&text).live;
    let names: Vec<_> = live.sms.providers.iter().map(ProviderSpec::name).collect();
    let in_order = [Name::Webhook, Name::Sns, Name::Twilio, Name::Console];
    assert_eq!(names, in_order);
    assert_eq!(live.sms.routing, Routing::to(in_order.to_vec()));
    assert_eq!(live.sms.line.timeout.as_secs(), 2);
    assert_eq!(live.auth.channels, [Channel::Sms, Channel::Voice]);
}

#[test]
fn an_account_is_opened_by_its_token_or_by_an_api_key() {
    let by_token = twilio("auth_token = 'hunter2'\nfrom = '+1 (555) 000-1111'\n");
    assert_eq!(by_token.user, by_token.account_sid);
    assert_eq!(by_token.password, Secret::new(*b"hunter2"));
    assert_eq!(by_token.sms, Some(Sender::From("+15550001111".to_owned())));
    assert_eq!(by_token.base_url, "https://api.twilio.com");
    let service = "MG0123456789abcdef0123456789abcdef";
    let by_key = twilio(&format!(
        "api_key = 'SK0123456789abcdef0123456789abcdef'\napi_secret = 'hunter2'\nfrom = '{service}'\n\
         base_url = 'http://127.0.0.1:4010/'\n"
    ));
    assert_eq!(by_key.user, "SK0123456789abcdef0123456789abcdef");
    assert_eq!(by_key.sms, Some(Sender::Service(service.to_owned())));
    assert_eq!(by_key.base_url, "http://127.0.0.1:4010");
    for from in ["12345", "MY SHOP"] {
        let spec = twilio(&format!("auth_token = 'x'\nfrom = '{from}'\n"));
        assert_eq!(spec.sms, Some(Sender::From(from.to_owned())));
    }
}

#[test]
fn what_an_account_lacks_is_named() {
    check_twilio(
        "auth_token = 'hunter2'\n",
        "gateway.toml:2:1: sms.twilio.account_sid: is missing\n  \
         help: the console of Twilio shows it: \"AC\" and 32 digits",
    );
    check_twilio(
        ACCOUNT,
        "gateway.toml:2:1: sms.twilio.auth_token: is missing\n  \
         help: `auth_token = { env = \"NAME\" }`, or `api_key` and `api_secret`",
    );
    for token in ["", "auth_token = 'hunter2'\n"] {
        check_twilio(
            &format!("{ACCOUNT}{token}api_secret = 'hunter3'\n"),
            "gateway.toml:2:1: sms.twilio.api_key: `api_key` and `api_secret` belong together",
        );
    }
    check_twilio(
        "account_sid = 'hunter2'\nfrom = 'much too long a name'\nvoice_from = '0555'\n\
         status_callback = 'here'\nbase_url = 'https://a/?b'\n",
        "gateway.toml:3:15: sms.twilio.account_sid: expected \"AC\" and 32 hexadecimal digits\n\
         gateway.toml:4:8: sms.twilio.from: expected a number such as \"+15550001111\", a short code, a name of up to \
         11 letters and digits, or a messaging service (\"MG\" and 32 hexadecimal digits), found \"much too long a name\"\n\
         gateway.toml:5:14: sms.twilio.voice_from: expected a number with its country such as \"+15550001111\", found \"0555\"\n\
         gateway.toml:6:19: sms.twilio.status_callback: is not a URL such as \"https://sms.example.com/send\"\n\
         gateway.toml:7:12: sms.twilio.base_url: must not hold a query",
    );
}

#[test]
fn a_channel_that_nobody_carries_is_refused() {
    let text = |channels: &str, more: &str| {
        format!(
            "[sms]\nproviders = 'twilio'\nchannels = {channels}\n[sms.twilio]\n{ACCOUNT}auth_token = 'x'\n{more}"
        )
    };
    check(
        &text("['sms']", ""),
        "gateway.toml:3:12: sms.channels: no provider carries \"sms\"\n  \
         help: `from` in `[sms.twilio]` says from where, or `providers` names one that does",
    );
    check(
        &text("['sms', 'whatsapp']", "from = '12345'\n"),
        "gateway.toml:3:12: sms.channels: no provider carries \"whatsapp\"\n  \
         help: `whatsapp_from` in `[sms.twilio]` says from where, or `providers` names one that does",
    );
    check(
        "sms.channels = ['pigeon']\n",
        "gateway.toml:1:17: sms.channels[0]: expected \"sms\", \"whatsapp\" or \"voice\", found \"pigeon\"",
    );
    check(
        "sms.channels = []\n",
        "gateway.toml:1:16: sms.channels: must not be empty",
    );
    check(
        "sms.providers = ['console', 'console']\n",
        "gateway.toml:1:17: sms.providers: names the same provider twice",
    );
}

#[test]
fn a_route_has_an_order_of_its_own_and_providers_that_nobody_else_needs() {
    let text = format!(
        "[sms]\nproviders = 'console'\nfallback = ['voice']\nfallback_after = '45s'\nbreaker_failures = 2\nbreaker_pause = '1m'\n\
         [[sms.routes]]\nprefix = ['+33', '+352']\nproviders = ['sns', 'console']\n\
         [[sms.routes]]\nprefix = '+3376'\nproviders = 'webhook'\n\
         [sms.sns]\nregion = 'eu-west-3'\n[sms.webhook]\nurl = 'https://a.example/b'\nsecret = '{KEY}'\n"
    );
    let sms = config(&text).live.sms;
    let names: Vec<_> = sms.providers.iter().map(ProviderSpec::name).collect();
    assert_eq!(names, [Name::Console, Name::Sns, Name::Webhook]);
    let orders = sms.routing.orders();
    let orders: Vec<_> = orders
        .map(|(route, names)| (route.map(|route| route.prefix.as_str()), names))
        .collect();
    assert_eq!(
        orders,
        [
            (None, &[Name::Console][..]),
            (Some("+33"), &[Name::Sns, Name::Console]),
            (Some("+352"), &[Name::Sns, Name::Console]),
            (Some("+3376"), &[Name::Webhook]),
        ]
    );
    assert_eq!(sms.routing.fallback, [Channel::Voice]);
    assert_eq!(sms.silence.map(|span| span.as_secs()), Some(45));
    assert_eq!((sms.breaker.failures, sms.breaker.pause.as_secs()), (2, 60));
}

#[test]
fn a_route_that_leads_nowhere_is_told_at_its_place() {
    check(
        "[[sms.routes]]\nproviders = ['pigeon', 'sns']\n",
        "gateway.toml:1:1: sms.routes[0].prefix: is missing\n  \
         help: for instance `prefix = [\"+33\", \"+1415\"]`\n\
         gateway.toml:2:14: sms.routes[0].providers[0]: expected \"twilio\", \"sns\", \"webhook\" or \"console\", \
         found \"pigeon\"",
    );
    check(
        "[[sms.routes]]\nprefix = ['33', '+0', 5]\nproviders = []\n",
        "gateway.toml:2:11: sms.routes[0].prefix[0]: must be + and 1 to 15 digits, not beginning with 0\n\
         gateway.toml:2:17: sms.routes[0].prefix[1]: must be + and 1 to 15 digits, not beginning with 0\n\
         gateway.toml:2:23: sms.routes[0].prefix[2]: expected how numbers begin, such as \"+33\", found an integer\n\
         gateway.toml:3:13: sms.routes[0].providers: must not be empty",
    );
    check(
        "[[sms.routes]]\nprefix = ['+33', '+44']\nproviders = ['console']\n\
         [[sms.routes]]\nprefix = ['+1', '+33']\nproviders = ['console', 'console']\n",
        "gateway.toml:6:13: sms.routes[1].providers: names the same provider twice",
    );
    check(
        "[[sms.routes]]\nprefix = ['+33', '+44']\nproviders = ['console']\n\
         [[sms.routes]]\nprefix = ['+1', '+33']\nproviders = ['console']\n",
        "gateway.toml:5:10: sms.routes[1].prefix: +33 has an order already\n  \
         help: a longer prefix is for a part of its numbers",
    );
    check(
        "[[sms.routes]]\nprefix = '+33'\nproviders = ['sns']\n",
        "gateway.toml: sms.sns.region: is missing\n  \
         help: for instance `region = \"eu-west-1\"`, or AWS_REGION in the environment",
    );
    check(
        "[sms]\nchannels = ['sms', 'voice']\n[sms.sns]\nregion = 'eu-west-3'\n\
         [[sms.routes]]\nprefix = '+33'\nproviders = ['sns']\n",
        "gateway.toml:2:12: sms.channels: no provider carries \"voice\" to +33\n  \
         help: `voice_from` in `[sms.twilio]` says from where, or `providers` names one that does",
    );
}

#[test]
fn a_fallback_is_a_channel_that_somebody_carries() {
    check(
        "sms.fallback = ['voice', 'pigeon']\nsms.breaker_failures = 0\nsms.breaker_pause = '1h'\n",
        "gateway.toml:1:26: sms.fallback[1]: expected \"sms\", \"whatsapp\" or \"voice\", found \"pigeon\"\n\
         gateway.toml:2:24: sms.breaker_failures: must be between 1 and 1000, is 0\n\
         gateway.toml:3:21: sms.breaker_pause: must be between \"10ms\" and \"10m\", is \"1h\"",
    );
    check(
        "sms.fallback_after = '1s'\n",
        "gateway.toml:1:22: sms.fallback_after: nobody hears of a message within \"5s\"",
    );
    check(
        "sms.fallback_after = 'never'\n",
        "gateway.toml:1:22: sms.fallback_after: expected \"off\", or a span of time such as \"45s\", found \"never\"",
    );
    check(
        "sms.fallback = ['voice', 'voice']\n",
        "gateway.toml:1:16: sms.fallback: names the same channel twice",
    );
    check(
        "[sms]\nproviders = 'sns'\nfallback = ['voice']\n[sms.sns]\nregion = 'eu-west-3'\n",
        "gateway.toml:3:12: sms.fallback: no provider carries \"voice\"\n  \
         help: `voice_from` in `[sms.twilio]` says from where, or `providers` names one that does",
    );
}

#[test]
fn a_region_is_all_that_aws_needs() {
    let sns = |lines: &str| -> sns::Spec {
        let text = format!("sms.providers = 'sns'\n[sms.sns]\n{lines}");
        match config(&text).live.sms.providers.pop() {
            Some(ProviderSpec::Sns(spec)) => spec,
            other => panic!("{other:?}"),
        }
    };
    let spec = sns("region = 'eu-west-1'\nprofile = 'work'\n");
    assert_eq!(spec.base_url, "https://sns.eu-west-1.amazonaws.com");
    assert!(matches!(spec.credentials, Given::Usual { profile: Some(name), .. } if name == "work"));
    let chinese = sns("region = 'cn-north-1'\n");
    assert_eq!(chinese.base_url, "https://sns.cn-north-1.amazonaws.com.cn");
    let given = sns(
        "region = 'eu-west-1'\naccess_key_id = 'AKIA1'\nsecret_access_key = 'hunter2'\nsender_id = 'MyShop'\n",
    );
    assert!(matches!(given.credentials, Given::Key(_)));
    assert_eq!(given.sender_id.as_deref(), Some("MyShop"));
    assert!(!format!("{given:?}").contains("hunter2"));
}

#[test]
fn what_aws_lacks_is_named() {
    let text = |lines: &str| format!("sms.providers = 'sns'\n[sms.sns]\n{lines}");
    check(
        &text(""),
        "gateway.toml:2:1: sms.sns.region: is missing\n  \
         help: for instance `region = \"eu-west-1\"`, or AWS_REGION in the environment",
    );
    check(
        &text("region = 'Europe'\nsender_id = '12345'\n"),
        "gateway.toml:3:10: sms.sns.region: expected a region such as \"eu-west-1\", found \"Europe\"\n\
         gateway.toml:4:13: sms.sns.sender_id: expected a name of up to 11 letters and digits, at least one a letter, found \"12345\"",
    );
    check(
        &text("region = 'eu-west-1'\nsecret_access_key = 'hunter2'\n"),
        "gateway.toml:2:1: sms.sns.access_key_id: `access_key_id` and `secret_access_key` belong together",
    );
    check(
        &text(
            "region = 'eu-west-1'\naccess_key_id = 'a'\nsecret_access_key = 'hunter2'\nprofile = 'x'\n",
        ),
        "gateway.toml:6:11: sms.sns.profile: stands beside a key, and only one of them can be used",
    );
}

#[test]
fn a_program_of_yours_needs_an_address_and_a_key() {
    let text = |lines: &str| format!("sms.providers = 'webhook'\n[sms.webhook]\n{lines}");
    check(
        &text(""),
        "gateway.toml:2:1: sms.webhook.url: is missing\n  help: for instance `url = \"https://sms.example.com/send\"`\n\
         gateway.toml:2:1: sms.webhook.secret: is missing\n  \
         help: `secret = { env = \"NAME\" }`: \"whsec_\" and the output of `openssl rand -base64 32`",
    );
    check(
        &text("url = 'https://me:hunter2@a/'\nsecret = 'hunter2'\n"),
        "gateway.toml:3:7: sms.webhook.url: must not hold a user name\n\
         gateway.toml:4:10: sms.webhook.secret: must be \"whsec_\" and 24 to 64 bytes in base64",
    );
    let config = config(&text(&format!(
        "url = 'https://a.example/hunter2'\nsecret = '{KEY}'\n"
    )));
    let shown = format!("{config:?}");
    assert!(
        !shown.contains("hunter2") && !shown.contains(KEY),
        "{shown}"
    );
}

#[test]
fn a_provider_that_is_not_used_needs_nothing_but_may_not_be_wrong() {
    assert_eq!(
        config("[sms.twilio]\nfrom = '12345'\n").live.sms.providers,
        [ProviderSpec::Console]
    );
    check(
        "[sms.twilio]\nfrom = 1\n",
        "gateway.toml:2:8: sms.twilio.from: expected a number such as \"+15550001111\", a short code, a name of up to \
         11 letters and digits, or a messaging service (\"MG\" and 32 hexadecimal digits), found an integer",
    );
}

#[test]
fn authorities_are_read_from_their_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let ca = dir.path().join("ca.pem");
    let text = format!("sms.ca = {:?}\n", ca.display());
    let problem = || load(&text).expect_err("no authorities").to_string();
    assert!(problem().contains("sms.ca: cannot read"));
    fs::write(&ca, "hunter2").expect("written");
    assert!(problem().contains("ca.pem holds no certificates in PEM"));
    fs::write(&ca, AUTHORITY).expect("written");
    assert!(config(&text).live.sms.line.authorities.is_some());
}

#[test]
fn production_sends_and_does_not_whisper_in_public() {
    let text = |url: &str| {
        format!(
            "[server]\nmode = 'production'\nlisten = '0.0.0.0:80'\npublic_url = 'https://a.example'\n\
             secret = {{ env = 'MASTER' }}\n[upstreams.app]\nservers = 'http://app:3000'\n\
             [sms]\nproviders = 'webhook'\n[sms.webhook]\nurl = '{url}'\nsecret = '{KEY}'\n"
        )
    };
    assert_eq!(
        load(&text("https://a.example/b"))
            .expect("no problems")
            .advice,
        []
    );
    assert_eq!(
        load(&text("http://127.0.0.1:9/b"))
            .expect("no problems")
            .advice,
        []
    );
    check(
        &text("http://sms.internal/b"),
        "gateway.toml:11:7: sms.webhook.url: codes travel in the clear, and so does what proves who we are",
    );
}
