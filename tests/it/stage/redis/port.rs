//! A port that no other test has, for as long as it is held. Does not know what listens there.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    process,
    sync::atomic::{AtomicU16, Ordering},
};

/// A TCP port of this machine, and the one [`Port::BUS`] above it.
///
/// What holds it is the UDP port of the same number: servers do not use that one, no two processes can
/// have it, and it is free again when its holder is gone, however that one ended.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _hold: UdpSocket,
}

impl Port {
    /// How far above its port a server of a Cluster talks to the others.
    pub const BUS: u16 = 10_000;

    /// The lowest one given out; all, and their bus ports too, lie below those that the system gives
    /// to whoever asks for any.
    const FIRST: u16 = 11_000;

    /// How many can be given out.
    const COUNT: u16 = 9_000;

    /// One that nobody has.
    pub fn free() -> Self {
        static TRIED: AtomicU16 = AtomicU16::new(0);
        // Each process begins elsewhere, so that they do not all try the same ones.
        let offset = u16::try_from(process::id() * 61 % u32::from(Self::COUNT)).expect("below");
        (0..Self::COUNT)
            .find_map(|_| {
                let tried = TRIED.fetch_add(1, Ordering::Relaxed);
                Self::hold(Self::FIRST + offset.wrapping_add(tried) % Self::COUNT)
            })
            .expect("a free port")
    }

    /// Its number.
    pub const fn number(&self) -> u16 {
        self.number
    }

    /// Where whoever listens there is found.
    pub fn address(&self) -> SocketAddr {
        at(self.number)
    }

    fn hold(number: u16) -> Option<Self> {
        let hold = UdpSocket::bind(at(number)).ok()?;
        // Held by nobody of ours, yet in use by somebody.
        for port in [number, number + Self::BUS] {
            TcpListener::bind(at(port)).ok()?;
        }
        Some(Self {
            number,
            _hold: hold,
        })
    }
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
