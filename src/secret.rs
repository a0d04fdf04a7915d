//! Secrets that cannot be printed, and the keys derived from them; knows nothing of what the keys are used on.

use std::fmt;

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    error::Unspecified,
    hkdf::{HKDF_SHA256, KeyType, Salt},
    hmac,
};
use serde::{Deserialize, Serialize};

/// Bytes that never show: masked in `Debug`, no `Display`, compared in constant time.
#[derive(Clone)]
pub struct Secret(Box<[u8]>);

/// What a derived key is for. Each purpose has its own HKDF label, so that no key serves two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Turns a challenge's nonce into its code.
    OtpCode,
    /// Turns a code into the tag that the store compares.
    AnswerTag,
    /// Marks a puzzle as one of ours, for one phone and one client.
    Puzzle,
}

/// What a lasting name stands for. Each kind has its own label, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A subject, in the store.
    Account,
    /// A client's network, and whatever else is counted, in the store.
    Client,
    /// Who somebody is (`sub`), for everybody.
    Subject,
}

/// Names one secret without telling anything about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SecretId([u8; 4]);

/// One master secret and the keys derived from it: for what lives for a while, and can be made
/// again with another secret.
pub struct Master {
    id: SecretId,
    otp_code: hmac::Key,
    answer_tag: hmac::Key,
    puzzle: hmac::Key,
    refresh_token: Secret,
}

/// The names that must never change, since apps and the store know people by them. They follow
/// from one secret that stays when master secrets come and go.
#[derive(Clone)]
pub struct Pseudonyms {
    id: SecretId,
    account: hmac::Key,
    client: hmac::Key,
    subject: hmac::Key,
}

/// The master secrets, and what lasting names follow from. The first secret makes everything new,
/// all of them are accepted: so gateways that learn of a new one at different times understand
/// each other, if it stands behind the old one everywhere before it stands in front anywhere.
#[derive(Debug, PartialEq, Eq)]
pub struct Masters {
    current: Master,
    others: Vec<Master>,
    pseudonyms: Pseudonyms,
}

/// Why a secret was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret needs at least {} bytes, this one has {found}",
    Master::MIN_BYTES
)]
pub struct TooShort {
    /// How many bytes it had.
    pub found: usize,
}

impl Secret {
    /// Takes the bytes as they are.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for the one who hands them to a cryptographic function.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::OtpCode => b"otp-gateway/v1/otp-code",
            Self::AnswerTag => b"otp-gateway/v1/answer-tag",
            Self::Puzzle => b"otp-gateway/v1/puzzle",
        }
    }
}

impl Named {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Account => b"otp-gateway/v1/account-key",
            Self::Client => b"otp-gateway/v1/client-key",
            Self::Subject => b"otp-gateway/v1/subject",
        }
    }
}

impl SecretId {
    /// From its bytes, as a store keeps them.
    pub const fn new(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// Its bytes, for a store to keep.
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }

    fn of(secret: &Secret) -> Self {
        Self(derive(secret, b"otp-gateway/v1/id"))
    }
}

impl fmt::Display for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl Master {
    /// The least a master secret may hold: 256 bits.
    pub const MIN_BYTES: usize = 32;

    /// Derives all keys of one master secret (HKDF-SHA-256, RFC 5869).
    pub fn new(secret: &Secret) -> Result<Self, TooShort> {
        long_enough(secret)?;
        Ok(Self {
            id: SecretId::of(secret),
            otp_code: mac(secret, Purpose::OtpCode.label()),
            answer_tag: mac(secret, Purpose::AnswerTag.label()),
            puzzle: mac(secret, Purpose::Puzzle.label()),
            refresh_token: Secret::new(derive::<32>(secret, b"otp-gateway/v1/refresh-token")),
        })
    }

    /// The name of this secret.
    pub const fn id(&self) -> SecretId {
        self.id
    }

