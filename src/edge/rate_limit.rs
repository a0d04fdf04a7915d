//! Throttles: counts requests against the limits of where they go, and tells their senders how these stand.

use std::{
    mem,
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
    limit::{Caller, Exceeded, Judged, Rules, Standing, Throttle},
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
    #[project = ResponseFutureProjection]
    pub enum ResponseFuture<S, A, F, B> {
        /// It came too early.
        Refused { response: Option<Response<B>> },
        /// It passed. How the tightest limit stands, is told if there is one.
        Passed { #[pin] inner: F, standing: Option<Standing> },
        /// The store is asked. In a box: most requests meet no limit that is shared.
        Asking { asking: Asking, asked: Option<Box<Asked<S, A>>> },
    }
}

/// A request that waits, and the service it is for.
#[derive(Debug)]
pub struct Asked<S, A> {
    service: LimitRate<S>,
    request: Request<A>,
    standing: Option<Standing>,
}

/// Ends when the store has answered.
type Asking = Pin<Box<dyn Future<Output = Result<(), Exceeded>> + Send>>;

impl RateLimitLayer {
    /// Throttles by the limits of `throttle` that are judged at `stage`.
    pub const fn new(throttle: Arc<Throttle>, stage: Stage) -> Self {
        Self { throttle, stage }
    }

    fn rules<A>(&self, request: &Request<A>) -> &Rules {
        match request.extensions().get::<Destination>() {
            Some(Destination::Route(route)) => self.throttle.route(route.index, self.stage),
            Some(Destination::Auth | Destination::Gateway | Destination::Refused(_)) | None => {
                self.throttle.everywhere(self.stage)
            }
        }
    }

    fn judge<A>(&self, request: &Request<A>) -> Result<Judged, Exceeded> {
        let rules = self.rules(request);
        if rules.is_empty() {
            return Ok(Judged::Passed(None));
        }
        self.throttle.judge(rules, &caller(request))
    }
}

impl<S> LimitRate<S> {
    /// Lets a request on. What an outer stage found is remembered in it for the inner one.
    fn pass<A, B>(
        &mut self,
        mut request: Request<A>,
        standing: Option<Standing>,
    ) -> ResponseFuture<S, A, S::Future, B>
    where
        S: Service<Request<A>, Response = Response<B>>,
    {
        let extensions = request.extensions_mut();
        let standing = standing.map(|own| own.or_tighter(extensions.get().copied()));
        if let Some(standing) = standing {
            extensions.insert(standing);
        }
        ResponseFuture::Passed {
            inner: self.inner.call(request),
            standing,
        }
    }
}

fn refuse<S, A, F, B: From<Bytes>>(exceeded: Exceeded) -> ResponseFuture<S, A, F, B> {
    ResponseFuture::Refused {
        response: Some(Reject::from(exceeded).into_response()),
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
    S: Service<Request<A>, Response = Response<B>> + Clone,
    B: From<Bytes>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = ResponseFuture<S, A, S::Future, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        match self.layer.judge(&request) {
            Ok(Judged::Passed(standing)) => self.pass(request, standing),
            Err(exceeded) => refuse(exceeded),
            Ok(Judged::Asks(question, standing)) => {
                let asking = Box::pin(self.layer.throttle.ask(question));
                // The one that is ready goes along, a fresh one stays behind.
                let fresh = self.clone();
                let asked = Asked {
                    service: mem::replace(self, fresh),
                    request,
                    standing,
                };
                ResponseFuture::Asking {
                    asking,
                    asked: Some(Box::new(asked)),
                }
            }
        }
    }
}

impl<S, A, B> Future for ResponseFuture<S, A, S::Future, B>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: From<Bytes>,
{
    type Output = Result<Response<B>, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let (verdict, asked) = match self.as_mut().project() {
                ResponseFutureProjection::Passed { inner, standing } => {
                    let mut response = ready!(inner.poll(cx))?;
                    if let Some(standing) = standing.take() {
                        Allowance::from(standing).tell(response.headers_mut());
                    }
                    return Poll::Ready(Ok(response));
                }
                ResponseFutureProjection::Refused { response } => {
                    return response
                        .take()
                        .map_or(Poll::Pending, |response| Poll::Ready(Ok(response)));
                }
                ResponseFutureProjection::Asking { asking, asked } => {
                    (ready!(asking.as_mut().poll(cx)), asked.take())
                }
            };
            let Some(asked) = asked else {
                return Poll::Pending;
            };
            let Asked {
                mut service,
                request,
                standing,
            } = *asked;
            self.set(match verdict {
                Ok(()) => service.pass(request, standing),
                Err(exceeded) => refuse(exceeded),
            });
        }
    }
}
