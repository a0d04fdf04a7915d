//! Keys against the examples of the standards, and things that look like keys.

use aws_lc_rs::{rand::SystemRandom, signature::Ed25519KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::*;

/// The payload of all examples in RFC 7515, appendix A.
const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

/// RFC 7515 §A.3, as three tools would write it.
pub const EC_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff
H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp
7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt
-----END PRIVATE KEY-----
";
pub const EC_SEC1: &str = "-----BEGIN EC PRIVATE KEY-----
MHcCAQEEII6bEJ5xkJi/mASH3x9dd+nLKWBuvtImO19XwhPfhPSyoAoGCCqGSM49
AwEHoUQDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEXH8UTNG72b
focs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==
-----END EC PRIVATE KEY-----
";
pub const EC_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7
6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==
-----END PUBLIC KEY-----
";
const EC_SIGNATURE: &str =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

/// RFC 8037 §A.1 and §A.4.
const ED_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
";
const ED_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
";
const ED_SIGNATURE: &str =
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

/// RFC 7515 §A.2.
const RSA_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJj
NiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz
P1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo
9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB
EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX
FvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp
oQIDAQAB
-----END PUBLIC KEY-----
";
const RSA_PKCS1_PUBLIC: &str = "-----BEGIN RSA PUBLIC KEY-----
MIIBCgKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0l8W2
6mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMs
D1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5
z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxv
b3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8q2et
hFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQAB
-----END RSA PUBLIC KEY-----
";
const RSA_SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

const P384_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE+FwMunL47t44mY+zHTWE1x0D1z69YMGF
0wPRtomakMvLYzt/NW4XvhFNgoidi7tl0vS1cwR2DfsfNbf1Bsymqa62s6C9GCBe
pRD6ltjVo4EDAvjYhwL+kBN6qxuagT21
-----END PUBLIC KEY-----
";
const P384_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDAY1f5AjqDY7TPvyQsj
5Brp4R8Q8twkWNfOW6SpQAY7oSFYVIYmoliJLyw1YhHSgyahZANiAAT4XAy6cvju
3jiZj7MdNYTXHQPXPr1gwYXTA9G2iZqQy8tjO381bhe+EU2CiJ2Lu2XS9LVzBHYN
+x81t/UGzKaprrazoL0YIF6lEPqW2NWjgQMC+NiHAv6QE3qrG5qBPbU=
-----END PRIVATE KEY-----
";
const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDPirpaBJUjseNVWMgQLCVKRoMx
FWg0LucQJTw3T6NqoJvyVK3HvLq29DulRCV7+DlDIuO7F2mBSGvteER3u6w272ot
V/rbAddO/WXPy1UwEKrNGuXKiWRLKzm7uqbB7thYEh+9YKt+STOAuZvRzWWiCRMj
LeHmkx6HvN1SmoVWKQIDAQAB
-----END PUBLIC KEY-----
";

fn key(pem: &str) -> Result<Key, InvalidKey> {
    Key::from_pem("k".to_owned(), pem.as_bytes())
}

#[test]
fn signatures_of_the_standards_are_verified() {
    let rs256 = format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}");
    let es256 = format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}");
    let eddsa = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".to_owned();
    for (pem, algorithm, message, signature) in [
        (RSA_PUBLIC, Algorithm::Rs256, &rs256, RSA_SIGNATURE),
        (RSA_PKCS1_PUBLIC, Algorithm::Rs256, &rs256, RSA_SIGNATURE),
        (EC_PUBLIC, Algorithm::Es256, &es256, EC_SIGNATURE),
        (EC_PRIVATE, Algorithm::Es256, &es256, EC_SIGNATURE),
        (EC_SEC1, Algorithm::Es256, &es256, EC_SIGNATURE),
        (ED_PUBLIC, Algorithm::EdDsa, &eddsa, ED_SIGNATURE),
        (ED_PRIVATE, Algorithm::EdDsa, &eddsa, ED_SIGNATURE),
    ] {
        let key = key(pem).expect(pem);
        assert_eq!(key.algorithm(), algorithm);
        assert!(key.verify(message, signature), "{pem}");
        assert!(!key.verify(&message[1..], signature), "{pem}");
        assert_eq!(key.can_sign(), pem.contains("PRIVATE"));
    }
}

