//! An answer's body on its way to the client; it gives its connection back to the pool, or drops it.

use std::{
    cell::Cell,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::{
    net::fields,
    proxy::{
        lease::Lease,
        tether::{Cut, Tether},
        upload::{UploadEnd, Watch},
    },
    reject::{Broken, Code},
};

/// An answer's body. It gives the connection back to the pool when it has come to its end.
#[derive(Debug)]
pub struct Download {
    incoming: Incoming,
    lease: Option<Lease>,
    upload: Watch,
    tether: Tether,
    /// Whether it was found that there is nothing more to take at the moment.
    is_taken: Cell<bool>,
}

impl Download {
    /// The body of an answer that came over `lease`'s connection.
    pub fn new(incoming: Incoming, lease: Lease, upload: Watch, tether: Tether) -> Self {
        lease.wait_for_client();
        let mut body = Self {
            incoming,
            lease: Some(lease),
            upload,
            tether,
            is_taken: Cell::new(false),
        };
        if body.incoming.is_end_stream() {
            body.done();
        }
        body
    }

    /// The exchange is over. Its connection can be used again if the request had been sent whole;
    /// otherwise the rest of it would be taken for the next one.
    fn done(&mut self) {
        self.tether = Tether::default();
        if let Some(lease) = self.lease.take()
            && self.upload.end() == UploadEnd::Complete
        {
            lease.give_back();
        }
        self.upload.abandon();
    }

    /// The answer has no end. What is told of it is told to the log: the client only sees it break off.
    fn broken(&mut self, code: Code) -> Broken {
        self.lease = None;
        Broken(code)
    }
}

impl Drop for Download {
    /// A stream that is given up has two directions, and hyper gives up but one.
    fn drop(&mut self) {
        self.upload.abandon();
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        let Some(lease) = &self.lease else {
            return polled.map_err(|_| Broken(Code::UpstreamUnreachable));
        };
        if let Err(Cut) = self.tether.check() {
            return Poll::Ready(Some(Err(self.broken(Code::SessionRevoked))));
        }
        match polled {
            // The app is waited for, not the client, so the deadline runs for the app.
            Poll::Pending => {
                if lease.poll_late(cx).is_ready() {
                    return Poll::Ready(Some(Err(self.broken(Code::UpstreamTimeout))));
                }
                // Once for each piece: that others look again must not prolong it.
                if !self.is_taken.replace(true) && self.upload.is_taken() {
                    lease.wait_for_body();
                }
                Poll::Pending
            }
            Poll::Ready(Some(Ok(mut frame))) => {
                if let Some(trailers) = frame.trailers_mut() {
                    fields::strip_trailers(trailers);
                }
                self.is_taken.set(false);
                if self.incoming.is_end_stream() {
                    self.done();
                } else {
                    self.upload.client_takes();
                    lease.wait_for_client();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                self.done();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                tracing::debug!(%error, "an answer broke off");
                let is_late = lease.alarm().is_due();
                Poll::Ready(Some(Err(self.broken(if is_late {
                    Code::UpstreamTimeout
                } else {
                    Code::UpstreamUnreachable
                }))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
