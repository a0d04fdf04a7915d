//! The answer to what is no request: what the parser would have answered, said as all our refusals are.

use std::io;

use bytes::Bytes;
use http::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{net::socket::Socket, reject::Code};

/// What a client may still send that nobody reads any more, so that it gets to read our answer: a
/// connection that is closed on unread bytes is reset.
const IGNORED: u64 = 256 * 1024;

/// Why the parser refuses, by the status of its answer.
pub fn code_of(held_back: &[u8]) -> Code {
    match held_back.get(9..12) {
        Some(b"431" | b"414") => Code::HeadersTooLarge,
        Some(_) | None => Code::MalformedRequest,
    }
}

/// Sends `response` as the last one of a connection.
pub async fn send(
    mut socket: Socket,
    held_back: &[u8],
    response: &Response<Bytes>,
) -> io::Result<()> {
    socket.write_all(&written(held_back, response)).await?;
    socket.shutdown().await?;
    let mut rest = socket.take(IGNORED);
    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
    Ok(())
}

/// The date is the parser's.
fn written(held_back: &[u8], response: &Response<Bytes>) -> Vec<u8> {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).into_bytes();
    let date = held_back
        .split(|byte| *byte == b'\n')
        .find(|line| line.starts_with(b"date:"));
    let length = response.body().len().to_string();
    let own: [(&str, &[u8]); 2] = [
        ("connection", b"close"),
        ("content-length", length.as_bytes()),
    ];
    let theirs = response.headers().iter();
    let fields = theirs.map(|(name, value)| (name.as_str(), value.as_bytes()));
    for (name, value) in fields.chain(own) {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            head.extend(part);
        }
    }
    if let Some(date) = date {
        head.extend(date);
        head.extend(b"\n");
    }
    head.extend(b"\r\n");
    head.extend(response.body());
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reject::Reject;

    const BARE: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\
                          date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";

    #[test]
    fn the_status_tells_why() {
        assert_eq!(code_of(BARE), Code::MalformedRequest);
        assert_eq!(code_of(b"HTTP/1.1 431 "), Code::HeadersTooLarge);
        assert_eq!(code_of(b""), Code::MalformedRequest);
    }

    #[test]
    fn the_last_answer_is_whole_and_says_that_it_is_the_last() {
        let response = Reject::new(Code::MalformedRequest, "No.").into_response();
        let text = String::from_utf8(written(BARE, &response)).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let mut lines: Vec<_> = head.split("\r\n").collect();
        assert_eq!(lines.remove(0), "HTTP/1.1 400 Bad Request");
        lines.sort_unstable();
        let length = format!("content-length: {}", body.len());
        assert_eq!(
            lines,
            [
                "cache-control: no-store",
                "connection: close",
                &length,
                "content-type: application/problem+json",
                "date: Sun, 06 Nov 1994 08:49:37 GMT",
                "proxy-status: otp-gateway; error=http_request_error",
                "x-content-type-options: nosniff",
            ]
        );
        assert!(body.contains("\"code\":\"malformed_request\""));
    }
}
