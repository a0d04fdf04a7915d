//! Why an exchange with an app failed: whose fault it was, and what the client is told.

use crate::{
    proxy::{
        body::{UploadEnd, Watch},
        upstream::Lease,
    },
    reject::{Code, Reject},
};

/// A request that got no answer from its app.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No server of the app accepted a connection.
    #[error("cannot connect")]
    Connect(#[source] std::io::Error),
    /// No server accepted one in time.
    #[error("connecting took too long")]
    ConnectTimeout,
    /// As many connections as allowed are busy.
    #[error("all connections are busy")]
    Exhausted,
    /// The connection ended or its bytes made no sense.
    #[error("the exchange broke off: {0}")]
    Exchange(#[source] hyper::Error),
    /// The answer was 101, which the gateway never asks for.
    #[error("the app switched protocols unasked")]
    Switched,
    /// No answer began in time.
    #[error("no answer in time")]
    Timeout,
    /// The target cannot be written as HTTP/1.1.
    #[error("the target cannot be forwarded")]
    Target,
    /// The request's own body was the trouble.
    #[error("the request body failed: {0:?}")]
    Upload(UploadEnd),
}

impl Error {
    /// Tells apart why `lease`'s connection gave no answer.
    pub fn of_exchange(error: hyper::Error, lease: &Lease, upload: &Watch) -> Self {
        match upload.end() {
            UploadEnd::Open | UploadEnd::Complete if lease.alarm().is_due() => Self::Timeout,
            UploadEnd::Open | UploadEnd::Complete => Self::Exchange(error),
            end @ (UploadEnd::TooLarge | UploadEnd::TooSlow | UploadEnd::Broken) => {
                Self::Upload(end)
            }
        }
    }
}

impl From<Error> for Reject {
    fn from(error: Error) -> Self {
        match error {
            Error::Connect(_) => {
                Self::new(Code::UpstreamUnreachable, "The app accepts no connection.")
            }
            Error::Exchange(_) | Error::Switched => {
                Self::new(Code::UpstreamUnreachable, "The app broke off the exchange.")
            }
            Error::ConnectTimeout => Self::new(
                Code::UpstreamTimeout,
                "The app could not be reached in time.",
            ),
            Error::Timeout => Self::new(Code::UpstreamTimeout, "The app did not answer in time."),
            Error::Exhausted => Self::new(
                Code::Overloaded,
                "All connections to the app are busy; try again.",
            )
            .retry_after(std::time::Duration::from_secs(1)),
            Error::Target => Self::new(
                Code::InvalidRequestTarget,
                "The request target cannot be forwarded.",
            ),
            Error::Upload(UploadEnd::TooLarge) => Self::new(
                Code::BodyTooLarge,
                "The body is larger than this route allows.",
            ),
            Error::Upload(UploadEnd::TooSlow) => {
                Self::new(Code::RequestTimeout, "The body stopped arriving.")
            }
            Error::Upload(UploadEnd::Broken | UploadEnd::Open | UploadEnd::Complete) => Self::new(
                Code::InvalidRequestTarget,
                "The body broke off or is not framed as HTTP requires.",
            ),
        }
    }
}
