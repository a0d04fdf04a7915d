//! The connections of one worker to one server: made ahead, shared by all commands, replaced when they fail; knows no commands.

use std::{
    fmt,
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use bb8_redis::bb8::{self, ManageConnection};
use tokio::{sync::Mutex, time::sleep};

use super::{connection::Connection, dial::Dialer, health::Health, route::Route};

/// The connections of one worker to one server.
pub struct Pool {
    /// Made at the first use, so that its tasks belong to the runtime of the worker.
    connections: OnceLock<bb8::Pool<Maker>>,
    tools: Arc<Tools>,
}

/// What it takes to make connections.
struct Tools {
    dialer: Arc<Dialer>,
    route: Arc<Route>,
    health: Health,
    /// Held by whoever is connecting: one at a time, after a pause that follows from the last result.
    turn: Mutex<Duration>,
}

/// Makes connections for as long as the pool is there.
struct Maker(Weak<Tools>);

/// Why no connection is made any more.
#[derive(Debug)]
struct Abandoned;

/// Connections to a server: enough that one that is stuck does not stop everybody, few enough
/// that commands that come together are also written together.
const CONNECTIONS: u32 = 3;

/// Between failed attempts to connect; doubled from the first to the second of these.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// Longer than any verb may take: their own deadlines decide.
const FOREVER: Duration = Duration::from_hours(1);

impl Pool {
    /// Of one server. Connects only when asked for a connection.
    pub fn new(dialer: Arc<Dialer>, route: Arc<Route>, health: Health) -> Self {
        Self {
            connections: OnceLock::new(),
            tools: Arc::new(Tools {
                dialer,
                route,
                health,
                turn: Mutex::default(),
            }),
        }
    }

    /// A connection that is not known to be dead. Waits for one, but not when none could be made
    /// for as long as `patience`; then the reason is returned.
    pub async fn connection(&self, patience: Duration) -> Result<Connection, Arc<str>> {
        let pool = self.connections.get_or_init(|| {
            bb8::Pool::builder()
                .max_size(CONNECTIONS)
                .min_idle(CONNECTIONS)
                .max_lifetime(None)
                .idle_timeout(None)
                .connection_timeout(FOREVER)
                .retry_connection(false)
                .test_on_check_out(true)
                .build_unchecked(Maker(Arc::downgrade(&self.tools)))
        });
        tokio::select! {
            biased;
            // The guard is dropped here and now: the connection serves many at once, and what was
            // taken from the pool would only be missing there.
            Ok(guard) = pool.get() => Ok(guard.clone()),
            why = self.tools.health.hopeless(patience) => Err(why),
        }
    }

    /// Whether no connection could be made for as long as `patience`.
    pub fn is_down_for(&self, patience: Duration) -> bool {
        self.tools.health.is_down_for(patience)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.connections.get().map(bb8::Pool::state);
        f.debug_struct("Pool")
            .field("route", &self.tools.route)
            .field("connections", &state.map(|state| state.connections))
            .finish()
    }
}

impl ManageConnection for Maker {
    type Connection = Connection;
    type Error = Abandoned;

    /// Tries until it succeeds: somebody always does while a connection is missing, so the server
    /// is found when it is back, whether anybody asks for it or not.
    async fn connect(&self) -> Result<Connection, Abandoned> {
        loop {
            let tools = self.0.upgrade().ok_or(Abandoned)?;
            let mut pause = tools.turn.lock().await;
            sleep(*pause).await;
            match tools.route.connect(&tools.dialer).await {
                Ok(connection) => {
                    *pause = Duration::ZERO;
                    tools.health.up();
                    return Ok(connection);
                }
                Err(why) => {
                    *pause = (*pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                    tools.health.down(&why.to_string());
                }
            }
        }
    }

    /// No round trip: whether a connection has ended is known as soon as it has.
    async fn is_valid(&self, connection: &mut Connection) -> Result<(), Abandoned> {
        if self.has_broken(connection) {
            return Err(Abandoned);
        }
        Ok(())
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        let leads_there = |tools: Arc<Tools>| tools.route.leads_to(connection.place());
        connection.is_dead() || !self.0.upgrade().is_some_and(leads_there)
    }
}
