//! The time that one verb has, and what it was held up by; connects to nothing.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout_at};

use super::fault::{Fault, Patience};
use crate::store::Error;

/// One verb on its way.
#[derive(Debug)]
pub struct Verb {
    budget: Duration,
    deadline: Instant,
    pause: Duration,
    /// What it waits for.
    why: Arc<str>,
}

/// Between two attempts; doubled from the first to the second of these.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

impl Verb {
    /// One that begins now and may take as long as `budget`.
    pub fn new(budget: Duration) -> Self {
        Self {
            budget,
            deadline: Instant::now() + budget,
            pause: FIRST_PAUSE,
            why: "the store cannot be reached in time".into(),
        }
    }

    /// All the time it has.
    pub const fn budget(&self) -> Duration {
        self.budget
    }

    /// Does what changes nothing in the store, in the time that is left.
    pub async fn prepare<T>(&self, step: impl Future<Output = T>) -> Result<T, Error> {
        timeout_at(self.deadline, step)
            .await
            .map_err(|_| self.too_late())
    }

    /// Waits for an answer, in the time that is left.
    pub async fn answer<T>(
        &self,
        step: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let begun = Instant::now();
        match timeout_at(self.deadline, step).await {
            Ok(answer) => answer,
            Err(_) if begun.elapsed() * 2 >= self.budget => Err(Fault::Silent(Patience::Fair)),
            Err(_) => Err(Fault::Silent(Patience::Short)),
        }
    }

    /// Waits a little, since nothing happened for the reason `why`.
    pub async fn pause(&mut self, why: Arc<str>) -> Result<(), Error> {
        self.why = why;
        if self.deadline.saturating_duration_since(Instant::now()) <= self.pause {
            return Err(self.too_late());
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }

    fn too_late(&self) -> Error {
        Error::Unavailable(Arc::clone(&self.why))
    }
}
