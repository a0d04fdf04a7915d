//! Bodies on their way through: the request's towards the app, the answer's back, each under its limits.

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

use crate::{
    net::timer::Alarm,
    proxy::{Terms, error::Error, upstream::Lease},
};

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
    /// More came than the route allows.
    TooLarge,
    /// The client stopped sending.
    TooSlow,
    /// The client went away, or its framing was wrong.
    Broken,
}

/// Why a body could not be sent on; told to hyper, which then gives the connection up.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the request body ended badly: {0:?}")]
pub struct BadUpload(UploadEnd);

/// An answer's body. It gives the connection back to the pool when it has come to its end.
#[derive(Debug)]
pub struct Download {
    incoming: Incoming,
    lease: Option<Lease>,
    upload: Watch,
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
    pub fn new(incoming: Incoming, terms: Terms) -> Result<Self, Error> {
        if incoming.is_end_stream() {
            return Ok(Self(None));
        }
        if incoming.size_hint().lower() > terms.max_body {
            return Err(Error::Upload(UploadEnd::TooLarge));
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
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, UploadEnd>>> {
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) else {
                let idle = self.idle;
                let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(idle)));
                ready!(waiting.as_mut().poll(cx));
                return Poll::Ready(Some(Err(UploadEnd::TooSlow)));
            };
            self.waiting = None;
            let Some(frame) = frame else {
                return Poll::Ready(None);
            };
            let Ok(frame) = frame else {
                return Poll::Ready(Some(Err(UploadEnd::Broken)));
            };
            // Trailers stay here: an app must not take for ours what a client put behind its body.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let Some(left) = self.left.checked_sub(data.len() as u64) else {
                return Poll::Ready(Some(Err(UploadEnd::TooLarge)));
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
            Some(Err(end)) => {
                body.shared.end.set(end);
                Some(Err(BadUpload(end)))
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

impl Download {
    /// The body of an answer that came over `lease`'s connection.
    pub fn new(incoming: Incoming, lease: Lease, upload: Watch) -> Self {
        lease.wait_for_client();
        let mut body = Self {
            incoming,
            lease: Some(lease),
            upload,
        };
        if body.incoming.is_end_stream() {
            body.done();
        }
        body
    }

    /// The exchange is over. Its connection can be used again if the request had been sent whole;
    /// otherwise the rest of it would be taken for the next one.
    fn done(&mut self) {
        if let Some(lease) = self.lease.take()
            && self.upload.end() == UploadEnd::Complete
        {
            lease.give_back();
        }
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        let Some(lease) = &self.lease else {
            return polled;
        };
        match &polled {
            // The app is waited for, not the client, so the deadline runs for the app.
            Poll::Pending => lease.wait_for_body(),
            Poll::Ready(Some(Ok(_))) if !self.incoming.is_end_stream() => {
                lease.wait_for_client();
            }
            Poll::Ready(Some(Ok(_)) | None) => self.done(),
            Poll::Ready(Some(Err(_))) => self.lease = None,
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
