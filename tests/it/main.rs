//! Scenarios against a whole gateway, named as sentences.

mod stage;

mod login;
mod send_otp;
mod strangers;
mod verify_otp;
