//! Why the gateway ended a client's connection: always counted, and told in so few lines that nobody can flood the log.

use std::{cell::Cell, net::IpAddr};

use crate::{
    net::{http2::frames::Kind, progress::Version},
    observe::metrics::Metrics,
};

/// Why a connection had to end before its client wanted it to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// TLS was not agreed on in time.
    Handshake,
    /// It made room for a newer handshake.
    CrowdedOut,
    /// Nothing ever came.
    FirstByte,
    /// A request head did not come to its end in time.
    Headers,
    /// Nothing was asked for in a long while.
    Idle,
    /// It was old enough.
    MaxAge,
    /// The client took too little of its answer.
    Stalled,
    /// The answer had not come to its end when the request had taken as long as it may.
    RequestTimeout,
    /// It came where only trusted proxies may, and no PROXY header of theirs said whom it was for.
    Unannounced,
    /// The client of HTTP/2 did not answer when it was asked whether it is there.
    Unanswered,
    /// The client had shut down its side, and had to be waited for too long.
    HalfClosed,
    /// What came was no HTTP.
    Malformed,
    /// The parser of HTTP/2 noticed that the client keeps it busy with nothing.
    Overload,
    /// The client sent frames of this kind, and none that did any work.
    Flood(Kind),
    /// The client had as many connections as one may have.
    TooMany,
}

impl Reason {
    /// Every reason, for the metrics and their tests.
    pub const ALL: [Self; 25] = [
        Self::Handshake,
        Self::CrowdedOut,
        Self::FirstByte,
        Self::Headers,
        Self::Idle,
        Self::MaxAge,
        Self::Stalled,
        Self::RequestTimeout,
        Self::Unannounced,
        Self::Unanswered,
        Self::HalfClosed,
        Self::Malformed,
        Self::Overload,
        Self::Flood(Kind::Data),
        Self::Flood(Kind::Headers),
        Self::Flood(Kind::Priority),
        Self::Flood(Kind::Reset),
        Self::Flood(Kind::Settings),
        Self::Flood(Kind::PushPromise),
        Self::Flood(Kind::Ping),
        Self::Flood(Kind::GoAway),
        Self::Flood(Kind::WindowUpdate),
        Self::Flood(Kind::Continuation),
        Self::Flood(Kind::Other),
        Self::TooMany,
    ];

    /// As logs and metrics spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::CrowdedOut => "crowded_out",
            Self::FirstByte => "first_byte",
            Self::Headers => "headers",
            Self::Idle => "idle",
            Self::MaxAge => "max_age",
            Self::Stalled => "stalled",
            Self::RequestTimeout => "request_timeout",
            Self::Unannounced => "unannounced",
            Self::Unanswered => "unanswered",
            Self::HalfClosed => "half_closed",
            Self::Malformed => "malformed",
            Self::Overload => "flood",
            Self::Flood(Kind::Data) => "flood_data",
            Self::Flood(Kind::Headers) => "flood_headers",
            Self::Flood(Kind::Priority) => "flood_priority",
            Self::Flood(Kind::Reset) => "flood_reset",
            Self::Flood(Kind::Settings) => "flood_settings",
            Self::Flood(Kind::PushPromise) => "flood_push_promise",
            Self::Flood(Kind::Ping) => "flood_ping",
            Self::Flood(Kind::GoAway) => "flood_goaway",
            Self::Flood(Kind::WindowUpdate) => "flood_window_update",
            Self::Flood(Kind::Continuation) => "flood_continuation",
            Self::Flood(Kind::Other) => "flood_other",
            Self::TooMany => "too_many",
        }
    }

    /// Whether this happens to honest clients all day long: browsers connect ahead of need.
    const fn is_ordinary(self) -> bool {
        match self {
            Self::FirstByte | Self::Idle | Self::MaxAge => true,
            Self::Handshake
            | Self::CrowdedOut
            | Self::Headers
            | Self::Stalled
            | Self::RequestTimeout
            | Self::Unannounced
            | Self::Unanswered
            | Self::HalfClosed
            | Self::Malformed
            | Self::Overload
            | Self::Flood(_)
            | Self::TooMany => false,
        }
    }
}

/// Where one worker notes the connections it ended.
#[derive(Debug)]
pub struct Endings {
    metrics: Metrics,
    pace: Pace,
}

