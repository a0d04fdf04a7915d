//! The signing keys are rotated in the directory that all gateways share.

use serde_json::Value;

use super::{
    Fleet,
    people::{Crowd, Person},
};
use crate::stage::{Tokens, jwt, program::Program};

const SETTINGS: &str = "server.secret = \"a secret that both of the gateways know\"";

#[tokio::test]
async fn signing_keys_are_rotated_however_often_and_nobody_notices() {
    let mut fleet = Fleet::start(SETTINGS).await;
    let mut person = Person::new(&fleet.world, 9999);
    let first = person.log_in().await;
    let crowd = Crowd::gather(&fleet.world, 6);
    let mut last = person.log_in().await;
    for rotations in [1, 2, 3] {
        // The first of them brings a key that everybody knows, the others such as nobody does.
        let mut signs = String::new();
        for _ in 0..rotations {
            signs = rotate(&fleet).await;
        }
        last = refresh_until(&person, &crowd, last, "kid", &signs).await;
    }
    // Whoever starts now has the keys that are there now.
    fleet.roll(SETTINGS, &crowd).await;
    rotate(&fleet).await;
    crowd.goes_on().await;
    crowd.disperses().await;
    for tokens in [&first, &last] {
        person.ask_app(tokens).await;
    }
}

#[tokio::test]
async fn after_a_change_of_the_algorithm_the_fleet_goes_over_to_it_together() {
    let mut fleet = Fleet::start(SETTINGS).await;
    let mut person = Person::new(&fleet.world, 9999);
    let first = person.log_in().await;
    let crowd = Crowd::gather(&fleet.world, 6);
    let settings = format!("{SETTINGS}\ntokens.algorithm = \"EdDSA\"");
    fleet.roll(&settings, &crowd).await;
    let unchanged = person.log_in().await;
    assert_eq!(header(&unchanged, "alg"), "ES256");
    rotate(&fleet).await;
    let changed = refresh_until(&person, &crowd, unchanged.clone(), "alg", "EdDSA").await;
    crowd.disperses().await;
    for tokens in [&first, &unchanged, &changed] {
        person.ask_app(tokens).await;
    }
}

/// As an operator does it in a hurry: the key that signs from now on.
async fn rotate(fleet: &Fleet) -> String {
    let file = fleet.file(0).display().to_string();
    let args = ["keys", "rotate", "--at-once", "--config", &file];
    let mut program = Program::run(fleet.dir.path(), &args);
    assert_eq!(program.ends().await, 0);
    let (told, _) = program.said().await;
    let mut lines = told.lines();
    let line = lines.find(|line| line.ends_with("signs now"));
    let kid = line.and_then(|line| line.split(' ').next());
    kid.expect("a key").to_owned()
}

/// Refreshes until the header of the access token says so.
async fn refresh_until(
    person: &Person,
    crowd: &Crowd,
    mut tokens: Tokens,
    name: &str,
    value: &str,
) -> Tokens {
    while header(&tokens, name) != value {
        crowd.goes_on().await;
        tokens = person.refresh(&tokens).await;
    }
    tokens
}

fn header(tokens: &Tokens, name: &str) -> Value {
    jwt::header(&tokens.access)[name].clone()
}
