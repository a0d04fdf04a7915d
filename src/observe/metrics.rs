//! Counters for operators: one registry, and a typed handle for everything that is counted; knows nothing of who asks for them.

use std::{fmt, sync::Arc, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::observe::{
    guard::GuardMetrics, http::HttpMetrics, limits::LimitMetrics, readings::Readings,
    tls::TlsMetrics,
};

/// Every metric of this process. Clones count into the same place.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    http: HttpMetrics,
    readings: Readings,
    tls: TlsMetrics,
    limits: LimitMetrics,
    guard: GuardMetrics,
    sends: Family<ResultLabel, Counter>,
    answers: Family<ResultLabel, Counter>,
    refreshes: Family<ResultLabel, Counter>,
    revoked: Counter,
    cut: Counter,
    messages: Family<MessageLabels, Counter>,
    ended: Family<ReasonLabel, Counter>,
    sending: Durations,
}

/// How a request for a code ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Send {
    /// Handed to the provider.
    Sent,
    /// Answered by a configured code, without a message.
    TestNumber,
    /// Refused by a limit.
    Limited,
    /// Refused by the guard.
    Suspected,
    /// Refused because messages wait already.
    Overloaded,
}

/// How an answer was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It opened a session.
    Right,
    /// It did not.
    Wrong,
}

/// How the use of a refresh token ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// In new tokens.
    Rotated,
    /// In the end of the session: the token had been replaced long before.
    Replayed,
    /// The session had ended.
    Ended,
    /// The token was not ours, or too old.
    Invalid,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MessageLabels {
    provider: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProviderLabel {
    provider: &'static str,
}

/// How long providers take, with its buckets.
type Durations = Family<ProviderLabel, Histogram, fn() -> Histogram>;

/// Upper bounds of the buckets of what providers take, in seconds.
const PROVIDER_BOUNDS: [f64; 10] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

impl Metrics {
    /// A registry in which everything stands at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("otp_gateway");
        let sends = Family::default();
        let answers = Family::default();
        let refreshes = Family::default();
        let revoked = Counter::default();
        let cut = Counter::default();
        let messages = Family::default();
        let ended = Family::default();
        let sending = Durations::new_with_constructor(|| Histogram::new(PROVIDER_BOUNDS));
        registry.register("otp_sends", "Requests for a code", sends.clone());
        registry.register("otp_answers", "Codes that were answered", answers.clone());
        registry.register("refreshes", "Uses of refresh tokens", refreshes.clone());
        registry.register(
            "sessions_revoked",
            "Sessions ended by their owners",
            revoked.clone(),
        );
        registry.register(
            "requests_cut",
            "Requests cut, or their answers, since the session had ended",
            cut.clone(),
        );
        registry.register(
            "connections_ended",
            "Connections of clients that a limit ended",
            ended.clone(),
        );
        registry.register(
            "sms_messages",
            "Attempts to have a message carried, by provider and what came of it",
            messages.clone(),
        );
        registry.register_with_unit(
            "sms_duration",
            "How long a provider took for an attempt",
            Unit::Seconds,
            sending.clone(),
        );
        let http = HttpMetrics::default();
        registry.register_collector(Box::new(http.clone()));
        let readings = Readings::default();
        registry.register_collector(Box::new(readings.clone()));
        let tls = TlsMetrics::default();
        registry.register_collector(Box::new(tls.clone()));
        let limits = LimitMetrics::default();
        limits.register(&mut registry);
        let guard = GuardMetrics::default();
        guard.register(&mut registry);
        Self {
            registry: Arc::new(registry),
            http,
            readings,
            tls,
            limits,
            guard,
            sends,
            answers,
            refreshes,
            revoked,
            cut,
            messages,
            ended,
            sending,
        }
    }

    /// Where workers count their requests.
    pub const fn http(&self) -> &HttpMetrics {
        &self.http
    }

    /// Where others show figures of their own.
    pub const fn readings(&self) -> &Readings {
        &self.readings
    }

    /// What is told of TLS.
    pub const fn tls(&self) -> &TlsMetrics {
        &self.tls
    }

    /// Where the throttle counts what it refuses.
    pub const fn limits(&self) -> &LimitMetrics {
        &self.limits
    }

    /// Where the guard counts its verdicts.
    pub const fn guard(&self) -> &GuardMetrics {
        &self.guard
    }

    /// Counts a request for a code.
    pub fn otp_send(&self, result: Send) {
        self.sends
            .get_or_create(&ResultLabel::from(result.as_str()))
            .inc();
    }

    /// Counts an answer to a code.
    pub fn otp_answer(&self, result: Answer) {
        self.answers
            .get_or_create(&ResultLabel::from(result.as_str()))
            .inc();
    }

    /// Counts the use of a refresh token.
    pub fn refresh(&self, result: Refresh) {
        self.refreshes
            .get_or_create(&ResultLabel::from(result.as_str()))
            .inc();
    }

    /// Counts sessions that were ended.
    pub fn sessions_revoked(&self, count: usize) {
        self.revoked.inc_by(count as u64);
    }

    /// Counts requests under way whose session had ended.
    pub fn requests_cut(&self, count: usize) {
        self.cut.inc_by(count as u64);
    }

    /// Counts an attempt to have a message carried, which took so long.
    pub fn sms(&self, provider: &'static str, result: &'static str, took: Duration) {
        self.messages
            .get_or_create(&MessageLabels { provider, result })
            .inc();
        self.sending
            .get_or_create(&ProviderLabel { provider })
            .observe(took.as_secs_f64());
    }

    /// Counts connections of clients that were ended for `reason`.
    pub fn connection_ended(&self, reason: &'static str, count: u64) {
        self.ended
            .get_or_create(&ReasonLabel { reason })
            .inc_by(count);
    }

    /// Writes all metrics in the `OpenMetrics` text format.
    pub fn encode(&self, out: &mut impl fmt::Write) -> fmt::Result {
        text::encode(out, &self.registry)
    }
}

impl Send {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::TestNumber => "test_number",
            Self::Limited => "limited",
            Self::Suspected => "suspected",
            Self::Overloaded => "overloaded",
        }
    }
}

impl Answer {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong => "wrong",
        }
    }
}

impl Refresh {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Rotated => "rotated",
            Self::Replayed => "replayed",
            Self::Ended => "ended",
            Self::Invalid => "invalid",
        }
    }
}

impl From<&'static str> for ResultLabel {
    fn from(result: &'static str) -> Self {
        Self { result }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_count_into_one_registry_and_every_result_is_told_apart() {
        let metrics = Metrics::new();
        metrics.clone().otp_send(Send::Sent);
        metrics.otp_send(Send::Sent);
        metrics.otp_send(Send::Limited);
        metrics.otp_answer(Answer::Wrong);
        metrics.refresh(Refresh::Replayed);
        metrics.sessions_revoked(3);
        metrics.requests_cut(2);
        metrics.sms("console", "accepted", Duration::from_millis(30));
        let mut text = String::new();
        metrics.encode(&mut text).unwrap();
        for line in [
            "otp_gateway_otp_sends_total{result=\"sent\"} 2",
            "otp_gateway_otp_sends_total{result=\"limited\"} 1",
            "otp_gateway_otp_answers_total{result=\"wrong\"} 1",
            "otp_gateway_refreshes_total{result=\"replayed\"} 1",
            "otp_gateway_sessions_revoked_total 3",
            "otp_gateway_requests_cut_total 2",
            "otp_gateway_sms_messages_total{provider=\"console\",result=\"accepted\"} 1",
            "otp_gateway_sms_duration_seconds_bucket{le=\"0.05\",provider=\"console\"} 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
