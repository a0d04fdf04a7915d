//! `[upstreams.NAME]`: the apps and how to reach them; knows not which routes lead there.

use std::{path::PathBuf, sync::Arc, time::Duration};

use rustls::pki_types::ServerName;

use crate::{
    clock::Clock,
    config::{
        document::Section,
        problem::Reported,
        value::{OneOrMany, Text},
    },
    net::tls::{Outbound, OutboundSpec, Pair},
    proxy::{Protocol, Server, UpstreamSpec},
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

/// Every upstream; `server` takes the place of the servers of the only one if it is given.
pub fn upstreams(
    root: &Section<'_>,
    named: &[(&str, Section<'_>)],
    server: Option<&Server>,
) -> Result<Vec<UpstreamSpec>, Reported> {
    // Each is read before the first failure ends it, so that all of them are reported.
    let read: Vec<_> = named
        .iter()
        .map(|(name, section)| upstream(name, section, server))
        .collect();
    if server.is_some() && named.len() != 1 {
        let what = format!(
            "--upstream stands for the only upstream, but there are {}",
            named.len()
        );
        return Err(root.refuse("upstreams", what, None));
    }
    read.into_iter().collect()
}

fn upstream(
    name: &str,
    section: &Section<'_>,
    server: Option<&Server>,
) -> Result<UpstreamSpec, Reported> {
    let servers: Result<OneOrMany<_>, _> =
        section.require("servers", r#"["http://127.0.0.1:3000"]"#);
    let protocol = section.read("protocol", r#""http/1.1""#);
    let connect_timeout =
        section.read_within("connect_timeout", r#""3s""#, SECOND / 100..=SECOND * 60);
    let idle = section.read_within("idle", r#""60s""#, SECOND..=HOUR);
    let body_idle = section.read_within("body_idle", r#""30s""#, SECOND..=HOUR * 24);
    let stream_idle = section.read_within("stream_idle", r#""1h""#, SECOND..=HOUR * 24);
    let max_idle = section.read_within("max_idle", "256", 0..=100_000);
    let max_connections = section.read_within("max_connections", "1024", 1..=100_000);
    let certificates = section.section("tls");
    let tls = tls(&certificates);
    let servers = servers?.0;
    let servers = server.map_or(servers, |server| vec![server.clone()]);
    let protocol = agreed(section, protocol?, &servers);
    let tls = secured(&certificates, tls?, &servers);
    Ok(UpstreamSpec {
        name: Arc::from(name),
        servers,
        protocol: protocol?,
        tls: tls?,
        connect_timeout: connect_timeout?,
        idle: idle?,
        body_idle: body_idle?,
        stream_idle: stream_idle?,
        max_idle: max_idle?,
        max_connections: max_connections?,
    })
}

/// `[upstreams.NAME.tls]`.
fn tls(section: &Section<'_>) -> Result<OutboundSpec, Reported> {
    let authorities = section.read("ca", r#""""#);
    let certificate = section.read::<Option<PathBuf>>("cert", r#""""#);
    let key = section.read::<Option<PathBuf>>("key", r#""""#);
    let name = section.read("server_name", r#""""#);
    let missing = |key: &'static str, what: &str| {
        let help = format!("`{key} = \"PATH\"`; both may be in one file");
        section.refuse(key, what, Some(help))
    };
    let certificate = match (certificate?, key?) {
        (Some(certificate), Some(key)) => Some(Pair { certificate, key }),
        (None, None) => None,
        (Some(_), None) => return Err(missing("key", "the certificate has no private key")),
        (None, Some(_)) => return Err(missing("cert", "the private key has no certificate")),
    };
    Ok(OutboundSpec {
        authorities: authorities?,
        certificate,
        name: name?,
    })
}

/// What is spoken can be agreed on only where there is a handshake.
fn agreed(
    section: &Section<'_>,
    protocol: Protocol,
    servers: &[Server],
) -> Result<Protocol, Reported> {
    let by_tls = |server: &Server| matches!(server, Server::Https(_));
    match protocol {
        Protocol::Agreed if !servers.iter().all(by_tls) => {
            let what = "only over TLS a server can say which of them it speaks";
            let help = "use `https://` servers, or `protocol = \"h2\"` for HTTP/2 in the clear";
            Err(section.refuse("protocol", what, Some(help.to_owned())))
        }
        Protocol::Http1 | Protocol::Http2 | Protocol::Agreed => Ok(protocol),
    }
}

/// Reads the files as the gateway will, if there is a server that they are for.
fn secured(
    section: &Section<'_>,
    spec: OutboundSpec,
    servers: &[Server],
) -> Result<OutboundSpec, Reported> {
    let by_tls = |server: &Server| matches!(server, Server::Https(_));
    if !servers.iter().any(by_tls) {
        let said = ["ca", "cert", "server_name"]
            .into_iter()
            .find(|key| section.says(key));
        return match said.filter(|_| spec != OutboundSpec::default()) {
            Some(key) => {
                let help = Some("for instance `servers = [\"https://app:3000\"]`".to_owned());
                Err(section.refuse(key, "no server of this app is reached by TLS", help))
            }
            None => Ok(spec),
        };
    }
    match Outbound::open(&spec, Clock::System) {
        Ok(_) => Ok(spec),
        Err(error) => {
            let file = error.file().map(PathBuf::from);
            let is = |other: Option<&PathBuf>| file.is_some() && file.as_ref() == other;
            let pair = spec.certificate.as_ref();
            let key = if is(pair.map(|pair| &pair.certificate)) {
                "cert"
            } else if is(pair.map(|pair| &pair.key)) {
                "key"
            } else {
                "ca"
            };
            Err(section.refuse(key, error, None))
        }
    }
}

impl Text for ServerName<'static> {
    const EXPECTED: &'static str = "the name or the address of a host such as \"app.internal\"";

    fn parse(text: &str) -> Option<Self> {
        Self::try_from(text.to_owned()).ok()
    }
}

impl Text for Protocol {
    const EXPECTED: &'static str = "\"http/1.1\", \"h2\" or \"auto\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "http/1.1" => Some(Self::Http1),
            "h2" => Some(Self::Http2),
            "auto" => Some(Self::Agreed),
            _ => None,
        }
    }
}
