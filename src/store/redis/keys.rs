//! How keys are named; knows not what lies under them.
//!
//! A key begins with the prefix of the installation and the tag of its group, so that all that one
//! verb touches lies on one server: `otp:{a1}s:obLD1…`. What follows are names that tell nothing to
//! those who do not have the secret they are derived with.

use std::fmt::Write;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use super::{Prefix, group::Group};
use crate::domain::{
    account::AccountKey, delivery::OnceKey, fraud::MeterKey, otp::ChallengeId, quota::Bucket,
};

/// The names of all keys of one installation.
#[derive(Debug)]
pub struct Keys {
    prefix: Prefix,
    channel: String,
}

/// What a key was found to stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// The code of an account.
    Code(AccountKey),
    /// The sessions of an account.
    Sessions(AccountKey),
    /// The window of a bucket.
    Window(Bucket),
    /// What a place owes.
    Meter(MeterKey),
    /// What was spent of a budget.
    Purse(Bucket),
    /// A request that has led to a message.
    Once(OnceKey),
}

impl Named {
    /// Where it lies.
    pub const fn group(self) -> Group {
        let (Self::Code(AccountKey([first, ..]))
        | Self::Sessions(AccountKey([first, ..]))
        | Self::Window(Bucket([first, ..]))
        | Self::Meter(MeterKey([first, ..]))
        | Self::Purse(Bucket([first, ..]))
        | Self::Once(OnceKey([first, ..]))) = self;
        Group::new(first)
    }
}

impl Keys {
    /// Under this prefix.
    pub fn new(prefix: Prefix) -> Self {
        let channel = format!("{}revoked", prefix.as_str());
        Self { prefix, channel }
    }

    /// The code of an account.
    pub fn code(&self, account: AccountKey) -> String {
        self.key(group_of(account), "c:", &account.0)
    }

    /// The sessions of an account.
    pub fn sessions(&self, account: AccountKey) -> String {
        self.key(group_of(account), "s:", &account.0)
    }

    /// The window of a bucket.
    pub fn window(&self, bucket: Bucket) -> String {
        self.key(window_group(bucket), "w:", &bucket.0)
    }

    /// What a place owes.
    pub fn meter(&self, meter: MeterKey) -> String {
        let MeterKey([first, ..]) = meter;
        self.key(Group::new(first), "g:", &meter.0)
    }

    /// The messages to a group's accounts.
    pub fn deliveries(&self, group: Group) -> String {
        self.key(group, "d", &[])
    }

    /// When which of them is due.
    pub fn queue(&self, group: Group) -> String {
        self.key(group, "q", &[])
    }

    /// A request that has led to one.
    pub fn once(&self, OnceKey(name): OnceKey) -> String {
        let [first, ..] = name;
        self.key(Group::new(first), "o:", &name)
    }

    /// What was spent of a budget.
    pub fn purse(&self, purse: Bucket) -> String {
        self.key(window_group(purse), "b:", &purse.0)
    }

    /// The revoked sessions of a group's accounts.
    pub fn revoked(&self, group: Group) -> String {
        self.key(group, "r", &[])
    }

    /// What a key stands for, if it is one of ours.
    pub fn read(&self, key: &[u8]) -> Option<Named> {
        let rest = key.strip_prefix(self.prefix.as_str().as_bytes())?;
        let (tag, rest) = rest.split_at_checked("{00}".len())?;
        let (kind, name) = rest.split_at_checked("c:".len())?;
        let name = BASE64_URL_SAFE_NO_PAD.decode(name).ok()?.try_into().ok()?;
        let named = match kind {
            b"c:" => Named::Code(AccountKey(name)),
            b"s:" => Named::Sessions(AccountKey(name)),
            b"w:" => Named::Window(Bucket(name)),
            b"g:" => Named::Meter(MeterKey(name)),
            b"b:" => Named::Purse(Bucket(name)),
            b"o:" => Named::Once(OnceKey(name)),
            _ => return None,
        };
        let [first, ..] = name;
        (tag == Group::new(first).to_string().as_bytes()).then_some(named)
    }

    /// A glob pattern that all of them match.
    pub fn pattern(&self) -> String {
        format!("{}{{*", self.prefix.as_str())
    }

    /// What says whose keys these are, and its group.
    pub fn plate(&self) -> (Group, String) {
        let group = Group::new(0);
        (group, self.key(group, "meta", &[]))
    }

    /// Where ended sessions are told.
    pub const fn channel(&self) -> &str {
        self.channel.as_str()
    }

    /// What all of them begin with.
    pub fn prefix(&self) -> &str {
        self.prefix.as_str()
    }

