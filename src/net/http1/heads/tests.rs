//! What is seen of requests from outside of the parser, in whatever pieces they come.

use super::*;
use proptest::{collection::vec, prelude::*};

/// The flaws of all heads in `text`, and what is expected next.
fn seen(text: &[u8]) -> (Vec<Option<Malformed>>, At) {
    seen_in([text])
}

fn seen_in<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Option<Malformed>>, At) {
    let mut heads = Heads::new();
    let mut flaws = Vec::new();
    for piece in pieces {
        heads.read(piece, |flaw| flaws.push(flaw));
    }
    (flaws, heads.at)
}

#[test]
fn requests_follow_one_another_whatever_is_in_their_bodies() {
    let text = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n\
                 POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nA: b\r\n\
                 \r\nPOST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
                 a;x=y\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\nContent-Length: 7\r\n\r\n\
                 GET / HTTP/1.0\r\n\r\n";
    assert_eq!(seen(text), (vec![None; 4], At::Between));
}

#[test]
fn a_body_that_ends_in_two_ways_is_odd_in_whatever_order_it_says_so() {
    for fields in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "transfer-encoding: chunked\r\nHost: h\r\nCONTENT-LENGTH:3\r\n",
        "Transfer-Encoding: gzip\r\nContent-Length: x\r\n",
        "Content-Length: 0\r\nTransfer-Encoding:\r\n",
    ] {
        let text = format!("POST / HTTP/1.1\r\n{fields}\r\n");
        let odd = (vec![Some(Malformed::TwoFramings)], At::Lost);
        assert_eq!(seen(text.as_bytes()), odd, "{fields}");
    }
}

#[test]
fn two_lengths_are_odd_even_when_they_agree() {
    let text = b"POST / HTTP/1.1\r\nContent-Length: 3\r\ncontent-length: 3\r\n\r\n";
    assert_eq!(seen(text).0, [Some(Malformed::SeveralLengths)]);
}

#[test]
fn a_fragment_is_odd_and_a_number_sign_elsewhere_is_not() {
    let long = "a".repeat(2 * KEPT);
    for target in ["/#", "/a#b?c", &format!("/{long}#b")] {
        let text = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        let (first, second) = text.as_bytes().split_at(text.len() / 2);
        assert_eq!(seen(text.as_bytes()).0, [Some(Malformed::Fragment)]);
        assert_eq!(seen_in([first, second]).0, [Some(Malformed::Fragment)]);
    }
    let text = b"POST /%23 HTTP/1.1\r\nX: #\r\nContent-Length: 1\r\n\r\n#GET / HTTP/1.1\r\n\r\n";
    assert_eq!(seen(text).0, [None, None]);
}

#[test]
fn a_line_that_ends_without_a_carriage_return_is_odd() {
    for text in [
        "GET / HTTP/1.1\nHost: h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n\n",
    ] {
        assert_eq!(seen(text.as_bytes()).0, [Some(Malformed::BareLineFeed)]);
    }
}

#[test]
fn names_that_only_look_alike_mean_nothing() {
    let text = b"POST / HTTP/1.1\r\nX-Content-Length: 3\r\nContent-Length-X: 4\r\n\
                 Content_Length: 5\r\nTransfer-Encodings: chunked\r\nTE: trailers\r\n\r\n";
    assert_eq!(seen(text), (vec![None], At::Between));
}

#[test]
fn a_long_line_is_not_kept() {
    let mut heads = Heads::new();
    heads.read(b"GET /", |_| {});
    for _ in 0..1000 {
        heads.read(&[b'x'; 100], |_| {});
    }
    assert!(heads.line.len() <= KEPT);
    assert!(heads.is_within());
}

#[test]
fn chunks_that_are_none_end_the_interest() {
    let head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    for chunks in ["zz\r\n", "\r\n", "-1\r\n", "fffffffffffffffff\r\n"] {
        let text = [&head[..], chunks.as_bytes()].concat();
        assert_eq!(seen(&text).1, At::Lost, "{chunks:?}");
    }
}

/// Requests as clients send them, good and odd ones.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let field = prop_oneof![
        "[A-Za-z-]{1,20}: [ -~]{0,80}",
        Just("Content-Length: 5".to_owned()),
        Just("Transfer-Encoding: chunked".to_owned()),
    ];
    (
        vec(field, 0..5),
        vec(any::<u8>(), 5),
        prop_oneof!["\r\n", "\n"],
    )
        .prop_map(|(fields, body, ending)| {
            let coded = fields.iter().any(|field| field.starts_with("Transfer-E"));
            let sized = fields.iter().any(|field| field.starts_with("Content-L"));
            let last = if fields.is_empty() { "" } else { &ending };
            let lines = fields.join(&ending) + last;
            let mut bytes = format!("POST / HTTP/1.1\r\n{lines}\r\n").into_bytes();
            if coded {
                bytes.extend(b"5\r\n");
            }
            if coded || sized {
                bytes.extend(body);
            }
            if coded {
                bytes.extend(b"\r\n0\r\n\r\n");
            }
            bytes
        })
}

proptest! {
    #[test]
    fn it_makes_no_difference_in_what_pieces_the_bytes_come(
        requests in vec(request(), 1..4),
        sizes in vec(1usize..40, 1..200),
    ) {
        let text = requests.concat();
        let mut rest = &text[..];
        let mut pieces = Vec::new();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, more) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = more;
        }
        prop_assert_eq!(seen(&text), seen_in(pieces));
    }

    #[test]
    fn requests_without_a_flaw_are_seen_whole(requests in vec(request(), 1..4)) {
        let alone: Vec<_> = requests.iter().map(|request| seen(request)).collect();
        let (flaws, at) = seen(&requests.concat());
        let until = alone.iter().position(|(_, at)| *at == At::Lost);
        let expected: Vec<_> = alone.iter().flat_map(|(flaws, _)| flaws.clone()).collect();
        let count = until.map_or(expected.len(), |odd| odd + 1);
        prop_assert_eq!(flaws, &expected[..count]);
        prop_assert_eq!(at == At::Lost, until.is_some());
    }

    #[test]
    fn no_bytes_bring_it_down(bytes in vec(any::<u8>(), 0..500)) {
        seen(&bytes);
    }
}
