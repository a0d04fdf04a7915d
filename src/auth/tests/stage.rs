//! The auth service over a store in memory, with a clock that stands still and a courier who writes messages on paper.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde_json::{Map, Value, json};
use tokio::task::JoinHandle;
use tower::ServiceExt;

use super::paper::{Paper, kit};
use crate::{
    auth::{
        AuthService, Countries, Guard, Mode, Parts, Reply, Spec, SubjectKind, TestNumber,
        captcha::Captcha, openapi,
    },
    clock::{Clock, Timestamp},
    domain::{
        otp::{self, Code, Length},
        phone::{Kind, Phone},
        prices::Prices,
        quota::{Limit, Per, Quota},
        session,
    },
    net::{
        cookies::CookieSecure,
        introduction::Names,
        peer::{Client, Scheme},
    },
    observe::metrics::Metrics,
    secret::{Master, Masters, Pseudonyms, Secret},
    sms::{
        Channel,
        courier::Courier,
        receipt::Tellers,
        wording::{LastLine, Locale, Own, Template, Wording},
    },
    store::{self, Backend, Store, revocations::OnOutage},
    token::{self, Algorithm, Keyring, Tokens},
};

pub const NUMBER: &str = "+16502530000";
pub const TEST_NUMBER: &str = "+16502530099";
pub const TEST_CODE: &str = "123456";
pub const START: Timestamp = Timestamp::from_secs(1_700_000_000);

/// Everything around one auth service.
pub struct Stage {
    pub service: AuthService,
    pub parts: Parts,
    pub clock: Clock,
    pub store: Store,
    pub courier: Courier,
    paper: Paper,
    /// Carries the messages.
    carrying: JoinHandle<()>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A request that is being put together.
#[derive(Clone)]
pub struct Ask {
    method: &'static str,
    target: String,
    headers: Vec<(String, String)>,
    body: Bytes,
    client: Client,
}

pub fn spec() -> Spec {
    Spec {
        base: "/api/auth".to_owned(),
        aliases: vec!["/api/v1/auth".to_owned()],
        default_country: "+1".parse().unwrap(),
        countries: Countries::Only(vec!["+1".parse().unwrap(), "+44".parse().unwrap()]),
        refused_kinds: vec![Kind::PremiumRate],
        otp: otp::Policy {
            length: Length::new(6).unwrap(),
            ttl: Duration::from_mins(5),
            max_age: Duration::from_mins(10),
            max_attempts: 5,
            max_failures: 20,
            require_challenge: false,
        },
        budgets: Vec::new(),
        prices: Prices::default(),
        limits: vec![
            limit(3, Duration::from_mins(30), Per::Phone),
            limit(20, Duration::from_hours(1), Per::Ip),
        ],
        guard: Guard {
            mode: Mode::Off,
            exempt: Vec::new(),
        },
        captcha: None,
        resend_in: Duration::from_secs(30),
        session: session::Policy {
            idle: Duration::from_hours(30 * 24),
            absolute: Duration::from_hours(90 * 24),
            grace: Duration::from_secs(30),
            max_per_subject: 20,
        },
        on_outage: OnOutage::Serve,
        subject: SubjectKind::Derived,
        cookie_secure: CookieSecure::Auto,
        public_url: None,
        wording: wording("{sender}: your code is {code}, valid for {minutes} minutes."),
        channels: vec![Channel::Sms],
        test_numbers: vec![TestNumber {
            phone: phone(TEST_NUMBER),
            code: Code::parse(TEST_CODE, Length::new(6).unwrap()).unwrap(),
            until: START + Duration::from_hours(24),
            networks: Vec::new(),
        }],
        identity: Names::default(),
        tellers: Tellers::default(),
        max_body: 16 * 1024,
        body_timeout: Duration::from_secs(5),
    }
}

/// One text for everybody.
fn wording(text: &str) -> Wording {
    let own = Own {
        others: Some(Template::parse(text).unwrap()),
        ..Own::default()
    };
    let (english, sender) = (Locale::english(), "Shop".to_owned());
    Wording::new(own, english, sender, LastLine::default())
}

pub fn limit(max: u32, window: Duration, per: Per) -> Limit {
    Limit {
        quota: Quota {
            max: NonZeroU32::new(max).unwrap(),
            window,
        },
        per,
    }
}

pub fn phone(text: &str) -> Phone {
    Phone::parse(text, "+1".parse().unwrap()).unwrap()
}

pub fn master(byte: u8) -> Master {
    Master::new(&Secret::new([byte; 32])).unwrap()
}

/// The first one is the current one; names follow from the first of all, whatever became of it.
pub fn masters(bytes: &[u8]) -> Masters {
    let mut all = bytes.iter().copied().map(master);
    let current = all.next().unwrap();
    let pseudonyms = Pseudonyms::new(&Secret::new([1; 32])).unwrap();
    Masters::new(current, all.collect(), pseudonyms)
}

impl Stage {
    pub async fn new() -> Self {
        Self::with(spec(), 64).await
    }

