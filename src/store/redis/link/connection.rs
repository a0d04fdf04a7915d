//! One connection on which many commands are under way at once; knows not where else they could go.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{Cmd, Pipeline, RedisResult, Value, aio::MultiplexedConnection};
use tokio::task::AbortHandle;

use super::{counted::Traffic, dial::Place, fault::Fault};

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
    traffic: Traffic,
    patience: Duration,
    dead: Arc<AtomicBool>,
    driver: AbortHandle,
}

impl Connection {
    /// Runs `driver`, which moves the bytes of `wire`, for as long as there is a handle. A server
    /// that says nothing for as long as `patience`, though something was asked, is dead.
    pub fn start(
        wire: MultiplexedConnection,
        driver: impl Future<Output = ()> + Send + 'static,
        traffic: Traffic,
        place: Place,
        patience: Duration,
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
            traffic,
            patience,
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

    /// Whether it ended, was given up, or should be. Who asked may have gone away long before the
    /// answer was due; the silence stays.
    pub fn is_dead(&self) -> bool {
        let life = &self.life;
        life.dead.load(Ordering::Relaxed) || life.traffic.silence() >= life.patience
    }

    /// Lets nobody use it any more. Commands under way may still be answered.
    pub fn give_up(&self) {
        self.life.dead.store(true, Ordering::Relaxed);
    }

    /// Sends commands in one go. The answer is that of the last; if that one failed, the first
    /// failure is the reason.
    pub async fn send(&self, commands: &[&Cmd]) -> Result<Value, Fault> {
        let before = self.life.traffic.written();
        self.exchange(commands).await.map_err(|error| {
            let fault = Fault::of(&error, self.place());
            let Fault::Cut(why) = fault else {
                return fault;
            };
            self.give_up();
            // Others may have written in between; then it is not known whether this was, too.
            if self.life.traffic.written() == before {
                Fault::Unsent(why)
            } else {
                Fault::Cut(why)
            }
        })
    }

    async fn exchange(&self, commands: &[&Cmd]) -> RedisResult<Value> {
        let mut wire = self.wire.clone();
        if let [command] = commands {
            return wire.send_packed_command(command).await?.extract_error();
        }
        let mut pipeline = Pipeline::with_capacity(commands.len());
        for command in commands {
            pipeline.add_command((*command).clone());
        }
        let sent = wire.send_packed_commands(&pipeline, 0, commands.len());
        let mut answers = sent.await?.into_iter();
        let last = answers.next_back().unwrap_or(Value::Nil).extract_error();
        last.map_err(|error| {
            let first = answers.find_map(|answer| answer.extract_error().err());
            first.unwrap_or(error)
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

#[cfg(test)]
mod tests {
    use redis::{AsyncConnectionConfig, RedisConnectionInfo};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::store::redis::link::counted::Counted;

    /// A connection to a server that is played by the test.
    async fn connected() -> (Connection, DuplexStream) {
        let (near, far) = duplex(1024);
        let near = Counted::new(near);
        let traffic = near.traffic().clone();
        let nobody = RedisConnectionInfo::default().set_skip_set_lib_name();
        let config = AsyncConnectionConfig::new();
        let (wire, driver) = MultiplexedConnection::new_with_config(&nobody, near, config)
            .await
            .expect("a connection");
        let place = Place::Socket("far".into());
        let patience = Duration::from_secs(1);
        let connection = Connection::start(wire, driver, traffic, place, patience);
        (connection, far)
    }

    fn ping() -> Cmd {
        redis::cmd("PING")
    }

    #[tokio::test]
    async fn what_was_never_written_is_told_from_what_was() {
        let (connection, far) = connected().await;
        drop(far);
        let sent = connection.send(&[&ping()]).await;
        assert!(matches!(sent, Err(Fault::Unsent(_))), "{sent:?}");
        assert!(connection.is_dead());

        let (connection, mut far) = connected().await;
        let command = ping();
        let commands = [&command];
        let (sent, heard) = tokio::join!(
            connection.send(&commands),
            async move { far.read_u8().await }
        );
        assert_eq!(heard.ok(), Some(b'*'));
        assert!(matches!(sent, Err(Fault::Cut(_))), "{sent:?}");
        assert!(connection.is_dead());
    }

    #[tokio::test]
    async fn of_several_answers_the_last_counts_and_of_several_failures_the_first() {
        let (connection, mut far) = connected().await;
        let (load, run) = (ping(), ping());
        let commands = [&load, &run];
        for (answers, expected) in [
            ("+a\r\n+b\r\n", Ok("b")),
            ("-NOPERM a\r\n+b\r\n", Ok("b")),
            ("-NOPERM a\r\n-NOSCRIPT b\r\n", Err("NOPERM")),
        ] {
            let serve = async {
                let mut heard = vec![0; 2 * ping().get_packed_command().len()];
                far.read_exact(&mut heard).await.expect("both");
                far.write_all(answers.as_bytes()).await.expect("heard");
            };
            let (answer, ()) = tokio::join!(connection.send(&commands), serve);
            match (answer, expected) {
                (Ok(answer), Ok(text)) => assert_eq!(answer, Value::SimpleString(text.to_owned())),
                (Err(Fault::Refused { code, .. }), Err(expected)) => assert_eq!(&*code, expected),
                (other, expected) => panic!("{other:?} instead of {expected:?}"),
            }
        }
        assert!(!connection.is_dead());
    }
}
