//! The writer: the one thread that owns the database, and makes many verbs durable with one sync; knows no caller.
//!
//! It takes a job, then all others that wait, runs them in order in one transaction, commits it
//! once, and only then answers. While it syncs, the next jobs gather: that is all there is to
//! group commit, and it needs neither a lock nor a timer.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

use super::{
    fault::Fault,
    figures::Figures,
    job::{Job, Message},
    keeper::Keeper,
    room::Room,
    step::{Outcome, Step},
    sweep::Sweep,
};
use crate::{
    clock::Clock,
    store::{Error, revocations::Revocations},
};

/// Verbs that one commit makes durable at most, so that nobody waits too long for the others.
const MAX_BATCH: usize = 512;

/// With nothing to do for so long, the writer sweeps.
const IDLE: Duration = Duration::from_secs(1);

/// What the thread owns, what it shares, and where its work comes from.
#[derive(Debug)]
pub struct Writer {
    /// The database.
    pub keeper: Keeper,
    /// Whether it may grow.
    pub room: Room,
    /// Where the sweep stands.
    pub sweep: Sweep,
    /// What time it is.
    pub clock: Clock,
    /// The queue.
    pub messages: Receiver<Message>,
    /// Told of every ended session.
    pub revocations: Arc<Revocations>,
    /// Told of everything that is counted.
    pub figures: Arc<Figures>,
}

impl Writer {
    /// Serves until there is no handle any more, or one asks to close.
    pub fn run(mut self) {
        loop {
            let (jobs, closing) = match self.messages.recv_timeout(IDLE) {
                Ok(first) => {
                    // Whoever shares this core may be about to ask for more.
                    thread::yield_now();
                    self.gather(first)
                }
                Err(RecvTimeoutError::Timeout) => (Vec::new(), None),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.serve(jobs);
            if let Some(told) = closing {
                drop(self);
                // Whoever has stopped waiting does not need to know.
                let _: Result<(), ()> = told.send(());
                return;
            }
        }
    }

    /// The first message and all that wait behind it, up to the bound of a batch.
    fn gather(&self, first: Message) -> (Vec<Job>, Option<oneshot::Sender<()>>) {
        let mut jobs = Vec::new();
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Do(job) => jobs.push(*job),
                Message::Close(told) => return (jobs, Some(told)),
            }
            next = (jobs.len() < MAX_BATCH)
                .then(|| self.messages.try_recv().ok())
                .flatten();
        }
        (jobs, None)
    }

    /// Does the jobs and answers each. Without jobs only the sweep goes on.
    fn serve(&mut self, mut jobs: Vec<Job>) {
        // Whoever waits no longer takes it for failed, and would be surprised if it happened now.
        jobs.retain(Job::is_awaited);
        let durable = match panic::catch_unwind(AssertUnwindSafe(|| self.batch(&mut jobs))) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Fault::Refused(error))) => Err(error),
            Ok(Err(fault)) => Err(self.give_up(&fault.to_string())),
            // A database that panics is as broken as one that returns an error.
            Err(_) => Err(self.give_up("it panicked")),
        };
        for job in jobs {
            job.answer(durable.clone());
        }
    }

    /// Runs all jobs in one transaction and commits it if there is anything to commit.
    fn batch(&mut self, jobs: &mut Vec<Job>) -> Result<(), Fault> {
        let place = self.keeper.place().clone();
        let now = self.clock.now();
        let database = self.keeper.database(now).map_err(Fault::Refused)?;
        let room = self.room.look(&place, database, &self.clock)?;
        loop {
            let transaction = database.begin_write()?;
            let mut step = Step::begin(&transaction, now, room.clone())?;
            match run_all(jobs, &mut step, &self.clock) {
                Ok(()) => {
                    self.sweep.go_on(&mut step, jobs.len())?;
                    let outcome = step.end()?;
                    if outcome.changed {
                        transaction.commit()?;
                    } else {
                        transaction.abort()?;
                    }
                    self.publish(&outcome, jobs.len());
                    return Ok(());
                }
                // A verb is atomic: what this one may have written must not become durable, so the
                // transaction is given up, and the others are run again without it.
                Err(Stopped { at, fault }) => {
                    drop(step);
                    transaction.abort()?;
                    match fault {
                        Fault::Refused(_) | Fault::Database(_) => return Err(fault),
                        Fault::Unreadable { .. } | Fault::Panicked => {}
                    }
                    let error = place.unavailable(&fault.to_string());
                    tracing::error!(%error, "a verb has failed");
                    jobs.remove(at).answer(Err(error));
                }
            }
        }
    }

    /// Tells what has become durable, before anybody gets an answer.
    fn publish(&self, outcome: &Outcome, verbs: usize) {
        let now = self.clock.now();
        for ended in &outcome.ended {
            self.revocations.add(ended.id, ended.until, now);
        }
        let file_bytes = self.keeper.place().len().unwrap_or_default();
        self.figures.count(verbs as u64, outcome, file_bytes);
    }

    fn give_up(&mut self, reason: &str) -> Error {
        self.figures.count_failure();
        self.keeper.give_up(reason, self.clock.now())
    }
}

/// The job at this place could not be done.
struct Stopped {
    at: usize,
    fault: Fault,
}

fn run_all(jobs: &mut [Job], step: &mut Step<'_>, clock: &Clock) -> Result<(), Stopped> {
    for (at, job) in jobs.iter_mut().enumerate() {
        step.now = clock.now();
        panic::catch_unwind(AssertUnwindSafe(|| job.run(step)))
            .unwrap_or(Err(Fault::Panicked))
            .map_err(|fault| Stopped { at, fault })?;
    }
    Ok(())
}
