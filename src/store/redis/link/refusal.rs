//! Why there is no connection to a server: it cannot be reached now, or it is not one for us; knows no verbs.

use std::{fmt, sync::Arc};

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq)]
pub enum NoConnection {
    /// Nobody answers as it should, at present.
    Unreachable(Arc<str>),
    /// It answers, and waiting will not help.
    Refused(Refusal),
}

/// Why a server that answers cannot be the store.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The login of the URL is wrong.
    #[error("refuses the user name or password")]
    Login,
    /// The URL has no login.
    #[error("asks for a password")]
    NoLogin,
    /// The user may not do what the store does.
    #[error("does not let this user work: {0}")]
    Permission(Arc<str>),
    /// There is no such database.
    #[error("has no database {0}")]
    Database(u32),
    /// It lacks what the scripts need.
    #[error("has version {0}, and 6.2 is the oldest that will do")]
    Version(Arc<str>),
    /// It is no Redis.
    #[error("does not answer as Redis does")]
    Stranger,
    /// The URL says that it stands alone.
    #[error("belongs to a cluster: the URL must begin with redis+cluster:// or rediss+cluster://")]
    IsCluster,
    /// The URL says that it belongs to a cluster.
    #[error("belongs to no cluster: the URL must begin with redis:// or rediss://")]
    NotCluster,
    /// It only knows where the data is.
    #[error("is a sentinel: the URL must begin with redis+sentinel:// or rediss+sentinel://")]
    IsSentinel,
    /// It has data, and knows nobody else.
    #[error("is no sentinel")]
    NotSentinel,
    /// The sentinels know no master of that name.
    #[error("knows no master of the name {0}")]
    NoSuchMaster(Box<str>),
    /// Its certificate is not one that we accept, or it does not speak TLS.
    #[error("TLS fails: {0}")]
    Tls(rustls::Error),
    /// There is no authority whose word would count.
    #[error("cannot be verified: the system trusts no authority, and `ca` names none")]
    NobodyTrusted,
}

impl NoConnection {
    /// For a reason that may pass.
    pub fn unreachable(why: impl fmt::Display) -> Self {
        Self::Unreachable(why.to_string().into())
    }
}

impl From<Refusal> for NoConnection {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl fmt::Display for NoConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => f.write_str(why),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}
