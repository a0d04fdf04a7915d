//! `CloudWatch` Logs: a page of what stands in a log group; knows nothing of what is written there.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};
use serde::Deserialize;
use serde_json::json;

use super::{
    credentials::Keeper,
    sign::{self, Scope},
};
use crate::{
    clock::{Clock, Timestamp},
    sms::{
        error::{Cause, Class, Error, ProviderCode},
        http::{Client, Reply},
    },
};

/// Reads logs in one region.
#[derive(Debug)]
pub struct Logs {
    /// Such as `https://logs.eu-west-1.amazonaws.com`, without a slash at its end.
    pub base_url: String,
    /// Such as `eu-west-1`.
    pub region: String,
    /// Who asks.
    pub keeper: std::sync::Arc<Keeper>,
    /// By which line.
    pub client: Client,
    /// What AWS judges the age of requests by.
    pub clock: Clock,
}

/// Some of the events that were asked for.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Page {
    #[serde(default)]
    events: Vec<Event>,
    /// What leads to the others, if there may be some.
    #[serde(rename = "nextToken")]
    pub next: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Event {
    message: String,
}

/// Events on a page: of SNS's, these fit into what is read of an answer.
const PAGE: u64 = 1000;

/// Bytes of an answer that are read: AWS ends pages at a megabyte of events, before they are quoted.
pub const LONGEST_PAGE: usize = 3 << 20;

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");

impl Logs {
    /// A page of what `group` holds from `since` on: the first, or the one that `token` leads to.
    /// A group that is not there is an empty one: AWS makes it for the first event.
    pub async fn page(
        &self,
        group: &str,
        since: Timestamp,
        token: Option<&str>,
    ) -> Result<Page, Error> {
        let now = self.clock.now();
        let unsendable = || Error::new(Class::Misconfigured, Cause::Unsendable);
        let credentials = self.keeper.credentials(now).await?;
        let mut request = self.request(group, since, token).ok_or_else(unsendable)?;
        let scope = Scope {
            region: &self.region,
            service: "logs",
        };
        sign::sign(&mut request, &credentials, &scope, now).ok_or_else(unsendable)?;
        let page = read(&self.client.send(request).await?);
        if page.is_err() {
            // They may have been replaced before they expired: the next request asks anew.
            self.keeper.forget().await;
        }
        page
    }

    fn request(
        &self,
        group: &str,
        since: Timestamp,
        token: Option<&str>,
    ) -> Option<Request<Bytes>> {
        let mut body = json!({
            "logGroupName": group,
            "startTime": since.as_millis(),
            "limit": PAGE,
        });
        if let (Some(token), Some(body)) = (token, body.as_object_mut()) {
            body.insert("nextToken".to_owned(), token.into());
        }
        Request::post(format!("{}/", self.base_url))
            .header(header::CONTENT_TYPE, JSON)
            .header(TARGET, "Logs_20140328.FilterLogEvents")
            .body(Bytes::from(body.to_string()))
            .ok()
    }
}

impl Page {
    /// What stands there.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.events.iter().map(|event| event.message.as_str())
    }
}

fn read(reply: &Reply) -> Result<Page, Error> {
    #[derive(Deserialize)]
    struct Refused {
        #[serde(rename = "__type")]
        kind: String,
    }
    if reply.status.is_success() {
        return serde_json::from_str(reply.text()).map_err(|_| reply.refusal());
    }
    let Ok(Refused { kind }) = serde_json::from_str(reply.text()) else {
        return Err(reply.refusal());
    };
    let code = kind.rsplit('#').next().unwrap_or_default();
    if code == "ResourceNotFoundException" {
        return Ok(Page::default());
    }
    let class = super::codes::class(code, "")
        .unwrap_or_else(|| Class::of_status(reply.status, None))
        .after(reply.retry_after);
    Err(Error::new(class, reply.cause(ProviderCode::new(code))))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn reply(status: u16, body: &'static str) -> Reply {
        Reply {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: None,
            body: Some(Bytes::from_static(body.as_bytes())),
        }
    }

    #[test]
    fn a_page_holds_texts_and_may_lead_to_another_one() {
        let page = read(&reply(
            200,
            r#"{"events": [{"logStreamName": "s", "timestamp": 1, "message": "one", "ingestionTime": 2, "eventId": "3"},
                {"message": "two"}], "nextToken": "further", "searchedLogStreams": []}"#,
        ))
        .unwrap();
        assert_eq!(page.texts().collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(page.next.as_deref(), Some("further"));
        assert_eq!(read(&reply(200, "{}")).unwrap(), Page::default());
    }

    #[test]
    fn a_group_that_is_not_there_yet_is_an_empty_one() {
        for body in [
            r#"{"__type": "ResourceNotFoundException", "message": "The specified log group does not exist."}"#,
            r#"{"__type": "com.amazonaws.logs#ResourceNotFoundException"}"#,
        ] {
            assert_eq!(read(&reply(400, body)).unwrap(), Page::default());
        }
    }

    #[test]
    fn a_refusal_is_what_its_code_says() {
        for (status, body, expected) in [
            (
                400,
                r#"{"__type": "AccessDeniedException", "Message": "arn:aws:iam::1:user/x is not authorized"}"#,
                "the provider refuses our settings: status 400, code AccessDeniedException",
            ),
            (
                400,
                r#"{"__type": "ThrottlingException"}"#,
                "the provider asks for patience: status 400, code ThrottlingException",
            ),
            (
                503,
                r#"{"__type": "ServiceUnavailableException"}"#,
                "not sent: status 503, code ServiceUnavailableException",
            ),
            (
                200,
                "<html>",
                "it may have been sent: status 200, but not in its words",
            ),
        ] {
            let error = read(&reply(status, body)).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
}
