//! Facts about who is at the other end: the socket's peer, and the client behind it as far as it is believed.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::HeaderValue;
use ipnet::{IpNet, Ipv4Net};

/// How the client reached us, as far as the gateway believes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS, ours or that of a trusted proxy.
    Https,
}

/// The client of a request, as far as the gateway believes what it is told. Carried in the
/// request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its address; an IPv4 address mapped into IPv6 is kept as IPv4.
    pub ip: IpAddr,
    /// How it reached us.
    pub scheme: Scheme,
}

/// Who opened a connection. Made once per connection, so that requests need not look twice.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address; an IPv4 address mapped into IPv6 is kept as IPv4.
    pub ip: IpAddr,
    /// The same, as it is written into headers.
    pub text: HeaderValue,
    /// How it reached us.
    pub scheme: Scheme,
    /// Whether it may speak for others: it is one of `server.trusted_proxies`.
    pub is_trusted: bool,
}

/// The networks of proxies whose word about their clients is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    dialect: Dialect,
}

/// How they give it. Only one way is listened to: a proxy that writes one of them passes the other on as
/// a client has forged it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// In `X-Forwarded-For`, `-Proto` and `-Host`.
    #[default]
    XForwarded,
    /// In `Forwarded` (RFC 7239).
    Forwarded,
}

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

    /// The network that limits count; see [`network_of`].
    pub fn network(&self) -> IpAddr {
        network_of(self.ip)
    }

    /// Those around it who mostly belong to one operator: its IPv4 /24, its IPv6 /48.
    pub fn neighbourhood(&self) -> IpNet {
        let length = match self.ip {
            IpAddr::V4(_) => 24,
            IpAddr::V6(_) => 48,
        };
        // Neither is longer than an address.
        IpNet::new(self.ip, length).map_or(self.ip.into(), |net| net.trunc())
    }
}

impl Peer {
    /// The peer at `address`, which reached us by `scheme`.
    pub fn new(address: SocketAddr, scheme: Scheme, trusted: &TrustedProxies) -> Self {
        let ip = address.ip().to_canonical();
        Self {
            ip,
            // An address is written in digits, letters, dots and colons.
            text: HeaderValue::from_str(&ip.to_string())
                .unwrap_or(HeaderValue::from_static("unknown")),
            scheme,
            is_trusted: trusted.contains(ip),
        }
    }

    /// Somebody whom the proxy at `address` speaks for and cannot name: nobody else's word, and
    /// least of all theirs, says who they are.
    pub fn nameless(address: SocketAddr, scheme: Scheme) -> Self {
        Self::new(address, scheme, &TrustedProxies::default())
    }
}

impl TrustedProxies {
    /// Trusts these networks and nobody else.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self {
            networks: networks.into_iter().map(canonical).collect(),
            dialect: Dialect::default(),
        }
    }

    /// The same, whose word is given in this way.
    #[must_use]
    pub fn speaking(self, dialect: Dialect) -> Self {
        Self { dialect, ..self }
    }

    /// How they give their word.
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether `ip` may speak for others.
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&ip))
    }

    /// Whether everybody is, of one family of addresses at least.
    pub fn are_everybody(&self) -> bool {
        self.networks.iter().any(|it| it.prefix_len() == 0)
    }

    /// Whether anybody is trusted.
    pub const fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }

    /// The client that a chain of forwarders speaks of, read from the right (RFC 7239 §7.4): the
    /// first address that is not a trusted proxy. `chain` is `X-Forwarded-For`, all lines joined.
    /// An entry that is no address ends the walk: nothing left of it can be believed.
    pub fn client_behind(&self, peer: IpAddr, chain: &str) -> IpAddr {
        let mut client = peer;
        for entry in chain.rsplit(',').map(str::trim) {
            if !self.contains(client) {
                break;
            }
            match parse_forwarded_address(entry) {
                Some(ip) => client = ip,
                None => break,
            }
        }
        client
    }
}

