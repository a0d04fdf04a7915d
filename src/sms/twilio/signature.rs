//! `X-Twilio-Signature`: whether a request comes from Twilio; knows nothing of what it tells.
//!
//! <https://www.twilio.com/docs/usage/security>

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_STANDARD};

use crate::secret::Secret;

/// Fields of a form, by name and value.
pub type Fields = [(String, String)];

/// Whether `signature` is that of a form with these fields for `url`, by who knows the account's
/// auth token. The URL is the public one, to the end of its query.
pub fn is_genuine(token: &Secret, url: &str, fields: &Fields, signature: &str) -> bool {
    let Ok(signature) = BASE64_STANDARD.decode(signature) else {
        return false;
    };
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.expose());
    let fields = in_order(fields);
    spellings(url).iter().any(|url| {
        let signed = [url.as_bytes(), fields.as_bytes()].concat();
        hmac::verify(&key, &signed, &signature).is_ok()
    })
}

/// Names and values by the order of their bytes, one behind the other. What stands there twice
/// counts once, as in Twilio's own libraries.
fn in_order(fields: &Fields) -> String {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort();
    fields.dedup();
    let parts = fields
        .into_iter()
        .flat_map(|(name, value)| [name.as_str(), value]);
    parts.collect()
}

/// Twilio signs some requests with the port in the URL and some without, whatever it was given:
/// as it stands, without its port, and with the usual one.
fn spellings(url: &str) -> Vec<String> {
    let mut spellings = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else {
        return spellings;
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let usual = if scheme == "https" { "443" } else { "80" };
    let is_port = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    spellings.push(match authority.rsplit_once(':') {
        Some((host, port)) if is_port(port) => format!("{scheme}://{host}{path}"),
        Some(_) | None => format!("{scheme}://{authority}:{usual}{path}"),
    });
    spellings
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of Twilio's documentation, whose key is `12345`.
    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";

    fn fields() -> Vec<(String, String)> {
        owned(&[
            ("Digits", "1234"),
            ("CallSid", "CA1234567890ABCDE"),
            ("To", "+18005551212"),
            ("Caller", "+14158675309"),
            ("From", "+14158675309"),
        ])
    }

    fn owned(fields: &[(&str, &str)]) -> Vec<(String, String)> {
        let fields = fields.iter();
        fields
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn judge(url: &str, fields: &Fields, signature: &str) -> bool {
        is_genuine(&Secret::new(*b"12345"), url, fields, signature)
    }

    #[test]
    fn signatures_are_those_of_twilios_own_examples() {
        assert!(judge(URL, &fields(), "RSOYDt4T1cUTdK1PDd93/VVr8B8="));
        let repeated = owned(&[
            ("Sid", "CA123"),
            ("SidAccount", "AC123"),
            ("Digits", "5678"),
            ("Digits", "1234"),
            ("Digits", "1234"),
        ]);
        assert!(judge(URL, &repeated, "IK+Dwps556ElfBT0I3Rgjkr1wJU="));
    }

    #[test]
    fn the_port_may_be_in_the_url_that_was_signed_or_not() {
        let plain = URL.replace("https", "http");
        let port = |url: &str| url.replace(".com", ".com:1234");
        for (url, signature) in [
            (port(URL), "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
            (port(&plain), "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
            (URL.to_owned(), "kvajT1Ptam85bY51eRf/AJRuM3w="),
            (plain, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        ] {
            assert!(judge(&url, &fields(), signature), "{url}");
        }
    }

    #[test]
    fn a_port_is_told_from_the_rest_of_an_address() {
        for (url, other) in [
            ("https://a.example", "https://a.example:443"),
            ("https://a.example?b:1", "https://a.example:443?b:1"),
            ("http://a.example:8080/b:9", "http://a.example/b:9"),
            ("https://[2001:db8::1]/b", "https://[2001:db8::1]:443/b"),
            ("https://[2001:db8::1]:9/b", "https://[2001:db8::1]/b"),
        ] {
            assert_eq!(spellings(url), [url, other]);
        }
    }

    #[test]
    fn every_bit_of_what_is_signed_counts() {
        let signature = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        let other_key = Secret::new(*b"12346");
        assert!(!is_genuine(&other_key, URL, &fields(), signature));
        for url in [
            URL.replace("https", "http"),
            URL.replace("mycompany", "yourcompany"),
            format!("{URL}&c=3"),
            URL.replace("?foo=1&bar=2", ""),
        ] {
            assert!(!judge(&url, &fields(), signature), "{url}");
        }
        let mut more = fields();
        more.push(("More".to_owned(), String::new()));
        let mut other = fields();
        other[0].1.push('5');
        for fields in [&more, &other, &fields()[1..]] {
            assert!(!judge(URL, fields, signature), "{fields:?}");
        }
        for signature in ["", "RSOYDt4T1cUTdK1PDd93/VVr8B8", "RSOYDt4T", "é"] {
            assert!(!judge(URL, &fields(), signature), "{signature}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_genuine_by_chance_or_panics(url in "(https?://)?\\PC{0,20}", signature in "\\PC{0,40}") {
            prop_assert!(!judge(&url, &fields(), &signature));
        }
    }
}
