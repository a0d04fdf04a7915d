//! Request bodies in, answers out: size, time, type and shape; knows nothing of what the fields mean.

use std::{borrow::Cow, fmt, pin::pin, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::Body as HttpBody;
use http_body_util::{BodyExt, Empty};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::{
    auth::form,
    body::Body,
    reject::{Code, FieldError, Reject},
};

/// What every endpoint answers with: bytes of our own.
pub type Reply = Response<Body<Empty<Bytes>>>;

/// Which bodies an endpoint takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepts {
    /// None; whatever is sent stays unread.
    Nothing,
    /// `application/json`.
    Json,
    /// `application/json`, or nothing at all.
    JsonOrNothing,
    /// What forms send.
    Form,
    /// Every one of these.
    Anything,
    /// One of this kind, which is read only after its signature was judged.
    Signed(Medium),
}

/// How much a body may be, and how long it may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// In bytes.
    pub size: usize,
    /// From the first question for it to its last byte.
    pub deadline: Duration,
}

/// The fields of a body, and what is wrong with those that were read so far.
#[derive(Debug, Default)]
pub struct Fields {
    members: Map<String, Value>,
    wrong: Vec<FieldError>,
    unread: Vec<u8>,
}

/// Fields that are not as they should be, each named.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong(pub Vec<FieldError>);

/// The media types that bodies come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

impl Fields {
    /// Reads a body, refusing by its head what can be refused by it, so that a client that waits
    /// for `100 Continue` never sends what would not be read.
    pub async fn read<B>(
        headers: &HeaderMap,
        body: B,
        accepts: Accepts,
        limits: Limits,
    ) -> Result<Self, Reject>
    where
        B: HttpBody,
    {
        if accepts == Accepts::Nothing {
            return Ok(Self::default());
        }
        let medium = medium(headers, accepts)?;
        let bytes = tokio::time::timeout(limits.deadline, collect(body, limits.size))
            .await
            .map_err(|_| Reject::new(Code::RequestTimeout, "The body did not arrive in time."))??;
        if let Accepts::Signed(_) = accepts {
            return Ok(Self {
                unread: bytes,
                ..Self::default()
            });
        }
        match medium {
            Some(Medium::Json) => Self::from_json(&bytes),
            Some(Medium::Form) => Self::from_form(&bytes),
            None if bytes.is_empty() => Ok(Self::default()),
            None => Err(unsupported(accepts)),
        }
    }

    /// The members of a JSON object.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Reject> {
        let Object(members) = serde_json::from_slice(bytes).map_err(|_| {
            Reject::new(
                Code::InvalidJson,
                "The body must be one JSON object, with every name once.",
            )
        })?;
        Ok(Self {
            members,
            ..Self::default()
        })
    }

    /// The fields of a form.
    pub fn from_form(bytes: &[u8]) -> Result<Self, Reject> {
        let members = form::parse(bytes)
            .map_err(|_| Reject::new(Code::ValidationFailed, "The form cannot be read."))?;
        Ok(Self {
            members,
            ..Self::default()
        })
    }

    /// A body as it came, of an endpoint that takes signed ones.
    pub fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// A text that may be left out; `null` stands for left out.
    pub fn optional(&mut self, name: &'static str) -> Option<String> {
        match self.members.remove(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                self.refuse(name, "must be a string");
                None
            }
        }
    }

    /// A text that must be there.
    pub fn required(&mut self, name: &'static str) -> Option<String> {
        if matches!(self.members.get(name), None | Some(Value::Null)) {
            self.refuse(name, "is required");
            return None;
        }
        self.optional(name)
    }

    /// A text or an object; the object as compact JSON.
    pub fn text_or_object(&mut self, name: &'static str) -> Option<String> {
        match self.members.get(name) {
            Some(Value::Object(_)) => self.members.remove(name).map(|object| object.to_string()),
            Some(Value::String(_) | Value::Null) | None => self.optional(name),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_)) => {
                self.refuse(name, "must be a string or an object");
                None
            }
        }
    }

    /// What `read` makes of a field, or a note of why it could not.
    pub fn parsed<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        read: Result<T, E>,
    ) -> Option<T> {
        read.map_err(|error| self.refuse(name, error.to_string()))
            .ok()
    }

    /// Notes that a field is wrong.
    pub fn refuse(&mut self, field: &'static str, message: impl Into<Cow<'static, str>>) {
        self.wrong.push(FieldError {
            field,
            message: message.into(),
        });
    }

    /// What was read, if nothing was wrong.
    pub fn finish<T>(self, read: Option<T>) -> Result<T, Wrong> {
        match read {
            Some(read) if self.wrong.is_empty() => Ok(read),
            Some(_) | None => Err(Wrong(self.wrong)),
        }
    }
}