/// What counts as one client: an address of IPv4, and the /64 of one of IPv6, since one subscriber has
/// at least that many addresses to choose from (RFC 6177).
pub fn network_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        v4 @ IpAddr::V4(_) => v4,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

/// A network of IPv4 addresses mapped into IPv6 as one of IPv4, which is how addresses are kept.
fn canonical(network: IpNet) -> IpNet {
    /// Bits of what is put before the address (RFC 4291 §2.5.5.2).
    const MAPPED: u8 = 96;
    let IpNet::V6(v6) = network else {
        return network;
    };
    let bits = v6.prefix_len().checked_sub(MAPPED);
    let mapped = bits.zip(v6.addr().to_ipv4_mapped());
    mapped
        .and_then(|(bits, v4)| Ipv4Net::new(v4, bits).ok())
        .map_or(network, IpNet::V4)
}

/// An address with or without port: `192.0.2.1`, `192.0.2.1:80`, `::1`, `[::1]`, `[::1]:80`.
fn parse_forwarded_address(entry: &str) -> Option<IpAddr> {
    let ip = entry
        .parse::<IpAddr>()
        .or_else(|_| entry.parse::<SocketAddr>().map(|address| address.ip()))
        .ok()
        .or_else(|| {
            let bare = entry.strip_prefix('[')?.strip_suffix(']')?;
            bare.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        })?;
    Some(ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    fn trusting(networks: &[&str]) -> TrustedProxies {
        TrustedProxies::new(networks.iter().map(|n| n.parse().expect(n)).collect())
    }

    #[test]
    fn a_client_is_counted_by_its_network() {
        let network = |text: &str| Client::new(ip(text), Scheme::Http).network();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }

    #[test]
    fn the_client_is_the_first_from_the_right_that_is_no_trusted_proxy() {
        let trusted = trusting(&["10.0.0.0/8", "::1/128"]);
        for (peer, chain, client) in [
            ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
            ("10.0.0.1", "1.2.3.4, 203.0.113.9", "203.0.113.9"),
            ("10.0.0.1", "1.2.3.4, 203.0.113.9, 10.9.9.9", "203.0.113.9"),
            ("10.0.0.1", "1.2.3.4:55, [2001:db8::1]:80", "2001:db8::1"),
            ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("10.0.0.1", "1.2.3.4, nonsense, 10.0.0.2", "10.0.0.2"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
            ("203.0.113.1", "1.2.3.4", "203.0.113.1"),
        ] {
            assert_eq!(
                trusted.client_behind(ip(peer), chain),
                ip(client),
                "{chain}"
            );
        }
    }

    #[test]
    fn a_mapped_address_does_not_slip_past_the_list() {
        let address = "[::ffff:10.0.0.1]:9".parse().expect("an address");
        assert!(Peer::new(address, Scheme::Http, &trusting(&["10.0.0.0/8"])).is_trusted);
        assert!(!Peer::new(address, Scheme::Http, &TrustedProxies::default()).is_trusted);
    }

    #[test]
    fn a_mapped_network_is_the_network_it_stands_for() {
        let trusted = trusting(&["::ffff:10.0.0.0/104", "::ffff:192.0.2.1/128"]);
        for (address, is_trusted) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("192.0.2.1", true),
            ("11.0.0.1", false),
            ("192.0.2.2", false),
            ("::10.1.2.3", false),
        ] {
            let address = SocketAddr::new(ip(address), 9);
            let peer = Peer::new(address, Scheme::Http, &trusted);
            assert_eq!(peer.is_trusted, is_trusted, "{address}");
        }
        assert!(trusting(&["::ffff:0:0/96"]).contains(ip("203.0.113.9")));
        // Every address of IPv6 is none of IPv4.
        assert!(!trusting(&["::/0"]).contains(ip("203.0.113.9")));
    }

    proptest! {
        #[test]
        fn whoever_trusts_nobody_believes_nothing(chain in "\\PC{0,60}") {
            let peer = ip("198.51.100.7");
            prop_assert_eq!(TrustedProxies::default().client_behind(peer, &chain), peer);
        }
    }
}
