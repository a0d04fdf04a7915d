//! A request's body on its way to the app, under the limits of its route; knows nothing of the connection it goes over.

use std::{
    cell::{Cell, RefCell},
    fmt,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::Bytes;
use h2::Reason;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use crate::{
    net::{
        fields::Reserved,
        patience::Patience,
        timer::{Alarm, Moment},
    },
    proxy::Terms,
};

/// A request's body. Most requests have none, and cost nothing here, not even the room.
#[derive(Debug)]
pub struct Upload(Option<Box<Upstreaming>>);

/// How far a request's body has come, for the one who waits for the answer.
#[derive(Debug, Clone)]
pub struct Watch(Option<Rc<Shared>>);

/// How the sending of a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadEnd {
    /// Not yet.
    Open,
    /// All of it went out.
    Complete,
    /// Some of it cannot be sent.
    Bad(BadUpload),
}

/// Why a body could not be sent on; hyper then gives the connection or the stream up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadUpload {
    /// More came than the route allows.
    #[error("the request body is larger than allowed")]
    TooLarge,
    /// The client stopped sending.
    #[error("the request body stopped coming")]
    TooSlow,
    /// The client went away, or its framing was wrong.
    #[error("the request body broke off")]
    Broken,
    /// Nobody wants it any more.
    #[error("the exchange is over")]
    Abandoned,
}

#[derive(Debug)]
struct Upstreaming {
    incoming: Incoming,
    left: u64,
    patience: Patience,
    /// Made when the client first keeps us waiting; bodies that are already here need no timer.
    waiting: Option<Pin<Box<Sleep>>>,
    reserved: Reserved,
    shared: Rc<Shared>,
}

struct Shared {
    end: Cell<UploadEnd>,
    is_answered: Cell<bool>,
    /// What watches over the app until its answer begins.
    watched: RefCell<Option<Watched>>,
    /// Whether the client has to send the next piece before the app can do anything.
    client_sends: Cell<bool>,
    /// Whether the client has to take the next piece of the answer.
    client_takes: Cell<bool>,
    /// Wakes who sends the body.
    sending: Cell<Option<Waker>>,
}

struct Watched {
    by: Alarm,
    /// How long the app may take for its next step.
    pause: Duration,
    /// When app and client together have taken too long.
    latest: Moment,
}

impl Upload {
    /// Takes a body; one that says it is too large is refused unread (RFC 9110 §15.5.14).
    pub fn new(incoming: Incoming, terms: Terms, reserved: &Reserved) -> Result<Self, BadUpload> {
        if incoming.is_end_stream() {
            return Ok(Self(None));
        }
        if incoming.size_hint().lower() > terms.max_body {
            return Err(BadUpload::TooLarge);
        }
        Ok(Self(Some(Box::new(Upstreaming {
            incoming,
            left: terms.max_body,
            patience: Patience::new(terms.pace),
            waiting: None,
            reserved: reserved.clone(),
            shared: Rc::new(Shared {
                end: Cell::new(UploadEnd::Open),
                is_answered: Cell::new(false),
                watched: RefCell::new(None),
                client_sends: Cell::new(false),
                client_takes: Cell::new(false),
                sending: Cell::new(None),
            }),
        }))))
    }

    /// No body at all.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Whether there is none.
    pub const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Whether it ends only where it ends, as chunks do.
    pub fn is_of_unknown_length(&self) -> bool {
        self.size_hint().exact().is_none()
    }

    /// From now on `alarm` watches over the app: it is due when the app has neither taken the next
    /// piece nor answered for `timeout`, and at `latest` in any case.
    pub fn sent_under(&self, alarm: &Alarm, timeout: Duration, latest: Moment) {
        alarm.set_before(timeout, latest);
        if let Some(body) = &self.0 {
            body.shared.watched.replace(Some(Watched {
                by: alarm.clone(),
                pause: timeout,
                latest,
            }));
        }
    }

    /// A view of how far it has come.
    pub fn watch(&self) -> Watch {
        Watch(self.0.as_ref().map(|body| Rc::clone(&body.shared)))
    }
}

impl Watch {
    /// The answer has begun, and the client has to take it. From now on the app is late when for `idle`
    /// it neither takes the next piece of the body nor gives the next one of its answer.
    pub fn answered(&self, idle: Duration) {
        if let Some(shared) = &self.0 {
            shared.is_answered.set(true);
            shared.client_takes.set(true);
            if let Some(watched) = &mut *shared.watched.borrow_mut() {
                watched.pause = idle;
                // From here on the client's own connection sees to it.
                watched.latest = Moment::NEVER;
            }
        }
    }

    /// The client has something of the answer to take.
    pub fn client_takes(&self) {
        if let Some(shared) = &self.0 {
            shared.client_takes.set(true);
        }
    }

