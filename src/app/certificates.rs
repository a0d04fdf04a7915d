//! The certificates of a running gateway: looked at again and again, and taken over when their files change.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{task::spawn_blocking, time::interval};

use crate::{
    app::Error,
    clock::{Clock, Timestamp},
    net::tls::{self, Files, Held, Spec, Terms},
    observe::tls::{TlsFile, TlsMetrics},
};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

const DAY: Duration = Duration::from_hours(24);

/// The files, and the terms that follow from them.
#[derive(Debug, Clone)]
pub struct CertificateFiles {
    /// Only one look at a time; nobody waits for it but who looks.
    files: Arc<Mutex<Files>>,
    terms: Arc<ArcSwap<Terms>>,
    held: Arc<ArcSwap<Vec<Held>>>,
    clock: Clock,
}

impl CertificateFiles {
    /// Reads the files, all of which must be good.
    pub fn open(spec: &Spec, clock: &Clock) -> Result<Self, Error> {
        let mut trouble = Vec::new();
        let files = Files::open(spec, clock.clone(), &mut |error| trouble.push(error));
        let Some(files) = files else {
            return Err(Error::Tls(trouble));
        };
        let terms = files.terms().map_err(|error| Error::Tls(vec![error]))?;
        Ok(Self {
            held: Arc::new(ArcSwap::from_pointee(files.held())),
            files: Arc::new(Mutex::new(files)),
            terms: Arc::new(ArcSwap::from_pointee(terms)),
            clock: clock.clone(),
        })
    }

    /// What new connections are agreed on, always as the files say.
    pub const fn terms(&self) -> &Arc<ArcSwap<Terms>> {
        &self.terms
    }

    /// Lets operators see how the files stand.
    pub fn show(&self, metrics: &TlsMetrics) {
        let (held, clock) = (Arc::clone(&self.held), self.clock.clone());
        metrics.show(move || {
            let now = clock.now();
            held.load().iter().map(|held| stand(held, now)).collect()
        });
    }

    /// Keeps the terms as the files are, for ever. What is of no use changes nothing and is told once.
    pub async fn watch(self) {
        let mut ticks = interval(LOOK);
        loop {
            ticks.tick().await;
            let own = self.clone();
            // Files may lie on a disk that makes one wait.
            if spawn_blocking(move || own.look()).await.is_err() {
                tracing::error!("the certificates could not be looked at");
            }
        }
    }

    fn look(&self) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let mut trouble = |error: tls::Error| {
            tracing::warn!(%error, "the certificates stay as they were");
        };
        let changed = files.look(&mut trouble);
        self.held.store(Arc::new(files.held()));
        if !changed {
            return;
        }
        match files.terms() {
            Ok(terms) => {
                self.terms.store(Arc::new(terms));
                tracing::info!("certificates taken over");
            }
            Err(error) => trouble(error),
        }
    }
}

fn stand(held: &Held, now: Timestamp) -> TlsFile {
    let days = |span: Duration| i64::try_from(span.as_secs() / DAY.as_secs()).unwrap_or(i64::MAX);
    TlsFile {
        file: held.file.display().to_string(),
        days_left: held.validity.map(|validity| {
            let end = validity.not_after;
            if now <= end {
                days(end.since(now))
            } else {
                -1 - days(now.since(end))
            }
        }),
        is_refused: held.is_old,
    }
}
