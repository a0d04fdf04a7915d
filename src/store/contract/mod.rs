//! The contract: what every store must do, as rules that run on each of them; knows no backend.

mod budgets;
mod challenges;
mod deliveries;
mod guard;
mod limits;
mod model;
mod once;
mod sessions;
mod side_by_side;
mod turns;

use std::{any::Any, num::NonZeroU32, sync::LazyLock, time::Duration};

use super::{Answered, Error, Login, Notes, Revoke, Rotated, Sending, Store, Taking};
use crate::{
    clock::{Clock, Timestamp},
    domain::{
        account::AccountKey,
        budget::{Budget, Expense},
        delivery::{Delivery, Goes, MessageId, Once, OnceKey, Parcel, Turn, Turned},
        fraud::{Alarm, Bits, Credit, Debtor, Level, MeterKey, Rule, Shown, Suspicion, Tail},
        money::Money,
        otp::{self, Answer, ChallengeId, ClientKey, Length, Nonce, Start, Started, Tag},
        quota::{Bucket, Charge, Per, Quota},
        session::{self, Session, SessionId},
    },
    secret::{Master, Secret, SecretId},
};

pub use self::{
    budgets::*,
    challenges::*,
    deliveries::*,
    guard::*,
    limits::*,
    model::answers_are_those_of_the_model,
    once::*,
    sessions::*,
    side_by_side::{a_moved_store_answers_alike, two_stores_answer_alike},
};

/// A fresh store, and the clock it judges by.
pub struct Stage {
    pub store: Store,
    pub clock: Clock,
    /// Kept as long as the store: what it lies in, whatever that is.
    pub _home: Option<Box<dyn Any + Send + Sync>>,
}

/// Makes a test of every rule, each on a store of its own that `$stage` makes.
macro_rules! contract {
    ($stage:path) => {
        $crate::store::contract::rules! { contract: $stage }
    };
    ($stage:path: $($rule:ident)*) => {
        $(
            #[tokio::test]
            async fn $rule() {
                $crate::store::contract::$rule($stage().await).await;
            }
        )*
    };
}

/// The same within one test, where the stages share what takes long to start.
macro_rules! contract_in_turn {
    ($stage:path) => {
        $crate::store::contract::rules! { contract_in_turn: $stage }
    };
    ($stage:path: $($rule:ident)*) => {
        $(
            $crate::store::contract::boxed($crate::store::contract::$rule, &$stage).await;
        )*
    };
}

/// All rules, handed to another macro.
macro_rules! rules {
    ($to:ident: $stage:path) => {
        $crate::store::contract::$to! { $stage:
            the_limit_is_exact_at_both_of_its_borders
            a_large_limit_is_as_exact_as_a_small_one
            a_limit_slides_and_does_not_start_anew
            a_window_that_has_emptied_is_as_exact_as_a_new_one
            of_several_violated_limits_the_longest_wait_is_told
            a_refused_send_takes_nothing_from_anybody
            one_send_counts_once_in_a_bucket_that_is_named_twice
            of_a_hundred_sends_at_once_three_are_admitted
            a_clock_that_is_set_back_opens_no_limit
            what_is_taken_without_a_send_counts_like_one
            of_a_hundred_takings_at_once_three_are_admitted

            whoever_answers_nothing_is_suspected_in_the_end
            a_suspected_send_changes_nothing_and_a_proof_helps
            what_is_only_watched_is_sent_and_told
            a_right_answer_pays_for_what_was_sent
            a_wrong_answer_pays_for_nothing
            a_good_name_makes_up_for_the_country
            whoever_counts_through_numbers_is_suspected_however_slowly
            a_block_ends
            of_a_thousand_sends_at_once_a_handful_is_sent_on_credit
            what_places_owe_is_forgotten_in_a_week

            a_budget_is_spent_and_free_again_after_its_window
            what_a_budget_refuses_takes_and_costs_nothing
            whom_the_guard_refuses_costs_nothing
            it_is_told_once_that_little_of_a_budget_is_left
            of_hundreds_of_sends_at_once_no_more_is_spent_than_there_is

            a_resend_sends_the_same_code_and_makes_it_live_longer
            a_code_of_an_accepted_secret_is_sent_again_and_another_one_replaced
            a_right_answer_opens_the_session_once
            of_a_hundred_right_answers_at_once_one_opens_a_session
            an_expired_code_opens_nothing
            the_last_attempt_burns_the_challenge
            failures_count_over_all_challenges_of_a_day
            a_strangers_failures_leave_the_owners_challenge_alone
            an_answer_to_nothing_is_wrong
            a_code_is_sent_again_while_half_of_a_life_remains_to_it
            whoever_burnt_a_challenge_gets_another_one_on_a_code_that_lives
            the_seventeenth_caller_takes_the_place_of_the_first

            a_message_is_queued_with_its_challenge
            of_sixty_four_claims_at_once_one_wins
            a_claim_that_is_made_again_is_the_same_claim
            a_resend_takes_the_place_of_the_message_before_it
            what_is_due_is_told_oldest_first_and_no_more_than_was_asked_for
            whoever_claims_and_falls_silent_may_have_sent_it
            a_silence_leads_to_the_next_way
            a_message_dies_with_its_code_and_is_forgotten_later
            a_right_answer_is_as_good_as_a_receipt
            what_goes_nowhere_is_kept_and_never_due
            a_refused_send_queues_nothing

            the_same_request_again_takes_and_queues_nothing
            another_request_under_the_same_name_is_told_so
            of_sixty_four_equal_requests_at_once_one_is_sent
            a_refused_request_may_come_again
            a_request_is_forgotten_with_its_code

            the_old_token_gives_the_same_successor_until_the_grace_is_over
            a_replay_ends_and_revokes_the_session_in_one_step
            of_a_hundred_rotations_at_once_all_get_the_same_successor
            a_session_ends_when_idle_and_when_old
            the_login_above_the_maximum_ends_the_session_unused_for_longest
            an_ended_session_does_not_count_against_the_maximum
            one_session_is_revoked_by_its_owner_only
            all_or_all_others_are_revoked
            sessions_are_listed_by_their_last_use
            one_account_knows_nothing_of_another
            a_revocation_is_seen_before_its_answer
            eight_replaced_tokens_have_their_grace_at_once_and_the_ninth_is_a_replay
            a_session_that_has_ended_by_itself_is_not_ended_again
        }
    };
}
pub(crate) use {contract, contract_in_turn, rules};

