//! Throttles: counts requests against the limits of where they go, and tells their senders how these stand.

use std::{
    net::{IpAddr, Ipv4Addr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::{
    domain::rate::Stage,
    edge::{destination::Destination, gate::Principal},
    limit::{Caller, Exceeded, Rules, Standing, Throttle},
    net::peer::Client,
    reject::{Allowance, Reject},
};

/// Answers requests with 429 that come faster than they may, and adds `RateLimit` to the answers of
/// all others that were counted. A request for which there is no limit passes untouched.
///
/// It stands in a stack once for each [`Stage`]: inside of what knows the client, and inside of
/// what knows the caller.
#[derive(Debug, Clone)]
pub struct RateLimitLayer {
    throttle: Arc<Throttle>,
    stage: Stage,
}

/// See [`RateLimitLayer`].
#[derive(Debug, Clone)]
pub struct LimitRate<S> {
    inner: S,
    layer: RateLimitLayer,
}

pin_project! {
    /// The answer: a refusal at once, or what the inner service says.
    #[derive(Debug)]
    #[project = ResponseFutureProjection]
    pub enum ResponseFuture<F, B> {
        /// It came too early.
        Refused { response: Option<Response<B>> },
        /// It passed. How the tightest limit stands, is told if there is one.
        Passed { #[pin] inner: F, standing: Option<Standing> },
    }
}

impl RateLimitLayer {
    /// Throttles by the limits of `throttle` that are judged at `stage`.
    pub const fn new(throttle: Arc<Throttle>, stage: Stage) -> Self {
        Self { throttle, stage }
    }

    fn rules<A>(&self, request: &Request<A>) -> &Rules {
        match request.extensions().get::<Destination>() {
            Some(Destination::Route(route)) => self.throttle.route(route.index, self.stage),
            Some(Destination::Auth | Destination::Refused(_)) | None => {
                self.throttle.everywhere(self.stage)
            }
        }
    }

    /// Counts the request. What an outer stage found is remembered in it for the inner one.
    fn count<A>(&self, request: &mut Request<A>) -> Result<Option<Standing>, Exceeded> {
        let rules = self.rules(request);
        if rules.is_empty() {
            return Ok(None);
        }
        let Some(standing) = rules.take(&caller(request))? else {
            return Ok(None);
        };
        let standing = standing.or_tighter(request.extensions().get().copied());
        request.extensions_mut().insert(standing);
        Ok(Some(standing))
    }
}

fn caller<A>(request: &Request<A>) -> Caller<'_> {
    let extensions = request.extensions();
    let principal = extensions.get::<Principal>();
    Caller {
        // Whoever forgets to find out who the clients are has one budget for all of them.
        network: extensions
            .get()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), Client::network),
        subject: principal.map(Principal::subject),
        session: principal.map(Principal::session),
    }
}

impl From<Exceeded> for Reject {
    fn from(Exceeded { rate, wait }: Exceeded) -> Self {
        let policy = rate.whose.as_str();
        Self::rate_limited(policy, rate.quota.max.get(), rate.quota.window, wait)
    }
}

impl From<Standing> for Allowance {
    fn from(standing: Standing) -> Self {
        let Standing {
            rate,
            left,
            full_in,
        } = standing;
        Self {
            policy: rate.whose.as_str(),
            quota: rate.quota.max.get(),
            window: rate.quota.window,
            left,
            more_in: full_in,
        }
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = LimitRate<S>;

    fn layer(&self, inner: S) -> LimitRate<S> {
        LimitRate {
            inner,
            layer: self.clone(),
        }
    }
}

impl<S, A, B> Service<Request<A>> for LimitRate<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: From<Bytes>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        match self.layer.count(&mut request) {
            Ok(standing) => ResponseFuture::Passed {
                inner: self.inner.call(request),
                standing,
            },
            Err(exceeded) => ResponseFuture::Refused {
                response: Some(Reject::from(exceeded).into_response()),
            },
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            ResponseFutureProjection::Passed { inner, standing } => {
                let mut response = ready!(inner.poll(cx))?;
                if let Some(standing) = standing.take() {
                    Allowance::from(standing).tell(response.headers_mut());
                }
                Poll::Ready(Ok(response))
            }
            ResponseFutureProjection::Refused { response } => response
                .take()
                .map_or(Poll::Pending, |response| Poll::Ready(Ok(response))),
        }
    }
}
