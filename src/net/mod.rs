//! Bytes to requests and back: the only room that opens HTTP sockets.

pub mod peer;
