//! A request's body on its way to the app, under the limits of its route; knows nothing of the connection it goes over.

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};

use crate::{net::timer::Alarm, proxy::Terms};

/// A request's body. Most requests have none, and cost nothing here.
#[derive(Debug)]
pub struct Upload(Option<Upstreaming>);

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

/// Why a body could not be sent on; told to hyper, which then gives the connection up.
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
}

#[derive(Debug)]
struct Upstreaming {
    incoming: Incoming,
    left: u64,
    idle: Duration,
    /// Made when the client first keeps us waiting; bodies that are already here need no timer.
    waiting: Option<Pin<Box<Sleep>>>,
    shared: Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    end: Cell<UploadEnd>,
    /// What watches over the app until its answer begins, and how long the app may take.
    answer_due: RefCell<Option<(Alarm, Duration)>>,
}

impl Upload {
    /// Takes a body; one that says it is too large is refused unread (RFC 9110 §15.5.14).
    pub fn new(incoming: Incoming, terms: Terms) -> Result<Self, BadUpload> {
        if incoming.is_end_stream() {
            return Ok(Self(None));
        }
        if incoming.size_hint().lower() > terms.max_body {
            return Err(BadUpload::TooLarge);
        }
        Ok(Self(Some(Upstreaming {
            incoming,
            left: terms.max_body,
            idle: terms.body_idle,
            waiting: None,
            shared: Rc::new(Shared {
                end: Cell::new(UploadEnd::Open),
                answer_due: RefCell::new(None),
            }),
        })))
    }

    /// Whether it ends only where it ends, as chunks do.
    pub fn is_of_unknown_length(&self) -> bool {
        self.size_hint().exact().is_none()
    }

    /// From now on `alarm` watches over the app: it is due when the app has neither taken the next
    /// piece nor answered for `timeout`.
    pub fn sent_under(&self, alarm: &Alarm, timeout: Duration) {
        alarm.set(timeout);
        if let Some(body) = &self.0 {
            let watched = Some((alarm.clone(), timeout));
            body.shared.answer_due.replace(watched);
        }
    }

    /// A view of how far it has come.
    pub fn watch(&self) -> Watch {
        Watch(self.0.as_ref().map(|body| Rc::clone(&body.shared)))
    }
}

impl Watch {
    /// The answer has begun; what is still to be sent no longer sets its deadline.
    pub fn answered(&self) {
        if let Some(shared) = &self.0 {
            shared.answer_due.take();
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
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BadUpload>>> {
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) else {
                let idle = self.idle;
                let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(idle)));
                ready!(waiting.as_mut().poll(cx));
                return Poll::Ready(Some(Err(BadUpload::TooSlow)));
            };
            self.waiting = None;
            let Some(frame) = frame else {
                return Poll::Ready(None);
            };
            let Ok(frame) = frame else {
                return Poll::Ready(Some(Err(BadUpload::Broken)));
            };
            // Trailers stay here: an app must not take for ours what a client put behind its body.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let Some(left) = self.left.checked_sub(data.len() as u64) else {
                return Poll::Ready(Some(Err(BadUpload::TooLarge)));
            };
            self.left = left;
            return Poll::Ready(Some(Ok(data)));
        }
    }
}

impl Shared {
    /// The app asks for more and the client has none: it is not the app that takes so long.
    fn wait_for_client(&self) {
        if let Some((alarm, _)) = &*self.answer_due.borrow() {
            alarm.lift();
        }
    }

    /// The app has something to take, or all of it.
    fn wait_for_app(&self) {
        if let Some((alarm, timeout)) = &*self.answer_due.borrow() {
            alarm.set(*timeout);
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = BadUpload;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BadUpload>>> {
        let Some(body) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let Poll::Ready(polled) = body.poll_data(cx) else {
            body.shared.wait_for_client();
            return Poll::Pending;
        };
        body.shared.wait_for_app();
        if polled.is_none() || body.incoming.is_end_stream() {
            body.shared.end.set(UploadEnd::Complete);
        }
        Poll::Ready(match polled {
            None => None,
            Some(Ok(data)) => Some(Ok(Frame::data(data))),
            Some(Err(bad)) => {
                body.shared.end.set(UploadEnd::Bad(bad));
                Some(Err(bad))
            }
        })
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
