//! What a message says about its receiver and whoever asked for it, sealed, so that a store can keep it and nobody who reads the store learns it; knows nothing of where it is kept.
//!
//! Every letter has a key of its own, which follows from a master secret and the name of the
//! message: so the nonce of AES-256-GCM may stand still, and a sealed letter opens for that message
//! alone. All letters are equally long, whomever they are to.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::{Channel, MessageId, wording::Locale};
use crate::{
    domain::{otp::ClientKey, phone::Phone},
    secret::{Master, Masters, Purpose, SecretId},
};

/// To whom, by which way and in which language, and who asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Whom to.
    pub to: Phone,
    /// By which channel.
    pub channel: Channel,
    /// In which language.
    pub locale: Locale,
    /// Who asked: nobody else is told what has become of it.
    pub asker: ClientKey,
}

/// Why a letter stays shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unopened {
    /// It was sealed by a secret that is accepted no more.
    #[error("its master secret is not known")]
    Secret,
    /// It was changed, belongs to another message, or was never one.
    #[error("it was not sealed for this message")]
    Seal,
}

/// Characters of what is sealed: channel, number, language and asker, which cannot be so long.
const LENGTH: usize = 80;

impl Letter {
    /// Seals it for `message`, whose name was never used before. `None` only if AES-GCM could not
    /// be had.
    pub fn seal(&self, master: &Master, message: MessageId) -> Option<Vec<u8>> {
        let (channel, to) = (self.channel.as_str(), self.to.as_e164());
        let ClientKey(asker) = self.asker;
        let asker = u64::from_be_bytes(asker);
        let text = format!("{channel} {to} {} {asker:016x}", self.locale.as_str());
        let mut content = format!("{text:LENGTH$}").into_bytes();
        let seal = Seal::of(master, message)?;
        seal.key
            .seal_in_place_append_tag(Seal::nonce(), seal.about, &mut content)
            .ok()?;
        Some([master.id().as_bytes().as_slice(), &content].concat())
    }

    /// Opens what was sealed for `message` by any of `masters`.
    pub fn open(sealed: &[u8], masters: &Masters, message: MessageId) -> Result<Self, Unopened> {
        let (name, content) = sealed.split_first_chunk().ok_or(Unopened::Seal)?;
        let master = masters.find(SecretId::new(*name)).ok_or(Unopened::Secret)?;
        let seal = Seal::of(master, message).ok_or(Unopened::Seal)?;
        let mut content = content.to_vec();
        let text = seal
            .key
            .open_in_place(Seal::nonce(), seal.about, &mut content)
            .map_err(|_| Unopened::Seal)?;
        read(text).ok_or(Unopened::Seal)
    }
}

/// The key of one letter, and what is sealed in with it.
struct Seal {
    key: LessSafeKey,
    about: Aad<Vec<u8>>,
}

impl Seal {
    fn of(master: &Master, message: MessageId) -> Option<Self> {
        let name = message.to_string().into_bytes();
        let key = master.prf(Purpose::Letter, &[&name]);
        Some(Self {
            key: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).ok()?),
            about: Aad::from([master.id().as_bytes().as_slice(), &name].concat()),
        })
    }

    /// Each key seals once.
    fn nonce() -> Nonce {
        Nonce::assume_unique_for_key([0; NONCE_LEN])
    }
}

