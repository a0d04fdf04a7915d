//! What is wrong with secrets: that they cannot be had, or do not go together.

use super::*;

#[test]
fn a_secret_that_cannot_be_had_is_named_by_where_it_should_be() {
    for (secret, expected) in [
        (
            "'short'",
            "a secret needs at least 32 bytes, this one has 5\n  help: `openssl rand -base64 32` makes a good one",
        ),
        ("''", "the secret is empty"),
        (
            "{ env = 'NOWHERE' }",
            "the environment variable NOWHERE is not set",
        ),
        (
            "{ file = '/nowhere' }",
            "cannot read /nowhere: No such file or directory (os error 2)",
        ),
        (
            "{ env = 'MASTER', file = 'x' }",
            "expected a string, { env = \"NAME\" } or { file = \"PATH\" }, found a table with other keys",
        ),
        (
            "7",
            "expected a string, { env = \"NAME\" } or { file = \"PATH\" }, found an integer",
        ),
    ] {
        check(
            &format!("server.secret = {secret}"),
            &format!("gateway.toml:1:17: server.secret: {expected}"),
        );
    }
}

#[test]
fn of_several_secrets_it_must_be_said_which_one_names_follow_from() {
    let [m, n] = ["m", "n"].map(|letter| letter.repeat(32));
    check(
        &format!("[server]\nsecret = ['{m}', '{n}']\n"),
        "gateway.toml:1:1: server.pseudonym_secret: with several secrets it must be said which one names follow from: \
         with another one everybody would get another `sub`, and nobody's session would be found\n  \
         help: write the secret you began with as `pseudonym_secret`, too, and leave it there",
    );
    check(
        &format!("server.secret = ['{m}', '{n}', '{m}']"),
        "gateway.toml:1:17: server.secret: holds the same secret twice",
    );
    check(
        "server.pseudonym_secret = 'short'",
        "gateway.toml:1:27: server.pseudonym_secret: a secret needs at least 32 bytes, this one has 5\n  \
         help: `openssl rand -base64 32` makes a good one",
    );
}

#[test]
fn gateways_that_share_a_store_must_be_given_one_secret() {
    check(
        "[server]\nworkers = 1\n[store]\nurl = 'redis://db'\n",
        "gateway.toml:1:1: server.secret: is needed beside a store that gateways share: all of them must have the same\n  \
         help: `secret = { file = \"PATH\" }`, or { env = \"NAME\" }; `openssl rand -base64 32` makes one",
    );
}

#[test]
fn gateways_that_share_a_store_are_told_to_share_their_keys() {
    let advice = |keys: &str| {
        let text = format!(
            "[server]\npublic_url = 'https://a.example'\nsecret = {{ env = 'MASTER' }}\n\
             [store]\nurl = 'redis://db'\n[tokens]\n{keys}\n"
        );
        let advice = load(&text).expect("no problems").advice;
        advice.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let told = "gateway.toml:6:1: tokens.keys: each gateway signs with keys of its own, which the others do not know\n  \
                help: `keys = \"DIRECTORY\"` names one that all gateways share, or have copies of";
    assert!(advice("").contains(&told.to_owned()), "{:?}", advice(""));
    for keys in ["keys = '/mnt/keys'", "keys = './data/keys'"] {
        assert!(!advice(keys).concat().contains("tokens.keys"));
    }
}
