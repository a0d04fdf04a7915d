//! How those who met a key that they do not know have it looked for; knows nothing of where keys come from.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore, watch},
    time::timeout,
};

/// For so long a request waits until somebody has looked.
const PATIENCE: Duration = Duration::from_secs(1);

/// Requests that wait at the same time; further ones go on with the keys that are known.
const WAITING: usize = 1024;

/// Between those who want to know whether there are newer keys, and the one who looks. Clones are
/// the same lookout.
#[derive(Debug, Clone)]
pub struct Lookout(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    wanted: Notify,
    begun: AtomicU64,
    ended: watch::Sender<u64>,
    places: Semaphore,
}

/// A look that has begun. It ends when this is dropped.
#[derive(Debug)]
pub struct Look<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Default for Lookout {
    fn default() -> Self {
        Self(Arc::new(Shared {
            wanted: Notify::new(),
            begun: AtomicU64::new(0),
            ended: watch::Sender::new(0),
            places: Semaphore::new(WAITING),
        }))
    }
}

impl Lookout {
    /// Waits for a look that begins after this was called, but not for long: if nobody looks, the
    /// caller goes on with what it knows.
    pub async fn look(&self) {
        let Shared {
            wanted,
            begun,
            ended,
            places,
        } = &*self.0;
        let Ok(_place) = places.try_acquire() else {
            return;
        };
        let next = begun.load(Ordering::SeqCst) + 1;
        wanted.notify_one();
        let mut ended = ended.subscribe();
        let looked = ended.wait_for(|last| *last >= next);
        drop(timeout(PATIENCE, looked).await);
    }

    /// Waits until somebody wants a look.
    pub async fn wanted(&self) {
        self.0.wanted.notified().await;
    }

    /// Begins a look.
    pub fn begin(&self) -> Look<'_> {
        let shared = &*self.0;
        let number = shared.begun.fetch_add(1, Ordering::SeqCst) + 1;
        Look { shared, number }
    }
}

impl Drop for Look<'_> {
    fn drop(&mut self) {
        self.shared.ended.send_replace(self.number);
    }
}

#[cfg(test)]
mod tests {
    use tokio::{task::yield_now, time::Instant};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_asks_waits_for_a_look_that_began_afterwards() {
        let lookout = Lookout::default();
        let early = lookout.begin();
        let asking = tokio::spawn({
            let lookout = lookout.clone();
            async move { lookout.look().await }
        });
        lookout.wanted().await;
        drop(early);
        yield_now().await;
        assert!(!asking.is_finished(), "that one may have seen nothing yet");
        let began = Instant::now();
        drop(lookout.begin());
        asking.await.expect("an end");
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn one_look_is_for_all_who_asked_before_it() {
        let lookout = Lookout::default();
        let asking: Vec<_> = (0..100)
            .map(|_| {
                let lookout = lookout.clone();
                tokio::spawn(async move { lookout.look().await })
            })
            .collect();
        while lookout.0.places.available_permits() > WAITING - 100 {
            yield_now().await;
        }
        lookout.wanted().await;
        drop(lookout.begin());
        for asked in asking {
            asked.await.expect("an end");
        }
        let nobody = timeout(Duration::from_mins(1), lookout.wanted()).await;
        assert!(nobody.is_err(), "nobody wants another one");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_long_and_of_too_many_the_last_not_at_all() {
        let lookout = Lookout::default();
        let began = Instant::now();
        let asking: Vec<_> = (0..WAITING)
            .map(|_| {
                let lookout = lookout.clone();
                tokio::spawn(async move { lookout.look().await })
            })
            .collect();
        while lookout.0.places.available_permits() > 0 {
            yield_now().await;
        }
        lookout.look().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        for asked in asking {
            asked.await.expect("an end");
        }
        assert_eq!(began.elapsed(), PATIENCE);
        assert_eq!(lookout.0.places.available_permits(), WAITING);
    }
}
