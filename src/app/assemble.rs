//! Opens whatever the gateway works with, and puts it together.

use std::{
    io::Write,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    thread::JoinHandle,
};

use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{
        Deps, Error, certificates::CertificateFiles, control::Control, demo, entrance::Https,
        keys::KeyDirectory, random, site::Plan,
    },
    auth::{AuthService, Parts, captcha::Captcha},
    clock::Clock,
    config::{self, Config, Live},
    edge::{
        careful::CarefulLayer, cors::CorsLayer, destination::Map, gate::Browsers, hsts::HstsLayer,
        identity::IdentityLayer, login_redirect::LoginRedirect,
    },
    limit::{self, Throttle},
    net::listen::{Entrance, Listener},
    observe::{
        access::{self, AccessLog},
        metrics::Metrics,
        readings::{Kind, Reading},
    },
    proxy::{self, Server, UpstreamSpec},
    sms::{
        Sms,
        courier::{self, Courier},
        receipt::{Ledger, follow},
    },
    store::{
        Store,
        revocations::{Freshness, Revocations},
    },
    token::Tokens,
};

/// Messages that may wait for the courier.
const WAITING: usize = 1024;

/// Opens the store and the keys, starts what runs beside the workers, and gives what they are
/// built from. `listeners` are bound already; `ended` is told by each worker that ends.
pub async fn assemble(
    config: Config,
    deps: Deps,
    listeners: &[Listener],
    stop: CancellationToken,
    abort: CancellationToken,
    workers: usize,
    ended: mpsc::UnboundedReceiver<()>,
) -> Result<(Arc<Plan>, Control), Error> {
    let Config { fixed, live } = config;
    let Deps {
        clock,
        console,
        access_log,
    } = deps;
    let masters = fixed.secret.read_or_make(random()?)?;
    let directory = KeyDirectory {
        path: live.keys.dir.clone(),
        algorithm: live.keys.algorithm,
        keep_retired: live.keys.timetable.keep_retired,
    };
    let keys = directory.open(clock.now())?;
    let store = Store::open(&fixed.store, masters.pseudonyms().id(), clock.clone()).await?;
    let metrics = Metrics::new();
    let tokens = Tokens::new(live.tokens.clone(), &masters, Arc::clone(keys.keys()))
        .watched_by(keys.lookout().clone());
    let sms = Sms::open(&live.sms, console, &clock)?;
    let status = sms.status();
    let parts = courier::Parts {
        sms,
        store: store.clone(),
        masters: Arc::clone(&masters),
        wording: live.auth.wording.clone(),
        length: live.auth.otp.length,
        metrics: metrics.clone(),
        clock: clock.clone(),
    };
    let (courier, rounds) = Courier::new(parts, WAITING);
    let captcha = live.auth.captcha.clone().map(Captcha::open).transpose();
    let auth = AuthService::new(Parts {
        spec: Arc::clone(&live.auth),
        captcha: captcha.map_err(Error::Captcha)?,
        store: store.clone(),
        tokens: tokens.clone(),
        courier: courier.clone(),
        masters: Arc::clone(&masters),
        metrics: metrics.clone(),
        clock: clock.clone(),
    });
    let mut tasks = JoinSet::new();
    tasks.spawn(keys.run(clock.clone()));
    if let Some(status) = status {
        let ledger = Ledger {
            store: store.clone(),
            courier,
            metrics: metrics.clone(),
            clock: clock.clone(),
        };
        tasks.spawn(follow(status, ledger));
    }
    let https = start_https(&live, listeners, &clock, &metrics, &mut tasks)?;
    let demo = start_demo(&live, &mut tasks).await?;
    for reading in store.readings() {
        metrics.readings().add(reading);
    }
    show_revocations(&metrics, store.revocations());
    let (access_log, log_writer) = match live.access_log {
        config::AccessLog::On => Some(start_access_log(fixed.log.format, access_log, &metrics)?),
        config::AccessLog::Off => None,
    }
    .unzip();
    let drain = live.limits.drain;
    let throttle = Arc::new(Throttle::new(
        &live.rates,
        live.routes
            .in_order()
            .into_iter()
            .map(|route| (&route.name, &*route.limits)),
        limit::Parts {
            clock: clock.clone(),
            store: store.clone(),
            masters: Arc::clone(&masters),
            metrics: metrics.limits().clone(),
        },
    ));
    let browsers = browsers(&live);
    let map = Arc::new(Map {
        auth_bases: live.auth.bases().cloned().collect(),
        routes: live.routes,
    });
    let plan = Plan {
        browsers,
        cors: CorsLayer::new(Arc::clone(&map), live.cors),
        careful: CarefulLayer::new(Arc::new(live.headers)),
        map,
        upstreams: open_apps(live.upstreams, &clock)?,
        demo,
        limits: live.limits,
        https,
        hsts: HstsLayer::new(live.hsts),
        throttle,
        trusted: live.trusted_proxies,
        identity: IdentityLayer::new(live.identity),
        auth,
        tokens,
        revocations: store.revocations(),
        on_outage: live.auth.on_outage,
        metrics,
        access_log,
        clock,
    };
    let last_message = CancellationToken::new();
    let control = Control {
        stop,
        abort,
        drain,
        tasks,
        courier: tokio::spawn(rounds.run(last_message.clone().cancelled_owned())),
        last_message,
        access_log: log_writer,
        store,
        workers,
        ended,
    };
    Ok((Arc::new(plan), control))
}

