//! What providers have in common when they are asked by HTTP: how they are shown who we are, and what an answer means of which nothing but the status is understood. It opens no connection.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderValue;

use super::error::{Cause, Class, Error, ProviderCode};
pub use crate::net::client::{Authorities, Client, Line, Reply, Untrusted};
use crate::{
    net::client::{Failure, Sent},
    secret::Secret,
};

impl Reply {
    /// The refusal in this answer, when its body does not say more than its status.
    pub fn refusal(&self) -> Error {
        let class = Class::of_status(self.status, self.retry_after);
        Error::new(class, self.cause(None))
    }

    /// What happened, with the provider's code for it.
    pub fn cause(&self, code: Option<ProviderCode>) -> Cause {
        if self.status.is_success() {
            return Cause::Unreadable(self.status);
        }
        Cause::Refused {
            status: self.status,
            code,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let class = match failure.sent {
            Sent::No => Class::Down,
            Sent::Perhaps => Class::Unknown,
        };
        Self::new(class, Cause::Unanswered(failure.why))
    }
}

/// Basic authentication (RFC 7617); `None` if the user name cannot be written so.
pub fn basic(user: &str, password: &Secret) -> Option<HeaderValue> {
    if user.contains(':') {
        return None;
    }
    let pair = [user.as_bytes(), b":", password.expose()].concat();
    let mut value =
        HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}
