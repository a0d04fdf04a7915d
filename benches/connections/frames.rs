//! HTTP/2 by hand, as much of it as a flood needs. It knows nothing of what the frames are for.

/// What begins every connection, with no settings.
pub const OPENING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Types of frames.
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
    /// One that nobody has defined.
    pub const UNKNOWN: u8 = 0xfa;
}

/// The last one of a stream, or of a header block.
pub const END_STREAM: u8 = 0x1;
pub const END_HEADERS: u8 = 0x4;

/// A frame; payloads are short.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("a short payload");
    let mut frame = vec![0];
    frame.extend(length.to_be_bytes());
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The header block of `GET /` at localhost, from HPACK's static table.
pub fn get() -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x84, 0x41, 9];
    block.extend(b"localhost");
    block
}

/// That of `POST /`.
pub fn post() -> Vec<u8> {
    let mut block = get();
    block.splice(..1, [0x83]);
    block
}

/// One more header, which no table remembers.
pub fn header(name: &str, value: &str) -> Vec<u8> {
    let mut field = vec![0];
    for text in [name, value] {
        // Below 127 a length is one byte.
        let length = u8::try_from(text.len()).ok().filter(|length| *length < 127);
        field.push(length.expect("a short text"));
        field.extend(text.as_bytes());
    }
    field
}

/// Whether the stream has ended somewhere in these frames.
pub fn has_ended(mut bytes: &[u8], stream: u32) -> bool {
    while let Some((head, rest)) = bytes.split_first_chunk::<9>() {
        let [_, high, low, kind, flags, id @ ..] = *head;
        let is_last = matches!(kind, kind::DATA | kind::HEADERS) && flags & END_STREAM != 0;
        if is_last && u32::from_be_bytes(id) == stream {
            return true;
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        bytes = rest.get(length..).unwrap_or_default();
    }
    false
}
