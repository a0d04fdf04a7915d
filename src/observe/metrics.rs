//! Counters for operators: one registry, and a typed handle for everything that is counted; knows nothing of who asks for them.

use std::{fmt, sync::Arc};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use crate::observe::{
    guard::GuardMetrics, http::HttpMetrics, limits::LimitMetrics, money::MoneyMetrics,
    readings::Readings, receipts::ReceiptMetrics, sms::SmsMetrics, tls::TlsMetrics,
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
    money: MoneyMetrics,
    sms: SmsMetrics,
    receipts: ReceiptMetrics,
    sends: Family<ResultLabel, Counter>,
    answers: Family<ResultLabel, Counter>,
    refreshes: Family<ResultLabel, Counter>,
    revoked: Counter,
    cut: Counter,
    ended: Family<ReasonLabel, Counter>,
}

/// How a request for a code ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Send {
    /// Handed to the provider.
    Sent,
    /// Answered by a configured code, without a message.
    TestNumber,
    /// Answered as before: the same request had come already.
    Repeated,
    /// Refused by a limit.
    Limited,
    /// Refused by the guard.
    Suspected,
    /// Refused by a budget.
    Unpaid,
    /// Refused since such numbers are not written to.
    Refused,
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

impl Metrics {
    /// A registry in which everything stands at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("otp_gateway");
        let sends = Family::default();
        let answers = Family::default();
        let refreshes = Family::default();
        let revoked = Counter::default();
        let cut = Counter::default();
        let ended = Family::default();
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
        let sms = SmsMetrics::default();
        sms.register(&mut registry);
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
        let receipts = ReceiptMetrics::default();
        receipts.register(&mut registry);
        let money = MoneyMetrics::default();
        money.register(&mut registry);
        Self {
            registry: Arc::new(registry),
            http,
            readings,
            tls,
            limits,
            guard,
            money,
            sms,
            receipts,
            sends,
            answers,
            refreshes,
            revoked,
            cut,
            ended,
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

    /// Where messages on their way are counted.
    pub const fn sms(&self) -> &SmsMetrics {
        &self.sms
    }

    /// Where receipts are counted.
    pub const fn receipts(&self) -> &ReceiptMetrics {
        &self.receipts
    }

    /// Where is counted what messages cost.
    pub const fn money(&self) -> &MoneyMetrics {
        &self.money
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
            Self::Repeated => "repeated",
            Self::Limited => "limited",
            Self::Suspected => "suspected",
            Self::Unpaid => "unpaid",
            Self::Refused => "refused",
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
    use std::time::Duration;

    use super::*;
    use crate::observe::sms::Standing;

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
        let took = Some(Duration::from_millis(30));
        metrics.sms().attempt("console", "accepted", took);
        metrics.sms().attempt("console", "left_alone", None);
        metrics.sms().stands("console", Standing::LeftAlone);
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
            "otp_gateway_sms_messages_total{provider=\"console\",result=\"left_alone\"} 1",
            "otp_gateway_sms_duration_seconds_count{provider=\"console\"} 1",
            "otp_gateway_sms_left_alone{provider=\"console\"} 1",
            "otp_gateway_sms_duration_seconds_bucket{le=\"0.05\",provider=\"console\"} 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
