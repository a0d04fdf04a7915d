//! From a configuration to a running gateway: binds, opens, starts and stops everything. The only room that knows all others.

mod assemble;

mod entrance;
mod site;
mod worker;

mod curfew;

mod control;

mod admin;
mod certificates;
mod demo;
mod keys;

mod serve;

pub use serve::serve;

mod copy;

pub use copy::{Copied, CopyError, How, Moving, copy};

mod trial;

pub use trial::Trial;

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpListener as StdListener},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle, available_parallelism},
};

use rand::{TryRng, rngs::SysRng};
use tokio::{net::TcpListener, runtime, sync::mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{admin::Admin, assemble::assemble, worker::Worker},
    clock::Clock,
    config::{Config, KeptError},
    net::{
        client::Untrusted,
        listen::{Listener, bind},
        tls,
    },
    store,
    token::KeysError,
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
    listeners: Vec<Listener>,
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
    /// Certificates or what belongs to them cannot be used; never empty.
    #[error("{}", joined(.0))]
    Tls(Vec<tls::Error>),
    /// Providers cannot be reached safely.
    #[error("messages cannot be sent: {0}")]
    Sms(#[from] Untrusted),
    /// The provider of captchas cannot be reached safely.
    #[error("captchas cannot be asked about: {0}")]
    Captcha(#[source] Untrusted),
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

impl App {
    /// Starts a gateway. When this returns it accepts connections on all its addresses.
    pub fn start(config: Config, deps: Deps) -> Result<Self, Error> {
        let workers = config.fixed.workers.map_or_else(
            || available_parallelism().map_or(1, usize::from),
            usize::from,
        );
        let (listeners, sockets) = listen(&config.fixed.listen, workers)?;
        let admin = config.fixed.admin.map(bind_once).transpose()?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let stop = CancellationToken::new();
        let abort = CancellationToken::new();
        let (ending, ended) = mpsc::unbounded_channel();

        let (plan, mut control) = runtime.block_on(assemble(
            config,
            deps,
            &listeners,
            stop.clone(),
            abort.clone(),
            workers,
            ended,
        ))?;
        let admin_address = admin.as_ref().map(StdListener::local_addr).transpose()?;
        if let Some(socket) = admin {
            let listener = runtime.block_on(async { TcpListener::from_std(socket) })?;
            let admin = Admin {
                metrics: plan.metrics.clone(),
                store: control.store.clone(),
                on_outage: plan.on_outage,
                stop: stop.clone(),
            };
            control
                .tasks
                .spawn_on(admin.serve(listener), runtime.handle());
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
                    let _ended: Result<(), _> = ending.send(());
                })?;
        }
        drop(plan);
        let control = thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || {
                let ending = runtime.block_on(control.run());
                // Whoever looks into a directory on another machine, which may never answer, is
                // not waited for.
                runtime.shutdown_background();
                ending
            })?;
        Ok(Self {
            listeners,
            admin: admin_address,
            stop,
            abort,
            control,
        })
    }

    /// Where clients connect: in the clear first, then by TLS, then to be led there.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
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

/// Binds every address `workers` times: the addresses as they are, and each worker's sockets.
type Bound = (Vec<Listener>, Vec<Vec<(Listener, StdListener)>>);

fn listen(listeners: &[Listener], workers: usize) -> Result<Bound, Error> {
    let mut bound = Vec::with_capacity(listeners.len());
    let mut by_worker: Vec<Vec<_>> = (0..workers).map(|_| Vec::new()).collect();
    for &listener in listeners {
        let address = listener.address;
        let failed = |source| Error::Listen { address, source };
        let sockets = bind(address, workers).map_err(failed)?;
        if let Some(first) = sockets.first() {
            let address = first.local_addr().map_err(failed)?;
            bound.push(Listener {
                address,
                ..listener
            });
        }
        for (worker, socket) in by_worker.iter_mut().zip(sockets) {
            worker.push((listener, socket));
        }
    }
    Ok((bound, by_worker))
}

/// One socket at `address`.
fn bind_once(address: SocketAddr) -> Result<StdListener, Error> {
    let failed = |source| Error::Listen { address, source };
    let mut sockets = bind(address, 1).map_err(failed)?;
    let none = || failed(io::ErrorKind::AddrNotAvailable.into());
    sockets.pop().ok_or_else(none)
}

fn joined(errors: &[tls::Error]) -> String {
    let each: Vec<_> = errors.iter().map(ToString::to_string).collect();
    each.join("; ")
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
