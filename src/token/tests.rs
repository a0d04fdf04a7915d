//! The room as a whole: what is issued is verified, and nothing else is.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use serde_json::Map;

use super::*;
use crate::{
    clock::Timestamp,
    domain::session::SessionId,
    secret::{Master, Secret},
};

fn tokens(algorithm: Algorithm) -> Tokens {
    let spec = Spec {
        issuer: "https://login.example".to_owned(),
        audience: "app".to_owned(),
        access_ttl: Duration::from_mins(15),
        leeway: Duration::from_secs(30),
        extra_claims: Map::new(),
    };
    let master = Master::new(&Secret::new([7; 32])).expect("long enough");
    let keys = Keyring::ephemeral(algorithm).expect("a key");
    Tokens::new(
        spec,
        &Masters::new(master, Vec::new()),
        Arc::new(ArcSwap::from_pointee(keys)),
    )
}

fn grant() -> Grant {
    Grant {
        subject: "subject".to_owned(),
        session: SessionId::new([3; 16]),
        phone: "+15550001111".to_owned(),
        auth_time: at(0),
        amr: vec!["otp".to_owned(), "sms".to_owned()],
    }
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_000_000 + secs)
}

#[test]
fn what_is_issued_is_verified_with_every_algorithm() {
    for algorithm in Algorithm::ALL {
        let tokens = tokens(algorithm);
        let token = tokens
            .issue_access(&grant(), [1; 16], at(10))
            .expect("signed");
        let access = tokens.verify_access(&token, at(11)).expect("verified");
        assert_eq!(access.subject, "subject");
        assert_eq!(access.session, grant().session);
        let token = tokens
            .issue_refresh(&grant(), 4, at(10), at(99))
            .expect("signed");
        let refresh = tokens.verify_refresh(&token, at(11)).expect("verified");
        assert_eq!(refresh.grant, grant());
    }
}
