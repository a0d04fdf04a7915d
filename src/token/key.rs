//! One key, prepared once for all tokens it will sign or verify; knows nothing of files or of other keys.

mod signer;

use std::{ops::RangeInclusive, sync::Arc};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, VerificationAlgorithm,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    DecodingKey, EncodingKey, crypto,
    jwk::{AlgorithmParameters, Jwk, PublicKeyUse},
};

use self::signer::Signer;
use crate::{secret::Secret, token::Algorithm};

/// A key with its name. Its algorithm is a property of the key, never of the token (RFC 8725 §3.1).
#[derive(Debug, Clone)]
pub struct Key {
    kid: String,
    algorithm: Algorithm,
    /// `None` for a public key.
    signing: Option<Signer>,
    verifying: DecodingKey,
    /// `None` for a shared secret, which must never be published.
    public: Option<Jwk>,
}

/// Why something is not a key we can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// The text is not PEM.
    #[error("is not a PEM file")]
    NotPem,
    /// PEM, but of something else, for example an encrypted key or a certificate.
    #[error("holds a `{0}`, where a PRIVATE KEY or a PUBLIC KEY is needed")]
    NotAKey(String),
    /// A key, but for none of our algorithms.
    #[error("is not a key on P-256, of Ed25519 or of RSA with 2048 to 8192 bits")]
    Unsupported,
    /// Fewer bytes than the hash has (RFC 7518 §3.2).
    #[error("holds {0} bytes, where a secret needs at least {min}", min = Key::MIN_SECRET_BYTES)]
    TooShort(usize),
}

impl Key {
    /// The least an HMAC secret may hold: 256 bits (RFC 7518 §3.2).
    pub const MIN_SECRET_BYTES: usize = 32;

    /// How many characters of base64url the modulus of an RSA key may have: 2048 to 8192 bits.
    const RSA_MODULUS: RangeInclusive<usize> = 342..=1366;

    /// A shared secret, for HS256.
    pub fn hmac(kid: String, secret: &Secret) -> Self {
        Self {
            kid,
            algorithm: Algorithm::Hs256,
            signing: Some(Signer::hmac(secret)),
            verifying: DecodingKey::from_secret(secret.expose()),
            public: None,
        }
    }

    /// A private key (PKCS#8, or SEC 1 and PKCS#1 as older tools write them) or a public one, in PEM.
    pub fn from_pem(kid: String, text: &[u8]) -> Result<Self, InvalidKey> {
        let pem = pem::parse(text).map_err(|_| InvalidKey::NotPem)?;
        let (algorithm, signing, public) = match pem.tag() {
            "PRIVATE KEY" | "EC PRIVATE KEY" | "RSA PRIVATE KEY" => private(pem.contents(), text),
            "PUBLIC KEY" | "RSA PUBLIC KEY" => public(text),
            tag => return Err(InvalidKey::NotAKey(tag.to_owned())),
        }
        .ok_or(InvalidKey::Unsupported)?;
        Self::asymmetric(kid, algorithm, signing, public).ok_or(InvalidKey::Unsupported)
    }

    fn asymmetric(
        kid: String,
        algorithm: Algorithm,
        signing: Option<Signer>,
        mut public: Jwk,
    ) -> Option<Self> {
        if let AlgorithmParameters::RSA(rsa) = &public.algorithm
            && !Self::RSA_MODULUS.contains(&rsa.n.len())
        {
            return None;
        }
        public.common.key_id = Some(kid.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Some(Self {
            kid,
            algorithm,
            signing,
            verifying: DecodingKey::from_jwk(&public).ok()?,
            public: Some(public),
        })
    }

    /// Its name, in the `kid` header.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What it signs with.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether it is more than a public key.
    pub const fn can_sign(&self) -> bool {
        self.signing.is_some()
    }

    /// What the world may know of it, if anything.
    pub const fn public(&self) -> Option<&Jwk> {
        self.public.as_ref()
    }

    /// The signature of `message` in base64url; `None` for a public key, or when the library fails.
    pub fn sign(&self, message: &str) -> Option<String> {
        let signature = self.signing.as_ref()?.sign(message.as_bytes()).ok()?;
        Some(URL_SAFE_NO_PAD.encode(signature))
    }

    /// Whether `signature`, in base64url, is one of `message`.
    pub fn verify(&self, message: &str, signature: &str) -> bool {
        crypto::verify(
            signature,
            message.as_bytes(),
            &self.verifying,
            self.algorithm.into(),
        )
        .unwrap_or(false)
    }
}

type Parts = (Algorithm, Option<Signer>, Jwk);

/// Whatever of the three kinds it is. The JWT library is given keys on curves in the one form that
/// it reads, and says what the world may know of them.
fn private(der: &[u8], text: &[u8]) -> Option<Parts> {
    let ec = || {
        let pair =
            EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der).ok()?;
        let key = EncodingKey::from_ec_der(pair.to_pkcs8v1().ok()?.as_ref());
        Some((Signer::Ec(Arc::new(pair)), key))
    };
    let ed = || {
        let pair = Ed25519KeyPair::from_pkcs8(der).ok()?;
        let key = EncodingKey::from_ed_der(pair.to_pkcs8v1().ok()?.as_ref());
        Some((Signer::Ed(Arc::new(pair)), key))
    };
    let rsa = || {
        let key = EncodingKey::from_rsa_pem(text).ok()?;
        let pair = RsaKeyPair::from_der(key.as_bytes()).ok()?;
        Some((Signer::Rsa(Arc::new(pair)), key))
    };
    let (signer, key) = ec().or_else(ed).or_else(rsa)?;
    let algorithm = signer.algorithm();
    let public = Jwk::from_encoding_key(&key, algorithm.into()).ok()?;
    Some((algorithm, Some(signer), public))
}

fn public(text: &[u8]) -> Option<Parts> {
    let ec = || {
        sound(
            DecodingKey::from_ec_pem(text).ok()?,
            &ECDSA_P256_SHA256_FIXED,
        )
    };
    let ed = || sound(DecodingKey::from_ed_pem(text).ok()?, &ED25519);
    let rsa = || {
        sound(
            DecodingKey::from_rsa_pem(text).ok()?,
            &RSA_PKCS1_2048_8192_SHA256,
        )
    };
    let (algorithm, key) = None
        .or_else(|| Some((Algorithm::Es256, ec()?)))
        .or_else(|| Some((Algorithm::EdDsa, ed()?)))
        .or_else(|| Some((Algorithm::Rs256, rsa()?)))?;
    let public = Jwk::from_decoding_key(&key, Some(algorithm.into())).ok()?;
    Some((algorithm, None, public))
}

/// The JWT library looks at a public key only when it verifies, and would call every token forged
/// if the key is on another curve, or off it.
fn sound(key: DecodingKey, algorithm: &'static dyn VerificationAlgorithm) -> Option<DecodingKey> {
    ParsedPublicKey::new(algorithm, key.try_get_as_bytes().ok()?).ok()?;
    Some(key)
}

#[cfg(test)]
pub mod tests;
