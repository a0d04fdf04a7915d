//! From a configuration to a running gateway: binds, opens, starts and stops everything. The only room that knows all others.

mod site;
mod worker;

mod admin;
mod demo;
mod keys;

mod serve;

pub use serve::serve;

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpListener as StdListener},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle, available_parallelism},
};

use arc_swap::ArcSwap;
use rand::{TryRng, rngs::SysRng};
use tokio::{net::TcpListener, runtime, sync::mpsc, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{admin::Admin, keys::KeyDirectory, site::Plan, worker::Worker},
    auth::{AuthService, Parts},
    clock::Clock,
    config::{self, Config, KeptError, Live},
    edge::{
        destination::Map, gate::Browsers, identity::IdentityLayer, login_redirect::LoginRedirect,
    },
    net::listen::bind,
    observe::{
        access::{self, AccessLog},
        log,
        metrics::Metrics,
    },
    proxy::Server,
    sms::{self, Sms, console::Console, outbox::Outbox},
    store::{self, Store},
    token::{KeysError, Tokens},
};

/// What the gateway gets from outside besides its configuration.
pub struct Deps {
    /// What time it is.
    pub clock: Clock,
    /// Where the console provider prints messages.
    pub console: Box<dyn Write + Send>,
    /// Where the access log goes.
    pub access_log: Box<dyn Write + Send>,
}

/// A running gateway.
#[derive(Debug)]
pub struct App {
    addresses: Vec<SocketAddr>,
    admin: Option<SocketAddr>,
    stop: CancellationToken,
    abort: CancellationToken,
    control: JoinHandle<Ending>,
}

/// How a gateway ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was told to.
    Asked,
    /// A part of it ended by itself, and so did the rest.
    Died,
}

