//! What was seen of a fleet: every answer that says something happened, and when it must have.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use tokio::{sync::watch, time::timeout};

use crate::stage::PATIENCE;

/// Something that happened between two moments; when exactly, only the store knows.
#[derive(Clone, Debug)]
pub struct Record {
    /// The request was sent.
    pub from: Instant,
    /// The answer was there.
    pub to: Instant,
    pub event: Event,
}

#[derive(Clone, Debug)]
pub enum Event {
    /// A code was sent to a phone, at the wish of an address.
    Sent { phone: String, address: String },
    /// A code was accepted.
    Opened {
        phone: String,
        code: String,
        session: String,
    },
    /// A refresh token was exchanged.
    Rotated {
        session: String,
        old: String,
        new: String,
    },
    /// A session was ended: by a logout, or since a token was used that had been replaced long before.
    Ended { session: String },
    /// An access token opened the way to the app.
    Passed { session: String },
    /// The only refresh token of a session that nobody had ended was refused.
    Lost { session: String },
}

/// All records so far. Clones are the same one.
#[derive(Clone, Default)]
pub struct Chronicle {
    records: Arc<Mutex<Vec<Record>>>,
    count: Arc<watch::Sender<usize>>,
}

impl Chronicle {
    /// Notes what an answer that is just here says about a request sent at `from`.
    pub fn note(&self, from: Instant, event: Event) {
        let to = Instant::now();
        self.records
            .lock()
            .unwrap()
            .push(Record { from, to, event });
        self.count.send_modify(|count| *count += 1);
    }

    /// Waits until so much more has happened.
    pub async fn grows_by(&self, records: usize) {
        let mut count = self.count.subscribe();
        let goal = *count.borrow() + records;
        let grown = timeout(PATIENCE * 2, count.wait_for(|count| *count >= goal));
        let grown = grown.await.map(|grown| grown.is_ok());
        assert_eq!(grown, Ok(true), "nothing happens any more");
    }

    /// Everything.
    pub fn records(&self) -> Vec<Record> {
        self.records.lock().unwrap().clone()
    }
}