#[test]
fn the_hmac_of_the_standard_is_made_and_verified() {
    let secret = URL_SAFE_NO_PAD
        .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
        .expect("base64");
    let key = Key::hmac("k".to_owned(), &Secret::new(secret));
    let message = format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{PAYLOAD}");
    let signature = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    assert_eq!(key.sign(&message).as_deref(), Some(signature));
    assert!(key.verify(&message, signature));
}

#[test]
fn ed25519_signs_as_the_standard_does() {
    let message = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let key = key(ED_PRIVATE).expect("a key");
    assert_eq!(key.sign(message).as_deref(), Some(ED_SIGNATURE));
}

#[test]
fn what_is_published_is_the_public_half_and_nothing_else() {
    let published = |pem| serde_json::to_value(key(pem).expect(pem).public()).expect("JSON");
    let point = json!({
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "k",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    for pem in [EC_PRIVATE, EC_SEC1, EC_PUBLIC] {
        assert_eq!(published(pem), point);
    }
    let ed25519 = json!({
        "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "k",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    for pem in [ED_PRIVATE, ED_PUBLIC] {
        assert_eq!(published(pem), ed25519);
    }
    let rsa = published(RSA_PUBLIC);
    assert_eq!(published(RSA_PKCS1_PUBLIC), rsa);
    assert_eq!((&rsa["kty"], &rsa["e"]), (&json!("RSA"), &json!("AQAB")));
    assert_eq!(rsa.as_object().map(serde_json::Map::len), Some(6));
    assert!(
        Key::hmac("k".to_owned(), &Secret::new([1; 32]))
            .public()
            .is_none()
    );
}

#[test]
fn what_is_no_key_of_ours_is_refused_with_a_reason() {
    let certificate = EC_PUBLIC.replace("PUBLIC KEY", "CERTIFICATE");
    let encrypted = EC_PRIVATE.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let mislabelled = EC_PUBLIC.replace("PUBLIC", "PRIVATE");
    let off_the_curve = EC_PUBLIC.replace("f83O", "f83P");
    for (pem, reason) in [
        ("", InvalidKey::NotPem),
        ("a secret", InvalidKey::NotPem),
        (&EC_PRIVATE[..100], InvalidKey::NotPem),
        (&*certificate, InvalidKey::NotAKey("CERTIFICATE".to_owned())),
        (
            &*encrypted,
            InvalidKey::NotAKey("ENCRYPTED PRIVATE KEY".to_owned()),
        ),
        (&*mislabelled, InvalidKey::Unsupported),
        (&*off_the_curve, InvalidKey::Unsupported),
        (P384_PUBLIC, InvalidKey::Unsupported),
        (P384_PRIVATE, InvalidKey::Unsupported),
        (RSA_1024, InvalidKey::Unsupported),
    ] {
        assert_eq!(key(pem).err(), Some(reason), "{pem}");
    }
}

#[test]
fn an_ed25519_key_that_brings_its_public_half_along_is_read_too() {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    let pem = pem::encode(&pem::Pem::new("PRIVATE KEY", document.as_ref()));
    let key = key(&pem).expect("a key");
    let signature = key.sign("message").expect("signed");
    assert!(key.verify("message", &signature));
}

#[test]
fn a_key_never_shows_its_secret() {
    let hmac = Key::hmac(
        "k".to_owned(),
        &Secret::new(*b"this is the secret of this test!"),
    );
    let shown = format!("{hmac:?} {:?}", key(EC_PRIVATE).expect("a key"));
    assert!(!shown.contains("secret of this"), "{shown}");
    assert!(!shown.contains("116, 104, 105, 115"), "{shown}");
    assert!(!shown.contains("142, 155, 16"), "{shown}");
}