    /// A keyed pseudo-random function of `input` (HMAC-SHA-256) for one purpose.
    pub fn prf(&self, purpose: Purpose, input: &[&[u8]]) -> [u8; 32] {
        let key = match purpose {
            Purpose::OtpCode => &self.otp_code,
            Purpose::AnswerTag => &self.answer_tag,
            Purpose::Puzzle => &self.puzzle,
        };
        hmac_of(key, input)
    }

    /// The key that signs refresh tokens.
    pub const fn refresh_key(&self) -> &Secret {
        &self.refresh_token
    }
}

impl PartialEq for Master {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Master {}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Master")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Pseudonyms {
    /// Derives what names follow from; the secret is as long as a master secret.
    pub fn new(secret: &Secret) -> Result<Self, TooShort> {
        long_enough(secret)?;
        Ok(Self {
            id: SecretId::of(secret),
            account: mac(secret, Named::Account.label()),
            client: mac(secret, Named::Client.label()),
            subject: mac(secret, Named::Subject.label()),
        })
    }

    /// The name of this secret. Of two gateways that do not agree in it neither knows the people
    /// of the other.
    pub const fn id(&self) -> SecretId {
        self.id
    }

    /// The name of what `input` says (HMAC-SHA-256): always the same, and no way back.
    pub fn name(&self, named: Named, input: &[&[u8]]) -> [u8; 32] {
        let key = match named {
            Named::Account => &self.account,
            Named::Client => &self.client,
            Named::Subject => &self.subject,
        };
        hmac_of(key, input)
    }
}

impl PartialEq for Pseudonyms {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Pseudonyms {}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pseudonyms")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Masters {
    /// From the secret that makes everything new, those that are accepted as well, and what names
    /// follow from.
    pub const fn new(current: Master, others: Vec<Master>, pseudonyms: Pseudonyms) -> Self {
        Self {
            current,
            others,
            pseudonyms,
        }
    }

    /// One secret for everything, as most gateways begin.
    pub fn of(secret: &Secret) -> Result<Self, TooShort> {
        let (master, pseudonyms) = (Master::new(secret)?, Pseudonyms::new(secret)?);
        Ok(Self::new(master, Vec::new(), pseudonyms))
    }

    /// The same with other names.
    #[must_use]
    pub fn with(self, pseudonyms: Pseudonyms) -> Self {
        Self { pseudonyms, ..self }
    }

    /// The secret that makes everything new.
    pub const fn current(&self) -> &Master {
        &self.current
    }

    /// What lasting names follow from.
    pub const fn pseudonyms(&self) -> &Pseudonyms {
        &self.pseudonyms
    }

    /// The secret of that name, if it is still accepted.
    pub fn find(&self, id: SecretId) -> Option<&Master> {
        self.iter().find(|master| master.id == id)
    }

    /// All that are accepted, the current one first.
    pub fn iter(&self) -> impl Iterator<Item = &Master> {
        std::iter::once(&self.current).chain(&self.others)
    }

    /// The names of all that are accepted.
    pub fn ids(&self) -> Vec<SecretId> {
        self.iter().map(Master::id).collect()
    }
}

/// A key length for HKDF's output.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF with a fixed salt and one label. The two steps can only fail for outputs beyond 255 hash
/// lengths (RFC 5869 §2.3), which the callers' constant sizes exclude; the zero key that would
/// then stand is kept from ever being one by the tests below.
fn derive<const N: usize>(secret: &Secret, label: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    let filled: Result<(), Unspecified> = Salt::new(HKDF_SHA256, b"otp-gateway")
        .extract(secret.expose())
        .expand(&[label], Length(N))
        .and_then(|okm| okm.fill(&mut out));
    debug_assert!(filled.is_ok(), "HKDF output of a constant, small length");
    out
}

fn long_enough(secret: &Secret) -> Result<(), TooShort> {
    match secret.expose().len() {
        found if found < Master::MIN_BYTES => Err(TooShort { found }),
        _ => Ok(()),
    }
}

fn mac(secret: &Secret, label: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &derive::<32>(secret, label))
}

