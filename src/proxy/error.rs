//! Why an exchange with an app failed: whose fault it was, and what the client is told.

use crate::{
    net::dial::NoConnection,
    proxy::{tether::Cut, upload::BadUpload},
    reject::{Code, Reject},
};

/// A request that got no answer from its app.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The app runs nowhere.
    #[error("there is no server")]
    Nowhere,
    /// No server of the app accepted a connection, or none that is who it should be.
    #[error(transparent)]
    Connect(#[from] NoConnection),
    /// No server accepted one in time.
    #[error("connecting took too long")]
    ConnectTimeout,
    /// As many connections as allowed are busy.
    #[error("all connections are busy")]
    Exhausted,
    /// The connection ended or its bytes made no sense.
    #[error("the exchange broke off: {0}")]
    Exchange(#[source] hyper::Error),
    /// The other side was silent or spoke something else when it should have begun with HTTP/2.
    #[error("it does not speak HTTP/2")]
    NoHttp2,
    /// The answer was 101, which nobody had asked for, or not to what had been asked for, or not
    /// proven.
    #[error("the app switched protocols unasked")]
    Switched,
    /// An app took the handshake of an HTTP/2 client for something else, and was content with it.
    #[error("the app did not switch to WebSocket")]
    NotSwitched,
    /// The operating system gave no random bits.
    #[error("no random bits")]
    NoChance,
    /// No answer began in time.
    #[error("no answer in time")]
    Timeout,
    /// The client was still sending when the request had taken as long as it may.
    #[error("the request took too long to arrive")]
    Unfinished,
    /// The target cannot be written as HTTP/1.1.
    #[error("the target cannot be forwarded")]
    Target,
    /// The request's own body was the trouble.
    #[error(transparent)]
    Upload(#[from] BadUpload),
    /// The session of the request ended before the answer began.
    #[error(transparent)]
    Cut(#[from] Cut),
}

impl From<Error> for Reject {
    fn from(error: Error) -> Self {
        match error {
            Error::Nowhere => {
                Self::new(Code::UpstreamUnreachable, "The app accepts no connection.")
            }
            Error::Connect(why) => {
                Self::new(Code::UpstreamUnreachable, "The app accepts no connection.")
                    .because(why.proxy_error())
            }
            Error::NoHttp2 => {
                Self::new(Code::UpstreamUnreachable, "The app does not speak HTTP/2.")
                    .because("http_protocol_error")
            }
            Error::Exchange(_) | Error::Switched => {
                Self::new(Code::UpstreamUnreachable, "The app broke off the exchange.")
            }
            Error::NotSwitched => Self::new(
                Code::UpstreamUnreachable,
                "The app speaks no WebSocket here.",
            ),
            Error::NoChance => Self::new(Code::Internal, "The gateway cannot make keys now."),
            Error::ConnectTimeout => Self::new(
                Code::UpstreamTimeout,
                "The app could not be reached in time.",
            ),
            Error::Timeout => Self::new(Code::UpstreamTimeout, "The app did not answer in time."),
            Error::Unfinished => {
                Self::new(Code::RequestTimeout, "The request took too long to arrive.")
            }
            Error::Exhausted => Self::new(
                Code::Overloaded,
                "All connections to the app are busy; try again.",
            )
            .retry_after(std::time::Duration::from_secs(1)),
            Error::Target => Self::new(
                Code::InvalidRequestTarget,
                "The request target cannot be forwarded.",
            ),
            Error::Cut(Cut) => {
                Self::token(Code::SessionRevoked, "The session of this token was ended.")
            }
            Error::Upload(BadUpload::TooLarge) => Self::new(
                Code::BodyTooLarge,
                "The body is larger than this route allows.",
            ),
            Error::Upload(BadUpload::TooSlow) => {
                Self::new(Code::RequestTimeout, "The body stopped arriving.")
            }
            Error::Upload(BadUpload::Broken | BadUpload::Abandoned) => Self::new(
                Code::InvalidRequestTarget,
                "The body broke off or is not framed as HTTP requires.",
            ),
        }
    }
}
