//! Scenarios against a whole gateway, named as sentences.

mod stage;

mod limits;
mod login;
mod logout;
mod refresh;
mod send_otp;
mod strangers;
mod verify_otp;
