//! What can go wrong inside a transaction, named by whom it concerns; knows no caller.

use crate::store::Error;

/// Why a verb stopped.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It is refused, before it has written anything.
    #[error(transparent)]
    Refused(Error),
    /// A record has a form that this program does not know. It concerns only the verbs that need it.
    #[error("a record in the table {table} cannot be read")]
    Unreadable {
        /// Where it stands.
        table: &'static str,
    },
    /// The verb has panicked. It concerns only itself, unless the database turns out to be broken.
    #[error("it panicked")]
    Panicked,
    /// The database has failed, and with it everybody who waits.
    #[error(transparent)]
    Database(#[from] redb::Error),
}

// redb has an error type for each of its steps, and one that takes them all.

impl From<redb::StorageError> for Fault {
    fn from(error: redb::StorageError) -> Self {
        Self::Database(error.into())
    }
}

impl From<redb::TableError> for Fault {
    fn from(error: redb::TableError) -> Self {
        Self::Database(error.into())
    }
}

impl From<redb::TransactionError> for Fault {
    fn from(error: redb::TransactionError) -> Self {
        Self::Database(error.into())
    }
}

impl From<redb::CommitError> for Fault {
    fn from(error: redb::CommitError) -> Self {
        Self::Database(error.into())
    }
}
