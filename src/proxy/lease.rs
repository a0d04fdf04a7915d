//! What one exchange is lent to talk to an app: a connection of its own, or one stream of a shared one. It does not know where either comes from.

use std::{
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use hyper::body::Incoming;
use tokio_util::either::Either;

use crate::{
    net::timer::Alarm,
    proxy::{
        endpoint::{Endpoint, OpenConnection},
        http1, http2,
        upload::Upload,
    },
};

/// A connection or a stream that is ours until it is given back; dropping it ends it.
#[derive(Debug)]
pub struct Lease {
    endpoint: Rc<Endpoint>,
    line: Line,
    was_used_before: bool,
    /// Whether nobody else may use it after this.
    is_personal: bool,
    /// Between two pieces of the answer's body.
    body_idle: Duration,
}

/// All there is to talk over. Known kinds, so that HTTP/1.1 in the clear pays for none of the others.
#[derive(Debug)]
pub enum Line {
    /// A whole connection.
    Http1(http1::Connection),
    /// One of many streams of a connection.
    Http2(http2::Stream),
    /// A whole connection for one request that may leave HTTP behind; it is used for nothing else.
    Alone {
        /// Gives its bytes away when that happens.
        connection: http1::Connection,
        /// It counts among the open ones for as long as somebody has those bytes.
        _open: OpenConnection,
    },
}

/// What became of a request that was to be sent.
#[derive(Debug)]
pub enum Sent {
    /// The app's answer begins.
    Answered(Response<Incoming>),
    /// The connection had ended before anything of the request got on it.
    Unsent(Request<Upload>, hyper::Error),
    /// The app has said that it did nothing with the request, of which there is no body.
    Refused(Request<Upload>, hyper::Error),
    /// The connection or the stream ended without an answer.
    Failed(hyper::Error),
    /// The alarm rang first.
    Late,
}

impl Lease {
    /// A line that was just opened.
    pub fn fresh(endpoint: &Rc<Endpoint>, line: Line) -> Self {
        Self {
            endpoint: Rc::clone(endpoint),
            line,
            was_used_before: false,
            is_personal: false,
            body_idle: endpoint.spec.body_idle,
        }
    }

    /// A line that was open already, so that the app may be about to close it.
    pub fn used_before(endpoint: &Rc<Endpoint>, line: Line) -> Self {
        Self {
            was_used_before: true,
            ..Self::fresh(endpoint, line)
        }
    }

    /// Sends a request; the head of its answer is what is given back to be waited for.
    pub fn send(&mut self, request: Request<Upload>) -> impl Future<Output = Sent> {
        match &mut self.line {
            Line::Http1(connection) | Line::Alone { connection, .. } => {
                Either::Left(connection.send(request))
            }
            // In a box: it needs four times the room, which no other request shall have for it.
            Line::Http2(stream) => Either::Right(Box::pin(stream.send(request, &self.endpoint))),
        }
    }

    /// The deadline of whatever is waited for. When it is due, all that waits for the app ends.
    pub const fn alarm(&self) -> &Alarm {
        match &self.line {
            Line::Http1(connection) | Line::Alone { connection, .. } => &connection.alarm,
            Line::Http2(stream) => &stream.alarm,
        }
    }

    /// Whether others used it before, so that the app may have closed it meanwhile.
    pub const fn was_used_before(&self) -> bool {
        self.was_used_before
    }

    /// The app may know somebody by this connection.
    pub const fn is_for_this_alone(&mut self) {
        self.is_personal = true;
    }

    /// The answer may be silent for long.
    pub fn answers_in_a_stream(&mut self) {
        self.body_idle = self.endpoint.spec.stream_idle;
    }

    /// How long the app may be silent in its answer.
    pub const fn body_idle(&self) -> Duration {
        self.body_idle
    }

    /// The app has the next word of the answer's body.
    pub fn wait_for_body(&self) {
        self.alarm().set(self.body_idle);
    }

    /// The client has to take what there is of the answer's body. Its own connection sees to it that
    /// it does.
    pub fn wait_for_client(&self) {
        self.alarm().lift();
    }

    /// Ready when whoever waits for the app's next word has to see for itself that there will be none.
    /// A connection that is ours alone is ended by its own task, and its body with it.
    pub fn poll_late(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.line {
            Line::Http1(_) | Line::Alone { .. } => Poll::Pending,
            Line::Http2(stream) => stream.alarm.poll_due(cx),
        }
    }

    /// The exchange is over, on both sides: the line can be used again.
    pub fn give_back(self) {
        let Self {
            endpoint,
            line,
            is_personal,
            ..
        } = self;
        match line {
            Line::Http1(connection) if is_personal => drop(connection),
            Line::Http1(connection) => {
                let spec = &endpoint.spec;
                endpoint.resting.put(connection, spec.idle, spec.max_idle);
            }
            Line::Http2(stream) => drop(stream),
            Line::Alone { connection, .. } => drop(connection),
        }
    }
}
