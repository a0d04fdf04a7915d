//! Whatever runs beside the workers, and the order in which everything ends.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    task::{JoinHandle, JoinSet},
    time::timeout,
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
    /// Sends the messages.
    pub outbox: JoinHandle<()>,
    /// Closed when everything else has ended.
    pub store: Store,
    /// How many there are.
    pub workers: usize,
    /// Told by each worker that ends.
    pub ended: mpsc::UnboundedReceiver<()>,
}

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
            _ = &mut self.outbox => Ending::Died,
        };
        self.stop.cancel();
        while left > 0 && self.ended.recv().await.is_some() {
            left -= 1;
        }
        // With the workers every entrance of the outbox is gone; what is queued still goes out.
        if !self.outbox.is_finished() {
            let sent = timeout(self.drain, &mut self.outbox);
            if !matches!(self.abort.run_until_cancelled(sent).await, Some(Ok(_))) {
                tracing::warn!("messages were left unsent");
            }
        }
        self.store.close().await;
        ending
    }
}