impl From<Wrong> for Reject {
    fn from(Wrong(fields): Wrong) -> Self {
        Self::fields(fields)
    }
}

/// An answer for programs, kept by no cache.
pub fn json(status: StatusCode, value: &impl Serialize) -> Result<Reply, Reject> {
    let bytes = serde_json::to_vec(value)
        .map_err(|_| Reject::new(Code::Internal, "The answer could not be written."))?;
    let mut reply = own(status, Bytes::from(bytes));
    reply.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    Ok(reply)
}

/// An answer without content.
pub fn empty(status: StatusCode) -> Reply {
    own(status, Bytes::new())
}

/// An answer of these bytes, kept by no cache.
pub fn own(status: StatusCode, bytes: Bytes) -> Reply {
    let mut reply = Response::new(Body::from(bytes));
    *reply.status_mut() = status;
    reply
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// The medium that the head announces: one that is accepted, or none when none may be.
fn medium(headers: &HeaderMap, accepts: Accepts) -> Result<Option<Medium>, Reject> {
    let plain = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .all(|coding| coding == "identity");
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let medium = match (types.next(), types.next()) {
        (None, _) => None,
        (Some(one), None) => Some(essence(one).ok_or_else(|| unsupported(accepts))?),
        (Some(_), Some(_)) => return Err(unsupported(accepts)),
    };
    let accepted = match (accepts, medium) {
        (Accepts::Json | Accepts::JsonOrNothing | Accepts::Anything, Some(Medium::Json))
        | (Accepts::Form | Accepts::Anything, Some(Medium::Form))
        | (Accepts::JsonOrNothing | Accepts::Anything, None) => true,
        (Accepts::Signed(wanted), Some(medium)) => wanted == medium,
        (Accepts::Json | Accepts::JsonOrNothing, Some(Medium::Form))
        | (Accepts::Form, Some(Medium::Json))
        | (Accepts::Json | Accepts::Form | Accepts::Signed(_), None)
        | (Accepts::Nothing, _) => false,
    };
    if accepted && plain {
        Ok(medium)
    } else {
        Err(unsupported(accepts))
    }
}

/// The media type without its parameters: JSON is UTF-8 whatever they say (RFC 8259 §8.1).
fn essence(value: &HeaderValue) -> Option<Medium> {
    let text = value.to_str().ok()?;
    let essence = text.split(';').next()?.trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Some(Medium::Json)
    } else if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        Some(Medium::Form)
    } else {
        None
    }
}

fn unsupported(accepts: Accepts) -> Reject {
    let detail = match accepts {
        Accepts::Form | Accepts::Signed(Medium::Form) => {
            "Send an uncompressed form with Content-Type: application/x-www-form-urlencoded."
        }
        Accepts::Nothing
        | Accepts::Json
        | Accepts::JsonOrNothing
        | Accepts::Anything
        | Accepts::Signed(Medium::Json) => {
            "Send uncompressed JSON with Content-Type: application/json."
        }
    };
    Reject::new(Code::UnsupportedMediaType, detail)
}

async fn collect<B: HttpBody>(body: B, limit: usize) -> Result<Vec<u8>, Reject> {
    let too_large = || Reject::new(Code::BodyTooLarge, "The body is larger than accepted here.");
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(frame) = body.as_mut().frame().await {
        let frame = frame.map_err(|_| Reject::new(Code::InvalidJson, "The body broke off."))?;
        // Trailers say nothing here.
        let Ok(mut data) = frame.into_data() else {
            continue;
        };
        if bytes.len() + bytes::Buf::remaining(&data) > limit {
            return Err(too_large());
        }
        bytes::BufMut::put(&mut bytes, &mut data);
    }
    Ok(bytes)
}

/// A JSON object. A name that occurs twice makes it unreadable: one reader would take the first,
/// another the last (RFC 8259 §4).
struct Object(Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut source: A) -> Result<Object, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = source.next_entry::<String, Value>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a name occurs twice"));
            }
        }
        Ok(Object(members))
    }
}

#[cfg(test)]
mod tests;
