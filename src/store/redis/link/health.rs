//! Whether a server can be reached, and for how long not; tells the operators once of each change, and never connects.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// What one worker knows of one server.
#[derive(Debug)]
pub struct Health {
    name: Arc<str>,
    state: watch::Sender<State>,
    notices: Arc<Notices>,
}

/// The servers that the operators have been told of, so that all workers together say a thing once.
#[derive(Debug, Default)]
pub struct Notices(Mutex<HashSet<Arc<str>>>);

#[derive(Debug)]
enum State {
    /// Nothing is known against it.
    Up,
    /// The last attempt to connect failed.
    Down {
        since: Instant,
        /// Of the last attempt.
        why: Arc<str>,
    },
}

impl Health {
    /// Of a server that was not tried yet.
    pub fn new(name: Arc<str>, notices: Arc<Notices>) -> Self {
        let (state, _) = watch::channel(State::Up);
        Self {
            name,
            state,
            notices,
        }
    }

    /// A connection was made.
    pub fn up(&self) {
        let changed = self.state.send_if_modified(|state| {
            let was_down = matches!(state, State::Down { .. });
            *state = State::Up;
            was_down
        });
        if changed {
            self.notices.up(&self.name);
        }
    }

    /// No connection could be made.
    pub fn down(&self, why: &str) {
        let why: Arc<str> = format!("{}: {why}", self.name).into();
        let mut is_new = false;
        self.state.send_modify(|state| {
            let since = match state {
                State::Up => {
                    is_new = true;
                    Instant::now()
                }
                State::Down { since, .. } => *since,
            };
            let why = Arc::clone(&why);
            *state = State::Down { since, why };
        });
        if is_new {
            self.notices.down(&self.name, &why);
        }
    }

    /// Whether no connection could be made for as long as `patience`.
    pub fn is_down_for(&self, patience: Duration) -> bool {
        match &*self.state.borrow() {
            State::Up => false,
            State::Down { since, .. } => since.elapsed() >= patience,
        }
    }

    /// Waits until no connection could be made for as long as `patience`. Returns the reason.
    pub async fn hopeless(&self, patience: Duration) -> Arc<str> {
        let mut states = self.state.subscribe();
        loop {
            let until = match &*states.borrow_and_update() {
                State::Up => None,
                State::Down { since, why } => {
                    let until = *since + patience;
                    if until <= Instant::now() {
                        return Arc::clone(why);
                    }
                    Some(until)
                }
            };
            let end = async {
                match until {
                    Some(until) => sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = end => {}
                // The sender is in `self`, so there is always a next change to wait for.
                _changed = states.changed() => {}
            }
        }
    }
}

impl Notices {
    fn down(&self, name: &Arc<str>, why: &str) {
        if self.told(|servers| servers.insert(Arc::clone(name))) {
            tracing::warn!(store = %name, %why, "the store cannot be reached");
        }
    }

    fn up(&self, name: &str) {
        if self.told(|servers| servers.remove(name)) {
            tracing::warn!(store = %name, "the store can be reached again");
        }
    }

    /// It is no longer asked for anything, so nobody will learn whether it is back.
    pub fn retired(&self, name: &str) {
        if self.told(|servers| servers.remove(name)) {
            tracing::warn!(store = %name, "another server has taken its place");
        }
    }

    fn told(&self, change: impl FnOnce(&mut HashSet<Arc<str>>) -> bool) -> bool {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::time::advance;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn hope_ends_when_a_server_was_away_for_too_long() {
        let health = Health::new("db".into(), Arc::default());
        let begun = Instant::now();
        health.down("refuses");
        advance(PATIENCE / 2).await;
        // What it is for changes, since when does not.
        health.down("is silent");
        assert!(!health.is_down_for(PATIENCE));
        assert_eq!(&*health.hopeless(PATIENCE).await, "db: is silent");
        assert_eq!(begun.elapsed(), PATIENCE);
        assert!(health.is_down_for(PATIENCE));
        assert_eq!(&*health.hopeless(Duration::ZERO).await, "db: is silent");
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_back_in_time_gives_new_hope() {
        let health = Health::new("db".into(), Arc::default());
        let begun = Instant::now();
        health.down("refuses");
        let waits = health.hopeless(PATIENCE);
        let changes = async {
            advance(PATIENCE / 2).await;
            health.up();
            advance(PATIENCE * 2).await;
            health.down("refuses again");
        };
        let (why, ()) = tokio::join!(waits, changes);
        assert_eq!(&*why, "db: refuses again");
        assert_eq!(begun.elapsed(), PATIENCE * 7 / 2);
    }

    #[tokio::test]
    async fn operators_are_told_once_of_each_change() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let out = Arc::new(file.reopen().expect("the same file"));
        let subscriber = tracing_subscriber::fmt().with_writer(out).finish();
        let _told = tracing::subscriber::set_default(subscriber);
        let notices = Arc::new(Notices::default());
        let workers = [(); 3].map(|()| Health::new("db".into(), Arc::clone(&notices)));
        let each = |tell: fn(&Health)| workers.iter().for_each(tell);
        each(|worker| worker.down("refuses"));
        each(|worker| worker.down("refuses"));
        each(Health::up);
        each(Health::up);
        each(|worker| worker.down("refuses"));
        notices.retired("db");
        notices.retired("db");
        let log = fs::read_to_string(file.path()).expect("text");
        let lines: Vec<_> = log.lines().collect();
        assert_eq!(lines.len(), 4, "{log}");
        assert!(lines[0].contains("cannot be reached") && lines[0].contains("db: refuses"));
        assert!(lines[1].contains("can be reached again"), "{log}");
        assert!(lines[2].contains("cannot be reached"), "{log}");
        assert!(lines[3].contains("another server"), "{log}");
    }
}
