//! A private key that was read once and is ready to sign; knows nothing of its name or of tokens.
//!
//! The JWT library reads and checks its key anew for each signature, which for a key on P-256 takes
//! longer than signing does.

use std::sync::Arc;

use aws_lc_rs::{
    error::Unspecified,
    hmac,
    rand::SystemRandom,
    signature::{EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};

use crate::{secret::Secret, token::Algorithm};

/// A private key or a shared secret. Its `Debug` shows nothing but what is public.
#[derive(Debug, Clone)]
pub enum Signer {
    /// For HS256.
    Hmac(Arc<hmac::Key>),
    /// For ES256.
    Ec(Arc<EcdsaKeyPair>),
    /// For `EdDSA`.
    Ed(Arc<Ed25519KeyPair>),
    /// For RS256.
    Rsa(Arc<RsaKeyPair>),
}

impl Signer {
    /// A shared secret.
    pub fn hmac(secret: &Secret) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
        Self::Hmac(Arc::new(key))
    }

    /// The algorithm that the key is for.
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Hmac(_) => Algorithm::Hs256,
            Self::Ec(_) => Algorithm::Es256,
            Self::Ed(_) => Algorithm::EdDsa,
            Self::Rsa(_) => Algorithm::Rs256,
        }
    }

    /// The signature of `message`, in the form that JWS wants (RFC 7518 §3, RFC 8037 §3.1). It fails
    /// only if the operating system gives no random bits.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        Ok(match self {
            Self::Hmac(key) => hmac::sign(key, message).as_ref().to_vec(),
            Self::Ec(pair) => pair.sign(&random, message)?.as_ref().to_vec(),
            Self::Ed(pair) => pair.try_sign(message)?.as_ref().to_vec(),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                signature
            }
        })
    }
}
