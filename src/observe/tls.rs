//! Counts of TLS handshakes, and how the certificates stand; knows nothing of either.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

/// All there is to tell of TLS. Clones are the same.
#[derive(Clone, Default)]
pub struct TlsMetrics(Arc<Shared>);

/// How a handshake ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handshake {
    /// In a connection, with all the work of a new one.
    Full,
    /// In a connection that goes on from an older one.
    Resumed,
    /// By a fault of either side.
    Failed,
    /// By its deadline.
    Late,
    /// By making room for another one.
    CrowdedOut,
}

/// How one of the files stands that TLS is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFile {
    /// Which.
    pub file: String,
    /// Whole days until the certificate in use ceases to be valid, negative when it has; `None` for a
    /// file of authorities.
    pub days_left: Option<i64>,
    /// Whether what it holds now is of no use, and what it held before is still in use.
    pub is_refused: bool,
}

#[derive(Default)]
struct Shared {
    handshakes: [AtomicU64; RESULTS.len()],
    files: Mutex<Option<Look>>,
}

/// Tells how the files stand at the moment.
type Look = Box<dyn Fn() -> Vec<TlsFile> + Send + Sync>;

const RESULTS: [(Handshake, &str); 5] = [
    (Handshake::Full, "full"),
    (Handshake::Resumed, "resumed"),
    (Handshake::Failed, "failed"),
    (Handshake::Late, "late"),
    (Handshake::CrowdedOut, "crowded_out"),
];

impl TlsMetrics {
    /// Counts a handshake.
    pub fn handshake(&self, result: Handshake) {
        let place = RESULTS.iter().position(|(known, _)| *known == result);
        if let Some(count) = place.and_then(|at| self.0.handshakes.get(at)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Shows how files stand from now on; until then nothing is told of TLS at all.
    pub fn show(&self, files: impl Fn() -> Vec<TlsFile> + Send + Sync + 'static) {
        *self.lock() = Some(Box::new(files));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Look>> {
        self.0.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for TlsMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(files) = self.lock().as_ref().map(|look| look()) else {
            return Ok(());
        };
        let mut handshakes = encoder.encode_descriptor(
            "tls_handshakes",
            "TLS handshakes, by how they ended",
            None,
            MetricType::Counter,
        )?;
        for ((_, result), count) in RESULTS.iter().zip(&self.0.handshakes) {
            let count = ConstCounter::new(count.load(Ordering::Relaxed));
            count.encode(handshakes.encode_family(&[("result", *result)])?)?;
        }
        let mut days = encoder.encode_descriptor(
            "tls_certificate_days_left",
            "Whole days until a certificate in use ceases to be valid",
            None,
            MetricType::Gauge,
        )?;
        for file in &files {
            if let Some(left) = file.days_left {
                let labels = [("file", file.file.as_str())];
                ConstGauge::new(left).encode(days.encode_family(&labels)?)?;
            }
        }
        let mut refused = encoder.encode_descriptor(
            "tls_file_refused",
            "Whether what a file holds now cannot be used, so that what it held before still is",
            None,
            MetricType::Gauge,
        )?;
        for file in &files {
            let labels = [("file", file.file.as_str())];
            ConstGauge::new(i64::from(file.is_refused)).encode(refused.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for TlsMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0.handshakes).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::{encoding::text, registry::Registry};

    fn shown(metrics: &TlsMetrics) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(metrics.clone()));
        let mut shown = String::new();
        text::encode(&mut shown, &registry).expect("text");
        shown
    }

    #[test]
    fn a_gateway_without_tls_tells_nothing_of_it() {
        assert_eq!(shown(&TlsMetrics::default()), "# EOF\n");
    }

    #[test]
    fn handshakes_are_counted_by_their_end_and_files_shown_as_they_stand() {
        let metrics = TlsMetrics::default();
        let file = |file: &str, days_left, is_refused| TlsFile {
            file: file.to_owned(),
            days_left,
            is_refused,
        };
        metrics.show(move || vec![file("a.pem", Some(-3), true), file("ca.pem", None, false)]);
        for (result, _) in RESULTS.into_iter().chain([RESULTS[4]]) {
            metrics.clone().handshake(result);
        }
        let shown = shown(&metrics);
        for line in [
            "tls_handshakes_total{result=\"full\"} 1",
            "tls_handshakes_total{result=\"late\"} 1",
            "tls_handshakes_total{result=\"crowded_out\"} 2",
            "tls_certificate_days_left{file=\"a.pem\"} -3",
            "tls_file_refused{file=\"a.pem\"} 1",
            "tls_file_refused{file=\"ca.pem\"} 0",
        ] {
            assert!(shown.lines().any(|l| l == line), "{line}\n{shown}");
        }
        assert!(!shown.contains("days_left{file=\"ca.pem\"}"));
    }
}
