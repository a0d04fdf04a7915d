//! Twilio: text messages and `WhatsApp` by its Messages resource, calls by its Calls resource; knows nothing of other providers.

mod codes;
mod hook;
mod receipt;
mod signature;
mod twiml;

use bytes::Bytes;
use form_urlencoded::Serializer;
use http::{HeaderValue, Request, header};
use serde::Deserialize;
use serde_json::json;

pub use self::hook::Hook;
use super::{
    Channel, Message,
    error::{Cause, Class, Error, ProviderCode},
    http::{Client, Reply},
    provider::Accepted,
};
use crate::secret::Secret;

/// An account, and how to send from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// `https://api.twilio.com`, without a slash at its end.
    pub base_url: String,
    /// The account: `AC` and 32 hexadecimal digits.
    pub account_sid: String,
    /// Who asks: the account itself, or one of its API keys.
    pub user: String,
    /// The account's auth token, or the secret of the API key.
    pub password: Secret,
    /// Who text messages are from.
    pub sms: Option<Sender>,
    /// The number that `WhatsApp` messages are from.
    pub whatsapp: Option<String>,
    /// The approved template for them, in which `{{1}}` is the code. Without one the text is sent,
    /// which `WhatsApp` delivers only to who has written to the sender within a day.
    pub whatsapp_content: Option<String>,
    /// The number that calls come from.
    pub voice: Option<String>,
    /// Where Twilio tells what became of a message.
    pub status_callback: Option<String>,
    /// What it signs that with, if it tells us: the account's auth token.
    pub signed_with: Option<Secret>,
}

/// Who a text message is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// A number, a short code, or a name.
    From(String),
    /// A messaging service, which chooses.
    Service(String),
}

/// Sends through an account.
#[derive(Debug)]
pub struct Twilio {
    spec: Spec,
    client: Client,
    authorization: Option<HeaderValue>,
}

/// What Twilio says of a message or a call that it took.
#[derive(Deserialize)]
struct Created {
    sid: String,
}

/// What it says when it refuses one. The text beside the code repeats numbers, so it is not read.
#[derive(Deserialize)]
struct Refused {
    code: u32,
}

/// A message that waits longer than this is not queued at all, says Twilio.
const LONGEST_VALIDITY: u64 = 36_000;

impl Spec {
    /// Whether messages of this kind can be sent from the account.
    pub const fn carries(&self, channel: Channel) -> bool {
        match channel {
            Channel::Sms => self.sms.is_some(),
            Channel::WhatsApp => self.whatsapp.is_some(),
            Channel::Voice => self.voice.is_some(),
        }
    }

    /// Where it tells us what became of messages, if it does.
    pub fn hook(&self) -> Option<Hook> {
        Some(Hook {
            url: self.status_callback.clone()?,
            token: self.signed_with.clone()?,
        })
    }

    fn url(&self, account: &str, channel: Channel) -> String {
        let resource = match channel {
            Channel::Sms | Channel::WhatsApp => "Messages",
            Channel::Voice => "Calls",
        };
        let base = &self.base_url;
        format!("{base}/2010-04-01/Accounts/{account}/{resource}.json")
    }
}

impl Twilio {
    /// Sends through the account of `spec`.
    pub fn new(spec: Spec, client: Client) -> Self {
        let authorization = super::http::basic(&spec.user, &spec.password);
        Self {
            spec,
            client,
            authorization,
        }
    }

    /// What it goes by.
    pub const fn spec(&self) -> &Spec {
        &self.spec
    }

    /// What is asked, for people to read.
    pub fn target(&self, channel: Channel) -> String {
        let sid = &self.spec.account_sid;
        let account = format!("{}…", sid.get(..6).unwrap_or(sid));
        format!("POST {}", self.spec.url(&account, channel))
    }

    /// Hands `message` over.
    pub async fn send(&self, message: &Message) -> Result<Accepted, Error> {
        let reply = self.client.send(self.request(message)?).await?;
        read(&reply)
    }

    fn request(&self, message: &Message) -> Result<Request<Bytes>, Error> {
        let unsendable = || Error::new(Class::Misconfigured, Cause::Unsendable);
        let form = self.form(message).ok_or_else(unsendable)?;
        let authorization = self.authorization.clone().ok_or_else(unsendable)?;
        let url = self.spec.url(&self.spec.account_sid, message.channel);
        Request::post(url)
            .header(header::AUTHORIZATION, authorization)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(Bytes::from(form))
            .map_err(|_| unsendable())
    }

    /// The fields of the resource; `None` when the account has no sender for this kind.
    fn form(&self, message: &Message) -> Option<String> {
        let spec = &self.spec;
        let mut form = Serializer::new(String::new());
        let to = message.to.as_e164();
        match message.channel {
            Channel::Sms => {
                form.append_pair("To", to);
                match spec.sms.as_ref()? {
                    Sender::From(from) => form.append_pair("From", from),
                    Sender::Service(sid) => form.append_pair("MessagingServiceSid", sid),
                };
                form.append_pair("Body", &message.text);
                // A code that comes after its death costs as much as one that is in time.
                let validity = message.valid_for.as_secs().clamp(1, LONGEST_VALIDITY);
                form.append_pair("ValidityPeriod", &validity.to_string());
            }
            Channel::WhatsApp => {
                form.append_pair("To", &format!("whatsapp:{to}"));
                form.append_pair("From", &format!("whatsapp:{}", spec.whatsapp.as_ref()?));
                match &spec.whatsapp_content {
                    Some(sid) => {
                        let variables = json!({ "1": message.code.reveal() });
                        form.append_pair("ContentSid", sid);
                        form.append_pair("ContentVariables", &variables.to_string());
                    }
                    None => {
                        form.append_pair("Body", &message.text);
                    }
                }
            }
            Channel::Voice => {
                form.append_pair("To", to);
                form.append_pair("From", spec.voice.as_ref()?);
                form.append_pair("Twiml", &twiml::twice(&message.text, &message.locale));
            }
        }
        if let Some(url) = &spec.status_callback {
            form.append_pair("StatusCallback", &hook::url_for(message, url));
        }
        Some(form.finish())
    }
}

fn read(reply: &Reply) -> Result<Accepted, Error> {
    if reply.status.is_success() {
        let created: Created = serde_json::from_str(reply.text()).map_err(|_| reply.refusal())?;
        return Ok(Accepted {
            provider: "twilio",
            reference: Some(created.sid),
            status: Some(reply.status),
        });
    }
    let Ok(Refused { code }) = serde_json::from_str(reply.text()) else {
        return Err(reply.refusal());
    };
    let class = codes::class(code)
        .unwrap_or_else(|| Class::of_status(reply.status, None))
        .after(reply.retry_after);
    let code = ProviderCode::new(&code.to_string());
    Err(Error::new(class, reply.cause(code)))
}

#[cfg(test)]
mod tests;
