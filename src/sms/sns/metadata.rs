//! Credentials that are lent by what the gateway runs on: a container's agent (ECS, EKS), or an EC2 machine (`IMDSv2`).

use std::{net::IpAddr, path::PathBuf, time::SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Request, Uri, request::Builder};
use serde::Deserialize;

use super::{
    Credentials, Surroundings,
    credentials::{Lacking, read},
};
use crate::{clock::Timestamp, secret::Secret, sms::http::Client};

/// A container's agent.
#[derive(Debug)]
pub struct Container {
    url: String,
    token: Option<HeaderValue>,
    token_file: Option<PathBuf>,
}

/// The machine.
#[derive(Debug)]
pub struct Machine {
    base_url: String,
}

/// How both write down what they lend.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Lent {
    access_key_id: String,
    secret_access_key: String,
    token: String,
    expiration: String,
}

/// Where the agent of ECS listens, and where that of EKS does besides.
const AGENT: &str = "http://169.254.170.2";
const AGENTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];

/// Where the machine answers.
const MACHINE: &str = "http://169.254.169.254";

impl Container {
    /// The agent that the environment names, if it does.
    pub fn of(surroundings: &Surroundings) -> Result<Option<Self>, Lacking> {
        let relative = surroundings.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        let full = surroundings.get("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        let url = match (relative, full) {
            (Some(path), _) => format!("{AGENT}{path}"),
            (None, Some(url)) if is_near(url) => url.to_owned(),
            (None, Some(_)) => {
                let why = "the container's address is neither https nor on this machine";
                return Err(Lacking(why.to_owned()));
            }
            (None, None) => return Ok(None),
        };
        let token = surroundings.get("AWS_CONTAINER_AUTHORIZATION_TOKEN");
        let file = surroundings.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
        Ok(Some(Self {
            url,
            token: token.and_then(|token| HeaderValue::from_str(token).ok()),
            token_file: file.map(PathBuf::from),
        }))
    }

    /// Asks it.
    pub async fn credentials(self, client: &Client) -> Result<Credentials, Lacking> {
        let mut token = self.token;
        if let Some(file) = self.token_file {
            // It is written anew from time to time.
            let text = read(file).await.unwrap_or_default();
            token = HeaderValue::from_str(text.trim()).ok();
        }
        let mut request = Request::get(self.url);
        if let Some(mut token) = token {
            token.set_sensitive(true);
            request = request.header("authorization", token);
        }
        let text = ask(client, request, "the container").await?;
        lent(&text).ok_or_else(|| unreadable("the container"))
    }
}

impl Machine {
    /// The machine, unless the environment says that there is none to ask.
    pub fn of(surroundings: &Surroundings) -> Option<Self> {
        let disabled = surroundings.get("AWS_EC2_METADATA_DISABLED");
        if disabled.is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            return None;
        }
        let base_url = surroundings.get("AWS_EC2_METADATA_SERVICE_ENDPOINT");
        let base_url = base_url.unwrap_or(MACHINE).trim_end_matches('/').to_owned();
        Some(Self { base_url })
    }

    /// Asks it for a token, for the name of its role, and for what is lent to that role.
    pub async fn credentials(self, client: &Client) -> Result<Credentials, Lacking> {
        const WHO: &str = "the machine";
        let url = |path: &str| format!("{}/latest/{path}", self.base_url);
        let request =
            Request::put(url("api/token")).header("x-aws-ec2-metadata-token-ttl-seconds", "21600");
        let token = ask(client, request, WHO).await?;
        let mut token = HeaderValue::from_str(token.trim()).map_err(|_| unreadable(WHO))?;
        token.set_sensitive(true);
        let get = |path: &str| Request::get(url(path)).header("x-aws-ec2-metadata-token", &token);
        let roles = "meta-data/iam/security-credentials/";
        let role = ask(client, get(roles), WHO).await?;
        let role = role.lines().next().unwrap_or_default().trim();
        let text = ask(client, get(&format!("{roles}{role}")), WHO).await?;
        lent(&text).ok_or_else(|| unreadable(WHO))
    }
}

/// Whether credentials may come from there: over TLS, or without leaving the machine.
fn is_near(url: &str) -> bool {
    let Ok(url) = url.parse::<Uri>() else {
        return false;
    };
    let host = url.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    url.scheme_str() == Some("https") || is_loopback || AGENTS.contains(&host)
}

/// The text of an answer that is a success.
pub async fn ask(client: &Client, request: Builder, who: &str) -> Result<String, Lacking> {
    let request = request.body(Bytes::new()).map_err(|_| unreadable(who))?;
    answer(client, request, who).await
}

/// The same for a request that has a content.
pub async fn answer(
    client: &Client,
    request: Request<Bytes>,
    who: &str,
) -> Result<String, Lacking> {
    let failed = |why: &dyn std::fmt::Display| Lacking(format!("{who} lends none: {why}"));
    let reply = client.send(request).await;
    let reply = reply.map_err(|failure| failed(&failure.why))?;
    if !reply.status.is_success() {
        return Err(failed(&reply.cause(None)));
    }
    Ok(reply.text().to_owned())
}

/// An answer that is not one.
pub fn unreadable(who: &str) -> Lacking {
    Lacking(format!("{who} lends none: its answer cannot be read"))
}

fn lent(text: &str) -> Option<Credentials> {
    let lent: Lent = serde_json::from_str(text).ok()?;
    Some(Credentials {
        access_key: lent.access_key_id,
        secret_key: Secret::new(lent.secret_access_key.as_bytes()),
        session_token: Some(Secret::new(lent.token.as_bytes())),
        expires_at: Some(moment(&lent.expiration)?),
    })
}

/// A moment as AWS writes it: `2026-11-22T18:00:00Z`.
pub fn moment(text: &str) -> Option<Timestamp> {
    let time = humantime::parse_rfc3339(text).ok()?;
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(Timestamp::default() + since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_taken_over_tls_or_from_this_machine() {
        for url in [
            "https://keys.example.com/role",
            "http://127.0.0.1:51679/role",
            "http://[::1]/role",
            "http://169.254.170.2/v2/credentials",
            "http://169.254.170.23/v1/credentials",
            "http://[fd00:ec2::23]/v1/credentials",
        ] {
            assert!(is_near(url), "{url}");
        }
        for url in [
            "http://10.0.0.1/role",
            "http://169.254.169.254/role",
            "http://localhost.example.com/",
            "ftp://127.0.0.2.example/",
            "nonsense",
        ] {
            assert!(!is_near(url), "{url}");
        }
    }

    #[test]
    fn what_is_lent_ends_when_it_says() {
        let text = r#"{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIA1","SecretAccessKey":"s",
            "Token":"t","Expiration":"2001-09-09T01:46:40Z"}"#;
        let lent = lent(text).unwrap();
        assert_eq!(lent.access_key, "ASIA1");
        assert_eq!(lent.expires_at, Some(Timestamp::from_secs(1_000_000_000)));
        assert!(super::lent("{}").is_none());
    }
}
