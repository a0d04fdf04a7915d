//! What can go wrong with the store, named by what the caller can do; knows nothing of how it is stored.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use super::redis::Refusal;
use crate::reject::{Code, Reject};

/// Why a verb was not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The store does not work at present. The text names it and the cause, for the log. A change
    /// that was asked for may have happened all the same.
    #[error("{0}")]
    Unavailable(Arc<str>),
    /// The verb would add something, and there is no room. Nothing was changed.
    #[error("{} has reached its max_size", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// No answer within the deadline. What was asked for may have happened, or may yet.
    #[error("the store did not answer in time")]
    Timeout,
    /// Too many verbs are waiting already. Nothing was changed.
    #[error("too many verbs are waiting for the store")]
    Overloaded,
}

/// Why the store cannot be opened. Nothing was changed: a file that is not understood stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody else has it open.
    #[error("another otp-gateway uses {}", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// It is not a store, or no longer one.
    #[error("{} is not a sound store: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// It was written by a program that keeps its records in another form.
    #[error("{} has format {found}, this program knows format {known}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The format it says it has.
        found: u32,
        /// The format it should have.
        known: u32,
    },
    /// Its names follow from another secret.
    #[error(
        "{} was begun with another secret, and nobody would be found in it; give that one as \
         server.pseudonym_secret, or begin with another file",
        path.display()
    )]
    Names {
        /// Where the store is.
        path: PathBuf,
    },
    /// A server answers, but cannot be the store.
    #[error("{store} {refusal}")]
    Refused {
        /// Its URL, without the password.
        store: String,
        /// Why not.
        refusal: Refusal,
    },
    /// Its names follow from another secret.
    #[error(
        "what begins with {prefix:?} in {store} belongs to gateways with another pseudonym secret; \
         give theirs as server.pseudonym_secret, or take another store.prefix"
    )]
    Foreign {
        /// Its URL, without the password.
        store: String,
        /// What its keys begin with.
        prefix: String,
    },
    /// It was written by a program that keeps its records in another form.
    #[error("what begins with {prefix:?} in {store} is of another version of this program")]
    Form {
        /// Its URL, without the password.
        store: String,
        /// What its keys begin with.
        prefix: String,
    },
    /// A copy into it was begun and not ended, so that half of it may be missing.
    #[error(
        "what begins with {prefix:?} in {store} is being copied there: \
         if that was broken off, the same `otp-gateway store copy` goes on with it"
    )]
    Unfinished {
        /// Its URL, without the password.
        store: String,
        /// What its keys begin with.
        prefix: String,
    },
    /// The operating system refuses.
    #[error("{} cannot be used", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
}

impl From<Error> for Reject {
    fn from(error: Error) -> Self {
        const SOON: Duration = Duration::from_secs(1);
        match error {
            Error::Unavailable(_) | Error::Full { .. } | Error::Timeout => Self::new(
                Code::StoreUnavailable,
                "The gateway cannot store this at the moment; try again.",
            ),
            Error::Overloaded => Self::new(
                Code::Overloaded,
                "Too many requests are waiting; try again.",
            ),
        }
        .retry_after(SOON)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_when_to_come_back_and_nothing_about_the_file() {
        let causes = [
            Error::Unavailable("/var/lib/otp/store: disk full".into()),
            Error::Full {
                path: "/var/lib/otp/store".into(),
            },
            Error::Timeout,
            Error::Overloaded,
        ];
        for cause in causes {
            let reject = Reject::from(cause);
            assert_eq!(reject.code().status(), 503);
            assert!(!reject.detail().contains("/var"));
            let response = reject.into_response::<bytes::Bytes>();
            assert_eq!(response.headers()["retry-after"], "1");
        }
    }
}
