//! The stretches of a connection's life, and what happens at the end of each; knows no time.

use crate::net::ending::Reason;

/// Which protocol a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0 or 1.1.
    Http1,
    /// HTTP/2 with prior knowledge (RFC 9113 §3.3), or agreed on in TLS.
    Http2,
}

/// A stretch of a connection's life that has a deadline of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// TLS is being agreed on.
    Handshake,
    /// Nothing has come yet.
    Opening,
    /// Between requests.
    Idle,
    /// Between requests, long enough to keep nothing ready for the next one.
    Resting,
    /// A request head is coming in.
    Head,
    /// Requests are being answered.
    Busy,
    /// Requests are being answered to a client that has shut down its side.
    HalfClosed,
    /// An answer waits for the client to take more of it.
    Stalled,
    /// The client is told that the connection ends.
    Leaving,
}

/// What is to be done about a connection now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// It has been idle for a while: what it keeps ready can go.
    Rest,
    /// It is to end in order.
    Leave,
    /// It must go at once.
    Go(Reason),
}

impl Phase {
    /// Why a connection ends for which it lasts too long.
    pub(super) const fn reason(self) -> Reason {
        match self {
            Self::Handshake => Reason::Handshake,
            Self::Opening => Reason::FirstByte,
            Self::Head => Reason::Headers,
            Self::Stalled => Reason::Stalled,
            Self::HalfClosed => Reason::HalfClosed,
            // Being busy has no deadline here.
            Self::Idle | Self::Resting | Self::Busy | Self::Leaving => Reason::Idle,
        }
    }
}

impl Version {
    /// As logs spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP/1",
            Self::Http2 => "HTTP/2",
        }
    }
}