/// Reads what the apps' files say of TLS.
fn open_apps(specs: Vec<UpstreamSpec>, clock: &Clock) -> Result<Vec<proxy::App>, Error> {
    let open = |spec| proxy::App::open(spec, clock.clone());
    let opened: Result<_, _> = specs.into_iter().map(open).collect();
    opened.map_err(|error| Error::Tls(vec![error]))
}

fn browsers(live: &Live) -> Browsers {
    Browsers {
        cookie_secure: live.auth.cookie_secure,
        public_url: live.auth.public_url.clone(),
        login: Some(LoginRedirect {
            path: format!("{}/login", live.auth.base),
        }),
    }
}

/// Reads the certificates, when they are wanted, and keeps looking at them.
fn start_https(
    live: &Live,
    listeners: &[Listener],
    clock: &Clock,
    metrics: &Metrics,
    tasks: &mut JoinSet<()>,
) -> Result<Option<Https>, Error> {
    let Some(spec) = &live.tls else {
        return Ok(None);
    };
    let files = CertificateFiles::open(spec, clock)?;
    files.show(metrics.tls());
    let own_port = || {
        let secure = |it: &&Listener| it.entrance == Entrance::Tls;
        listeners.iter().find(secure).map(|it| it.address.port())
    };
    let https = Https {
        terms: Arc::clone(files.terms()),
        port: live.https_port.or_else(own_port).unwrap_or_default(),
    };
    tasks.spawn(files.watch());
    Ok(Some(https))
}

/// The demo app, when an upstream wants it, on a free port of this machine.
async fn start_demo(live: &Live, tasks: &mut JoinSet<()>) -> Result<Option<SocketAddr>, Error> {
    let wanted = live
        .upstreams
        .iter()
        .any(|upstream| upstream.servers.contains(&Server::Demo));
    if !wanted {
        return Ok(None);
    }
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| Error::Listen { address, source })?;
    let address = listener.local_addr()?;
    tasks.spawn(demo::serve(listener));
    Ok(Some(address))
}

fn start_access_log(
    format: access::Format,
    out: Box<dyn Write + Send>,
    metrics: &Metrics,
) -> Result<(AccessLog, JoinHandle<()>), Error> {
    let (log, writer) = AccessLog::start(format, out)?;
    let lost = log.lost();
    metrics.readings().add(Reading {
        name: "access_log_chunks_lost",
        help: "Pieces of the access log that nobody took in time",
        kind: Kind::Counter,
        read: Box::new(move || lost.load(Ordering::Relaxed)),
    });
    Ok((log, writer))
}

/// Lets operators see whether logouts on other gateways are heard of.
fn show_revocations(metrics: &Metrics, revocations: Arc<Revocations>) {
    let read = Arc::clone(&revocations);
    metrics.readings().add(Reading {
        name: "revocations_fresh",
        help: "Whether all that was revoked anywhere is known here: 1 or 0",
        kind: Kind::Gauge,
        read: Box::new(move || match read.freshness() {
            Freshness::Fresh => 1,
            Freshness::Stale => 0,
        }),
    });
    metrics.readings().add(Reading {
        name: "revocations_unsure",
        help: "Tokens that were judged while something may have been missing",
        kind: Kind::Counter,
        read: Box::new(move || revocations.judged_unsure()),
    });
}
