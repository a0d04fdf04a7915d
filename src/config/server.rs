//! `[server]`, `[admin]` and `[log]`: where the gateway listens, what it may use and what it tells of it.

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;
use tracing::level_filters::LevelFilter;

use crate::{
    config::{
        AccessLog,
        document::Section,
        headers::{self, Careful},
        item::Item,
        master::MasterSecret,
        problem::Reported,
        secrets::secrets,
        tls::{Tls, tls},
        units::{self, Size},
        url::Origin,
        value::{Address, Addresses, Text, Value},
    },
    domain::rate::Rate,
    net::{
        self,
        listen::{Entrance, Listener},
        patience::Pace,
        peer::{Dialect, TrustedProxies},
        proxy_protocol::Preamble,
    },
    observe::{access, log},
};

/// What `[server]` says.
#[derive(Debug)]
pub struct Server {
    /// How much is forgiven.
    pub mode: Mode,
    /// Where clients connect; never empty.
    pub listen: Vec<Listener>,
    /// HTTPS.
    pub tls: Tls,
    /// Where browsers find the gateway.
    pub public_url: Option<Origin>,
    /// What the gateway makes for itself is there.
    pub data_dir: PathBuf,
    /// What all inner keys are derived from.
    pub secret: MasterSecret,
    /// Who may speak for others.
    pub trusted_proxies: Arc<TrustedProxies>,
    /// Threads that serve; `None` is one per core.
    pub workers: Option<NonZeroUsize>,
    /// Whether there is a log line for every request.
    pub access_log: AccessLog,
    /// What a client connection may take.
    pub limits: net::Limits,
    /// How long a request may take where no route says otherwise.
    pub request_timeout: Option<Duration>,
    /// How many requests may come, wherever they go.
    pub rates: Vec<Rate>,
    /// What browsers are told where no route says otherwise.
    pub headers: Careful,
}

/// How much is forgiven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Defaults that are meant for a developer's machine are fine.
    Development,
    /// They are errors.
    Production,
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