    /// A stage with other rules, on which at most `waiting` messages wait to be sent.
    pub async fn with(spec: Spec, waiting: usize) -> Self {
        let clock = Clock::manual(START);
        let store = store::Spec {
            backend: Backend::Memory,
            max_size: 64 << 20,
            deadline: Duration::from_secs(30),
        };
        let masters = Arc::new(masters(&[1]));
        let names = masters.pseudonyms().id();
        let store = Store::open(&store, names, clock.clone()).await.unwrap();
        let keyring = Keyring::ephemeral(Algorithm::Es256).unwrap();
        let tokens = token::Spec {
            issuer: "https://id.example.com".to_owned(),
            audience: "apps".to_owned(),
            access_ttl: Duration::from_mins(15),
            leeway: Duration::from_secs(30),
            extra_claims: Map::from_iter([("tier".to_owned(), json!("gold"))]),
        };
        let tokens = Tokens::new(tokens, &masters, Arc::new(ArcSwap::from_pointee(keyring)));
        let (paper, metrics) = (Paper::default(), Metrics::new());
        let kit = kit(&spec, &store, &masters, &paper, &metrics, &clock);
        let (courier, rounds) = Courier::new(kit, waiting);
        let captcha = spec.captcha.clone().map(Captcha::open);
        let parts = Parts {
            captcha: captcha.transpose().unwrap(),
            spec: Arc::new(spec),
            store: store.clone(),
            tokens,
            courier: courier.clone(),
            masters,
            metrics,
            clock: clock.clone(),
        };
        Self {
            service: AuthService::new(parts.clone()),
            parts,
            clock,
            store,
            courier,
            paper,
            carrying: tokio::spawn(rounds.run(std::future::pending())),
        }
    }

    /// The same stage after a restart with other master secrets, the current one first.
    pub fn restart(&mut self, secrets: &[u8]) {
        let masters = Arc::new(masters(secrets));
        let Parts {
            spec,
            store,
            metrics,
            clock,
            ..
        } = &self.parts;
        let kit = kit(spec, store, &masters, &self.paper, metrics, clock);
        let (courier, rounds) = Courier::new(kit, 64);
        self.courier = courier.clone();
        self.carrying = tokio::spawn(rounds.run(std::future::pending()));
        self.parts = Parts {
            courier,
            masters,
            ..self.parts.clone()
        };
        self.service = AuthService::new(self.parts.clone());
    }

    /// The answer, once the message that may follow from it is written: a further one would else
    /// take its place.
    pub async fn ask(&self, ask: Ask) -> Answer {
        let (method, target) = (ask.method, ask.target.clone());
        let reply = self.service.clone().oneshot(ask.build()).await.unwrap();
        self.messages().await;
        let answer = Answer::read(reply).await;
        let mut bases = ["/api/auth", "/api/v1/auth"].into_iter();
        if let Some(path) = bases.find_map(|base| target.strip_prefix(base)) {
            openapi::tests::foresees(method, path, &answer);
        }
        answer
    }

    /// Sends a code to `number` and returns the answer.
    pub async fn send(&self, number: &str) -> Answer {
        self.ask(Ask::post("/send-otp", &json!({ "mobile_number": number })))
            .await
    }

    pub async fn verify(&self, number: &str, code: &str) -> Answer {
        let body = json!({ "mobile_number": number, "otp": code, "device_info": "test" });
        self.ask(Ask::post("/verify-otp", &body)).await
    }

