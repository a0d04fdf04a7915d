//! Counts of HTTP requests: every worker counts for itself, and only a scrape adds them up.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::StatusCode;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

/// Upper bounds of the buckets of request durations, in microseconds. A gateway adds little, so
/// they begin where its own part lies and end where people give up.
const BOUNDS: [u64; 14] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    5_000_000, 30_000_000,
];

/// All shards there are.
#[derive(Clone, Debug, Default)]
pub struct HttpMetrics(Arc<Mutex<Vec<Arc<Shard>>>>);

/// The counts of one worker. Nobody else writes to them, so they never travel between cores.
#[derive(Debug)]
pub struct Shard {
    names: Arc<[Arc<str>]>,
    places: Box<[Counts]>,
    begun: AtomicU64,
}

/// The counts of one route in one worker.
#[derive(Debug, Default)]
struct Counts {
    /// By hundreds of the status: 1xx to 5xx.
    by_class: [AtomicU64; 5],
    /// By duration; the last one is for everything above the bounds.
    by_duration: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

/// Sums over shards, for one route.
#[derive(Debug, Default, Clone)]
struct Totals {
    by_class: [u64; 5],
    by_duration: [u64; BOUNDS.len() + 1],
    micros: u64,
}

impl HttpMetrics {
    /// Counts for one more worker; `names` are the routes, in the order of their indices.
    pub fn shard(&self, names: Arc<[Arc<str>]>) -> Arc<Shard> {
        let shard = Arc::new(Shard {
            places: names.iter().map(|_| Counts::default()).collect(),
            names,
            begun: AtomicU64::new(0),
        });
        self.lock().push(Arc::clone(&shard));
        shard
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Shard>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn totals(&self) -> (BTreeMap<Arc<str>, Totals>, u64) {
        let mut by_name: BTreeMap<Arc<str>, Totals> = BTreeMap::new();
        let (mut begun, mut ended) = (0, 0);
        for shard in self.lock().iter() {
            begun += shard.begun.load(Ordering::Relaxed);
            for (name, counts) in shard.names.iter().zip(&shard.places) {
                let totals = by_name.entry(Arc::clone(name)).or_default();
                ended += totals.add(counts);
            }
        }
        // The two are read one after the other, so a request may have ended in between.
        (by_name, begun.saturating_sub(ended))
    }
}

impl Shard {
    /// A request has arrived.
    pub fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    /// It has been answered, to the last byte or as far as it went.
    pub fn end(&self, route: usize, status: StatusCode, took: Duration) {
        let Some(counts) = self.places.get(route) else {
            return;
        };
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        let bucket = BOUNDS.partition_point(|bound| *bound < micros);
        let by_class = counts.by_class.get(class);
        for count in by_class.into_iter().chain(counts.by_duration.get(bucket)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        counts.micros.fetch_add(micros, Ordering::Relaxed);
    }
}

impl Totals {
    /// Adds one worker's counts; returns how many requests these are.
    fn add(&mut self, counts: &Counts) -> u64 {
        let mut requests = 0;
        for (total, count) in self.by_class.iter_mut().zip(&counts.by_class) {
            let count = count.load(Ordering::Relaxed);
            *total += count;
            requests += count;
        }
        for (total, count) in self.by_duration.iter_mut().zip(&counts.by_duration) {
            *total += count.load(Ordering::Relaxed);
        }
        self.micros += counts.micros.load(Ordering::Relaxed);
        requests
    }
}

impl Collector for HttpMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (by_name, in_flight) = self.totals();
        let mut requests = encoder.encode_descriptor(
            "http_requests",
            "Requests answered, by route and class of status",
            None,
            MetricType::Counter,
        )?;
        for (name, totals) in &by_name {
            for (class, count) in CLASSES.into_iter().zip(totals.by_class) {
                let labels = [("route", &**name), ("status", class)];
                ConstCounter::new(count).encode(requests.encode_family(&labels)?)?;
            }
        }
        let mut durations = encoder.encode_descriptor(
            "http_request_duration",
            "From the request's head to the end of its answer, by route",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        for (name, totals) in &by_name {
            let bounds = BOUNDS.iter().map(|micros| seconds(*micros));
            let buckets: Vec<(f64, u64)> = bounds
                .chain([f64::INFINITY])
                .zip(totals.by_duration)
                .collect();
            let count = totals.by_duration.iter().sum();
            durations
                .encode_family(&[("route", &**name)])?
                .encode_histogram::<NoExemplarLabels>(
                    seconds(totals.micros),
                    count,
                    &buckets,
                    None,
                )?;
        }
        let running = encoder.encode_descriptor(
            "http_requests_in_flight",
            "Requests being answered",
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(i64::try_from(in_flight).unwrap_or(i64::MAX)).encode(running)
    }
}

/// The type of labels that no exemplar of ours has.
type NoExemplarLabels = [(&'static str, &'static str); 0];

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

fn seconds(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::{encoding::text, registry::Registry};

    #[test]
    fn a_scrape_adds_up_what_the_workers_counted_for_themselves() {
        let metrics = HttpMetrics::default();
        let names: Arc<[Arc<str>]> = [Arc::from("app"), Arc::from("auth")].into();
        let workers = [metrics.shard(Arc::clone(&names)), metrics.shard(names)];
        for worker in &workers {
            worker.begin();
            worker.begin();
            worker.end(0, StatusCode::OK, Duration::from_micros(300));
        }
        workers[0].end(1, StatusCode::NOT_FOUND, Duration::from_mins(1));
        let mut registry = Registry::default();
        registry.register_collector(Box::new(metrics));
        let mut shown = String::new();
        text::encode(&mut shown, &registry).expect("text");
        for line in [
            "http_requests_total{route=\"app\",status=\"2xx\"} 2",
            "http_requests_total{route=\"auth\",status=\"4xx\"} 1",
            "http_request_duration_seconds_bucket{le=\"0.00025\",route=\"app\"} 0",
            "http_request_duration_seconds_bucket{le=\"0.0005\",route=\"app\"} 2",
            "http_request_duration_seconds_bucket{le=\"+Inf\",route=\"auth\"} 1",
            "http_request_duration_seconds_bucket{le=\"30.0\",route=\"auth\"} 0",
            "http_requests_in_flight 1",
        ] {
            assert!(shown.lines().any(|l| l == line), "{line}\n{shown}");
        }
    }
}
