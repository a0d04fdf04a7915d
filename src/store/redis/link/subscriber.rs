//! A connection on which a server says what is published, the moment it is; knows not what that means.

use std::{fmt, pin::pin, time::Duration};

use redis::{
    AsyncConnectionConfig, Cmd, PushInfo, PushKind, RedisConnectionInfo, RedisError, RedisResult,
    Value, aio::MultiplexedConnection,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{dial::Place, fault::Fault, refusal::NoConnection};
use crate::store::Error;

/// A connection that hears what is published. Dropping it ends it.
pub struct Subscriber {
    place: Place,
    wire: MultiplexedConnection,
    /// Moves the bytes.
    _driver: AbortOnDropHandle<()>,
    /// Fires when they do not move any more.
    ended: CancellationToken,
}

/// A thread that was kept from running finds only now what has arrived in time.
const LAST_LOOK: Duration = Duration::from_millis(50);

impl Subscriber {
    /// Logs in on `stream`, and gives each message to `hear` right where it is read, so that none
    /// waits in a queue. `login` asks for RESP3, in which messages come between the answers.
    pub async fn start<S>(
        stream: S,
        place: &Place,
        login: &RedisConnectionInfo,
        hear: impl Fn(&[u8]) + Send + Sync + 'static,
    ) -> Result<Self, NoConnection>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let take = move |push: PushInfo| {
            if let Some(message) = message(&push) {
                hear(message);
            }
            Ok::<_, RedisError>(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_push_sender(take);
        let (wire, driver) = MultiplexedConnection::new_with_config(login, stream, config)
            .await
            .map_err(NoConnection::unreachable)?;
        let ended = CancellationToken::new();
        let guard = ended.clone().drop_guard();
        let driver = tokio::spawn(async move {
            driver.await;
            drop(guard);
        });
        Ok(Self {
            place: place.clone(),
            wire,
            _driver: AbortOnDropHandle::new(driver),
            ended,
        })
    }

    /// From its answer on, everything that is published on `channel` is heard.
    pub async fn subscribe(&self, channel: &str, patience: Duration) -> Result<(), Error> {
        let mut wire = self.wire.clone();
        self.answer(wire.subscribe(channel), patience).await
    }

    /// Asks for something in between. What was published before the answer has been heard before
    /// it is here.
    pub async fn ask(&self, command: &Cmd, patience: Duration) -> Result<Value, Error> {
        let mut wire = self.wire.clone();
        let answer = async { wire.send_packed_command(command).await?.extract_error() };
        self.answer(answer, patience).await
    }

    async fn answer<T>(
        &self,
        answer: impl Future<Output = RedisResult<T>>,
        patience: Duration,
    ) -> Result<T, Error> {
        let mut answer = pin!(answer);
        let answered = match timeout(patience, &mut answer).await {
            Ok(answered) => answered,
            Err(_) => timeout(LAST_LOOK, answer)
                .await
                .map_err(|_| Error::Timeout)?,
        };
        answered.map_err(|error| self.unanswered(Fault::of(&error, &self.place)))
    }

    fn unanswered(&self, fault: Fault) -> Error {
        Error::Unavailable(match fault {
            Fault::Later(text)
            | Fault::Demoted(text)
            | Fault::Refused { text, .. }
            | Fault::Unsent(text)
            | Fault::Cut(text) => text,
            // Answers to commands on keys or to scripts, which nobody asks for here.
            Fault::NoScript | Fault::Moved(_) | Fault::Ask(_) | Fault::Silent(_) => {
                format!("{}: it gives an answer that is none", self.place).into()
            }
        })
    }

    /// Waits until the connection has ended by itself.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

/// What was published, if that is what the server says.
fn message(push: &PushInfo) -> Option<&[u8]> {
    match (&push.kind, push.data.as_slice()) {
        (PushKind::Message, [_channel, Value::BulkString(message)]) => Some(message),
        (_, _) => None,
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subscriber({})", self.place)
    }
}
