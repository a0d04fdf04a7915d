//! Decides who the client is, and tells the app: believes forwarding headers of trusted proxies, removes everybody else's.

use std::{
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderName, HeaderValue, Request, header::HOST};
use tower::{Layer, Service};

use crate::net::peer::{Client, Peer, Scheme, TrustedProxies};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Whether a header says what only a proxy may say.
pub fn is_forwarding(name: &str) -> bool {
    matches!(
        name,
        "forwarded"
            | "x-forwarded-for"
            | "x-forwarded-host"
            | "x-forwarded-port"
            | "x-forwarded-prefix"
            | "x-forwarded-proto"
            | "x-real-ip"
    )
}

/// Puts [`Client`] into the request and rewrites `X-Forwarded-For`, `-Proto` and `-Host` for the app.
#[derive(Debug, Clone)]
pub struct ClientLayer {
    peer: Rc<Peer>,
    trusted: Arc<TrustedProxies>,
}

/// See [`ClientLayer`].
#[derive(Debug, Clone)]
pub struct IdentifyClient<S> {
    inner: S,
    layer: ClientLayer,
}

impl ClientLayer {
    /// For the requests of one connection.
    pub const fn new(peer: Rc<Peer>, trusted: Arc<TrustedProxies>) -> Self {
        Self { peer, trusted }
    }

    fn identify(&self, headers: &mut HeaderMap, host: Option<HeaderValue>) -> Client {
        if self.peer.is_trusted {
            return self.believe(headers, host);
        }
        if headers.keys().any(|name| is_forwarding(name.as_str())) {
            let told = headers.keys().filter(|name| is_forwarding(name.as_str()));
            for name in told.cloned().collect::<Vec<HeaderName>>() {
                headers.remove(name);
            }
        }
        headers.insert(X_FORWARDED_FOR, self.peer.text.clone());
        headers.insert(
            X_FORWARDED_PROTO,
            HeaderValue::from_static(self.peer.scheme.as_str()),
        );
        if let Some(host) = host {
            headers.insert(X_FORWARDED_HOST, host);
        }
        Client::new(self.peer.ip, self.peer.scheme)
    }

    /// A trusted proxy speaks: its chain is read, and goes on with the proxy itself at its end.
    fn believe(&self, headers: &mut HeaderMap, host: Option<HeaderValue>) -> Client {
        let chain = headers
            .get_all(X_FORWARDED_FOR)
            .iter()
            .map(|line| line.to_str().unwrap_or("?"))
            .collect::<Vec<_>>()
            .join(", ");
        let scheme = match headers.get(X_FORWARDED_PROTO).map(HeaderValue::as_bytes) {
            Some(b"https") => Scheme::Https,
            Some(_) => Scheme::Http,
            // It says nothing of its client, so its own connection must do.
            None => self.peer.scheme,
        };
        let client = Client::new(self.trusted.client_behind(self.peer.ip, &chain), scheme);
        let longer = if chain.is_empty() {
            self.peer.ip.to_string()
        } else {
            format!("{chain}, {}", self.peer.ip)
        };
        let longer = HeaderValue::from_str(&longer).unwrap_or_else(|_| self.peer.text.clone());
        headers.insert(X_FORWARDED_FOR, longer);
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(scheme.as_str()));
        if let Some(host) = host
            && !headers.contains_key(X_FORWARDED_HOST)
        {
            headers.insert(X_FORWARDED_HOST, host);
        }
        client
    }
}

/// The host the client asked for: `:authority` in HTTP/2, `Host` in HTTP/1.1.
fn asked_host<B>(request: &Request<B>) -> Option<HeaderValue> {
    match request.uri().authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => request.headers().get(HOST).cloned(),
    }
}

impl<S> Layer<S> for ClientLayer {
    type Service = IdentifyClient<S>;

    fn layer(&self, inner: S) -> IdentifyClient<S> {
        IdentifyClient {
            inner,
            layer: self.clone(),
        }
    }
}

impl<S, B> Service<Request<B>> for IdentifyClient<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let host = asked_host(&request);
        let client = self.layer.identify(request.headers_mut(), host);
        request.extensions_mut().insert(client);
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identify(trusted: &[&str], lines: &[(&'static str, &str)]) -> (Client, HeaderMap) {
        identify_over(Scheme::Http, trusted, lines)
    }

    fn identify_over(
        scheme: Scheme,
        trusted: &[&str],
        lines: &[(&'static str, &str)],
    ) -> (Client, HeaderMap) {
        let networks = trusted.iter().map(|n| n.parse().expect(n)).collect();
        let trusted = Arc::new(TrustedProxies::new(networks));
        let peer = Rc::new(Peer::new(
            "10.0.0.1:9".parse().expect("an address"),
            scheme,
            &trusted,
        ));
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().expect("a value"));
        }
        let host = headers.get(HOST).cloned();
        let client = ClientLayer::new(peer, trusted).identify(&mut headers, host);
        (client, headers)
    }

    #[test]
    fn a_stranger_cannot_speak_for_anybody() {
        let forged = [
            ("host", "app.test"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-for", "5.6.7.8"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.test"),
            ("x-forwarded-prefix", "/x"),
            ("x-forwarded-port", "1"),
            ("x-real-ip", "1.2.3.4"),
            ("forwarded", "for=1.2.3.4"),
        ];
        let (client, headers) = identify(&[], &forged);
        assert_eq!(
            client,
            Client::new("10.0.0.1".parse().expect("ip"), Scheme::Http)
        );
        assert_eq!(headers["x-forwarded-for"], "10.0.0.1");
        assert_eq!(headers["x-forwarded-proto"], "http");
        assert_eq!(headers["x-forwarded-host"], "app.test");
        assert_eq!(headers.len(), 4, "{headers:?}");
    }

    #[test]
    fn a_trusted_proxy_is_believed_and_added_to_the_chain() {
        let told = [
            ("host", "app.test"),
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-proto", "https"),
        ];
        let (client, headers) = identify(&["10.0.0.0/8"], &told);
        assert_eq!(
            client,
            Client::new("203.0.113.9".parse().expect("ip"), Scheme::Https)
        );
        assert_eq!(headers["x-forwarded-for"], "6.6.6.6, 203.0.113.9, 10.0.0.1");
        assert_eq!(headers["x-forwarded-proto"], "https");
    }

    #[test]
    fn what_came_over_tls_is_https_unless_a_trusted_proxy_knows_better() {
        let over_tls = |trusted: &[&str], lines: &[(&'static str, &str)]| {
            let (client, headers) = identify_over(Scheme::Https, trusted, lines);
            assert_eq!(headers["x-forwarded-proto"], client.scheme.as_str());
            client.scheme
        };
        let told = [("x-forwarded-proto", "http")];
        assert_eq!(over_tls(&[], &[]), Scheme::Https);
        assert_eq!(over_tls(&[], &told), Scheme::Https);
        assert_eq!(over_tls(&["10.0.0.0/8"], &[]), Scheme::Https);
        assert_eq!(over_tls(&["10.0.0.0/8"], &told), Scheme::Http);
    }
}