fn hmac_of(key: &hmac::Key, input: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    for part in input {
        // Each part is preceded by its length, so that ("ab", "c") and ("a", "bc") differ.
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> Secret {
        Secret::new([byte; 32])
    }

    fn masters(bytes: &[u8]) -> Masters {
        let mut all = bytes
            .iter()
            .map(|byte| Master::new(&secret(*byte)).unwrap());
        let current = all.next().unwrap();
        Masters::new(current, all.collect(), Pseudonyms::new(&secret(9)).unwrap())
    }

    #[test]
    fn a_secret_never_shows_its_bytes() {
        assert_eq!(format!("{:?}", Secret::new(*b"hunter2")), "Secret(…)");
        let shown = format!("{:?}", masters(&[1, 2]));
        assert!(!shown.contains("1, 1") && !shown.contains("Key"), "{shown}");
    }

    #[test]
    fn every_purpose_and_every_secret_has_its_own_key() {
        let mut seen = std::collections::HashSet::new();
        for secret in [secret(1), secret(2)] {
            let masters = Masters::of(&secret).unwrap();
            let master = masters.current();
            assert_ne!(master.refresh_key().expose(), &[0; 32]);
            assert!(seen.insert(master.refresh_key().expose().to_vec()));
            for purpose in [Purpose::OtpCode, Purpose::AnswerTag] {
                assert!(seen.insert(master.prf(purpose, &[b"x"]).to_vec()));
            }
            for named in [Named::Account, Named::Client, Named::Subject] {
                assert!(seen.insert(masters.pseudonyms().name(named, &[b"x"]).to_vec()));
            }
        }
    }

    /// These very bytes are in stores and in the databases of apps.
    #[test]
    fn names_are_what_they_have_always_been() {
        let pseudonyms = Pseudonyms::new(&secret(7)).unwrap();
        let begins = |named| {
            let name = pseudonyms.name(named, &[b"+14155550100"]);
            format!(
                "{:02x}{:02x}{:02x}{:02x}",
                name[0], name[1], name[2], name[3]
            )
        };
        assert_eq!(begins(Named::Account), "a2375f69");
        assert_eq!(begins(Named::Client), "d81f8bd6");
        assert_eq!(begins(Named::Subject), "1ad1507b");
    }

    #[test]
    fn master_secrets_come_and_go_without_renaming_anybody() {
        let name = |masters: &Masters| masters.pseudonyms().name(Named::Subject, &[b"x"]);
        let began = masters(&[1]);
        for later in [&[1, 2][..], &[2, 1], &[2]] {
            assert_eq!(name(&masters(later)), name(&began));
        }
        assert_ne!(name(&Masters::of(&secret(1)).unwrap()), name(&began));
    }

    #[test]
    fn the_first_secret_is_the_current_one_and_all_are_found() {
        let masters = masters(&[2, 1]);
        let [two, one] = [2, 1].map(|byte| Master::new(&secret(byte)).unwrap().id());
        assert_eq!(masters.current().id(), two);
        assert_eq!(masters.ids(), [two, one]);
        assert_eq!(masters.find(one).map(Master::id), Some(one));
        assert!(masters.find(masters.pseudonyms().id()).is_none());
    }

    #[test]
    fn parts_of_the_input_cannot_be_shifted_into_each_other() {
        let masters = masters(&[1]);
        let name = |input: &[&[u8]]| masters.pseudonyms().name(Named::Account, input);
        assert_ne!(name(&[b"ab", b"c"]), name(&[b"a", b"bc"]));
        let prf = |input: &[&[u8]]| masters.current().prf(Purpose::AnswerTag, input);
        assert_ne!(prf(&[b"ab", b"c"]), prf(&[b"a", b"bc"]));
    }

    #[test]
    fn a_name_of_a_secret_is_written_as_eight_hexadecimal_digits() {
        assert_eq!(SecretId([0, 0x1a, 0xff, 3]).to_string(), "001aff03");
    }

    #[test]
    fn a_short_master_secret_is_refused() {
        let short = Secret::new([7; 31]);
        assert_eq!(Master::new(&short).err(), Some(TooShort { found: 31 }));
        assert_eq!(Pseudonyms::new(&short).err(), Some(TooShort { found: 31 }));
    }
}
