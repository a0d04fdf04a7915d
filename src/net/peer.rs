//! Facts about who is at the other end of a request, carried in its extensions.

use std::net::{IpAddr, Ipv6Addr};

use http::HeaderValue;

/// How the client reached us, as far as the gateway believes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS, ours or that of a trusted proxy.
    Https,
}

/// The client of a request, as far as the gateway believes what it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its address; an IPv4 address mapped into IPv6 is kept as IPv4.
    pub ip: IpAddr,
    /// How it reached us.
    pub scheme: Scheme,
}

/// The id under which logs of the gateway and of the apps speak of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub HeaderValue);

impl Scheme {
    /// As it is written in `X-Forwarded-Proto` and in URLs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl Client {
    /// A client at `ip`.
    pub const fn new(ip: IpAddr, scheme: Scheme) -> Self {
        Self {
            ip: ip.to_canonical(),
            scheme,
        }
    }

    /// The network that limits count: the address itself for IPv4, its /64 for IPv6, since one
    /// subscriber has at least that many addresses to choose from (RFC 6177).
    pub fn network(&self) -> IpAddr {
        match self.ip {
            IpAddr::V4(_) => self.ip,
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_counted_by_its_network() {
        let network = |ip: &str| Client::new(ip.parse().expect(ip), Scheme::Http).network();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }
}
