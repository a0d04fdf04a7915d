//! AWS SNS: transactional text messages by its Publish action; knows nothing of other providers.
//!
//! Requests are signed here and sent by our own client. Beside that client, in release builds with
//! link-time optimization, `aws-sdk-sns` with `aws-config` adds 92 packages, 152 s of CPU and 4.3 MB,
//! and a second HTTP stack; `aws-sigv4` alone adds 35 packages, 21 s and 0.2 MB, and a second
//! implementation of SHA-2 and HMAC. What stands here is held to AWS's own test suite.

mod codes;
mod credentials;
mod logs;
mod metadata;
mod profile;
mod sign;
pub mod status;
mod sts;
mod surroundings;
mod xml;

use std::sync::Arc;

use bytes::Bytes;
use form_urlencoded::Serializer;
use http::{HeaderValue, Request, header};

use self::{
    credentials::Keeper,
    logs::Logs,
    sign::Scope,
    status::{Awaited, Status},
};
pub use self::{
    credentials::{Credentials, Given},
    surroundings::Surroundings,
};
use super::{
    Message,
    error::{Cause, Class, Error, ProviderCode},
    http::{Client, Reply},
    provider::Accepted,
};
use crate::clock::Clock;

/// A region, and how to send from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Such as `https://sns.eu-west-1.amazonaws.com`, without a slash at its end.
    pub base_url: String,
    /// Such as `eu-west-1`.
    pub region: String,
    /// The name that messages are from, where a country allows it.
    pub sender_id: Option<String>,
    /// Where the credentials come from.
    pub credentials: Given,
    /// Where it is looked for what became of messages, if it is.
    pub status: Option<status::Spec>,
}

/// Publishes messages.
#[derive(Debug)]
pub struct Sns {
    spec: Spec,
    client: Client,
    clock: Clock,
    keeper: Arc<Keeper>,
    awaited: Awaited,
}

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

impl Sns {
    /// Publishes by what `spec` says; `clock` is what AWS judges the age of requests by.
    pub fn new(spec: Spec, client: Client, clock: Clock) -> Self {
        let keeper = Keeper::new(spec.credentials.clone(), &spec.region, client.clone());
        Self {
            spec,
            client,
            clock,
            keeper: Arc::new(keeper),
            awaited: Awaited::default(),
        }
    }

    /// What looks for what became of the messages that are sent from now on, if it is to be looked for.
    pub fn status(&self) -> Option<Status> {
        let spec = self.spec.status.as_ref()?;
        let logs = Logs {
            base_url: spec.base_url.clone(),
            region: self.spec.region.clone(),
            keeper: Arc::clone(&self.keeper),
            client: self.client.clone().reading(logs::LONGEST_PAGE),
            clock: self.clock.clone(),
        };
        Some(Status::new(spec, logs, self.awaited.clone()))
    }

    /// What is asked, for people to read.
    pub fn target(&self) -> String {
        format!("POST {}/ (Publish)", self.spec.base_url)
    }

    /// Hands `message` over.
    pub async fn send(&self, message: &Message) -> Result<Accepted, Error> {
        let now = self.clock.now();
        let credentials = self.keeper.credentials(now).await?;
        let mut request = self.request(message)?;
        let scope = Scope {
            region: &self.spec.region,
            service: "sns",
        };
        sign::sign(&mut request, &credentials, &scope, now)
            .ok_or_else(|| Error::new(Class::Misconfigured, Cause::Unsendable))?;
        let reply = self.client.send(request).await?;
        let read = read(&reply);
        if read
            .as_ref()
            .is_err_and(|error| error.class == Class::Misconfigured)
        {
            // They may have been replaced before they expired: the next message asks anew.
            self.keeper.forget().await;
        }
        if let (Ok(accepted), Some(_)) = (&read, &self.spec.status) {
            self.awaited.add(accepted, message, now);
        }
        read
    }

    fn request(&self, message: &Message) -> Result<Request<Bytes>, Error> {
        Request::post(format!("{}/", self.spec.base_url))
            .header(header::CONTENT_TYPE, FORM)
            .body(Bytes::from(self.form(message)))
            .map_err(|_| Error::new(Class::Misconfigured, Cause::Unsendable))
    }

    fn form(&self, message: &Message) -> String {
        let mut form = Serializer::new(String::new());
        form.append_pair("Action", "Publish")
            .append_pair("Version", "2010-03-31")
            .append_pair("PhoneNumber", message.to.as_e164())
            .append_pair("Message", &message.text);
        let sender = self.spec.sender_id.as_deref();
        let attributes = [("SMSType", Some("Transactional")), ("SenderID", sender)];
        let given = attributes
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)));
        for (at, (key, value)) in given.enumerate() {
            let entry = format!("MessageAttributes.entry.{}", at + 1);
            form.append_pair(&format!("{entry}.Name"), &format!("AWS.SNS.SMS.{key}"))
                .append_pair(&format!("{entry}.Value.DataType"), "String")
                .append_pair(&format!("{entry}.Value.StringValue"), value);
        }
        form.finish()
    }
}

/// Where a service of AWS answers in `region`, by HTTPS.
pub fn regional(service: &str, region: &str) -> String {
    let domain = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    format!("https://{service}.{region}.{domain}")
}

fn read(reply: &Reply) -> Result<Accepted, Error> {
    let word = |tag| xml::word(reply.text(), tag);
    if reply.status.is_success() {
        let reference = word("MessageId").ok_or_else(|| reply.refusal())?;
        return Ok(Accepted {
            provider: "sns",
            reference: Some(reference.to_owned()),
            status: Some(reply.status),
        });
    }
    let Some(code) = word("Code") else {
        return Err(reply.refusal());
    };
    let class = codes::class(code, reply.text())
        .unwrap_or_else(|| Class::of_status(reply.status, None))
        .after(reply.retry_after);
    Err(Error::new(class, reply.cause(ProviderCode::new(code))))
}

#[cfg(test)]
pub mod tests;
