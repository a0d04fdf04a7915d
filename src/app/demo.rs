//! The built-in demo app: a page that shows what an app learns about its caller. It knows nothing of the gateway.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use maud::{DOCTYPE, Markup, html};
use tokio::{net::TcpListener, task::JoinSet};

use crate::net::listen::accept;

/// Serves the demo on `listener` for ever; its connections end with it.
pub async fn serve(listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            (stream, _) = accept(&listener) => {
                connections.spawn(
                    http1::Builder::new()
                        .timer(TokioTimer::new())
                        .serve_connection(TokioIo::new(stream), service_fn(answer)),
                );
            }
            // How a connection ended is of no interest; that it is forgotten then is.
            Some(_ended) = connections.join_next() => {}
        }
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let page = page(request.uri().path(), request.headers()).into_string();
    let mut response = Response::new(Full::from(page));
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

const STYLE: &str = "
:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.5 }
body { max-width: 44rem; margin: 3rem auto; padding: 0 1rem }
th { text-align: left; font-weight: 600; padding-right: 1rem; white-space: nowrap; vertical-align: top }
td { overflow-wrap: anywhere; font-family: ui-monospace, monospace }
button { font: inherit; padding: .4rem 1rem; margin-top: 1rem }
";

fn page(path: &str, headers: &HeaderMap) -> Markup {
    let identity = |name: &str| name.starts_with("x-auth-");
    let rows = |wanted: &dyn Fn(&str) -> bool| -> Markup {
        html! {
            table {
                @for (name, value) in headers.iter().filter(|(name, _)| wanted(name.as_str())) {
                    tr { th scope="row" { (name) } td { (String::from_utf8_lossy(value.as_bytes())) } }
                }
            }
        }
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Demo app" }
                style { (maud::PreEscaped(STYLE)) }
            }
            body {
                h1 { "You are in." }
                p { "This is the demo app behind the gateway, at " code { (path) } ". It knows nothing about login; this is what the gateway told it about you:" }
                (rows(&identity))
                form method="post" action="/api/auth/logout" { button { "Log out" } }
                h2 { "The other request headers" }
                (rows(&|name| !identity(name)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_header_holds_is_shown_and_never_becomes_markup() {
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-auth-subject",
            HeaderValue::from_static("<script>1</script>"),
        );
        let shown = page("/<b>", &headers).into_string();
        assert!(shown.contains("&lt;script&gt;1&lt;/script&gt;"), "{shown}");
        assert!(shown.contains("/&lt;b&gt;"));
        assert!(!shown.contains("<script>"));
    }
}