/// `[server]`; `listen` takes the place of the key if it is given.
pub fn server(section: &Section<'_>, listen: Option<SocketAddr>) -> Result<Server, Reported> {
    let mode = section.read("mode", r#""development""#);
    let written = section.read::<Addresses>("listen", r#""127.0.0.1:8080""#);
    let tls = tls(&section.section("tls"));
    let public_url = section.read("public_url", r#""""#);
    let data_dir: Result<PathBuf, _> = section.read("data_dir", r#""./data""#);
    let kept_in = data_dir.as_deref().unwrap_or(Path::new(""));
    let secret = secrets(section, kept_in);
    let trusted: Result<Vec<IpNet>, _> = section.read("trusted_proxies", "[]");
    let dialect = section.read("forwarded", r#""x-forwarded-for""#);
    let workers = section.read_within("workers", "0", 0..=1024);
    let access_log = section.read("access_log", "true");
    let limits = limits(&section.section("limits"));
    let request_timeout = section
        .section("limits")
        .read("request_timeout", r#""off""#);
    let rates = section.section("limits").read("requests", "[]");
    let headers = headers::everywhere(&section.section("headers"));

    let tls = tls?;
    let plain = match listen {
        Some(address) => vec![Address(address, Preamble::None)],
        None => written?.0,
    };
    let trusted = trusted?;
    Ok(Server {
        mode: mode?,
        listen: listeners(section, &plain, &tls, &trusted)?,
        tls,
        public_url: public_url?,
        secret: secret?,
        data_dir: data_dir?,
        trusted_proxies: Arc::new(TrustedProxies::new(trusted).speaking(dialect?)),
        workers: NonZeroUsize::new(workers?),
        access_log: access_log?,
        limits: limits?,
        request_timeout: request_timeout.map(|Lifetime(span)| span)?,
        rates: rates?,
        headers: headers?,
    })
}

/// All addresses and what clients meet there.
fn listeners(
    section: &Section<'_>,
    plain: &[Address],
    tls: &Tls,
    trusted: &[IpNet],
) -> Result<Vec<Listener>, Reported> {
    let doors = [
        (Entrance::Plain, plain),
        (Entrance::Tls, &*tls.listen),
        (Entrance::Redirect, &*tls.redirect),
    ];
    let listeners = doors.into_iter().flat_map(|(entrance, addresses)| {
        let listener = move |&Address(address, preamble)| Listener {
            address,
            entrance,
            preamble,
        };
        addresses.iter().map(listener)
    });
    let listeners: Vec<_> = listeners.collect();
    if listeners.is_empty() {
        return Err(section.refuse("listen", "must not be empty", None));
    }
    let announced = |it: &&Listener| it.preamble == Preamble::ProxyProtocol;
    if let Some(Listener { address, .. }) = listeners.iter().find(announced)
        && trusted.is_empty()
    {
        let what = format!("nobody may speak the PROXY protocol at {address}");
        let help = "`trusted_proxies = [\"10.0.0.0/8\"]` names who may come there".to_owned();
        return Err(section.refuse("trusted_proxies", what, Some(help)));
    }
    Ok(listeners)
}

/// `[server.limits]`.
fn limits(section: &Section<'_>) -> Result<net::Limits, Reported> {
    let handshake = section.read_within("handshake", r#""10s""#, SECOND..=HOUR);
    let first_byte = section.read_within("first_byte", r#""10s""#, SECOND..=HOUR);
    let headers = section.read_within("headers", r#""10s""#, SECOND..=HOUR);
    let idle = section.read_within("idle", r#""75s""#, SECOND..=HOUR);
    let body_idle = section.read_within("body_idle", r#""30s""#, SECOND..=HOUR);
    let min_rate = section.read_within("min_rate", r#""100b""#, Size(0)..=Size(1 << 20));
    let ping = section.read_within("ping", r#""30s""#, SECOND..=HOUR);
    let half_closed = section.read_within("half_closed", r#""5s""#, SECOND..=HOUR);
    let tunnel_idle = section.read_within("tunnel_idle", r#""1h""#, SECOND..=HOUR * 24 * 7);
    let max_age = section
        .read("max_age", r#""1h""#)
        .map(|Lifetime(span)| span);
    let drain = section.read_within("drain", r#""30s""#, Duration::ZERO..=HOUR);
    let max_header = section.read_within("max_header", r#""32kb""#, Size(8 << 10)..=Size(1 << 20));
    let max_headers = section.read_within("max_headers", "100", 1..=10_000);
    let max_streams = section.read_within("max_streams", "100", 1..=10_000);
    let max_handshakes = section.read_within("max_handshakes", "1000", 1..=1_000_000);
    let max_connections = section.read_within("max_connections", "10000", 1..=1_000_000);
    let per_client = section.read_within("max_connections_per_client", "2000", 1..=1_000_000);
    Ok(net::Limits {
        handshake: handshake?,
        first_byte: first_byte?,
        headers: headers?,
        idle: idle?,
        pace: Pace {
            pause: body_idle?,
            rate: u32::try_from(min_rate?.bytes()).unwrap_or(u32::MAX),
        },
        ping: ping?,
        half_closed: half_closed?,
        tunnel_idle: tunnel_idle?,
        max_age: max_age?,
        drain: drain?,
        max_header_bytes: max_header?.bytes(),
        max_headers: max_headers?,
        max_streams: max_streams?,
        max_handshakes: max_handshakes?,
        max_connections: max_connections?,
        max_connections_per_client: per_client?,
    })
}

/// `[admin]`.
pub fn admin(section: &Section<'_>) -> Result<Option<SocketAddr>, Reported> {
    section
        .read("listen", r#""127.0.0.1:9090""#)
        .map(|Door(address)| address)
}

/// `[log]`.
pub fn log(section: &Section<'_>) -> Result<log::Spec, Reported> {
    let format = section.read("format", r#""text""#);
    let level = section.read("level", r#""info""#);
    Ok(log::Spec {
        format: format?,
        level: level?,
    })
}

/// A span of time, or none.
pub struct Lifetime(pub Option<Duration>);

impl Text for Lifetime {
    const EXPECTED: &'static str = "a span of time of a second or more such as \"1h\", or \"off\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "off" => Some(Self(None)),
            span => units::duration(span)
                .filter(|span| *span >= SECOND)
                .map(|span| Self(Some(span))),
        }
    }
}

/// An address, or none.
struct Door(Option<SocketAddr>);

impl Text for Door {
    const EXPECTED: &'static str = "an address with a port such as \"127.0.0.1:9090\", or \"off\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "off" => Some(Self(None)),
            address => address.parse().ok().map(|address| Self(Some(address))),
        }
    }
}

impl Text for Mode {
    const EXPECTED: &'static str = "\"development\" or \"production\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "development" => Some(Self::Development),
            "production" => Some(Self::Production),
            _ => None,
        }
    }
}

impl Text for Dialect {
    const EXPECTED: &'static str = "\"x-forwarded-for\" or \"forwarded\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "x-forwarded-for" => Some(Self::XForwarded),
            "forwarded" => Some(Self::Forwarded),
            _ => None,
        }
    }
}

impl Value for AccessLog {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        bool::read(item).map(|on| if on { Self::On } else { Self::Off })
    }
}

impl Text for access::Format {
    const EXPECTED: &'static str = "\"text\" or \"json\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

impl Text for LevelFilter {
    const EXPECTED: &'static str = "\"off\", \"error\", \"warn\", \"info\", \"debug\" or \"trace\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "off" => Some(Self::OFF),
            "error" => Some(Self::ERROR),
            "warn" => Some(Self::WARN),
            "info" => Some(Self::INFO),
            "debug" => Some(Self::DEBUG),
            "trace" => Some(Self::TRACE),
            _ => None,
        }
    }
}
