//! Keys as bytes: fresh ones, and those that a file holds. Knows nothing of where the files are.

use aws_lc_rs::{
    encoding::AsDer,
    error::Unspecified,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair},
};
use pem::{EncodeConfig, LineEnding, Pem};
use rand::{TryRng, rngs::SysRng};

use crate::{
    secret::Secret,
    token::{Algorithm, InvalidKey, Key, KeysError},
};

/// How a key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// PEM, in a file that ends in `.pem`.
    Pem,
    /// The bytes of a shared secret as they are, in a file that ends in `.key`.
    Raw,
}

/// The content of a key file.
#[derive(Debug)]
pub struct Material {
    pub form: Form,
    pub bytes: Secret,
}

impl Form {
    /// The ending of the file's name.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Pem => "pem",
            Self::Raw => "key",
        }
    }
}

impl Material {
    /// A fresh private key.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeysError> {
        let pkcs8 = match algorithm {
            Algorithm::Es256 => es256(),
            Algorithm::EdDsa => ed25519(),
            Algorithm::Rs256 => rs256(),
            Algorithm::Hs256 => return hs256(),
        };
        let pem = Pem::new("PRIVATE KEY", pkcs8.map_err(|_| KeysError::Generation)?);
        let unix = EncodeConfig::new().set_line_ending(LineEnding::LF);
        Ok(Self {
            form: Form::Pem,
            bytes: Secret::new(pem::encode_config(&pem, unix).into_bytes()),
        })
    }

    /// The key, ready for use.
    pub fn key(&self, kid: String) -> Result<Key, InvalidKey> {
        let bytes = self.bytes.expose();
        match self.form {
            Form::Pem => Key::from_pem(kid, bytes),
            Form::Raw if bytes.len() < Key::MIN_SECRET_BYTES => {
                Err(InvalidKey::TooShort(bytes.len()))
            }
            Form::Raw => Ok(Key::hmac(kid, &self.bytes)),
        }
    }
}

/// A name for a key that will never be in a file.
pub fn random_name() -> Result<String, KeysError> {
    let random = SysRng.try_next_u64().map_err(|_| KeysError::Generation)?;
    Ok(format!("{random:016x}"))
}

fn es256() -> Result<Vec<u8>, Unspecified> {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?;
    Ok(key.as_ref().to_vec())
}

/// Version 1 of PKCS#8, which leaves out the public key: the one form that all tools read.
fn ed25519() -> Result<Vec<u8>, Unspecified> {
    let key = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new())?;
    Ok(key.as_ref().to_vec())
}

fn rs256() -> Result<Vec<u8>, Unspecified> {
    let key = KeyPair::generate(KeySize::Rsa2048)?;
    Ok(key.as_der()?.as_ref().to_vec())
}

fn hs256() -> Result<Material, KeysError> {
    let mut bytes = [0; 64];
    SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(|_| KeysError::Generation)?;
    Ok(Material {
        form: Form::Raw,
        bytes: Secret::new(bytes),
    })
}
