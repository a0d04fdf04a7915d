//! The store: every state change of the product as one atomic verb; knows neither endpoints nor tokens.
//!
//! A verb is a whole step of the domain, never a get or a set, so no caller can do half of one or
//! put two of them in the wrong order. What a step means is decided by `domain`; here it is made
//! atomic and durable. An answer is given only after the step it speaks of cannot be lost any more.

mod backend;
mod error;
pub mod revocations;
pub mod transfer;

mod embedded;
pub mod redis;

#[cfg(test)]
mod contract;

use std::{sync::Arc, time::Duration};

pub use self::{
    backend::{Backend, InvalidBackend},
    embedded::Embedded,
    error::{Error, OpenError},
    redis::Redis,
};
use self::{
    embedded::{Place, verbs},
    revocations::Revocations,
};
pub use crate::domain::account::{Answered, Login, Revoke, Rotated};
use crate::{
    clock::Clock,
    domain::{
        account::AccountKey,
        delivery::{Delivery, MessageId, Parcel, Turn, Turned},
        fraud::{Alarm, Credit, Debtor},
        otp::{self, ChallengeId},
        quota::Charge,
        session::{self, Session, SessionId},
    },
    observe::readings::Reading,
    secret::SecretId,
};

/// Which store, and how much of everything it may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Where the state lives.
    pub backend: Backend,
    /// Bytes of records and their tree; beyond it nothing is added until something has expired.
    /// The file may be about twice as long, since it grows by doubling; the surplus is holes.
    pub max_size: u64,
    /// How long a verb may take, waiting included.
    pub deadline: Duration,
}

/// A handle on the open store; clones are handles on the same one.
#[derive(Debug, Clone)]
pub enum Store {
    /// A database in a file or in the memory of this process.
    Embedded(Embedded),
    /// Servers that many gateways share.
    Redis(Redis),
}

/// What a request for a code led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sending {
    /// Every limit admitted it, and a code is to be sent.
    Started(otp::Started),
    /// The same, and something is to be told of it.
    Despite(otp::Started, Notes),
    /// A limit was hit, and nothing was taken from any.
    Limited {
        /// Index of the violated charge; of several, the one with the longest wait.
        charge: usize,
        /// How long it takes until that one admits the next request.
        wait: Duration,
    },
    /// The limits admitted it, but a place on whose credit it would be sent is suspected of more than
    /// was shown; nothing was taken or counted.
    Suspected(Alarm),
    /// It was not suspected of more, but a budget has no room for its price; nothing was taken, counted or
    /// spent.
    Unpaid {
        /// Index of the expense; of several, the one with the longest wait.
        expense: usize,
        /// How long it takes until that one can be paid.
        wait: Duration,
    },
    /// The same request came before, and this is what it led to; nothing was taken, counted or queued.
    Repeated(otp::Started),
    /// Another request came before under the same name; nothing was taken, counted or queued.
    Reused,
}

/// What is to be told of a code that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notes {
    /// A place is suspected: what was shown answers that.
    pub alarm: Option<Alarm>,
    /// Indices of the expenses whose budgets are spent for the most part: each once in its window.
    pub scarce: Vec<usize>,
}

/// What became of units that were to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taking {
    /// Each was taken.
    Taken,
    /// A limit was hit, and nothing was taken from any.
    Limited {
        /// Index of the violated charge; of several, the one with the longest wait.
        charge: usize,
        /// How long it takes until that one admits the next unit.
        wait: Duration,
    },
}

impl Sending {
    /// A code is to be sent, and this is to be told of it.
    fn started(started: otp::Started, notes: Notes) -> Self {
        if notes == Notes::default() {
            Self::Started(started)
        } else {
            Self::Despite(started, notes)
        }
    }
}

impl Store {
    /// Opens the store, creating it if it does not exist. What is in it is found by names that follow
    /// from the secret `names`; a store that was begun with another one is refused. There is no deadline: the whole file is
    /// read and checked, which takes a second or two for a gigabyte.
    pub async fn open(spec: &Spec, names: SecretId, clock: Clock) -> Result<Self, OpenError> {
        let place = match &spec.backend {
            Backend::Memory => Place::memory(),
            Backend::Embedded(path) => Place::File(path.clone()),
            Backend::Redis(redis) => {
                let opened = Redis::open(redis, spec.deadline, names, clock).await;
                return opened.map(Self::Redis);
            }
        };
        Embedded::open(place, spec, names, clock)
            .await
            .map(Self::Embedded)
    }

    /// A handle on the same store for the calling thread and its runtime, so that what one worker
    /// asks never waits for what another one does.
    #[must_use]
    pub fn for_worker(&self) -> Self {
        match self {
            // Its one thread serves all workers alike.
            Self::Embedded(store) => Self::Embedded(store.clone()),
            Self::Redis(store) => Self::Redis(store.for_worker()),
        }
    }

    /// Takes one unit from every charge, sends on the credit of all debtors and pays all expenses, or does
    /// none of it, begins or continues a challenge, and queues its message in place of an earlier one of that challenge. The id of a
    /// new challenge lies beside its account, whatever `start` says.
    pub async fn start_challenge(
        &self,
        account: AccountKey,
        mut start: otp::Start,
        charges: Vec<Charge>,
        credit: Credit,
        policy: otp::Policy,
        mut parcel: Parcel,
    ) -> Result<Sending, Error> {
        start.id = start.id.beside(account);
        parcel.once = parcel.once.map(|once| once.beside(account));
        match self {
            Self::Embedded(store) => {
                let verb = verbs::StartChallenge {
                    account,
                    start,
                    charges,
                    credit,
                    policy,
                    parcel,
                };
                store.call(verb).await
            }
            Self::Redis(store) => {
                store
                    .start_challenge(account, start, charges, credit, policy, parcel)
                    .await
            }
        }
    }

