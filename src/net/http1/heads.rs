//! Follows the requests of an HTTP/1 connection from outside of the parser, to see what it does not tell: where heads begin and end, and what is odd about them.
//!
//! It refuses nothing and parses nothing that anybody relies on: where it loses its way, it looks away.

use memchr::memchr;

use crate::net::malformed::Malformed;

/// The requests of one connection, as far as they have come.
#[derive(Debug)]
pub struct Heads {
    at: At,
    /// The beginning of a line that has not ended yet.
    line: Vec<u8>,
    /// Of that line: whether the last byte was a CR.
    cr: bool,
    head: Head,
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// To the next request, if there is one.
    Between,
    /// To a request line.
    Target,
    /// To a header field.
    Fields,
    /// To a body that has so many bytes left.
    Body(u64),
    /// To the line that begins a chunk.
    Size,
    /// To a chunk that has so many bytes left, the end of its last line included.
    Chunk(u64),
    /// To what comes after the chunks.
    Trailers,
    /// To something that is none of our business any more.
    Lost,
}

/// What was seen of a head.
#[derive(Debug, Clone, Copy, Default)]
struct Head {
    lengths: u32,
    length: u64,
    is_coded: bool,
    has_bare_lf: bool,
    has_fragment: bool,
}

/// What is kept of a line: more than the longest name we look for and a number.
const KEPT: usize = 64;

impl Heads {
    /// Those of a connection on which nothing has come yet.
    pub const fn new() -> Self {
        Self {
            at: At::Between,
            line: Vec::new(),
            cr: false,
            head: Head {
                lengths: 0,
                length: 0,
                is_coded: false,
                has_bare_lf: false,
                has_fragment: false,
            },
        }
    }

    /// Whether all requests that have begun have come to their end.
    pub fn are_whole(&self) -> bool {
        self.at == At::Between
    }

    /// Whether a head has begun and not come to its end.
    pub const fn is_within(&self) -> bool {
        matches!(self.at, At::Target | At::Fields)
    }

    /// Goes on with `bytes`; calls `ended` at the end of every head, with the flaw it has.
    pub fn read(&mut self, mut bytes: &[u8], mut ended: impl FnMut(Option<Malformed>)) {
        while !bytes.is_empty() {
            bytes = match self.at {
                At::Lost => return,
                At::Between => self.begin(bytes),
                At::Body(left) => {
                    let (rest, left) = skip(bytes, left);
                    self.at = if left == 0 {
                        At::Between
                    } else {
                        At::Body(left)
                    };
                    rest
                }
                At::Chunk(left) => {
                    let (rest, left) = skip(bytes, left);
                    self.at = if left == 0 { At::Size } else { At::Chunk(left) };
                    rest
                }
                At::Target | At::Fields | At::Size | At::Trailers => {
                    self.read_line(bytes, &mut ended)
                }
            };
        }
    }

    /// Empty lines before a request are passed over (RFC 9112 §2.2).
    fn begin<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let first = bytes.iter().position(|byte| !b"\r\n".contains(byte));
        if first.is_some() {
            self.head = Head::default();
            self.at = At::Target;
        }
        first.and_then(|at| bytes.get(at..)).unwrap_or_default()
    }

    /// Takes the rest of a line, or all there is of it.
    fn read_line<'a>(
        &mut self,
        bytes: &'a [u8],
        ended: &mut impl FnMut(Option<Malformed>),
    ) -> &'a [u8] {
        let line = memchr(b'\n', bytes).and_then(|at| bytes.split_at_checked(at));
        if self.at == At::Target {
            let (piece, _) = line.unwrap_or((bytes, &[]));
            self.head.has_fragment |= memchr(b'#', piece).is_some();
        }
        let Some((piece, rest)) = line else {
            self.keep(bytes);
            return &[];
        };
        if self.line.is_empty() {
            let (line, ending) = match piece.strip_suffix(b"\r") {
                Some(line) => (line, Ending::CrLf),
                None => (piece, Ending::Lf),
            };
            self.end_line(line, ending, ended);
        } else {
            self.keep(piece);
            let kept = std::mem::take(&mut self.line);
            let line = kept.strip_suffix(b"\r").unwrap_or(&kept);
            let ending = if self.cr { Ending::CrLf } else { Ending::Lf };
            self.end_line(line, ending, ended);
        }
        rest.get(1..).unwrap_or_default()
    }

    fn keep(&mut self, piece: &[u8]) {
        if let Some(last) = piece.last() {
            self.cr = *last == b'\r';
        }
        let room = KEPT.saturating_sub(self.line.len());
        self.line.extend(piece.iter().take(room));
    }

    fn end_line(&mut self, line: &[u8], ending: Ending, ended: &mut impl FnMut(Option<Malformed>)) {
        match self.at {
            At::Target | At::Fields => {
                self.head.has_bare_lf |= ending == Ending::Lf;
                if self.at == At::Target {
                    self.at = At::Fields;
                } else if line.is_empty() {
                    let flaw = self.head.flaw();
                    self.at = match flaw {
                        Some(_) => At::Lost,
                        None => self.head.body(),
                    };
                    ended(flaw);
                } else {
                    self.head.field(line);
                }
            }
            At::Size => {
                self.at = match chunk_size(line) {
                    Some(0) => At::Trailers,
                    Some(size) => At::Chunk(size.saturating_add(2)),
                    None => At::Lost,
                }
            }
            At::Trailers if line.is_empty() => self.at = At::Between,
            At::Trailers | At::Between | At::Body(_) | At::Chunk(_) | At::Lost => {}
        }
    }
}

/// How a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    CrLf,
    Lf,
}

impl Head {
    fn field(&mut self, line: &[u8]) {
        if value_of(line, b"content-length").is_some_and(|value| {
            self.length = decimal(value).unwrap_or_default();
            true
        }) {
            self.lengths += 1;
        } else if value_of(line, b"transfer-encoding").is_some() {
            self.is_coded = true;
        }
    }

    const fn flaw(&self) -> Option<Malformed> {
        // The parser drops it without a word, and with it whatever another reader sees behind it.
        if self.has_fragment {
            Some(Malformed::Fragment)
        } else if self.is_coded && self.lengths > 0 {
            Some(Malformed::TwoFramings)
        } else if self.lengths > 1 {
            Some(Malformed::SeveralLengths)
        } else if self.has_bare_lf {
            Some(Malformed::BareLineFeed)
        } else {
            None
        }
    }

    const fn body(&self) -> At {
        match self.length {
            _ if self.is_coded => At::Size,
            0 => At::Between,
            length => At::Body(length),
        }
    }
}

/// The value of a header field, if this is its name.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, value) = line.split_at_checked(name.len())?;
    let value = value.strip_prefix(b":")?;
    found.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn decimal(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The size that a chunk begins with; what follows it on its line is passed over.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let end = line
        .iter()
        .position(|byte| !byte.is_ascii_hexdigit())
        .unwrap_or(line.len());
    let digits = std::str::from_utf8(line.get(..end)?).ok()?;
    u64::from_str_radix(digits, 16).ok()
}

/// What comes after `count` bytes, and how many of them are still to come.
fn skip(bytes: &[u8], count: u64) -> (&[u8], u64) {
    let here = usize::try_from(count).map_or(bytes.len(), |count| count.min(bytes.len()));
    let rest = bytes.get(here..).unwrap_or_default();
    (rest, count.saturating_sub(here as u64))
}

#[cfg(test)]
mod tests;
