//! The embedded store: a handle that queues verbs for the one thread that owns the database; knows no verb's meaning.

pub mod verbs;

mod deliveries;
mod export;
mod fault;
mod figures;
mod import;
mod job;
mod keeper;
mod place;
mod purses;
mod room;
mod step;
mod sweep;
mod tables;
mod windows;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Duration,
};

use tokio::{sync::oneshot, task::spawn_blocking, time::timeout};

pub use self::{export::Export, import::Import, place::Place};
use self::{
    figures::Figures,
    job::{Call, Message},
    keeper::Keeper,
    room::Room,
    sweep::Sweep,
    verbs::Verb,
    writer::Writer,
};
use super::{Error, OpenError, Spec, revocations::Revocations};
use crate::{clock::Clock, observe::readings::Reading, secret::SecretId};

/// Verbs that may wait. At the speed of the writer this is less than a second of work.
const QUEUE: usize = 4096;

/// How long [`Embedded::close`] waits for what was asked before.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);

/// A handle on the thread that owns the database. The database closes with the last of them.
#[derive(Debug, Clone)]
pub struct Embedded {
    messages: SyncSender<Message>,
    deadline: Duration,
    name: Arc<str>,
    revocations: Arc<Revocations>,
    figures: Arc<Figures>,
}

impl Embedded {
    /// Opens or creates the database and starts its thread.
    pub async fn open(
        place: Place,
        spec: &Spec,
        names: SecretId,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        let (sender, messages) = sync_channel(QUEUE);
        let handle = Self {
            messages: sender,
            deadline: spec.deadline,
            name: place.path().display().to_string().into(),
            revocations: Arc::default(),
            figures: Arc::default(),
        };
        let (revocations, figures) = (Arc::clone(&handle.revocations), Arc::clone(&handle.figures));
        let path = place.path().to_owned();
        let room = Room::new(spec.max_size);
        let (opened, told) = oneshot::channel();
        // A thread and not a task: it waits for the disk, and the runtime must not wait with it.
        let body = move || match Keeper::open(place, names, Arc::clone(&revocations), clock.now()) {
            Ok(keeper) => {
                drop(opened.send(Ok(())));
                let sweep = Sweep::default();
                let writer = Writer {
                    keeper,
                    room,
                    sweep,
                    clock,
                    messages,
                    revocations,
                    figures,
                };
                writer.run();
            }
            Err(error) => drop(opened.send(Err(error))),
        };
        thread::Builder::new()
            .name("store".to_owned())
            .spawn(body)
            .map_err(|source| cannot_open(&path, source))?;
        told.await
            .map_err(|gone| cannot_open(&path, io::Error::other(gone)))??;
        Ok(handle)
    }

    /// Queues a verb and waits for its answer, which comes when it is durable.
    pub async fn call<V: Verb>(&self, verb: V) -> Result<V::Answer, Error> {
        let (call, answer) = Call::new(verb);
        self.messages
            .try_send(Message::Do(Box::new(V::QUEUED(call))))
            .map_err(|refused| match refused {
                TrySendError::Full(_) => Error::Overloaded,
                TrySendError::Disconnected(_) => self.closed(),
            })?;
        match timeout(self.deadline, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(self.closed()),
            Err(_) => Err(Error::Timeout),
        }
    }

    /// See [`super::Store::close`].
    pub async fn close(&self) {
        let (closed, told) = oneshot::channel();
        let messages = self.messages.clone();
        // The queue may be full, and this message must not be lost for it.
        let close = async {
            if let Ok(Ok(())) = spawn_blocking(move || messages.send(Message::Close(closed))).await
            {
                // An error says that somebody else has closed it in between.
                drop(told.await);
            }
        };
        if timeout(CLOSE_WITHIN, close).await.is_err() {
            tracing::warn!(store = %self.name, "the store is still busy and was not closed in time");
        }
    }

    /// See [`super::Store::revocations`].
    pub fn revocations(&self) -> Arc<Revocations> {
        Arc::clone(&self.revocations)
    }

    /// See [`super::Store::readings`].
    pub fn readings(&self) -> Vec<Reading> {
        self.figures.readings()
    }

    fn closed(&self) -> Error {
        Error::Unavailable(format!("store {}: it is closed", self.name).into())
    }
}

fn cannot_open(path: &Path, source: io::Error) -> OpenError {
    OpenError::Io {
        path: path.to_owned(),
        source,
    }
}
