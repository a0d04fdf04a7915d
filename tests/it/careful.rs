//! What browsers are told to be careful with: nothing by default, what the operator says where an app says nothing itself.

use crate::stage::{
    Stage,
    client::Answer,
    upstream::{Upstream, reply},
};

const HEADERS: [&str; 3] = [
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
];

const STRICT: &str =
    "server.headers = { nosniff = \"on\", frame = \"deny\", referrer = \"no-referrer\" }";

fn said(answer: &Answer) -> [Option<&str>; 3] {
    HEADERS.map(|name| {
        answer
            .headers
            .get(name)
            .map(|value| value.to_str().expect("text"))
    })
}

#[tokio::test]
async fn an_app_is_left_as_it_is_unless_told_otherwise() {
    let stage = Stage::with(&["[[routes]]\npath = \"/\"\nauth = \"none\""]).await;
    assert_eq!(said(&stage.get("/").send().await), [None; 3]);
}

#[tokio::test]
async fn every_answer_says_what_the_operator_wants_said() {
    let stage = Stage::with(&[
        STRICT,
        "[[routes]]\npath = \"/a\"\nauth = \"none\"",
        "[[routes]]\npath = \"/b\"",
    ])
    .await;
    for (path, status) in [("/a", 200), ("/b", 401), ("/c", 404), ("/api/auth/me", 401)] {
        let answer = stage.get(path).send().await;
        assert_eq!(answer.status, status);
        assert_eq!(
            said(&answer),
            [Some("nosniff"), Some("DENY"), Some("no-referrer")],
            "{path}"
        );
    }
    // The login page says more by itself.
    let login = stage.get("/api/auth/login").send().await;
    assert_eq!(
        said(&login),
        [Some("nosniff"), Some("DENY"), Some("same-origin")]
    );
}

#[tokio::test]
async fn a_route_may_say_it_in_another_way_or_not_at_all() {
    let stage = Stage::with(&[
        STRICT,
        "[[routes]]\npath = \"/widget\"\nauth = \"none\"\nheaders.frame = \"off\"",
        "[[routes]]\npath = \"/own\"\nauth = \"none\"\nheaders.frame = \"same-origin\"",
    ])
    .await;
    let frame = async |path: &str| {
        let answer = stage.get(path).send().await;
        assert_eq!(said(&answer)[0], Some("nosniff"), "{path}");
        said(&answer)[1].map(str::to_owned)
    };
    assert_eq!(frame("/widget").await, None);
    assert_eq!(frame("/own").await.as_deref(), Some("SAMEORIGIN"));
    assert_eq!(frame("/elsewhere").await.as_deref(), Some("DENY"));
}

#[tokio::test]
async fn what_an_app_says_itself_is_never_replaced() {
    for (name, value, expected) in [
        ("x-frame-options", "SAMEORIGIN", Some("SAMEORIGIN")),
        (
            "content-security-policy",
            "frame-ancestors https://a.example",
            None,
        ),
        (
            "content-security-policy",
            "default-src 'self'",
            Some("DENY"),
        ),
    ] {
        let upstream = Upstream::doing(move |_| {
            Box::pin(async move {
                let mut reply = reply("ok");
                let value = value.parse().expect("a value");
                reply.headers_mut().insert(name, value);
                reply
            })
        })
        .await;
        let open = "[[routes]]\npath = \"/\"\nauth = \"none\"";
        let stage = Stage::over(upstream, &[STRICT, open]).await;
        let answer = stage.get("/").send().await;
        assert_eq!(answer.header(name), value);
        assert_eq!(said(&answer)[1], expected, "{name}: {value}");
    }
}
