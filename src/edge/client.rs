//! Decides who the client is, and tells the app: believes forwarding headers of trusted proxies, removes everybody else's.

use std::{
    net::IpAddr,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Request,
    header::{FORWARDED, HOST},
};
use tower::{Layer, Service};

use crate::{
    domain::target::canonical_host,
    net::{
        fields::is_forwarding,
        forwarded::Told,
        peer::{Client, Dialect, Peer, Scheme, TrustedProxies},
    },
};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

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
        forget(headers);
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

    /// A trusted proxy speaks: what it says of the client goes on with the proxy itself at the end, and
    /// what it may only have passed on ends here.
    fn believe(&self, headers: &mut HeaderMap, asked: Option<HeaderValue>) -> Client {
        let (chain, told) = match self.trusted.dialect() {
            Dialect::XForwarded => self.hear_x_forwarded(headers),
            Dialect::Forwarded => self.hear_forwarded(headers),
        };
        // It says nothing of how its client came, so its own connection must do.
        let scheme = told.scheme.unwrap_or(self.peer.scheme);
        let client = Client::new(told.client, scheme);
        let longer = if chain.is_empty() {
            self.peer.ip.to_string()
        } else {
            format!("{chain}, {}", self.peer.ip)
        };
        let longer = HeaderValue::from_str(&longer).unwrap_or_else(|_| self.peer.text.clone());
        headers.insert(X_FORWARDED_FOR, longer);
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(scheme.as_str()));
        let is_host = |host: &String| canonical_host(host).is_some();
        let host = told
            .host
            .filter(is_host)
            .and_then(|host| host.try_into().ok());
        match host.or(asked) {
            Some(host) => headers.insert(X_FORWARDED_HOST, host),
            None => headers.remove(X_FORWARDED_HOST),
        };
        headers.remove(FORWARDED);
        if let Some(real) = headers.get_mut(X_REAL_IP) {
            *real = HeaderValue::try_from(client.ip.to_string()).unwrap_or(self.peer.text.clone());
        }
        client
    }

    /// `X-Forwarded-For` goes on as it came.
    fn hear_x_forwarded(&self, headers: &HeaderMap) -> (String, Told) {
        let chain = list(headers, &X_FORWARDED_FOR);
        let protocols = list(headers, &X_FORWARDED_PROTO);
        let mut protocols = protocols
            .split(',')
            .map(str::trim)
            .filter(|it| !it.is_empty());
        let is_https = |it: &str| it.eq_ignore_ascii_case("https");
        let mut hosts = headers.get_all(X_FORWARDED_HOST).iter();
        let host = hosts.next().filter(|_| hosts.next().is_none());
        let told = Told {
            client: self.trusted.client_behind(self.peer.ip, &chain),
            // Of several the leftmost may be the client's own, so all must say the same.
            scheme: protocols.next().map(|first| {
                if is_https(first) && protocols.all(is_https) {
                    Scheme::Https
                } else {
                    Scheme::Http
                }
            }),
            host: host.and_then(|host| host.to_str().ok()).map(str::to_owned),
            chain: Vec::new(),
        };
        (chain, told)
    }

    /// `X-Forwarded-For` is made of what was believed; the others are made anew or not at all.
    fn hear_forwarded(&self, headers: &mut HeaderMap) -> (String, Told) {
        let lines = headers.get_all(FORWARDED).iter();
        let lines = lines.map(HeaderValue::as_bytes);
        let told = Told::read(self.peer.ip, lines, &self.trusted);
        forget(headers);
        let chain: Vec<_> = told.chain.iter().map(IpAddr::to_string).collect();
        (chain.join(", "), told)
    }
}

/// All lines of a header as one list.
fn list(headers: &HeaderMap, name: &HeaderName) -> String {
    headers
        .get_all(name)
        .iter()
        .map(|line| line.to_str().unwrap_or("?"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Removes whatever says what only a proxy may say.
fn forget(headers: &mut HeaderMap) {
    if headers.keys().any(|name| is_forwarding(name.as_str())) {
        let told = headers.keys().filter(|name| is_forwarding(name.as_str()));
        for name in told.cloned().collect::<Vec<HeaderName>>() {
            headers.remove(name);
        }
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

    #[test]
    fn https_is_believed_only_when_all_that_is_said_says_so() {
        for (said, scheme) in [
            (&["https"][..], Scheme::Https),
            (&["HTTPS"], Scheme::Https),
            (&["https, https"], Scheme::Https),
            (&["https", "https"], Scheme::Https),
            (&["https, http"], Scheme::Http),
            (&["http, https"], Scheme::Http),
            (&["https", "http"], Scheme::Http),
            (&["wss"], Scheme::Http),
            (&["https;"], Scheme::Http),
        ] {
            let lines: Vec<_> = said.iter().map(|it| ("x-forwarded-proto", *it)).collect();
            let (client, headers) = identify(&["10.0.0.0/8"], &lines);
            assert_eq!(client.scheme, scheme, "{said:?}");
            assert_eq!(headers.get_all("x-forwarded-proto").iter().count(), 1);
        }
    }

    #[test]
    fn a_host_that_is_said_twice_or_is_none_gives_way_to_the_one_that_was_asked_for() {
        for (said, host) in [
            (&["outer.test"][..], "outer.test"),
            (&["outer.test:81"], "outer.test:81"),
            (&["a.test", "b.test"], "app.test"),
            (&["a.test, b.test"], "app.test"),
            (&["user@a.test"], "app.test"),
            (&[""], "app.test"),
        ] {
            let lines = said.iter().map(|it| ("x-forwarded-host", *it));
            let lines: Vec<_> = [("host", "app.test")].into_iter().chain(lines).collect();
            let (_, headers) = identify(&["10.0.0.0/8"], &lines);
            let told: Vec<_> = headers.get_all("x-forwarded-host").iter().collect();
            assert_eq!(told, [host], "{said:?}");
        }
    }

    #[test]
    fn what_a_proxy_may_only_have_passed_on_does_not_reach_the_app() {
        let told = [
            ("x-forwarded-for", "203.0.113.9"),
            ("forwarded", "for=6.6.6.6"),
            ("x-real-ip", "6.6.6.6"),
        ];
        let (_, headers) = identify(&["10.0.0.0/8"], &told);
        assert!(!headers.contains_key("forwarded"));
        assert_eq!(headers["x-real-ip"], "203.0.113.9");
    }
}