pub static OTP: LazyLock<otp::Policy> = LazyLock::new(|| otp::Policy {
    length: Length::new(6).unwrap(),
    ttl: Duration::from_mins(5),
    max_age: Duration::from_mins(10),
    max_attempts: 5,
    max_failures: 20,
    require_challenge: false,
});

pub const SESSION: session::Policy = session::Policy {
    idle: Duration::from_hours(30 * 24),
    absolute: Duration::from_hours(90 * 24),
    grace: Duration::from_secs(30),
    max_per_subject: 3,
};

pub const ACCESS_TTL: Duration = Duration::from_mins(15);

/// The secret that all names follow from.
pub const NAMES: SecretId = SecretId::new([1; 4]);

/// Of those whom nobody guards.
pub const UNGUARDED: Credit = Credit::unguarded();

/// When every stage begins.
pub const BEGINNING: Timestamp = Timestamp::from_secs(1_800_000_000);

/// Two people, each with a phone of their own.
pub const ANN: AccountKey = account(0xaa);
pub const BOB: AccountKey = account(0xbb);

pub const fn account(n: u8) -> AccountKey {
    AccountKey([n; 16])
}

pub fn session_id(n: u8) -> SessionId {
    SessionId::new([n; 16])
}

/// From the bucket of this name.
pub fn charge(bucket: u8, max: u32, window: Duration) -> Charge {
    Charge {
        bucket: Bucket([bucket; 16]),
        quota: Quota {
            max: NonZeroU32::new(max).unwrap(),
            window,
        },
    }
}

/// The tag of the code that is derived from this nonce, in these tests.
pub fn tag(nonce: Nonce) -> Tag {
    Tag(nonce.0.map(|byte| !byte))
}

/// A send by client `client`, whose code, if it becomes a new one, is `n`'s.
pub fn start(client: u8, n: u64) -> Start {
    let mut random = [client; 16];
    random[..8].copy_from_slice(&n.to_be_bytes());
    Start {
        id: ChallengeId::new(random),
        client: ClientKey([client; 8]),
        nonce: Nonce(random),
        secret: secret(1),
        known: vec![secret(1)],
        tag: tag(Nonce(random)),
    }
}

/// The message of a send, where it does not matter which.
pub fn parcel() -> Parcel {
    Parcel {
        message: MessageId::new([9; 16]),
        sealed: b"to somebody".to_vec(),
        goes: Goes::Out,
        once: None,
    }
}

/// What opens session `id` under a right answer.
pub fn login(id: SessionId) -> Login {
    Login {
        id,
        device_info: "phone".to_owned(),
        ip: "192.0.2.1".to_owned(),
        policy: SESSION,
        access_ttl: ACCESS_TTL,
    }
}

/// That session as it begins.
pub fn opened_at(now: Timestamp) -> Session {
    Session {
        opened_at: now,
        last_seen_at: now,
        device_info: "phone".to_owned(),
        ip: "192.0.2.1".to_owned(),
    }
}

/// The same by a gateway that has these master secrets, the current one first.
pub fn made_by(secrets: &[u8], mut start: Start) -> Start {
    start.secret = secret(secrets[0]);
    start.known = secrets.iter().copied().map(secret).collect();
    start
}

