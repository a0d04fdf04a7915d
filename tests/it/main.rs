//! Scenarios against a whole gateway, named as sentences.

mod stage;

mod login;