    /// Lets the last message of a challenge take a turn; `None` if nothing is kept of it. If there is no
    /// answer the turn may have been taken, and is to be told again: a second time changes nothing. A claim that
    /// has succeeded unheard, and is not made again, is a message that nobody sends.
    pub async fn deliver(
        &self,
        challenge: ChallengeId,
        turn: Turn,
    ) -> Result<Option<Turned>, Error> {
        match self {
            Self::Embedded(store) => store.call(verbs::Deliver { challenge, turn }).await,
            Self::Redis(store) => store.deliver(challenge, turn).await,
        }
    }

    /// The last message of a challenge as it is now.
    pub async fn delivery(&self, challenge: ChallengeId) -> Result<Option<Delivery>, Error> {
        match self {
            Self::Embedded(store) => store.call(verbs::GetDelivery { challenge }).await,
            Self::Redis(store) => store.delivery(challenge).await,
        }
    }

    /// Messages that somebody should look at, the oldest first and at most `limit`: that wait to be
    /// sent, or of whose sender or receiver nothing was heard in time. To look is to claim.
    pub async fn due(&self, limit: usize) -> Result<Vec<(ChallengeId, MessageId)>, Error> {
        match self {
            Self::Embedded(store) => store.call(verbs::ListDue { limit }).await,
            Self::Redis(store) => store.due(limit).await,
        }
    }

    /// Takes one unit from every charge, or from none.
    pub async fn take(&self, charges: Vec<Charge>) -> Result<Taking, Error> {
        match self {
            Self::Embedded(store) => store.call(verbs::Take { charges }).await,
            Self::Redis(store) => store.take(charges).await,
        }
    }

    /// Judges an answer, uses the code up and opens the session when it is right. If the account
    /// then has too many sessions, those unused for longest are revoked. A right one pays for
    /// messages that were sent on the credit of `debtors`.
    pub async fn answer_challenge(
        &self,
        account: AccountKey,
        answer: otp::Answer,
        policy: otp::Policy,
        login: Login,
        debtors: Vec<Debtor>,
    ) -> Result<Answered, Error> {
        match self {
            Self::Embedded(store) => {
                let verb = verbs::AnswerChallenge {
                    account,
                    answer,
                    policy,
                    login,
                    debtors,
                };
                store.call(verb).await
            }
            Self::Redis(store) => {
                store
                    .answer_challenge(account, answer, policy, login, debtors)
                    .await
            }
        }
    }

    /// Replaces the refresh token of `generation`. A replay ends the session and refuses its
    /// access tokens for `revoked_for`.
    pub async fn rotate(
        &self,
        account: AccountKey,
        id: SessionId,
        generation: u32,
        ip: String,
        policy: session::Policy,
        revoked_for: Duration,
    ) -> Result<Rotated, Error> {
        match self {
            Self::Embedded(store) => {
                let verb = verbs::Rotate {
                    account,
                    id,
                    generation,
                    ip,
                    policy,
                    revoked_for,
                };
                store.call(verb).await
            }
            Self::Redis(store) => {
                store
                    .rotate(account, id, generation, ip, policy, revoked_for)
                    .await
            }
        }
    }

    /// Ends sessions of an account and refuses their access tokens for `revoked_for`. Returns those that existed.
    pub async fn revoke(
        &self,
        account: AccountKey,
        which: Revoke,
        revoked_for: Duration,
    ) -> Result<Vec<SessionId>, Error> {
        match self {
            Self::Embedded(store) => {
                let verb = verbs::End {
                    account,
                    which,
                    revoked_for,
                };
                store.call(verb).await
            }
            Self::Redis(store) => store.revoke(account, which, revoked_for).await,
        }
    }

    /// The living sessions of one account, the one seen last first.
    pub async fn sessions(
        &self,
        account: AccountKey,
        policy: session::Policy,
    ) -> Result<Vec<(SessionId, Session)>, Error> {
        match self {
            Self::Embedded(store) => {
                let verb = verbs::ListSessions { account, policy };
                store.call(verb).await
            }
            Self::Redis(store) => store.sessions(account, policy).await,
        }
    }

    /// The sessions whose access tokens must be refused, kept up to date by every verb.
    pub fn revocations(&self) -> Arc<Revocations> {
        match self {
            Self::Embedded(store) => store.revocations(),
            Self::Redis(store) => store.revocations(),
        }
    }

    /// Whether a verb would be served now.
    pub async fn ready(&self) -> Result<(), Error> {
        match self {
            Self::Embedded(store) => store.call(verbs::Ready).await,
            Self::Redis(store) => store.ready().await,
        }
    }

    /// What the store has done and holds, to be shown to operators.
    pub fn readings(&self) -> Vec<Reading> {
        match self {
            Self::Embedded(store) => store.readings(),
            Self::Redis(store) => store.readings(),
        }
    }

    /// Serves what was asked before, then lets go of the file. Later verbs are refused.
    pub async fn close(&self) {
        match self {
            Self::Embedded(store) => store.close().await,
            // Whatever was answered is the server's.
            Self::Redis(_) => {}
        }
    }
}
