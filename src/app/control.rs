//! Whatever runs beside the workers, and the order in which everything ends.

use std::{thread, time::Duration};

use tokio::{
    sync::mpsc,
    task::{JoinHandle, JoinSet},
    time::{interval, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{app::Ending, store::Store};

/// Everything that runs beside the workers, on one thread of its own: a busy data path cannot
/// keep operators from their answers.
#[derive(Debug)]
pub struct Control {
    /// Fires when the gateway is to stop.
    pub stop: CancellationToken,
    /// Fires when it is to stop without waiting for anybody.
    pub abort: CancellationToken,
    /// For messages that still wait then.
    pub drain: Duration,
    /// Parts that never end by themselves.
    pub tasks: JoinSet<()>,
    /// Carries messages.
    pub courier: JoinHandle<()>,
    /// Fires when nobody can hand it any more of them.
    pub last_message: CancellationToken,
    /// Writes the access log, if there is one; ends with the last worker.
    pub access_log: Option<thread::JoinHandle<()>>,
    /// Closed when everything else has ended.
    pub store: Store,
    /// How many there are.
    pub workers: usize,
    /// Told by each worker that ends.
    pub ended: mpsc::UnboundedReceiver<()>,
}

/// For how long somebody may take the last lines of the access log.
const LAST_LINES: Duration = Duration::from_secs(1);

/// How often it is looked whether all were taken.
const LOOK: Duration = Duration::from_millis(5);

impl Control {
    /// Runs until the gateway is told to stop or a part of it ends, then ends the rest in order.
    pub async fn run(mut self) -> Ending {
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
            _ = &mut self.courier => Ending::Died,
        };
        self.stop.cancel();
        while left > 0 && self.ended.recv().await.is_some() {
            left -= 1;
        }
        // What was handed over is still carried; what is not by then lies in the store.
        self.last_message.cancel();
        if !self.courier.is_finished() {
            let carried = timeout(self.drain, &mut self.courier);
            if !matches!(self.abort.run_until_cancelled(carried).await, Some(Ok(_))) {
                tracing::warn!("messages were left unsent");
            }
        }
        if let Some(writer) = &self.access_log
            && timeout(LAST_LINES, end_of(writer)).await.is_err()
        {
            tracing::warn!("the last lines of the access log were left unwritten");
        }
        self.store.close().await;
        ending
    }
}

/// Waits for a thread without blocking the one that asks: whoever reads the log may never do it.
async fn end_of(thread: &thread::JoinHandle<()>) {
    let mut looks = interval(LOOK);
    while !thread.is_finished() {
        looks.tick().await;
    }
}
