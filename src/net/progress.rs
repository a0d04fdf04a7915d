//! What a client connection is doing and how long it may: a few cells that the socket, the requests and the timer share.

use std::{
    cell::Cell,
    net::SocketAddr,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use crate::net::{ending::Reason, timer::Alarm, warden::Warden};

/// The state of one client connection, judged by one alarm.
#[derive(Debug)]
pub struct Progress {
    phase: Cell<Phase>,
    version: Cell<Version>,
    in_flight: Cell<u32>,
    /// Whether an answer was asked for its next piece.
    asked: Cell<bool>,
    /// Why the connection must go, whatever it is doing.
    ousted: Cell<Option<Reason>>,
    alarm: Alarm,
    client: Cell<SocketAddr>,
    warden: Rc<Warden>,
}

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
pub enum Phase {
    /// TLS is being agreed on.
    Handshake,
    /// Nothing has come yet.
    Opening,
    /// Between requests.
    Idle,
    /// A request head is coming in.
    Head,
    /// Requests are being answered.
    Busy,
    /// An answer waits for the client to take more of it.
    Stalled,
    /// The client is told that the connection ends.
    Leaving,
}

impl Phase {
    /// Why a connection ends for which it lasts too long.
    const fn reason(self) -> Reason {
        match self {
            Self::Handshake => Reason::Handshake,
            Self::Opening => Reason::FirstByte,
            Self::Head => Reason::Headers,
            Self::Stalled => Reason::Stalled,
            // Being busy has no deadline here.
            Self::Idle | Self::Busy | Self::Leaving => Reason::Idle,
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

/// How long that may take: a few bytes to somebody who has been silent for long.
const LEAVE: Duration = Duration::from_secs(1);

/// How many times the pause between two pieces a client may take for one piece of an answer. One
/// can be hundreds of kilobytes, of which a slow client takes little by little; a socket shows that, the
/// window of a stream does not.
const PAUSES_PER_PIECE: u32 = 4;

/// Held by a request from its head to the end of its answer.
#[derive(Debug)]
pub struct InFlight(Rc<Progress>);

impl Progress {
    /// A connection of `client` that was just accepted.
    pub fn new(warden: Rc<Warden>, client: SocketAddr) -> Rc<Self> {
        let alarm = warden.timer.alarm();
        alarm.set(warden.limits.first_byte);
        Rc::new(Self {
            phase: Cell::new(Phase::Opening),
            version: Cell::new(Version::Http1),
            in_flight: Cell::new(0),
            asked: Cell::new(false),
            ousted: Cell::new(None),
            alarm,
            client: Cell::new(client),
            warden,
        })
    }

    /// Who the client is, as far as is known.
    pub const fn client(&self) -> SocketAddr {
        self.client.get()
    }

    /// The connection is that of another client: who connected only speaks for it.
    pub fn comes_from(&self, client: SocketAddr) {
        self.client.set(client);
    }

    /// What it shares with the other connections of its worker.
    pub const fn warden(&self) -> &Rc<Warden> {
        &self.warden
    }

    /// The client is expected to speak TLS first.
    pub fn shakes_hands(&self) {
        self.enter(Phase::Handshake);
    }

    /// TLS is agreed on, and so is what will be spoken, of which nothing has come yet.
    pub fn secured(&self, version: Version) {
        self.version.set(version);
        self.enter(Phase::Opening);
    }

    /// The client's protocol is known. An HTTP/2 client may be silent from now on, an HTTP/1
    /// client is in the middle of a request head.
    pub fn speaks(&self, version: Version) {
        self.version.set(version);
        match version {
            Version::Http1 => self.enter(Phase::Head),
            Version::Http2 => self.enter(Phase::Idle),
        }
    }

    /// Something came in. After silence it begins a request head; its deadline is for the whole
    /// head, so that a client cannot prolong it byte by byte. HTTP/2 frames are no request heads
    /// (a PING is none), so there the idle deadline stays.
    pub fn received(&self) {
        let phase = self.phase.get();
        match self.version.get() {
            Version::Http1 if matches!(phase, Phase::Opening | Phase::Idle) => {
                self.enter(Phase::Head);
            }
            Version::Http2 if phase == Phase::Opening => self.enter(Phase::Idle),
            Version::Http1 | Version::Http2 => {}
        }
    }

    /// The client took something.
    pub fn sent(&self) {
        if self.phase.get() == Phase::Stalled {
            self.settle();
        }
    }

    /// The client takes nothing at the moment.
    pub fn stalled(&self) {
        match self.phase.get() {
            Phase::Handshake | Phase::Stalled | Phase::Leaving => {}
            Phase::Opening | Phase::Idle | Phase::Head | Phase::Busy => self.enter(Phase::Stalled),
        }
    }

    /// A request has arrived.
    pub fn begin(self: &Rc<Self>) -> InFlight {
        self.in_flight.set(self.in_flight.get() + 1);
        if self.phase.get() != Phase::Stalled {
            self.enter(Phase::Busy);
        }
        InFlight(Rc::clone(self))
    }

    /// Whether an answer was asked for its next piece since this was asked last.
    pub fn take_asked(&self) -> bool {
        self.asked.take()
    }

    /// From now on `stalled` is due when the client does not take the next piece of a stream.
    pub fn await_client(&self, stalled: &mut Option<Alarm>) {
        stalled
            .get_or_insert_with(|| self.warden.timer.alarm())
            .set(self.warden.limits.body_idle * PAUSES_PER_PIECE);
    }

    /// Whether the gateway wants to stop.
    pub fn is_draining(&self) -> bool {
        self.warden.is_draining()
    }

    /// The connection must go at once, whatever its deadline.
    pub fn give_up(&self, reason: Reason) {
        self.ousted.set(Some(reason));
        self.alarm.ring();
    }

    /// Whether there is time to end in order when the current phase has lasted too long: between two
    /// requests nobody is in trouble, and the client had better be told.
    pub fn takes_leave(&self) -> bool {
        let is_idle = self.phase.get() == Phase::Idle;
        if is_idle {
            self.enter(Phase::Leaving);
        }
        is_idle
    }

    /// Ready when the current phase has lasted too long and the connection must go.
    pub fn poll_broken(&self, cx: &mut Context<'_>) -> Poll<Reason> {
        ready!(self.alarm.poll_due(cx));
        let reason = self
            .ousted
            .get()
            .unwrap_or_else(|| self.phase.get().reason());
        // Whose leave lasts too long was told about when it began.
        if self.phase.get() != Phase::Leaving {
            let client = self.client.get().ip();
            self.warden.endings.note(reason, client, self.version.get());
        }
        Poll::Ready(reason)
    }

    fn settle(&self) {
        self.enter(if self.in_flight.get() == 0 {
            Phase::Idle
        } else {
            Phase::Busy
        });
    }

    fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        match phase {
            Phase::Handshake => self.alarm.set(self.warden.limits.handshake),
            Phase::Opening => self.alarm.set(self.warden.limits.first_byte),
            Phase::Idle => self.alarm.set(self.warden.limits.idle),
            Phase::Head => self.alarm.set(self.warden.limits.headers),
            Phase::Stalled => self.alarm.set(self.warden.limits.body_idle),
            Phase::Leaving => self.alarm.set(LEAVE),
            // Bounded by the deadlines of the app's answer and of the request's body.
            Phase::Busy => self.alarm.lift(),
        }
    }
}

impl InFlight {
    /// The answer is asked for its next piece.
    pub fn asked(&self) {
        self.0.asked.set(true);
    }

    /// `stalled` is due when the client of a tunnel does not take anything for so long from now on.
    /// It runs already if it is there.
    pub fn await_client(&self, stalled: &mut Option<Alarm>) {
        if stalled.is_none() {
            self.0.await_client(stalled);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let progress = &self.0;
        progress
            .in_flight
            .set(progress.in_flight.get().saturating_sub(1));
        if progress.phase.get() != Phase::Stalled {
            progress.settle();
        }
    }
}