    /// A whole login: the tokens.
    pub async fn login(&self, number: &str) -> Value {
        assert_eq!(self.send(number).await.status, 200);
        let code = self.code().await;
        let answer = self.verify(number, &code).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// The code in the last message, once it is there.
    pub async fn code(&self) -> String {
        self.messages().await.last().expect("a message").1.clone()
    }

    /// The messages so far, as number and code, once all that were queued are written.
    pub async fn messages(&self) -> Vec<(String, String)> {
        let queued = || self.metric("otp_sends_total{result=\"sent\"}");
        let accepted = "sms_messages_total{provider=\"console\",result=\"accepted\"}";
        while self.metric(accepted) < queued() {
            assert!(!self.carrying.is_finished());
            tokio::task::yield_now().await;
        }
        self.paper
            .text()
            .lines()
            .map(|line| {
                let (number, rest) = line["SMS to ".len()..].split_once(':').unwrap();
                let code = rest.split("code is ").nth(1).unwrap();
                (number.to_owned(), code[..6].to_owned())
            })
            .collect()
    }

    /// One metric's line, or nothing when it never counted.
    pub fn metric(&self, name: &str) -> u64 {
        let shown = self.shown_metric(name);
        shown.map_or(0, |count| count.parse().unwrap())
    }

    /// A metric as it is shown.
    pub fn shown_metric(&self, name: &str) -> Option<String> {
        let mut text = String::new();
        self.parts.metrics.encode(&mut text).unwrap();
        let mut lines = text.lines();
        let shown = lines.find_map(|line| line.strip_prefix(&format!("otp_gateway_{name} ")));
        shown.map(str::to_owned)
    }
}

impl Ask {
    /// A request for `path` below the base.
    pub fn new(method: &'static str, path: &str) -> Self {
        Self {
            method,
            target: format!("/api/auth{path}"),
            headers: vec![("host".to_owned(), "app.example".to_owned())],
            body: Bytes::new(),
            client: Client::new("192.0.2.1".parse().unwrap(), Scheme::Https),
        }
    }

    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub fn post(path: &str, body: &Value) -> Self {
        Self::new("POST", path)
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    /// A form as a browser posts it from our own page.
    pub fn form(path: &str, fields: &[(&str, &str)]) -> Self {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        Self::new("POST", path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
            .header("sec-fetch-site", "same-origin")
            .body(body)
    }

    pub fn target(mut self, target: &str) -> Self {
        target.clone_into(&mut self.target);
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn bearer(self, token: &Value) -> Self {
        let value = format!("Bearer {}", token.as_str().unwrap());
        self.header("authorization", &value)
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub fn client_at(mut self, ip: &str) -> Self {
        self.client = Client::new(ip.parse().unwrap(), self.client.scheme);
        self
    }

    pub fn in_the_clear(mut self) -> Self {
        self.client.scheme = Scheme::Http;
        self
    }

    pub fn build(self) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(self.method).uri(self.target);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request
            .extension(self.client)
            .body(Full::new(self.body))
            .unwrap()
    }
}

impl Answer {
    pub async fn read(reply: Reply) -> Self {
        let (head, body) = reply.into_parts();
        Self {
            status: head.status,
            headers: head.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The answer's `code`, with its status.
    pub fn refusal(&self) -> (u16, String) {
        assert_eq!(
            self.headers[header::CONTENT_TYPE],
            "application/problem+json"
        );
        let code = self.json()["code"].as_str().unwrap().to_owned();
        (self.status.as_u16(), code)
    }

    /// The fields that a 422 names, in their order.
    pub fn wrong_fields(&self) -> Vec<String> {
        assert_eq!(self.refusal(), (422, "validation_failed".to_owned()));
        let errors = self.json()["errors"].as_array().unwrap().clone();
        let name = |error: &Value| error["field"].as_str().unwrap().to_owned();
        errors.iter().map(name).collect()
    }

    /// The cookies it sets: name, value and attributes.
    pub fn cookies(&self) -> Vec<(String, String, String)> {
        let cookies = self.headers.get_all(header::SET_COOKIE).iter();
        cookies
            .map(|cookie| {
                let (pair, attributes) = cookie.to_str().unwrap().split_once("; ").unwrap();
                let (name, value) = pair.split_once('=').unwrap();
                (name.to_owned(), value.to_owned(), attributes.to_owned())
            })
            .collect()
    }

    /// The cookies it sets, as a browser sends them back.
    pub fn jar(&self) -> String {
        let pairs = self.cookies().into_iter();
        let pairs = pairs.filter(|(_, value, _)| !value.is_empty());
        pairs
            .map(|(name, value, _)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join("; ")
    }
}