fn read(text: &[u8]) -> Option<Letter> {
    let mut parts = str::from_utf8(text).ok()?.split_ascii_whitespace();
    let (channel, to, locale) = (parts.next()?, parts.next()?, parts.next()?);
    let asker = u64::from_str_radix(parts.next()?, 16).ok()?;
    // It names its own country; the other one is asked for in vain.
    let country = "+1".parse().ok()?;
    Some(Letter {
        to: Phone::parse(to, country).ok()?,
        channel: channel.parse().ok()?,
        locale: locale.parse().ok()?,
        asker: ClientKey(asker.to_be_bytes()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{Pseudonyms, Secret};
    use proptest::{prelude::*, sample::select};

    fn masters(bytes: &[u8]) -> Masters {
        let secret = |byte| Secret::new([byte; 32]);
        let mut all = bytes.iter().map(|b| Master::new(&secret(*b)).unwrap());
        let current = all.next().unwrap();
        let names = Pseudonyms::new(&secret(9)).unwrap();
        Masters::new(current, all.collect(), names)
    }

    fn letter(to: &str, channel: Channel, locale: &str) -> Letter {
        Letter {
            to: Phone::parse(to, "+1".parse().unwrap()).unwrap(),
            channel,
            locale: locale.parse().unwrap(),
            asker: ClientKey([0xA5; 8]),
        }
    }

    fn letters() -> impl Strategy<Value = Letter> {
        let numbers = [
            "+16502530000",
            "+447400123456",
            "+390236618300",
            "+4915112345678",
        ];
        let channels = vec![Channel::Sms, Channel::WhatsApp, Channel::Voice];
        let locales = ["de", "pt-BR", "zh-Hant-TW", "es-419"];
        (
            select(numbers.to_vec()),
            select(channels),
            select(locales.to_vec()),
            any::<[u8; 8]>(),
        )
            .prop_map(|(to, channel, locale, asker)| Letter {
                asker: ClientKey(asker),
                ..letter(to, channel, locale)
            })
    }

    const ID: MessageId = MessageId::new([7; 16]);

    #[test]
    fn a_letter_does_not_show_its_receiver_sealed_or_not() {
        let letter = letter("+16502530000", Channel::Sms, "en");
        let shown = format!("{letter:?}");
        assert!(!shown.contains("6502530000"), "{shown}");
        let sealed = letter.seal(masters(&[1]).current(), ID).unwrap();
        let text = String::from_utf8_lossy(&sealed).into_owned();
        assert!(!text.contains("650") && !text.contains("sms"), "{text}");
    }

    #[test]
    fn a_letter_outlives_the_change_of_secrets_until_its_own_is_gone() {
        let letter = letter("+16502530000", Channel::Sms, "en");
        let sealed = letter.seal(masters(&[1]).current(), ID).unwrap();
        for known in [&[1, 2][..], &[2, 1]] {
            assert_eq!(
                Letter::open(&sealed, &masters(known), ID),
                Ok(letter.clone())
            );
        }
        let gone = Letter::open(&sealed, &masters(&[2]), ID);
        assert_eq!(gone, Err(Unopened::Secret));
    }

    proptest! {
        #[test]
        fn what_was_sealed_is_opened_and_all_are_equally_long(letter in letters(), id: [u8; 16]) {
            let (masters, id) = (masters(&[1]), MessageId::new(id));
            let sealed = letter.seal(masters.current(), id).unwrap();
            prop_assert_eq!(sealed.len(), 100);
            prop_assert_eq!(Letter::open(&sealed, &masters, id), Ok(letter));
        }

        #[test]
        fn no_changed_bit_and_no_other_message_opens_it(
            letter in letters(),
            byte in 0_usize..100,
            bit in 0_u8..8,
            other: [u8; 16],
        ) {
            let masters = masters(&[1, 2]);
            let sealed = letter.seal(masters.current(), ID).unwrap();
            let mut changed = sealed.clone();
            changed[byte] ^= 1 << bit;
            prop_assert!(Letter::open(&changed, &masters, ID).is_err());
            let other = MessageId::new(other);
            prop_assume!(other != ID);
            prop_assert_eq!(Letter::open(&sealed, &masters, other), Err(Unopened::Seal));
        }

        /// A store may give us anything.
        #[test]
        fn garbage_is_no_letter(bytes: Vec<u8>, known: bool) {
            let masters = masters(&[1]);
            let name = masters.current().id();
            let bytes = if known { [name.as_bytes(), &*bytes].concat() } else { bytes };
            prop_assert!(Letter::open(&bytes, &masters, ID).is_err());
        }

        /// The name of another secret in front does not make it that one's.
        #[test]
        fn a_letter_belongs_to_the_secret_it_names(letter in letters()) {
            let masters = masters(&[1, 2]);
            let [_, other] = masters.ids()[..] else { unreachable!() };
            let mut sealed = letter.seal(masters.current(), ID).unwrap();
            sealed[..4].copy_from_slice(other.as_bytes());
            prop_assert_eq!(Letter::open(&sealed, &masters, ID), Err(Unopened::Seal));
        }
    }
}
