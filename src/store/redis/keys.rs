//! How keys are named; knows not what lies under them.
//!
//! A key begins with the prefix of the installation and the tag of its group, so that all that one
//! verb touches lies on one server: `otp:{a1}s:obLD1…`. What follows are names that tell nothing to
//! those who do not have the secret they are derived with.

use std::fmt::Write;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use super::{Prefix, group::Group};
use crate::domain::{
    account::AccountKey,
    quota::{Charge, Per},
};

/// The names of all keys of one installation.
#[derive(Debug)]
pub struct Keys {
    prefix: Prefix,
    channel: String,
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

    /// The window that a charge on a send to `account` is taken from, which is in [`window_group`].
    pub fn window(&self, account: AccountKey, charge: &Charge) -> String {
        self.key(window_group(account, charge), "w:", &charge.bucket.0)
    }

    /// The revoked sessions of a group's accounts.
    pub fn revoked(&self, group: Group) -> String {
        self.key(group, "r", &[])
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

/// Where the window of a charge on a send to `account` is: beside the account if it is the phone's
/// own, so that a send that meets no other limit is one step.
pub const fn window_group(account: AccountKey, charge: &Charge) -> Group {
    match charge.per {
        Per::Phone => group_of(account),
        Per::Ip | Per::Country | Per::All => {
            let [first, ..] = charge.bucket.0;
            Group::new(first)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, num::NonZeroU32, time::Duration};

    use super::*;
    use crate::domain::quota::{Bucket, Quota};

    const ANN: AccountKey = AccountKey([0xaa; 16]);

    fn charge(per: Per) -> Charge {
        Charge {
            bucket: Bucket([0x1b; 16]),
            per,
            quota: Quota {
                max: NonZeroU32::MIN,
                window: Duration::from_secs(1),
            },
        }
    }

    #[test]
    fn a_key_names_its_group_its_kind_and_what_it_belongs_to() {
        let keys = Keys::new("shop:".parse().unwrap());
        assert_eq!(keys.code(ANN), "shop:{aa}c:qqqqqqqqqqqqqqqqqqqqqg");
        assert_eq!(keys.sessions(ANN), "shop:{aa}s:qqqqqqqqqqqqqqqqqqqqqg");
        assert_eq!(keys.revoked(group_of(ANN)), "shop:{aa}r");
        assert_eq!(keys.plate(), (Group::new(0), "shop:{00}meta".to_owned()));
        assert_eq!(keys.channel(), "shop:revoked");
    }

    #[test]
    fn only_the_windows_of_the_phone_lie_beside_the_account() {
        let keys = Keys::new(Prefix::default());
        let window = |per| keys.window(ANN, &charge(per));
        assert_eq!(window(Per::Phone), "otp:{aa}w:GxsbGxsbGxsbGxsbGxsbGw");
        for per in [Per::Ip, Per::Country, Per::All] {
            assert_eq!(window(per), "otp:{1b}w:GxsbGxsbGxsbGxsbGxsbGw");
            assert_eq!(window_group(ANN, &charge(per)), Group::new(0x1b));
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
                keys.window(account, &charge(Per::Phone)),
                keys.revoked(group),
            ] {
                assert!(key.starts_with(&format!("otp:{group}")), "{key}");
                assert!(seen.insert(key));
            }
        }
    }
}
