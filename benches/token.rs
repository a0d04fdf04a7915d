//! What a token costs: to issue one, and to verify one that no cache knows.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot start has nothing to measure"
)]

use std::{hint::black_box, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use criterion::{Criterion, criterion_group, criterion_main};
use otp_gateway::{
    Algorithm, Grant, Keyring, Masters, Secret, SessionId, Timestamp, TokenSpec, Tokens,
};

const ALGORITHMS: [Algorithm; 4] = [
    Algorithm::Es256,
    Algorithm::EdDsa,
    Algorithm::Rs256,
    Algorithm::Hs256,
];

fn now() -> Timestamp {
    Timestamp::from_secs(1_700_000_000)
}

fn tokens(algorithm: Algorithm) -> Tokens {
    let spec = TokenSpec {
        issuer: "https://login.example".to_owned(),
        audience: "app".to_owned(),
        access_ttl: Duration::from_mins(15),
        leeway: Duration::from_secs(30),
        extra_claims: serde_json::Map::new(),
    };
    let masters = Masters::of(&Secret::new([7; 32])).expect("long enough");
    let keys = Keyring::ephemeral(algorithm).expect("a key");
    Tokens::new(spec, &masters, Arc::new(ArcSwap::from_pointee(keys)))
}

fn grant() -> Grant {
    Grant {
        subject: "pYHZqg0PpNcVWwmVdWYQpQ".to_owned(),
        session: SessionId::new([3; 16]),
        phone: "+15550001111".to_owned(),
        auth_time: now(),
        amr: vec!["otp".to_owned(), "sms".to_owned()],
    }
}

fn access(bench: &mut Criterion) {
    for algorithm in ALGORITHMS {
        let (tokens, grant) = (tokens(algorithm), grant());
        let issue = || tokens.issue_access(black_box(&grant), [1; 16], now());
        let token = issue().expect("signed");
        bench.bench_function(&format!("verify/{algorithm}"), |b| {
            b.iter(|| {
                tokens
                    .verify_access(black_box(&token), now())
                    .expect("good")
            });
        });
        bench.bench_function(&format!("issue/{algorithm}"), |b| b.iter(issue));
    }
}

fn refresh(bench: &mut Criterion) {
    let (tokens, grant) = (tokens(Algorithm::Hs256), grant());
    let expires_at = now() + Duration::from_hours(24);
    let issue = || tokens.issue_refresh(black_box(&grant), 4, now(), expires_at);
    let token = issue().expect("signed");
    bench.bench_function("verify/refresh", |b| {
        b.iter(|| {
            tokens
                .verify_refresh(black_box(&token), now())
                .expect("good")
        });
    });
    bench.bench_function("issue/refresh", |b| b.iter(issue));
}

/// What those who guess cost us: nothing that a signature would.
fn garbage(bench: &mut Criterion) {
    let tokens = tokens(Algorithm::Es256);
    let foreign = self::tokens(Algorithm::Es256).issue_access(&grant(), [1; 16], now());
    let foreign = foreign.expect("signed");
    let noise = "a".repeat(600);
    for (name, token) in [("refuse/foreign", &foreign), ("refuse/noise", &noise)] {
        bench.bench_function(name, |b| {
            b.iter(|| {
                tokens
                    .verify_access(black_box(token), now())
                    .expect_err("bad")
            });
        });
    }
}

criterion_group!(benches, access, refresh, garbage);
criterion_main!(benches);