/// Why a gateway could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The master secret cannot be had.
    #[error(transparent)]
    Secret(#[from] KeptError),
    /// The signing keys cannot be had.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] store::OpenError),
    /// The operating system gives no random numbers; without them there are no secrets.
    #[error("the operating system gives no random numbers")]
    Random,
    /// A thread or a runtime cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
    /// Log lines cannot be written.
    #[error("cannot set up the log: {0}")]
    Log(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// Messages that may wait for their provider.
const OUTBOX: usize = 1024;

/// Everything that runs beside the workers, on one thread of its own: a busy data path cannot
/// keep operators from their answers.
struct Control {
    stop: CancellationToken,
    drain: std::time::Duration,
    tasks: JoinSet<()>,
    outbox: tokio::task::JoinHandle<()>,
    store: Store,
    workers: usize,
    ended: mpsc::UnboundedReceiver<()>,
}

impl App {
    /// Starts a gateway. When this returns it accepts connections on all its addresses.
    pub fn start(config: Config, deps: Deps) -> Result<Self, Error> {
        let workers = config.fixed.workers.map_or_else(
            || available_parallelism().map_or(1, usize::from),
            usize::from,
        );
        let (addresses, sockets) = listen(&config.fixed.listen, workers)?;
        let admin = config
            .fixed
            .admin
            .map(|address| listen(&[address], 1))
            .transpose()?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let stop = CancellationToken::new();
        let abort = CancellationToken::new();
        let (ending, ended) = mpsc::unbounded_channel();

        let (plan, mut control) =
            runtime.block_on(assemble(config, deps, &stop, workers, ended))?;
        if let Some((_, socket)) = &admin {
            let socket = socket.iter().flatten().next().map(StdListener::try_clone);
            if let Some(socket) = socket.transpose()? {
                let listener = runtime.block_on(async { TcpListener::from_std(socket) })?;
                let admin = Admin {
                    metrics: plan.metrics.clone(),
                    store: control.store.clone(),
                    stop: stop.clone(),
                };
                control
                    .tasks
                    .spawn_on(admin.serve(listener), runtime.handle());
            }
        }
        for sockets in sockets {
            let worker = Worker {
                sockets,
                plan: Arc::clone(&plan),
                seed: u64::from_ne_bytes(random()?),
                stop: stop.clone(),
                abort: abort.clone(),
            };
            let ending = ending.clone();
            thread::Builder::new()
                .name("worker".to_owned())
                .spawn(move || {
                    // A panic outside of a request is told like any other early end.
                    match catch_unwind(AssertUnwindSafe(|| worker.run())) {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => tracing::error!(%error, "a worker failed"),
                        Err(_) => tracing::error!("a worker panicked"),
                    }
                    // Nobody listens any more only when the gateway is already gone.
                    drop(ending.send(()));
                })?;
        }
        drop(plan);
        let control = thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || runtime.block_on(control.run()))?;
        Ok(Self {
            addresses,
            admin: admin.and_then(|(addresses, _)| addresses.first().copied()),
            stop,
            abort,
            control,
        })
    }

    /// Where clients connect.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where operators connect.
    pub const fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Tells it to stop: no new connections, and an end to those that are open.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Tells it to stop without waiting for anybody.
    pub fn abort(&self) {
        self.abort.cancel();
        self.stop.cancel();
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.control.is_finished()
    }

    /// Waits for its end.
    pub fn wait(self) -> Ending {
        self.control.join().unwrap_or(Ending::Died)
    }
}

impl Control {
    async fn run(mut self) -> Ending {
        let mut left = self.workers;
        let ending = tokio::select! {
            // First: told to stop, the parts may end sooner than this is looked at again.
            biased;
            () = self.stop.cancelled() => Ending::Asked,
            _ = self.ended.recv() => {
                left -= 1;
                Ending::Died
            }
            Some(_) = self.tasks.join_next() => Ending::Died,
            _ = &mut self.outbox => Ending::Died,
        };
        self.stop.cancel();
        while left > 0 && self.ended.recv().await.is_some() {
            left -= 1;
        }
        // With the workers every entrance of the outbox is gone; what is queued still goes out.
        if !self.outbox.is_finished() && timeout(self.drain, &mut self.outbox).await.is_err() {
            tracing::warn!("messages were left unsent");
        }
        self.store.close().await;
        ending
    }
}

/// Opens whatever the gateway works with, and starts what runs beside the workers.
async fn assemble(
    config: Config,
    deps: Deps,
    stop: &CancellationToken,
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
        keep_retired: live.tokens.access_ttl + live.tokens.leeway + keys::TAKE_OVER,
    };
    let keys = Arc::new(ArcSwap::from_pointee(directory.open(clock.now())?));
    let store = Store::open(&fixed.store, clock.clone()).await?;
    let metrics = Metrics::new();
    let tokens = Tokens::new(live.tokens.clone(), &masters, Arc::clone(&keys));
    let sms = match live.sms {
        sms::Provider::Console => Sms::Console(Console::new(console)),
    };
    let (outbox, sending) = Outbox::new(sms, OUTBOX, metrics.clone());
    let auth = AuthService::new(Parts {
        spec: Arc::clone(&live.auth),
        store: store.clone(),
        tokens: tokens.clone(),
        outbox,
        masters,
        metrics: metrics.clone(),
        clock: clock.clone(),
    });
    let mut tasks = JoinSet::new();
    tasks.spawn(directory.watch(keys, clock.clone()));
    let demo = start_demo(&live, &mut tasks).await?;
    let access_log = match live.access_log {
        config::AccessLog::On => Some(start_access_log(fixed.log.format, access_log)?),
        config::AccessLog::Off => None,
    };
    let drain = live.limits.drain;
    let plan = Plan {
        browsers: browsers(&live),
        map: Arc::new(Map {
            auth_bases: live.auth.bases().cloned().collect(),
            routes: live.routes,
        }),
        upstreams: live.upstreams.into_iter().map(Arc::new).collect(),
        demo,
        limits: live.limits,
        trusted: live.trusted_proxies,
        identity: IdentityLayer::new(live.identity),
        auth,
        tokens,
        revocations: store.revocations(),
        metrics,
        access_log,
        clock,
    };
    let control = Control {
        stop: stop.clone(),
        drain,
        tasks,
        outbox: tokio::spawn(sending),
        store,
        workers,
        ended,
    };
    Ok((Arc::new(plan), control))
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

fn start_access_log(format: log::Format, out: Box<dyn Write + Send>) -> Result<AccessLog, Error> {
    let format = match format {
        log::Format::Text => access::Format::Text,
        log::Format::Json => access::Format::Json,
    };
    // The thread ends with the last worker that writes to it.
    let (log, _writer) = AccessLog::start(format, out)?;
    Ok(log)
}

/// Binds every address `workers` times: the addresses as they are, and each worker's sockets.
type Bound = (Vec<SocketAddr>, Vec<Vec<StdListener>>);

fn listen(addresses: &[SocketAddr], workers: usize) -> Result<Bound, Error> {
    let mut bound = Vec::with_capacity(addresses.len());
    let mut by_worker: Vec<Vec<StdListener>> = (0..workers).map(|_| Vec::new()).collect();
    for &address in addresses {
        let failed = |source| Error::Listen { address, source };
        let sockets = bind(address, workers).map_err(failed)?;
        if let Some(first) = sockets.first() {
            bound.push(first.local_addr().map_err(failed)?);
        }
        for (worker, socket) in by_worker.iter_mut().zip(sockets) {
            worker.push(socket);
        }
    }
    Ok((bound, by_worker))
}

/// Random bytes from the operating system.
fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(|_| Error::Random)?;
    Ok(bytes)
}

impl std::fmt::Debug for Deps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deps")
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
