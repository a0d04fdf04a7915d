//! The threat suite: every known way past a gate like this one, tried over real sockets from the outside.

mod brute_force;
mod desync;
mod identity;
mod paths;
mod redirects;
mod tokens;
