//! The edge room.
