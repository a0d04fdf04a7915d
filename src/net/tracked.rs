//! The service of one connection, keeping its [`Progress`] informed, and leaving HTTP behind where an answer says so.

use std::{
    cell::RefCell,
    convert::Infallible,
    error::Error as StdError,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONNECTION};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower::Service;

use crate::net::{
    malformed::Malformed,
    progress::{InFlight, Progress},
    switch::{Handover, Side, Switch},
    tunnel::Duplex,
};

/// See [the module](self).
pub struct Tracked<S, B> {
    service: RefCell<S>,
    progress: Rc<Progress>,
    /// Where a tunnel takes over the whole connection, which it does in HTTP/1.
    handover: Option<Handover<B>>,
}

impl<S, B> Tracked<S, B> {
    /// The service of a connection that becomes a tunnel as a whole.
    pub fn over_http1(service: S, progress: &Rc<Progress>, handover: Handover<B>) -> Self {
        Self {
            service: RefCell::new(service),
            progress: Rc::clone(progress),
            handover: Some(handover),
        }
    }

    /// The service of one of which single streams become tunnels.
    pub fn over_http2(service: S, progress: &Rc<Progress>) -> Self {
        Self {
            service: RefCell::new(service),
            progress: Rc::clone(progress),
            handover: None,
        }
    }

    /// What becomes a tunnel when this request is answered with `101`.
    fn switch_for(&self, request: &mut Request<Incoming>) -> Switch<B> {
        match &self.handover {
            Some(handover) => Switch::Connection(handover.clone()),
            None if request.method() == Method::CONNECT => {
                Switch::Stream(hyper::upgrade::on(request))
            }
            None => Switch::Nothing,
        }
    }

    /// What is wrong with this request, of what its parser does not mind.
    fn flaw_of(&self, request: &Request<Incoming>) -> Option<Malformed> {
        if self.handover.is_some() {
            return self.progress.findings.next();
        }
        let limits = &self.progress.warden().limits;
        if request.headers().len() > limits.max_headers {
            return Some(Malformed::TooManyFields);
        }
        (size_of_head(request) > limits.max_header_bytes).then_some(Malformed::TooLarge)
    }
}

/// As RFC 9113 §6.5.2 counts it, but for what HTTP/2 says of every request.
fn size_of_head<B>(request: &Request<B>) -> usize {
    let fields = request.headers().iter();
    let fields = fields.map(|(name, value)| name.as_str().len() + value.len() + PER_FIELD);
    let target = request.uri();
    let host = target.authority().map_or(0, |host| host.as_str().len());
    let path = target
        .path_and_query()
        .map_or(0, |path| path.as_str().len());
    host + path + fields.sum::<usize>()
}

const PER_FIELD: usize = 32;

impl<S, B> hyper::service::Service<Request<Incoming>> for Tracked<S, B>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Duplex + 'static,
    B::Error: StdError,
{
    type Response = Response<TrackedBody<B>>;
    type Error = Infallible;
    type Future = TrackedFuture<S::Future, B>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let flaw = self.flaw_of(&request);
        if let Some(flaw) = flaw {
            request.extensions_mut().insert(flaw);
        }
        TrackedFuture {
            in_flight: Some(self.progress.begin()),
            switch: Some(self.switch_for(&mut request)),
            // In HTTP/1 nobody can tell for sure where the next request would begin.
            last: flaw.filter(|_| self.handover.is_some()),
            response: self.service.borrow_mut().call(request),
        }
    }
}

pin_project! {
    /// Waits for the head of an answer.
    pub struct TrackedFuture<F, B> {
        in_flight: Option<InFlight>,
        switch: Option<Switch<B>>,
        last: Option<Malformed>,
        #[pin]
        response: F,
    }
}

impl<F, B> Future for TrackedFuture<F, B>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
    B: Duplex + 'static,
    B::Error: StdError,
{
    type Output = Result<Response<TrackedBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.response.poll(cx))?;
        let (Some(in_flight), Some(switch)) = (this.in_flight.take(), this.switch.take()) else {
            return Poll::Pending;
        };
        let (mut parts, body) = response.into_parts();
        in_flight.answers(parts.extensions.get().copied());
        if this.last.is_some() {
            let close = HeaderValue::from_static("close");
            parts.headers.insert(CONNECTION, close);
        }
        Poll::Ready(Ok(if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            let parts = switch.perform(parts, Side { body, in_flight });
            Response::from_parts(parts, TrackedBody { answer: None })
        } else {
            let answer = Some(Answer { body, in_flight });
            Response::from_parts(parts, TrackedBody { answer })
        }))
    }
}

pin_project! {
    /// A response body; the request is in flight until it is dropped. There is none to the answer that
    /// begins a tunnel.
    pub struct TrackedBody<B> {
        #[pin]
        answer: Option<Answer<B>>,
    }
}

pin_project! {
    struct Answer<B> {
        #[pin]
        body: B,
        in_flight: InFlight,
    }
}

impl<B: Body<Data = Bytes>> Body for TrackedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Some(answer) = self.project().answer.as_pin_mut() else {
            return Poll::Ready(None);
        };
        let answer = answer.project();
        answer.in_flight.asked();
        let frame = ready!(answer.body.poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            answer
                .in_flight
                .gives(frame.data_ref().map_or(0, Bytes::len));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let answer = self.answer.as_ref();
        answer.is_none_or(|answer| answer.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let answer = self.answer.as_ref();
        answer.map_or(SizeHint::with_exact(0), |answer| answer.body.size_hint())
    }
}
