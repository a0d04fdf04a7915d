//! The connections of one worker to one app: opened when needed, the last one used first, dropped when idle.
//!
//! hyper-util's client would do this for any protocol and any number of threads; this one does it
//! for HTTP/1.1 within one thread, which saves a fifth of the CPU of a small request.

use std::{
    cell::{Cell, RefCell},
    fmt,
    future::poll_fn,
    net::SocketAddr,
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::spawn_local, time::timeout};

use crate::{
    net::timer::{Alarm, Timer},
    proxy::{Server, UpstreamSpec, error::Error, upload::Upload},
};

/// One app, as one worker knows it.
#[derive(Debug)]
pub struct Upstream {
    spec: Arc<UpstreamSpec>,
    endpoints: Vec<Rc<Endpoint>>,
    /// Whose turn it is.
    next: Cell<usize>,
}

/// A connection that is ours until it is given back; dropping it closes the connection.
#[derive(Debug)]
pub struct Lease {
    endpoint: Rc<Endpoint>,
    connection: Connection,
    was_used_before: bool,
}

/// One server of an app.
struct Endpoint {
    spec: Arc<UpstreamSpec>,
    address: String,
    timer: Timer,
    idle: RefCell<Vec<Connection>>,
    open: Cell<usize>,
}

/// Closes when it is dropped.
#[derive(Debug)]
struct Connection {
    sender: SendRequest<Upload>,
    /// Judges whatever the connection is waiting for: an answer, its body, or another request.
    alarm: Alarm,
}

impl Upstream {
    /// Knows the app's servers; connects to none of them yet. `demo` is where the built-in one is.
    pub fn new(spec: Arc<UpstreamSpec>, demo: Option<SocketAddr>, timer: &Timer) -> Self {
        let endpoints = spec
            .servers
            .iter()
            .filter_map(|server| match server {
                Server::Http(address) => Some(address.clone()),
                Server::Demo => demo.map(|address| address.to_string()),
            })
            .map(|address| {
                Rc::new(Endpoint {
                    spec: Arc::clone(&spec),
                    address,
                    timer: timer.clone(),
                    idle: RefCell::new(Vec::new()),
                    open: Cell::new(0),
                })
            })
            .collect();
        Self {
            spec,
            endpoints,
            next: Cell::new(0),
        }
    }

    /// How it is called.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// A connection to the server whose turn it is, or to the first one after it that accepts one.
    pub async fn lease(&self) -> Result<Lease, Error> {
        let turn = self.next.get();
        self.next.set(turn.wrapping_add(1));
        let mut last = Error::Connect(std::io::ErrorKind::NotFound.into());
        for attempt in 0..self.endpoints.len() {
            let at = turn.wrapping_add(attempt) % self.endpoints.len();
            let Some(endpoint) = self.endpoints.get(at) else {
                break;
            };
            match endpoint.lease().await {
                Ok(lease) => return Ok(lease),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl Endpoint {
    async fn lease(self: &Rc<Self>) -> Result<Lease, Error> {
        loop {
            let pooled = self.idle.borrow_mut().pop();
            let Some(mut connection) = pooled else {
                // Rare, and large as a future: kept out of every request's own.
                return Box::pin(self.connect()).await;
            };
            // Just returned, hyper may need one more turn to be ready; a closed one never will be,
            // and one whose app does not take the rest of an earlier request has as long as a new one.
            connection.alarm.set(self.spec.connect_timeout);
            if connection.sender.is_ready() || connection.sender.ready().await.is_ok() {
                return Ok(Lease {
                    endpoint: Rc::clone(self),
                    connection,
                    was_used_before: true,
                });
            }
        }
    }

    async fn connect(self: &Rc<Self>) -> Result<Lease, Error> {
        if self.open.get() >= self.spec.max_connections {
            return Err(Error::Exhausted);
        }
        let open = OpenConnection::count(self);
        let stream = timeout(self.spec.connect_timeout, TcpStream::connect(&self.address))
            .await
            .map_err(|_| Error::ConnectTimeout)?
            .map_err(Error::Connect)?;
        stream.set_nodelay(true).map_err(Error::Connect)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(Error::Exchange)?;
        let alarm = self.timer.alarm();
        // The task ends when its sender is dropped, when the app hangs up, or when the alarm is due.
        drop(spawn_local({
            let alarm = alarm.clone();
            async move {
                let _open = open;
                let mut connection = pin!(connection);
                poll_fn(|cx| {
                    if alarm.poll_due(cx).is_ready() {
                        return Poll::Ready(());
                    }
                    connection.as_mut().poll(cx).map(drop)
                })
                .await;
            }
        }));
        Ok(Lease {
            endpoint: Rc::clone(self),
            connection: Connection { sender, alarm },
            was_used_before: false,
        })
    }
}

impl Lease {
    /// What sends a request on it.
    pub const fn sender(&mut self) -> &mut SendRequest<Upload> {
        &mut self.connection.sender
    }

    /// The deadline of whatever the connection waits for.
    pub const fn alarm(&self) -> &Alarm {
        &self.connection.alarm
    }

    /// Whether it came from the pool, so that the app may have closed it meanwhile.
    pub const fn was_used_before(&self) -> bool {
        self.was_used_before
    }

    /// The app has the next word of the answer's body.
    pub fn wait_for_body(&self) {
        self.connection.alarm.set(self.endpoint.spec.body_idle);
    }

    /// The client has to take what there is of the answer's body. Its own connection sees to it that
    /// it does.
    pub fn wait_for_client(&self) {
        self.connection.alarm.lift();
    }

    /// Puts the connection back for the next request.
    pub fn give_back(self) {
        let Self {
            endpoint,
            connection,
            ..
        } = self;
        let mut idle = endpoint.idle.borrow_mut();
        if idle.len() < endpoint.spec.max_idle && !connection.sender.is_closed() {
            connection.alarm.set(endpoint.spec.idle);
            idle.push(connection);
        }
    }
}

impl Drop for Connection {
    /// Without its sender hyper would go on until the rest of a request is sent, for which an app
    /// that has answered may take for ever.
    fn drop(&mut self) {
        self.alarm.set(Duration::ZERO);
    }
}

/// Counts a connection for as long as it is open.
struct OpenConnection(Rc<Endpoint>);

impl OpenConnection {
    fn count(endpoint: &Rc<Endpoint>) -> Self {
        endpoint.open.set(endpoint.open.get() + 1);
        Self(Rc::clone(endpoint))
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get().saturating_sub(1));
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("address", &self.address)
            .field("idle", &self.idle.borrow().len())
            .field("open", &self.open.get())
            .finish_non_exhaustive()
    }
}
