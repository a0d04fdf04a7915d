//! `[upstreams.NAME]`: the apps and how to reach them; knows not which routes lead there.

use std::{sync::Arc, time::Duration};

use crate::{
    config::{
        document::Section,
        problem::Reported,
        value::{OneOrMany, Text},
    },
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
    let max_idle = section.read_within("max_idle", "256", 0..=100_000);
    let max_connections = section.read_within("max_connections", "1024", 1..=100_000);
    let servers = servers?.0;
    Ok(UpstreamSpec {
        name: Arc::from(name),
        servers: server.map_or(servers, |server| vec![server.clone()]),
        protocol: protocol?,
        connect_timeout: connect_timeout?,
        idle: idle?,
        body_idle: body_idle?,
        max_idle: max_idle?,
        max_connections: max_connections?,
    })
}

impl Text for Protocol {
    const EXPECTED: &'static str = "\"http/1.1\" or \"h2\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "http/1.1" => Some(Self::Http1),
            "h2" => Some(Self::Http2),
            _ => None,
        }
    }
}