    fn key(&self, group: Group, kind: &str, name: &[u8]) -> String {
        // A name has 16 bytes, which are 22 letters.
        let mut key =
            String::with_capacity(self.prefix.as_str().len() + "{00}".len() + kind.len() + 22);
        key.push_str(self.prefix.as_str());
        // Nothing can go wrong: a string takes everything.
        let _ok = write!(key, "{group}");
        key.push_str(kind);
        BASE64_URL_SAFE_NO_PAD.encode_string(name, &mut key);
        key
    }
}

/// Where everything of an account is.
pub const fn group_of(account: AccountKey) -> Group {
    let [first, ..] = account.0;
    Group::new(first)
}

/// Where the message of a challenge is.
pub const fn message_group(challenge: ChallengeId) -> Group {
    let [first, ..] = *challenge.as_bytes();
    Group::new(first)
}

/// Where the window of a bucket is. A phone's own begins as its account does ([`Bucket::beside`]), so
/// that a send that meets no other limit is one step.
pub const fn window_group(bucket: Bucket) -> Group {
    let [first, ..] = bucket.0;
    Group::new(first)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const ANN: AccountKey = AccountKey([0xaa; 16]);
    const BUCKET: Bucket = Bucket([0x1b; 16]);
    const METER: MeterKey = MeterKey([0x2c; 16]);
    const ONCE: OnceKey = OnceKey([0xaa; 16]);

    #[test]
    fn a_key_names_its_group_its_kind_and_what_it_belongs_to() {
        let keys = Keys::new("shop:".parse().unwrap());
        assert_eq!(keys.code(ANN), "shop:{aa}c:qqqqqqqqqqqqqqqqqqqqqg");
        assert_eq!(keys.sessions(ANN), "shop:{aa}s:qqqqqqqqqqqqqqqqqqqqqg");
        assert_eq!(keys.revoked(group_of(ANN)), "shop:{aa}r");
        assert_eq!(keys.deliveries(group_of(ANN)), "shop:{aa}d");
        assert_eq!(keys.queue(group_of(ANN)), "shop:{aa}q");
        assert_eq!(keys.once(ONCE), "shop:{aa}o:qqqqqqqqqqqqqqqqqqqqqg");
        assert_eq!(keys.plate(), (Group::new(0), "shop:{00}meta".to_owned()));
        assert_eq!(keys.channel(), "shop:revoked");
    }

    #[test]
    fn only_the_windows_of_the_phone_lie_beside_the_account() {
        let keys = Keys::new(Prefix::default());
        let beside = BUCKET.beside(ANN);
        assert_eq!(keys.window(beside), "otp:{aa}w:qhsbGxsbGxsbGxsbGxsbGw");
        assert_eq!(window_group(beside), group_of(ANN));
        assert_eq!(keys.window(BUCKET), "otp:{1b}w:GxsbGxsbGxsbGxsbGxsbGw");
        assert_eq!(window_group(BUCKET), Group::new(0x1b));
    }

    #[test]
    fn a_key_is_read_as_it_was_written_and_others_are_none() {
        let keys = Keys::new("shop:".parse().unwrap());
        for (key, named) in [
            (keys.code(ANN), Some(Named::Code(ANN))),
            (keys.sessions(ANN), Some(Named::Sessions(ANN))),
            (keys.window(BUCKET), Some(Named::Window(BUCKET))),
            (keys.meter(METER), Some(Named::Meter(METER))),
            (keys.purse(BUCKET), Some(Named::Purse(BUCKET))),
            (keys.once(ONCE), Some(Named::Once(ONCE))),
            (keys.revoked(group_of(ANN)), None),
            (keys.deliveries(group_of(ANN)), None),
            (keys.queue(group_of(ANN)), None),
            (keys.plate().1, None),
            ("shop:{ab}c:qqqqqqqqqqqqqqqqqqqqqg".to_owned(), None),
            ("shop:{aa}c:qqqqqqqqqqqqqqqqqqqqq".to_owned(), None),
            ("shop:{aa}x:qqqqqqqqqqqqqqqqqqqqqg".to_owned(), None),
            ("other:{aa}c:qqqqqqqqqqqqqqqqqqqqqg".to_owned(), None),
            ("shop:".to_owned(), None),
        ] {
            assert_eq!(keys.read(key.as_bytes()), named, "{key}");
        }
    }

    #[test]
    fn every_key_is_in_the_group_it_is_said_to_be_in() {
        let keys = Keys::new(Prefix::default());
        let mut seen = HashSet::new();
        for byte in 0..=u8::MAX {
            let account = AccountKey([byte; 16]);
            let group = group_of(account);
            for key in [
                keys.code(account),
                keys.sessions(account),
                keys.window(BUCKET.beside(account)),
                keys.revoked(group),
                keys.deliveries(group),
                keys.queue(group),
            ] {
                assert!(key.starts_with(&format!("otp:{group}")), "{key}");
                assert!(seen.insert(key));
            }
        }
    }
}
