//! The stacks: what every request passes, in order, on one screen. Only this file knows that order.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::Arc,
};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use crate::{
    app::{curfew::Curfew, entrance::Https},
    auth::{self, AuthService},
    body::Body,
    clock::Clock,
    domain::rate::Stage,
    edge::{
        access_log::{AccessLogLayer, PLACES_BEFORE_ROUTES},
        app_answer::leave_to_us,
        authenticate::AuthenticateLayer,
        careful::CarefulLayer,
        client::ClientLayer,
        cors::CorsLayer,
        destination::{Destination, DestinationLayer, Map},
        dispatch::Dispatch,
        gate::{Browsers, Gate, Principal},
        grpc::GrpcLayer,
        hsts::HstsLayer,
        identity::IdentityLayer,
        rate_limit::RateLimitLayer,
        recognize::RecognizeLayer,
        request_id::{Ids, RequestIdLayer, X_REQUEST_ID},
        wrong_door::{Entry, WrongDoorLayer},
    },
    limit::Throttle,
    net::{
        Limits,
        fields::Reserved,
        peer::{Peer, TrustedProxies},
        timer::Timer,
        tunnel::Duplex,
        websocket::Handshake,
    },
    observe::{
        access::{AccessLog, Lines},
        http::Shard,
        metrics::Metrics,
    },
    proxy::{App, Content, Exchange, Terms, Tether, Tethers, Upgrade, Upstream, Way, answer},
    reject::{Broken, Code, Reject},
    store::revocations::{OnOutage, Revocations},
    token::Tokens,
};

/// What all workers build their stacks from.
#[derive(Debug)]
pub struct Plan {
    /// Where requests go.
    pub map: Arc<Map>,
    /// The apps, in the order in which routes count them.
    pub upstreams: Vec<App>,
    /// Where the built-in demo app listens, when an upstream wants it.
    pub demo: Option<SocketAddr>,
    /// What a client connection may take.
    pub limits: Limits,
    /// HTTPS, if anybody listens for it.
    pub https: Option<Https>,
    /// What browsers are told of coming back by HTTPS.
    pub hsts: HstsLayer,
    /// What browsers are told to be careful with.
    pub careful: CarefulLayer,
    /// Whose pages may ask from another origin.
    pub cors: CorsLayer,
    /// How many requests may come.
    pub throttle: Arc<Throttle>,
    /// Whose word about clients is taken.
    pub trusted: Arc<TrustedProxies>,
    /// How browsers are treated.
    pub browsers: Browsers,
    /// How apps learn who is calling.
    pub identity: IdentityLayer,
    /// The gateway's own endpoints.
    pub auth: AuthService,
    /// Verifies access tokens.
    pub tokens: Tokens,
    /// Which sessions were ended.
    pub revocations: Arc<Revocations>,
    /// What becomes of tokens while that is not known for sure.
    pub on_outage: OnOutage,
    /// Where requests are counted.
    pub metrics: Metrics,
    /// Where they are logged, if they are.
    pub access_log: Option<AccessLog>,
    /// What time it is.
    pub clock: Clock,
}

/// The stacks of one worker.
#[derive(Debug)]
pub struct Site {
    ids: Rc<Ids>,
    trusted: Arc<TrustedProxies>,
    destination: DestinationLayer,
    access_log: AccessLogLayer,
    lines: Option<Rc<Lines>>,
    hsts: HstsLayer,
    careful: CarefulLayer,
    cors: CorsLayer,
    throttle: Arc<Throttle>,
    recognize: RecognizeLayer,
    authenticate: AuthenticateLayer,
    identity: IdentityLayer,
    auth: AuthService,
    upstreams: Rc<[Rc<Upstream>]>,
    tethers: Tethers,
    curfew: Curfew,
    limits: Rc<Limits>,
}

impl Plan {
    /// The names under which requests are counted.
    fn places(&self) -> Arc<[Arc<str>]> {
        let routes = self.map.routes.in_order();
        PLACES_BEFORE_ROUTES
            .into_iter()
            .map(Arc::from)
            .chain(routes.into_iter().map(|route| Arc::clone(&route.name)))
            .collect()
    }
}

impl Site {
    /// The stacks of the worker whose timer this is; `seed` is random and begins its request ids.
    pub fn new(plan: &Plan, seed: u64, timer: &Timer) -> Self {
        let shard: Arc<Shard> = plan.metrics.http().shard(plan.places());
        let lines = plan.access_log.clone().map(|log| Rc::new(log.lines()));
        let gate = Gate::new(
            plan.tokens.clone(),
            &plan.revocations,
            plan.browsers.clone(),
            plan.clock.clone(),
        )
        .on_store_outage(plan.on_outage);
        let tethers = Tethers::default();
        let curfew = Curfew::new(
            &plan.revocations,
            gate.clone(),
            tethers.clone(),
            plan.metrics.clone(),
        );
        let upstream = |app: &App| Rc::new(Upstream::new(app, plan.demo, timer));
        Self {
            ids: Rc::new(Ids::new(seed)),
            trusted: Arc::clone(&plan.trusted),
            destination: DestinationLayer::new(Arc::clone(&plan.map)),
            access_log: AccessLogLayer::new(shard, lines.clone()),
            lines,
            hsts: plan.hsts.clone(),
            careful: plan.careful.clone(),
            cors: plan.cors.clone(),
            throttle: Arc::new(plan.throttle.for_worker()),
            recognize: RecognizeLayer::new(counts_people(&plan.throttle).then(|| gate.clone())),
            authenticate: AuthenticateLayer::required(gate),
            identity: plan.identity.clone(),
            auth: plan.auth.for_worker(),
            upstreams: plan.upstreams.iter().map(upstream).collect(),
            tethers,
            curfew,
            limits: Rc::new(plan.limits.clone()),
        }
    }

