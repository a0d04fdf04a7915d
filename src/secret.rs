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
    /// Seals what a message says about its receiver.
    Letter,
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
    letter: hmac::Key,
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
            Self::Letter => b"otp-gateway/v1/letter",
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
            letter: mac(secret, Purpose::Letter.label()),
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
            Purpose::Letter => &self.letter,
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
mod tests;
