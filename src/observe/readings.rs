//! Figures that others keep for themselves, read when somebody asks; knows nothing of what they mean.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

/// All readings there are.
#[derive(Clone, Default)]
pub struct Readings(Arc<Mutex<Vec<Reading>>>);

/// One figure and how to read it.
pub struct Reading {
    /// Its name, without the prefix all metrics have.
    pub name: &'static str,
    /// What it tells.
    pub help: &'static str,
    /// How it moves.
    pub kind: Kind,
    /// Reads it.
    pub read: Box<dyn Fn() -> u64 + Send + Sync>,
}

/// How a figure moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only up.
    Counter,
    /// Both ways.
    Gauge,
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.name, (self.read)())
    }
}

impl Readings {
    /// Shows one more figure from now on.
    pub fn add(&self, reading: Reading) {
        self.lock().push(reading);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Reading>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Readings {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for reading in self.lock().iter() {
            let figure = (reading.read)();
            let kind = match reading.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
            };
            let metric = encoder.encode_descriptor(reading.name, reading.help, None, kind)?;
            match reading.kind {
                Kind::Counter => ConstCounter::new(figure).encode(metric)?,
                Kind::Gauge => {
                    ConstGauge::new(i64::try_from(figure).unwrap_or(i64::MAX)).encode(metric)?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lock().iter()).finish()
    }
}