    /// What a client connection may take.
    pub const fn limits(&self) -> &Rc<Limits> {
        &self.limits
    }

    /// Does at every tick what need not be done at every request: ends what is under way in sessions
    /// that were ended, and hands gathered log lines on.
    pub fn tick(&self) {
        self.curfew.look();
        if let Some(lines) = &self.lines {
            lines.flush();
        }
    }

    /// The answer to something that never became a request.
    pub fn refuse(&self, client: IpAddr, code: Code) -> Response<Bytes> {
        let reject = Reject::new(code, "What came is no request that can be read.");
        let mut response = reject.into_response();
        let id = self.ids.next();
        self.access_log.unread(client, &id, &response);
        response.headers_mut().insert(X_REQUEST_ID, id);
        response
    }

    /// What the requests of one connection pass, outermost first. Order is meaning:
    pub fn door(&self, peer: Peer, entry: Entry) -> impl Door {
        let peer = Rc::new(peer);
        // What a trusted proxy was asked for is its own affair: it has certificates of its own.
        let entry = match entry {
            Entry::Secured(_) if peer.is_trusted => Entry::Open,
            entry @ (Entry::Open | Entry::Secured(_) | Entry::ToHttps { .. }) => entry,
        };
        let throttle = |stage| RateLimitLayer::new(Arc::clone(&self.throttle), stage);
        let route = ServiceBuilder::new()
            // Refuses before a byte of the body is asked for, so nothing is uploaded in vain.
            .layer(self.authenticate.clone())
            .layer(throttle(Stage::Admitted))
            // Takes all that looks like identity away and sets ours: nothing may come after it.
            .layer(self.identity.clone())
            .service(self.way_to_the_apps());
        let auth = ServiceBuilder::new()
            .layer(self.recognize.clone())
            .layer(throttle(Stage::Admitted))
            .service(ServiceExt::<Request<Incoming>>::map_response(
                self.auth.clone(),
                our_own,
            ));
        ServiceBuilder::new()
            // First, so that every later line can name the request.
            .layer(RequestIdLayer::new(Rc::clone(&self.ids), Rc::clone(&peer)))
            // Before anybody asks who the client is, or repeats what it says of itself.
            .layer(ClientLayer::new(peer, Arc::clone(&self.trusted)))
            // Decides once where it goes. It refuses nothing itself, so that refusals are logged.
            .layer(self.destination.clone())
            // Changes that where the connection is not for it, before it is logged.
            .layer(WrongDoorLayer::new(entry))
            // Outside of all that may refuse.
            .layer(self.access_log.clone())
            // Outside of all that may refuse, inside of what says what was answered.
            .layer(GrpcLayer)
            // Outside of all that answers.
            .layer(self.hsts.clone())
            .layer(self.careful.clone())
            // Outside of all that refuses along a route, so that pages can read why.
            .layer(self.cors.clone())
            // Before any token is looked at, and for what leads nowhere, too.
            .layer(throttle(Stage::Arrived))
            .service(Dispatch::new(auth, route))
    }

    /// The innermost service: along the matched route to its app.
    fn way_to_the_apps(
        &self,
    ) -> impl Service<
        Request<Incoming>,
        Response = Response<Body<Content>>,
        Error = Infallible,
        Future: 'static,
    > + Clone
    + use<> {
        let upstreams = Rc::clone(&self.upstreams);
        let tethers = self.tethers.clone();
        let limits = Rc::clone(&self.limits);
        let reserved = self.identity.reserved().clone();
        let forward = service_fn(move |request: Request<Incoming>| {
            let caller = request.extensions().get::<Principal>();
            let tether = tethers.tie(caller.map(Principal::session));
            answer(way(&upstreams, &limits, &reserved, tether, request))
        });
        forward.map_response(leave_to_us)
    }
}

/// Whether any limit of all requests is one of persons or logins.
fn counts_people(throttle: &Throttle) -> bool {
    !throttle.everywhere(Stage::Admitted).is_empty()
}

/// The way to the app that the request's route leads to.
fn way(
    upstreams: &[Rc<Upstream>],
    limits: &Limits,
    reserved: &Reserved,
    tether: Tether,
    request: Request<Incoming>,
) -> Result<Way, Reject> {
    let nowhere = || Reject::new(Code::NotFound, "No route leads here.");
    let Some(Destination::Route(route)) = request.extensions().get::<Destination>() else {
        return Err(nowhere());
    };
    let terms = Terms {
        max_body: route.max_body,
        pace: limits.pace,
        tunnel_idle: limits.tunnel_idle,
        response_timeout: route.response_timeout,
        request_timeout: route.request_timeout,
    };
    let upstream = upstreams.get(route.upstream).ok_or_else(nowhere)?;
    let upstream = Rc::clone(upstream);
    match request.extensions().get::<Handshake>().cloned() {
        None => Exchange::new(upstream, request, terms, reserved, tether).map(Way::Exchange),
        Some(handshake) => {
            Upgrade::new(upstream, request, handshake, terms, reserved, tether).map(Way::Upgrade)
        }
    }
}

/// What a connection talks to.
pub trait Door:
    Service<
        Request<Incoming>,
        Response = Response<Self::Answer>,
        Error = Infallible,
        Future: 'static,
    > + 'static
{
    /// The body of its answers.
    type Answer: Duplex<Error = Broken> + 'static;
}

impl<S, B> Door for S
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + 'static,
    S::Future: 'static,
    B: Duplex<Error = Broken> + 'static,
{
    type Answer = B;
}

/// An answer of the auth service, as one of the two kinds of bodies that leave the gateway.
fn our_own(reply: auth::Reply) -> Response<Body<Content>> {
    reply.map(Body::among)
}
