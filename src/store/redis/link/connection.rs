//! One connection on which many commands are under way at once; knows not where else they could go.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use redis::{Cmd, Pipeline, Value, aio::MultiplexedConnection};
use tokio::task::AbortHandle;

use super::{dial::Place, fault::Fault};

/// A handle on a connection; clones share it. Answers come in the order of the commands, and
/// nobody waits for another's answer before sending.
#[derive(Clone)]
pub struct Connection {
    wire: MultiplexedConnection,
    life: Arc<Life>,
}

/// Shared by all handles: the last one closes the connection.
struct Life {
    place: Place,
    dead: Arc<AtomicBool>,
    driver: AbortHandle,
}

impl Connection {
    /// Runs `driver`, which moves the bytes of `wire`, for as long as there is a handle.
    pub fn start(
        wire: MultiplexedConnection,
        driver: impl Future<Output = ()> + Send + 'static,
        place: Place,
    ) -> Self {
        let dead = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&dead);
        let driver = tokio::spawn(async move {
            driver.await;
            told.store(true, Ordering::Relaxed);
        })
        .abort_handle();
        let life = Life {
            place,
            dead,
            driver,
        };
        let life = Arc::new(life);
        Self { wire, life }
    }

    /// Whom it leads to.
    pub fn place(&self) -> &Place {
        &self.life.place
    }

    /// Whether it ended or was given up.
    pub fn is_dead(&self) -> bool {
        self.life.dead.load(Ordering::Relaxed)
    }

    /// Lets nobody use it any more. Commands under way may still be answered.
    pub fn give_up(&self) {
        self.life.dead.store(true, Ordering::Relaxed);
    }

    /// Sends commands in one go. The answer is that of the last; if that one failed, the first
    /// failure is the reason.
    pub async fn send(&self, commands: &[&Cmd]) -> Result<Value, Fault> {
        let mut wire = self.wire.clone();
        if let [command] = commands {
            let answer = wire.send_packed_command(command).await;
            return self.judge(answer.and_then(Value::extract_error));
        }
        let mut pipeline = Pipeline::with_capacity(commands.len());
        for command in commands {
            pipeline.add_command((*command).clone());
        }
        let sent = wire.send_packed_commands(&pipeline, 0, commands.len());
        let mut answers = self.judge(sent.await)?.into_iter();
        let last = answers.next_back().unwrap_or(Value::Nil).extract_error();
        self.judge(last.map_err(|error| {
            let first = answers.find_map(|answer| answer.extract_error().err());
            first.unwrap_or(error)
        }))
    }

    fn judge<T>(&self, answer: redis::RedisResult<T>) -> Result<T, Fault> {
        answer.map_err(|error| {
            let fault = Fault::of(&error, self.place());
            if let Fault::Cut(_) = fault {
                self.give_up();
            }
            fault
        })
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.place())
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
