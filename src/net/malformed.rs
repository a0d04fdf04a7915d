//! What is wrong with a request although a parser takes it: found on the connection, answered further in like any refusal.

use std::cell::Cell;

use crate::reject::{Code, Reject};

/// What is wrong with it, carried in its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Its body ends in two ways (RFC 9112 §6.1).
    TwoFramings,
    /// It says more than once how long its body is.
    SeveralLengths,
    /// A line of it ends as no line does (RFC 9112 §2.2).
    BareLineFeed,
    /// Its target holds a fragment, which no client sends (RFC 9112 §3.2).
    Fragment,
    /// It has more header fields than it may.
    TooManyFields,
    /// Its head is larger than it may be.
    TooLarge,
}

impl From<Malformed> for Reject {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::TwoFramings => Self::new(
                Code::MalformedRequest,
                "Content-Length and Transfer-Encoding exclude each other.",
            ),
            Malformed::SeveralLengths => Self::new(
                Code::MalformedRequest,
                "Content-Length may stand there once.",
            ),
            Malformed::BareLineFeed => {
                Self::new(Code::MalformedRequest, "Lines end with CR and LF.")
            }
            Malformed::Fragment => {
                Self::new(Code::InvalidRequestTarget, "The target holds a fragment.")
            }
            Malformed::TooManyFields => Self::new(
                Code::HeadersTooLarge,
                "The request has too many header fields.",
            ),
            Malformed::TooLarge => {
                Self::new(Code::HeadersTooLarge, "The request head is too large.")
            }
        }
    }
}

/// What was found on one connection of HTTP/1 before its parser came to it. Requests may come ahead of
/// their turn, so it is remembered which one it was.
#[derive(Debug, Default)]
pub struct Findings {
    /// Heads that have come to their end.
    ended: Cell<u32>,
    /// Requests that the parser has made of them.
    parsed: Cell<u32>,
    /// The first one with a flaw; nobody looks at what comes after it.
    found: Cell<Option<(u32, Malformed)>>,
}

impl Findings {
    /// A head has come to its end.
    pub fn head_ended(&self, flaw: Option<Malformed>) {
        let number = self.ended.get();
        self.ended.set(number.wrapping_add(1));
        if let Some(flaw) = flaw {
            self.found.set(Some((number, flaw)));
        }
    }

    /// What is wrong with the next request.
    pub fn next(&self) -> Option<Malformed> {
        let number = self.parsed.get();
        self.parsed.set(number.wrapping_add(1));
        let found = self.found.get().filter(|(which, _)| *which == number);
        found.map(|(_, flaw)| flaw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flaw_is_that_of_its_own_request() {
        let findings = Findings::default();
        findings.head_ended(None);
        assert_eq!(findings.next(), None);
        findings.head_ended(None);
        findings.head_ended(Some(Malformed::BareLineFeed));
        let flaws = [findings.next(), findings.next(), findings.next()];
        assert_eq!(flaws, [None, Some(Malformed::BareLineFeed), None]);
    }
}
