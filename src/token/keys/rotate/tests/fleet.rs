//! Many gateways that hear of every change some time after it was made, each at another time: whatever one of them signs, all others and all apps verify.

use proptest::prelude::*;

use super::*;
use crate::token::JWKS_MAX_AGE;

const MINUTE: Duration = Duration::from_mins(1);

/// What stood in the directory from some moment on: names, states, and since when they are retired.
#[derive(Debug, Clone)]
struct Seen {
    from: Timestamp,
    keys: Vec<(String, State, Timestamp)>,
}

/// A directory and its history.
struct History {
    dir: TempDir,
    timetable: Timetable,
    seen: Vec<Seen>,
}

impl History {
    fn begin(timetable: Timetable) -> Self {
        let mut history = Self {
            dir: dir(),
            timetable,
            seen: Vec::new(),
        };
        Keyring::generate(history.dir.path(), Algorithm::Hs256, at(0)).expect("generated");
        // Nobody serves before all have the first keys.
        history.look(at(0).minus(Duration::from_hours(24)), at(0));
        history
    }

    fn rotate(&mut self, now: Timestamp) {
        rotate_by(self.timetable, &self.dir, Algorithm::Hs256, now);
        self.look(now, now);
    }

    fn look(&mut self, from: Timestamp, now: Timestamp) {
        let listed = Keyring::list(self.dir.path(), now).expect("keys");
        let keys = listed
            .into_iter()
            .map(|key| (key.kid, key.state, now.minus(key.age)));
        let keys = keys.collect();
        self.seen.push(Seen { from, keys });
    }

    /// What a gateway has that hears of changes with this delay.
    fn as_of(&self, now: Timestamp, lag: Duration) -> &Seen {
        let mut seen = self.seen.iter().rev();
        seen.find(|seen| seen.from <= now.minus(lag))
            .expect("the beginning")
    }

    fn signs(&self, now: Timestamp, lag: Duration) -> &str {
        let mut keys = self.as_of(now, lag).keys.iter();
        let active = keys.find(|(_, state, _)| *state == State::Active);
        &active.expect("one signs").0
    }

    fn verifies(&self, kid: &str, now: Timestamp, lag: Duration) -> bool {
        let mut keys = self.as_of(now, lag).keys.iter();
        let found = keys.find(|(known, _, _)| known == kid);
        found.is_some_and(|(_, state, since)| {
            *state != State::Retired || now.since(*since) <= self.timetable.keep_retired
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Rotations come whenever somebody likes; what comes too early is refused.
    #[test]
    fn no_token_is_refused_wherever_it_was_signed_and_wherever_it_is_shown(
        spread in 0_u64..10,
        life in 1_u64..20,
        pauses in prop::collection::vec(0_u64..15, 1..8),
    ) {
        let (spread, life) = (MINUTE * u32::try_from(spread).unwrap(), MINUTE * u32::try_from(life).unwrap());
        let mut history = History::begin(Timetable::new(life, spread));
        let mut now = at(0);
        let mut moments = vec![now];
        for pause in pauses {
            now = now + MINUTE * u32::try_from(pause).unwrap();
            history.rotate(now);
            moments.extend([now, now + spread / 2, now + spread, now + life]);
        }
        let lags = [Duration::ZERO, spread / 2, spread];
        // A look into the future would be none: what is not yet written nobody has seen.
        for signed_at in moments.iter().copied().filter(|at| *at <= now) {
            for signer in lags {
                let kid = history.signs(signed_at, signer);
                for shown_at in [signed_at, signed_at + life] {
                    for verifier in lags {
                        prop_assert!(history.verifies(kid, shown_at, verifier), "{kid} at {shown_at:?}");
                        // An app's copy of our keys comes from some gateway and some time ago.
                        for age in [Duration::ZERO, JWKS_MAX_AGE] {
                            let known = history.as_of(shown_at.minus(age), verifier);
                            let is_known = known.keys.iter().any(|(known, _, _)| known == kid);
                            prop_assert!(is_known, "{kid} at {shown_at:?} from {age:?} ago");
                        }
                    }
                }
            }
        }
    }
}
