//! Reads `application/x-www-form-urlencoded` (WHATWG URL §5.1), as forms and queries are written; knows nothing of what the fields mean.

use serde_json::{Map, Value};

/// The text cannot be read in one way only: a name twice, a broken escape, or bytes that are no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the form cannot be read")]
pub struct Unreadable;

/// The fields of a form, every value a text.
pub fn parse(text: &[u8]) -> Result<Map<String, Value>, Unreadable> {
    let mut fields = Map::new();
    for pair in text.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
        let mut halves = pair.splitn(2, |b| *b == b'=');
        let name = decode(halves.next().unwrap_or_default())?;
        let value = decode(halves.next().unwrap_or_default())?;
        if fields.insert(name, Value::String(value)).is_some() {
            return Err(Unreadable);
        }
    }
    Ok(fields)
}

fn decode(text: &[u8]) -> Result<String, Unreadable> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = rest.next().and_then(hex).ok_or(Unreadable)?;
                let low = rest.next().and_then(hex).ok_or(Unreadable)?;
                high * 16 + low
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).map_err(|_| Unreadable)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn field(text: &str, name: &str) -> Option<String> {
        let fields = parse(text.as_bytes()).ok()?;
        fields.get(name)?.as_str().map(str::to_owned)
    }

    #[test]
    fn plus_is_a_blank_and_escapes_are_undone_once() {
        let text = "a=1+2%2B3&b=%2525&&c&d=%C3%A9=";
        assert_eq!(field(text, "a").unwrap(), "1 2+3");
        assert_eq!(field(text, "b").unwrap(), "%25");
        assert_eq!(field(text, "c").unwrap(), "");
        assert_eq!(field(text, "d").unwrap(), "é=");
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for text in [
            "a=1&a=2",
            "a=1&%61=2",
            "a=%",
            "a=%4",
            "a=%+1",
            "a=%zz",
            "a=%ff",
        ] {
            assert_eq!(parse(text.as_bytes()), Err(Unreadable), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_again(value: String) {
            let escapes = value.bytes().map(|byte| format!("%{byte:02x}"));
            let written = escapes.collect::<Vec<_>>().concat();
            prop_assert_eq!(field(&format!("x=1&v={written}"), "v"), Some(value));
        }

        #[test]
        fn no_bytes_make_it_panic(text: Vec<u8>) {
            drop(parse(&text));
        }
    }
}
