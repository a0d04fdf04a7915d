//! What a client connection is doing and how long it may: a few cells that the socket, the requests and the timer share.

mod in_flight;
mod judgement;
mod phase;

pub use in_flight::{Allotted, InFlight};
pub use phase::{Due, Version};

use std::{cell::Cell, net::SocketAddr, rc::Rc, time::Duration};

use self::phase::Phase;
use crate::net::{
    ending::Reason,
    http2::{
        Allowance,
        frames::{Frame, Head},
    },
    malformed::Findings,
    patience::Patience,
    timer::{Alarm, Moment},
    warden::Warden,
};

/// The state of one client connection, judged by one alarm.
#[derive(Debug)]
pub struct Progress {
    phase: Cell<Phase>,
    /// `None` until somebody has spoken.
    version: Cell<Option<Version>>,
    in_flight: Cell<u32>,
    /// Whether an answer was asked for its next piece.
    asked: Cell<bool>,
    /// Whether something of ours may wait to be written.
    owes: Cell<bool>,
    /// Why the connection must go, whatever it is doing.
    ousted: Cell<Option<Reason>>,
    /// When the current phase has lasted too long.
    due: Cell<Moment>,
    /// When a connection at rest has been idle for too long.
    idle_due: Cell<Moment>,
    /// When the head of a request of HTTP/2 must have come to its end.
    head_due: Cell<Moment>,
    /// When a client of HTTP/2 that waits for an answer must have said something.
    word_due: Cell<Moment>,
    /// When the answer that began last must have come to its end.
    answer_due: Cell<Moment>,
    /// When the connection is old enough.
    retires: Cell<Moment>,
    /// Since when the client takes nothing.
    stalled_at: Cell<Moment>,
    /// With a client that takes little of its answers.
    patience: Cell<Patience>,
    /// For frames of HTTP/2.
    allowance: Cell<Allowance>,
    /// What the parser of HTTP/1 does not mind.
    pub findings: Findings,
    alarm: Alarm,
    client: Cell<SocketAddr>,
    warden: Rc<Warden>,
}

/// How long leaving may take: a few bytes to somebody who has been silent for long.
const LEAVE: Duration = Duration::from_secs(1);

/// How long a connection is kept ready for its next request: most come in bursts. For longer would
/// mean that a crowd of newcomers holds all at once what each needs for a moment.
const READY: Duration = Duration::from_millis(200);

/// How many times the pause between two pieces a client may take for one piece of an answer. One
/// can be tens of kilobytes, of which a slow client takes little by little; a socket shows that, the
/// window of a stream does not.
const PAUSES_PER_PIECE: u32 = 4;

impl Progress {
    /// A connection of `client` that was just accepted.
    pub fn new(warden: Rc<Warden>, client: SocketAddr) -> Rc<Self> {
        let new = Rc::new(Self {
            phase: Cell::new(Phase::Opening),
            version: Cell::new(None),
            in_flight: Cell::new(0),
            asked: Cell::new(false),
            owes: Cell::new(false),
            ousted: Cell::new(None),
            due: Cell::new(Moment::NEVER),
            idle_due: Cell::new(Moment::NEVER),
            head_due: Cell::new(Moment::NEVER),
            word_due: Cell::new(Moment::NEVER),
            answer_due: Cell::new(Moment::NEVER),
            retires: Cell::new(warden.retirement()),
            stalled_at: Cell::new(Moment::NEVER),
            patience: Cell::new(Patience::new(warden.limits.pace)),
            allowance: Cell::new(Allowance::new(warden.timer.now())),
            findings: Findings::default(),
            alarm: warden.timer.alarm(),
            client: Cell::new(client),
            warden,
        });
        new.enter(Phase::Opening);
        new
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
        self.version.set(Some(version));
        self.enter(Phase::Opening);
    }

    /// The client's protocol is known. An HTTP/2 client may be silent from now on, an HTTP/1
    /// client is in the middle of a request head.
    pub fn speaks(&self, version: Version) {
        self.version.set(Some(version));
        match version {
            Version::Http1 => self.enter(Phase::Head),
            Version::Http2 => self.begin_pause(),
        }
    }

    /// A request head of HTTP/1 has begun. Its deadline is for the whole of it, so that a client cannot
    /// prolong it byte by byte.
    pub fn head_begins(&self) {
        match self.phase.get() {
            Phase::Opening | Phase::Idle | Phase::Resting => self.enter(Phase::Head),
            Phase::Handshake
            | Phase::Head
            | Phase::Busy
            | Phase::HalfClosed
            | Phase::Stalled
            | Phase::Leaving => {}
        }
    }

    /// Frames of HTTP/2 came in, and this is where the last request head among them has come to.
    /// Other frames are no request (a PING is none), so the deadline of an idle client stays.
    pub fn frames_came(&self, head: Head) {
        if self.phase.get() == Phase::Opening {
            self.begin_pause();
        }
        let Warden { timer, limits, .. } = &*self.warden;
        // It is asked after one such span of silence, and has another one to answer.
        self.word_due.set(timer.after(limits.ping * 2));
        match (head, self.head_due.get()) {
            (Head::Open, Moment::NEVER) => {
                let due = self.warden.timer.after(self.warden.limits.headers);
                self.head_due.set(due);
                self.set_alarm();
            }
            (Head::Whole, due) if due != Moment::NEVER => {
                self.head_due.set(Moment::NEVER);
                self.set_alarm();
            }
            (Head::Open | Head::Whole, _) => {}
        }
    }

