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
    /// Turns a subject into the key under which the store knows it.
    AccountKey,
    /// Turns a client address into the key under which the store counts it.
    ClientKey,
    /// Turns a phone number into the `sub` claim.
    Subject,
    /// Signs refresh tokens.
    RefreshToken,
}

/// Names one master secret without telling anything about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SecretId([u8; 4]);

/// One master secret and the keys derived from it.
pub struct Master {
    id: SecretId,
    otp_code: hmac::Key,
    answer_tag: hmac::Key,
    account_key: hmac::Key,
    client_key: hmac::Key,
    subject: hmac::Key,
    refresh_token: Secret,
}

/// The master secrets, newest first, never none.
#[derive(Debug)]
pub struct Masters {
    newest: Master,
    older: Vec<Master>,
}

/// Why a master secret was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a master secret needs at least {} bytes, this one has {found}",
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
            Self::AccountKey => b"otp-gateway/v1/account-key",
            Self::ClientKey => b"otp-gateway/v1/client-key",
            Self::Subject => b"otp-gateway/v1/subject",
            Self::RefreshToken => b"otp-gateway/v1/refresh-token",
        }
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
        let found = secret.expose().len();
        if found < Self::MIN_BYTES {
            return Err(TooShort { found });
        }
        let mac = |purpose: Purpose| {
            hmac::Key::new(hmac::HMAC_SHA256, &derive::<32>(secret, purpose.label()))
        };
        Ok(Self {
            id: SecretId(derive(secret, b"otp-gateway/v1/id")),
            otp_code: mac(Purpose::OtpCode),
            answer_tag: mac(Purpose::AnswerTag),
            account_key: mac(Purpose::AccountKey),
            client_key: mac(Purpose::ClientKey),
            subject: mac(Purpose::Subject),
            refresh_token: Secret::new(derive::<32>(secret, Purpose::RefreshToken.label())),
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
            Purpose::AccountKey => &self.account_key,
            Purpose::ClientKey => &self.client_key,
            Purpose::Subject => &self.subject,
            Purpose::RefreshToken => {
                return hmac_of(
                    &hmac::Key::new(hmac::HMAC_SHA256, self.refresh_token.expose()),
                    input,
                );
            }
        };
        hmac_of(key, input)
    }

    /// The key that signs refresh tokens.
    pub const fn refresh_key(&self) -> &Secret {
        &self.refresh_token
    }
}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Master")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Masters {
    /// From the newest secret and those it replaced.
    pub const fn new(newest: Master, older: Vec<Master>) -> Self {
        Self { newest, older }
    }

    /// The secret that makes everything new.
    pub const fn newest(&self) -> &Master {
        &self.newest
    }

    /// The secret that names lasting things (subjects, phone keys), so that adding a newer one renames nobody.
    pub fn oldest(&self) -> &Master {
        self.older.last().unwrap_or(&self.newest)
    }

    /// The secret of that name, if it is still among them.
    pub fn find(&self, id: SecretId) -> Option<&Master> {
        self.iter().find(|master| master.id == id)
    }

    /// All of them, newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Master> {
        std::iter::once(&self.newest).chain(&self.older)
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

    fn master(byte: u8) -> Master {
        Master::new(&Secret::new([byte; 32])).expect("32 bytes are enough")
    }

    #[test]
    fn a_secret_never_shows_its_bytes() {
        assert_eq!(format!("{:?}", Secret::new(*b"hunter2")), "Secret(…)");
        let shown = format!("{:?}", Masters::new(master(1), vec![master(2)]));
        assert!(!shown.contains("1, 1") && !shown.contains("Key"), "{shown}");
    }

    #[test]
    fn every_purpose_and_every_secret_has_its_own_key() {
        let purposes = [
            Purpose::OtpCode,
            Purpose::AnswerTag,
            Purpose::AccountKey,
            Purpose::ClientKey,
            Purpose::Subject,
            Purpose::RefreshToken,
        ];
        let mut seen = std::collections::HashSet::new();
        for master in [master(1), master(2)] {
            assert_ne!(master.refresh_key().expose(), &[0; 32]);
            assert!(seen.insert(master.refresh_key().expose().to_vec()));
            for purpose in purposes {
                assert!(seen.insert(master.prf(purpose, &[b"x"]).to_vec()));
            }
        }
    }

    #[test]
    fn parts_of_the_input_cannot_be_shifted_into_each_other() {
        let m = master(1);
        assert_ne!(
            m.prf(Purpose::AccountKey, &[b"ab", b"c"]),
            m.prf(Purpose::AccountKey, &[b"a", b"bc"])
        );
    }

    #[test]
    fn a_name_of_a_secret_is_written_as_eight_hexadecimal_digits() {
        assert_eq!(SecretId([0, 0x1a, 0xff, 3]).to_string(), "001aff03");
    }

    #[test]
    fn a_short_master_secret_is_refused() {
        assert_eq!(
            Master::new(&Secret::new([7; 31])).err(),
            Some(TooShort { found: 31 })
        );
    }
}
