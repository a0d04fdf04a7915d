//! The sms room.