pub fn secret(byte: u8) -> SecretId {
    Master::new(&Secret::new([byte; 32])).unwrap().id()
}

impl Stage {
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets time pass until `moment`.
    pub fn wait_until(&self, moment: Timestamp) {
        self.clock.advance(moment.since(self.now()));
    }

    /// A send that no limit holds back.
    pub async fn send(&self, account: AccountKey, start: Start) -> Started {
        let sent = self
            .store
            .start_challenge(account, start, vec![], UNGUARDED, *OTP, parcel());
        match sent.await {
            Ok(Sending::Started(started)) => started,
            other => panic!("{other:?}"),
        }
    }

    /// A send to Ann within these limits.
    pub async fn send_within(&self, charges: &[Charge]) -> Sending {
        let charges = charges.to_vec();
        let sent = self
            .store
            .start_challenge(ANN, start(1, 1), charges, UNGUARDED, *OTP, parcel());
        sent.await.unwrap()
    }

    /// Which of the limits refuses a send to Ann, and until when.
    pub async fn refusal(&self, charges: &[Charge]) -> Option<(usize, Timestamp)> {
        match self.send_within(charges).await {
            Sending::Started(_) => None,
            Sending::Limited { charge, wait } => Some((charge, self.now() + wait)),
            other @ (Sending::Despite(..)
            | Sending::Suspected(_)
            | Sending::Unpaid { .. }
            | Sending::Repeated(_)
            | Sending::Reused) => panic!("{other:?}"),
        }
    }

    /// What becomes of units of these limits alone.
    pub async fn take(&self, charges: &[Charge]) -> Taking {
        self.store.take(charges.to_vec()).await.unwrap()
    }

    /// The right answer to `started`, by its owner.
    pub fn right(started: &Started) -> Answer {
        Answer {
            challenge: Some(started.id),
            client: ClientKey([1; 8]),
            tags: vec![Tag([0; 16]), tag(started.nonce)],
        }
    }

    /// A wrong answer to `started`, by its owner.
    pub fn wrong(started: &Started) -> Answer {
        Answer {
            tags: vec![Tag([0; 16])],
            ..Self::right(started)
        }
    }

    /// An answer that opens session `n` if it is right.
    pub async fn answer(&self, account: AccountKey, answer: Answer, n: u8) -> Answered {
        let login = login(session_id(n));
        let answered = self
            .store
            .answer_challenge(account, answer, *OTP, login, vec![]);
        answered.await.unwrap()
    }

    /// Goes through a whole login.
    pub async fn open(&self, n: u8, account: AccountKey) -> SessionId {
        let started = self.send(account, start(1, n.into())).await;
        let answered = self.answer(account, Self::right(&started), n).await;
        assert!(matches!(answered, Answered::Opened(_)), "{answered:?}");
        session_id(n)
    }

    pub async fn rotate(&self, account: AccountKey, id: SessionId, generation: u32) -> Rotated {
        let ip = "192.0.2.2".to_owned();
        let rotated = self
            .store
            .rotate(account, id, generation, ip, SESSION, ACCESS_TTL);
        rotated.await.unwrap()
    }

    /// What was ended, by id.
    pub async fn revoke(&self, account: AccountKey, which: Revoke) -> Vec<SessionId> {
        let ended = self.store.revoke(account, which, ACCESS_TTL).await;
        let mut ended = ended.unwrap();
        ended.sort();
        ended
    }

    pub async fn sessions(&self, account: AccountKey) -> Vec<SessionId> {
        let listed = self.store.sessions(account, SESSION).await;
        listed.unwrap().into_iter().map(|(id, _)| id).collect()
    }

    /// Whether a worker that begins now would refuse the session's access tokens.
    pub fn is_revoked(&self, id: SessionId) -> bool {
        let mut view = self.store.revocations().view();
        view.is_revoked(id, self.now())
    }
}

/// One rule and its stage in a box that is made elsewhere, since all of them together do not fit onto a
/// stack.
pub fn boxed<'s, F: Future<Output = ()> + 's>(
    rule: impl FnOnce(Stage) -> F + 's,
    stage: &'s impl AsyncFn() -> Stage,
) -> std::pin::Pin<Box<dyn Future<Output = ()> + 's>> {
    Box::pin(async move { rule(stage().await).await })
}

/// Runs `n` futures at once and returns what they came to.
pub async fn at_once<T: Send + 'static>(
    n: u8,
    make: impl Fn(u8) -> std::pin::Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>,
) -> Vec<T> {
    let mut running = tokio::task::JoinSet::new();
    for i in 0..n {
        running.spawn(make(i));
    }
    let results = running.join_all().await;
    results.into_iter().map(Result::unwrap).collect()
}
