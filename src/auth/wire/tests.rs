//! Bodies of every kind, good and bad.

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Frame, SizeHint};
use http_body_util::Full;
use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits {
    size: 64,
    deadline: Duration::from_secs(1),
};

/// A body that never ends, in pieces of one byte.
struct Endless;

/// A body that never begins.
struct Silent;

/// A body that must not be asked for.
struct Untouchable;

/// A body whose sender has gone.
struct Broken;

impl HttpBody for Broken {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())))
    }
}

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b" ")))))
    }
}

impl HttpBody for Silent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

impl HttpBody for Untouchable {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("a body that is refused by its head must not be read");
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(65)
    }
}

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

fn json_headers() -> HeaderMap {
    headers(&[("content-type", "application/json")])
}

async fn code<B: HttpBody>(headers: &HeaderMap, body: B, accepts: Accepts) -> Option<Code> {
    let read = Fields::read(headers, body, accepts, LIMITS).await;
    read.err().map(|reject| reject.code())
}

#[tokio::test]
async fn json_is_taken_under_its_name_only() {
    for (content_type, taken) in [
        ("application/json", true),
        ("Application/JSON", true),
        ("application/json; charset=utf-8", true),
        ("application/json;charset=UTF-8", true),
        ("application/jsonp", false),
        ("application/problem+json", false),
        ("text/json", false),
        ("text/plain", false),
        ("text/plain; application/json", false),
        ("application/x-www-form-urlencoded", false),
        ("multipart/form-data", false),
        ("", false),
    ] {
        let headers = headers(&[("content-type", content_type)]);
        let refused = code(&headers, Full::new(Bytes::from("{}")), Accepts::Json).await;
        let expected = (!taken).then_some(Code::UnsupportedMediaType);
        assert_eq!(refused, expected, "{content_type}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_before_it_is_sent() {
    let twice = [("content-type", "application/json"); 2];
    let packed = [
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
    ];
    for head in [twice.as_slice(), &packed, &[]] {
        let refused = code(&headers(head), Untouchable, Accepts::Json).await;
        assert_eq!(refused, Some(Code::UnsupportedMediaType), "{head:?}");
    }
    let refused = code(&json_headers(), Untouchable, Accepts::Json).await;
    assert_eq!(refused, Some(Code::BodyTooLarge));
    let unread = code(&json_headers(), Untouchable, Accepts::Nothing).await;
    assert_eq!(unread, None);
}

#[tokio::test]
async fn nothing_at_all_is_enough_where_it_may_be() {
    for (accepts, body, expected) in [
        (Accepts::JsonOrNothing, "", None),
        (Accepts::Anything, "", None),
        (
            Accepts::JsonOrNothing,
            "{}",
            Some(Code::UnsupportedMediaType),
        ),
        (Accepts::Json, "", Some(Code::UnsupportedMediaType)),
        (Accepts::Form, "", Some(Code::UnsupportedMediaType)),
    ] {
        let refused = code(&HeaderMap::new(), Full::new(Bytes::from(body)), accepts).await;
        assert_eq!(refused, expected, "{accepts:?} {body:?}");
    }
    let refused = code(
        &json_headers(),
        Full::new(Bytes::new()),
        Accepts::JsonOrNothing,
    )
    .await;
    assert_eq!(refused, Some(Code::InvalidJson));
}

#[tokio::test]
async fn a_body_may_be_as_large_as_the_limit_and_no_byte_more() {
    let of = |size: usize| {
        let text = format!("{{\"a\":\"{}\"}}", "x".repeat(size - 8));
        assert_eq!(text.len(), size);
        Full::new(Bytes::from(text))
    };
    assert_eq!(code(&json_headers(), of(64), Accepts::Json).await, None);
    let refused = code(&json_headers(), of(65), Accepts::Json).await;
    assert_eq!(refused, Some(Code::BodyTooLarge));
}

#[tokio::test]
async fn an_endless_body_is_cut_at_the_limit() {
    let refused = code(&json_headers(), Endless, Accepts::Json).await;
    assert_eq!(refused, Some(Code::BodyTooLarge));
}

#[tokio::test(start_paused = true)]
async fn a_silent_body_is_given_up_at_the_deadline() {
    let began = tokio::time::Instant::now();
    let refused = code(&json_headers(), Silent, Accepts::Json).await;
    assert_eq!(refused, Some(Code::RequestTimeout));
    assert_eq!(began.elapsed(), LIMITS.deadline);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_answer_and_no_panic() {
    let refused = code(&json_headers(), Broken, Accepts::Json).await;
    assert_eq!(refused, Some(Code::InvalidJson));
}

#[test]
fn only_one_unambiguous_object_is_read() {
    for text in [
        "",
        " ",
        "null",
        "1",
        "\"a\"",
        "[]",
        "[{}]",
        "{",
        "{}}",
        "{} {}",
        "{\"a\":}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":1,}",
        "\u{feff}{}",
        "{\"a\":NaN}",
        "{\"a\":01}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":1e999}",
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,\"\\u0061\":2}",
    ] {
        let reject = Fields::from_json(text.as_bytes()).expect_err(text);
        assert_eq!(reject.code(), Code::InvalidJson, "{text}");
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Fields::from_json(deep.as_bytes()).is_err());
    assert!(Fields::from_json(b"{\"a\":\"\xff\"}").is_err());
}

#[test]
fn every_wrong_field_is_named_and_unknown_ones_are_not() {
    let text = r#"{"b":7,"c":null,"d":{"x":1},"e":["y"],"f":true,"zz":[1]}"#;
    let mut fields = Fields::from_json(text.as_bytes()).unwrap();
    assert_eq!(fields.required("a"), None);
    assert_eq!(fields.required("b"), None);
    assert_eq!(fields.required("c"), None);
    assert_eq!(fields.optional("d"), None);
    assert_eq!(fields.text_or_object("e"), None);
    assert_eq!(fields.optional("g"), None);
    let Wrong(errors) = fields.finish(Some(())).unwrap_err();
    let named: Vec<_> = errors
        .iter()
        .map(|e| (e.field, e.message.as_ref()))
        .collect();
    assert_eq!(
        named,
        [
            ("a", "is required"),
            ("b", "must be a string"),
            ("c", "is required"),
            ("d", "must be a string"),
            ("e", "must be a string or an object"),
        ]
    );
}

#[test]
fn an_object_stands_for_its_compact_text() {
    let text = br#"{"a": {"x": [1, 2.5], "y": null}, "b": "plain", "c": null}"#;
    let mut fields = Fields::from_json(text).unwrap();
    let object = fields.text_or_object("a");
    assert_eq!(object.as_deref(), Some(r#"{"x":[1,2.5],"y":null}"#));
    assert_eq!(fields.text_or_object("b").as_deref(), Some("plain"));
    assert_eq!(fields.text_or_object("c"), None);
    assert_eq!(fields.finish(Some(())), Ok(()));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        drop(Fields::from_json(&bytes));
    }

    #[test]
    fn a_text_is_read_as_it_was_written(text: String) {
        let body = serde_json::json!({ "a": text }).to_string();
        let mut fields = Fields::from_json(body.as_bytes()).unwrap();
        prop_assert_eq!(fields.required("a"), Some(text));
    }
}