impl Endings {
    /// Counts into `metrics`.
    pub fn new(metrics: Metrics) -> Self {
        for reason in Reason::ALL {
            metrics.connection_ended(reason.as_str(), 0);
        }
        Self {
            metrics,
            pace: Pace::new(),
        }
    }

    /// A connection of `client` ends for `reason`, if it got so far in this version.
    pub fn note(&self, reason: Reason, client: IpAddr, version: Option<Version>) {
        let protocol = version.map(Version::as_str);
        let is_ordinary = reason.is_ordinary();
        let reason = reason.as_str();
        self.metrics.connection_ended(reason, 1);
        if is_ordinary {
            tracing::debug!(reason, %client, protocol, "ended a client's connection");
        } else if self.pace.allows_line() {
            tracing::info!(reason, %client, protocol, "ended a client's connection");
        }
    }

    /// Lets a tick pass.
    pub fn tick(&self) {
        if let Some(more) = self.pace.tick() {
            tracing::info!(more, "ended further connections of clients");
        }
    }
}

/// How many lines may be written.
#[derive(Debug)]
struct Pace {
    ticks: Cell<u32>,
    left: Cell<u32>,
    untold: Cell<u32>,
}

/// Lines of one worker in one second.
const LINES: u32 = 10;

/// Ticks of the worker's timer in one second.
const SECOND: u32 = 10;

impl Pace {
    const fn new() -> Self {
        Self {
            ticks: Cell::new(0),
            left: Cell::new(LINES),
            untold: Cell::new(0),
        }
    }

    /// Whether there may be one more line in this second.
    fn allows_line(&self) -> bool {
        let left = self.left.get();
        if left == 0 {
            self.untold.set(self.untold.get().saturating_add(1));
        }
        self.left.set(left.saturating_sub(1));
        left > 0
    }

    /// Lets a tick pass; at the end of a second it gives what was not told in it.
    fn tick(&self) -> Option<u32> {
        let ticks = self.ticks.get() + 1;
        self.ticks.set(ticks % SECOND);
        if ticks < SECOND {
            return None;
        }
        self.left.set(LINES);
        Some(self.untold.take()).filter(|untold| *untold > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::HashSet, net::Ipv4Addr, sync::Arc};

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn every_reason_has_a_spelling_of_its_own() {
        let spellings: HashSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(spellings.len(), Reason::ALL.len());
    }

    #[test]
    fn a_second_has_room_for_few_lines_and_the_rest_is_told_as_a_number() {
        let pace = Pace::new();
        for _ in 0..3 {
            let told = (0..1000).filter(|_| pace.allows_line()).count();
            assert_eq!(told, LINES as usize);
            for _ in 1..SECOND {
                assert_eq!(pace.tick(), None);
                assert!(!pace.allows_line());
            }
            assert_eq!(pace.tick(), Some(1000 - LINES + SECOND - 1));
        }
    }

    #[test]
    fn a_quiet_second_tells_nothing() {
        let pace = Pace::new();
        assert!(pace.allows_line());
        assert!((0..2 * SECOND).all(|_| pace.tick().is_none()));
    }

    #[test]
    fn who_has_said_nothing_yet_has_spoken_no_protocol() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let out = Arc::new(file.reopen().expect("the same file"));
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(out);
        let endings = Endings::new(Metrics::new());
        tracing::subscriber::with_default(subscriber.finish(), || {
            endings.note(Reason::TooMany, CLIENT, None);
            endings.note(Reason::Stalled, CLIENT, Some(Version::Http2));
        });
        let log = std::fs::read_to_string(file.path()).expect("text");
        let said: Vec<_> = log.lines().map(|line| line.contains("protocol=")).collect();
        assert_eq!(said, [false, true], "{log}");
    }

    #[test]
    fn every_reason_is_a_metric_before_it_ever_happened() {
        let metrics = Metrics::new();
        let endings = Endings::new(metrics.clone());
        endings.note(Reason::Stalled, CLIENT, Some(Version::Http2));
        let mut text = String::new();
        metrics.encode(&mut text).expect("text");
        for (reason, count) in Reason::ALL.map(|r| (r, u32::from(r == Reason::Stalled))) {
            let reason = reason.as_str();
            let line = format!("connections_ended_total{{reason=\"{reason}\"}} {count}");
            assert!(text.contains(&line), "{line} is not in\n{text}");
        }
    }
}