    /// All of the answer that came was taken. Says whether it is the app that has the next word.
    pub fn is_taken(&self) -> bool {
        self.0.as_ref().is_none_or(|shared| {
            shared.client_takes.set(false);
            !shared.client_sends.get()
        })
    }

    /// Whether the client has to send the next piece before the app can do anything.
    pub fn is_awaited(&self) -> bool {
        let shared = self.0.as_ref();
        shared.is_some_and(|it| it.end.get() == UploadEnd::Open && it.client_sends.get())
    }

    /// Nobody will take the rest of it, should there be any.
    pub fn abandon(&self) {
        let Some(shared) = &self.0 else {
            return;
        };
        if shared.end.get() == UploadEnd::Open {
            shared.end.set(UploadEnd::Bad(BadUpload::Abandoned));
            if let Some(sending) = shared.sending.take() {
                sending.wake();
            }
        }
    }

    /// How the body ended.
    pub fn end(&self) -> UploadEnd {
        self.0
            .as_ref()
            .map_or(UploadEnd::Complete, |shared| shared.end.get())
    }
}

impl Upstreaming {
    fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BadUpload>>> {
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) else {
                let left = self.patience.left();
                let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(left)));
                ready!(waiting.as_mut().poll(cx));
                return Poll::Ready(Some(Err(BadUpload::TooSlow)));
            };
            let waiting = self.waiting.take();
            let frame = match frame {
                None => return Poll::Ready(None),
                Some(Err(_)) => return Poll::Ready(Some(Err(BadUpload::Broken))),
                Some(Ok(frame)) => frame,
            };
            let data = match frame.into_data() {
                Ok(data) => data,
                Err(frame) => match self.trailers(frame) {
                    Some(trailers) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                    None => continue,
                },
            };
            let Some(left) = self.left.checked_sub(data.len() as u64) else {
                return Poll::Ready(Some(Err(BadUpload::TooLarge)));
            };
            self.left = left;
            self.went_on(waiting, data.len());
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
    }

    /// The client has sent something, after it had kept us waiting.
    fn went_on(&mut self, waiting: Option<Pin<Box<Sleep>>>, bytes: usize) {
        if self.shared.is_answered.get() {
            // The two are talking to each other: neither has to say much.
            self.patience = self.patience.renewed();
        } else if let Some(waiting) = waiting {
            let left = waiting.deadline() - Instant::now();
            self.patience
                .waited(self.patience.left().saturating_sub(left));
        }
        self.patience.moved(bytes);
    }

    /// An app must not take for ours what a client put behind its body, nor for a header.
    fn trailers(&self, frame: Frame<Bytes>) -> Option<HeaderMap> {
        let mut trailers = frame.into_trailers().ok()?;
        self.reserved.strip_trailers(&mut trailers);
        (!trailers.is_empty()).then_some(trailers)
    }
}

impl Shared {
    /// The app asks for more and the client has none: it is not the app that takes so long.
    fn wait_for_client(&self) {
        self.client_sends.set(true);
        if let Some(watched) = &*self.watched.borrow() {
            watched.by.set_at(watched.latest);
        }
    }

    /// The app has something to take, or all of it.
    fn wait_for_app(&self) {
        self.client_sends.set(false);
        // Whose answer nobody takes may stop taking as well.
        if self.client_takes.get() {
            return;
        }
        if let Some(watched) = &*self.watched.borrow() {
            watched.by.set_before(watched.pause, watched.latest);
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({:?})", self.end.get())
    }
}

impl Body for Upload {
    type Data = Bytes;
    /// What an app that speaks HTTP/2 is told when there will be no more; why is in [`Watch::end`].
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let Some(body) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let given_up = || Poll::Ready(Some(Err(Reason::CANCEL.into())));
        if let UploadEnd::Bad(_) = body.shared.end.get() {
            return given_up();
        }
        let Poll::Ready(polled) = body.poll_piece(cx) else {
            body.shared.wait_for_client();
            body.shared.sending.set(Some(cx.waker().clone()));
            return Poll::Pending;
        };
        body.shared.wait_for_app();
        match polled {
            Some(Err(bad)) => {
                body.shared.end.set(UploadEnd::Bad(bad));
                given_up()
            }
            Some(Ok(piece)) => {
                if body.incoming.is_end_stream() {
                    body.shared.end.set(UploadEnd::Complete);
                }
                Poll::Ready(Some(Ok(piece)))
            }
            None => {
                body.shared.end.set(UploadEnd::Complete);
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|body| body.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0
            .as_ref()
            .map_or(SizeHint::with_exact(0), |body| body.incoming.size_hint())
    }
}
