//! The paper on which the courier of a stage writes all messages.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use crate::{
    auth::Spec,
    clock::Clock,
    observe::metrics::Metrics,
    secret::Masters,
    sms::{Sms, console::Console, courier::Parts},
    store::Store,
};

/// What was written so far. Clones are the same sheet.
#[derive(Clone, Default)]
pub struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    /// All of it.
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a courier works with who writes on `paper`.
pub fn kit(
    spec: &Spec,
    store: &Store,
    masters: &Arc<Masters>,
    paper: &Paper,
    metrics: &Metrics,
    clock: &Clock,
) -> Parts {
    Parts {
        sms: Sms::console(Console::new(Box::new(paper.clone()))),
        store: store.clone(),
        masters: Arc::clone(masters),
        wording: spec.wording.clone(),
        length: spec.otp.length,
        metrics: metrics.clone(),
        clock: clock.clone(),
    }
}