    /// Whether the client may send this frame, too.
    pub fn pays(&self, frame: Frame) -> bool {
        let mut allowance = self.allowance.get();
        let pays = allowance.pays(frame, self.warden.timer.now());
        self.allowance.set(allowance);
        pays
    }

    /// The client took so many bytes.
    pub fn sent(&self, bytes: usize) {
        let is_stalled = self.phase.get() == Phase::Stalled;
        let mut patience = self.patience.get();
        if is_stalled {
            let now = self.warden.timer.now();
            patience.waited(now.since(self.stalled_at.get()));
        }
        patience.moved(bytes);
        self.patience.set(patience);
        if is_stalled {
            self.settle();
        } else if self.phase.get() == Phase::HalfClosed {
            self.enter(Phase::HalfClosed);
        }
    }

    /// The client takes nothing at the moment.
    pub fn stalled(&self) {
        match self.phase.get() {
            Phase::Handshake | Phase::Stalled | Phase::Leaving => {}
            Phase::Opening
            | Phase::Idle
            | Phase::Resting
            | Phase::Head
            | Phase::Busy
            | Phase::HalfClosed => {
                self.stalled_at.set(self.warden.timer.now());
                self.enter(Phase::Stalled);
            }
        }
    }

    /// The client says nothing any more, but may still listen. Who is gone for good looks the same
    /// until something is sent.
    pub fn half_closed(&self) {
        if self.phase.get() == Phase::Busy {
            self.enter(Phase::HalfClosed);
        }
    }

    /// Whether requests are being answered.
    pub const fn is_busy(&self) -> bool {
        self.in_flight.get() > 0
    }

    /// A request has arrived.
    pub fn begin(self: &Rc<Self>) -> InFlight {
        self.in_flight.set(self.in_flight.get() + 1);
        self.owes.set(true);
        if self.phase.get() != Phase::Stalled {
            self.enter(Phase::Busy);
        }
        InFlight {
            progress: Rc::clone(self),
            began: self.warden.timer.now(),
        }
    }

    /// Everything that was to be written has been.
    pub fn flushed(&self) {
        if !self.is_busy() {
            self.owes.set(false);
        }
    }

    /// Whether what is written now can be of an answer of ours.
    pub const fn owes(&self) -> bool {
        self.owes.get()
    }

    /// Whether an answer was asked for its next piece since this was asked last.
    pub fn take_asked(&self) -> bool {
        self.asked.take()
    }

    /// When the answer that began since this was asked last must have come to its end, if there is such
    /// a moment. Who asks sees to it; in HTTP/1 the connection does, of which that answer is the only one.
    pub fn take_answer_due(&self) -> Option<Moment> {
        let due = self.answer_due.replace(Moment::NEVER);
        (due != Moment::NEVER).then_some(due)
    }

    /// From now on `stalled` is due when the client does not take the next piece of a stream.
    pub fn await_client(&self, stalled: &mut Option<Alarm>) {
        stalled
            .get_or_insert_with(|| self.warden.timer.alarm())
            .set(self.warden.limits.pace.pause * PAUSES_PER_PIECE);
    }

    /// Whether the gateway wants to stop.
    pub fn is_draining(&self) -> bool {
        self.warden.is_draining()
    }

    /// The connection must go at once, whatever its deadline.
    pub fn give_up(&self, reason: Reason) {
        if self.ousted.replace(Some(reason)).is_none() {
            self.note(reason);
        }
        self.alarm.ring();
    }

    /// Whether the connection keeps nothing ready for its next request.
    pub fn is_resting(&self) -> bool {
        self.phase.get() == Phase::Resting
    }

    /// The client of a connection at rest says something. What it is will be seen.
    pub fn wakes(&self) {
        if self.is_resting() {
            self.enter(Phase::Idle);
        }
    }

    /// The client is told that the connection ends.
    pub fn leaves(&self) {
        self.enter(Phase::Leaving);
    }

    fn settle(&self) {
        if self.is_busy() {
            self.enter(Phase::Busy);
        } else {
            self.begin_pause();
        }
    }

    /// Nothing is asked for any more, or not yet.
    fn begin_pause(&self) {
        let idle = self.warden.timer.after(self.warden.limits.idle);
        self.idle_due.set(idle);
        self.enter(Phase::Idle);
    }

    fn enter(&self, phase: Phase) {
        let Warden { timer, limits, .. } = &*self.warden;
        self.phase.set(phase);
        self.due.set(match phase {
            Phase::Handshake => timer.after(limits.handshake),
            Phase::Opening => timer.after(limits.first_byte),
            // HTTP/2 has a state that cannot be given up.
            Phase::Idle if self.version.get() == Some(Version::Http1) => {
                timer.after(READY).min(self.idle_due.get())
            }
            Phase::Idle | Phase::Resting => self.idle_due.get(),
            Phase::Head => timer.after(limits.headers),
            Phase::HalfClosed => timer.after(limits.half_closed),
            Phase::Stalled => timer.after(self.patience.get().left()),
            Phase::Leaving => timer.after(LEAVE),
            // Bounded by the deadlines of the app's answer and of the request's body.
            Phase::Busy => Moment::NEVER,
        });
        self.set_alarm();
    }

    /// When the client must have said something: who waits for nothing need not.
    const fn word_due(&self) -> Moment {
        if self.is_busy() {
            self.word_due.get()
        } else {
            Moment::NEVER
        }
    }

    fn set_alarm(&self) {
        if self.ousted.get().is_none() {
            let requests = self.head_due.get().min(self.answer_due.get());
            let others = requests.min(self.word_due()).min(self.retires.get());
            self.alarm.set_at(self.due.get().min(others));
        }
    }
}
