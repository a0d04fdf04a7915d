//! Tells the frames of an HTTP/2 connection apart by their headers alone: payloads are passed over, nothing is copied (RFC 9113 §4.1).

/// The frames of one direction, as far as they have come.
#[derive(Debug)]
pub struct Frames {
    header: [u8; HEADER],
    /// Bytes of the header that are there.
    filled: usize,
    /// Bytes to pass over before the next header.
    skip: usize,
    head: Head,
}

/// Where the last request head has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// It has begun, in a frame that says that another one follows.
    Open,
    /// To its end, or to its last frame; or there is none.
    Whole,
}

/// What is to be known of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// What it is for.
    pub kind: Kind,
    /// Bytes of its payload.
    pub length: usize,
    /// Whether nothing more comes on its stream.
    pub ends_stream: bool,
}

/// What frames are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Data,
    Headers,
    Priority,
    Reset,
    Settings,
    PushPromise,
    Ping,
    GoAway,
    WindowUpdate,
    Continuation,
    /// `PRIORITY_UPDATE` and whatever else is not of RFC 9113.
    Other,
}

const HEADER: usize = 9;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

impl Frames {
    /// Those that come after `preface` bytes of something else.
    pub const fn after(preface: usize) -> Self {
        Self {
            header: [0; HEADER],
            filled: 0,
            skip: preface,
            head: Head::Whole,
        }
    }

    /// Where the last request head has come to. It is open as long as its last frame is not there.
    pub fn head(&self) -> Head {
        let in_frame = self.skip > 0 && self.is_of_head();
        if in_frame { Head::Open } else { self.head }
    }

    /// Whether the last frame is there, and nothing of the next one.
    pub const fn are_between(&self) -> bool {
        self.skip == 0 && self.filled == 0
    }

    fn is_of_head(&self) -> bool {
        let [_, _, _, kind, ..] = self.header;
        matches!(Kind::from(kind), Kind::Headers | Kind::Continuation)
    }

    /// Goes on with `bytes`; gives every frame whose header has come.
    pub fn read(&mut self, mut bytes: &[u8], mut seen: impl FnMut(Frame)) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            if self.skip > 0 {
                return;
            }
            bytes = self.fill(bytes);
            if self.filled == HEADER {
                self.filled = 0;
                seen(self.take());
            }
        }
    }

    fn fill<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let wanted = (HEADER - self.filled).min(bytes.len());
        let (piece, rest) = bytes.split_at(wanted);
        let room = self.header.iter_mut().skip(self.filled);
        room.zip(piece).for_each(|(to, from)| *to = *from);
        self.filled += wanted;
        rest
    }

    fn take(&mut self) -> Frame {
        let [high, middle, low, kind, flags, ..] = self.header;
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let kind = Kind::from(kind);
        if self.is_of_head() {
            let is_last = flags & END_HEADERS != 0;
            self.head = if is_last { Head::Whole } else { Head::Open };
        }
        self.skip = length;
        Frame {
            kind,
            length,
            ends_stream: kind == Kind::Data && flags & END_STREAM != 0,
        }
    }
}

impl From<u8> for Kind {
    fn from(number: u8) -> Self {
        match number {
            0 => Self::Data,
            1 => Self::Headers,
            2 => Self::Priority,
            3 => Self::Reset,
            4 => Self::Settings,
            5 => Self::PushPromise,
            6 => Self::Ping,
            7 => Self::GoAway,
            8 => Self::WindowUpdate,
            9 => Self::Continuation,
            10.. => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    fn written(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags, 0, 0, 0, 1]);
        frame.extend(payload);
        frame
    }

    fn seen(frames: &mut Frames, bytes: &[u8]) -> Vec<Frame> {
        let mut all = Vec::new();
        frames.read(bytes, |frame| all.push(frame));
        all
    }

    #[test]
    fn a_head_is_under_way_until_a_frame_says_that_it_has_ended() {
        let mut frames = Frames::after(0);
        for (kind, flags, head) in [
            (1, 0, Head::Open),
            (9, 0, Head::Open),
            (9, END_HEADERS, Head::Whole),
            (1, END_HEADERS | END_STREAM, Head::Whole),
            (0, END_STREAM, Head::Whole),
        ] {
            seen(&mut frames, &written(kind, flags, b"abc"));
            assert_eq!(frames.head(), head, "{kind} {flags}");
            assert!(frames.are_between());
        }
    }

    #[test]
    fn a_head_is_under_way_until_the_last_byte_of_its_frame() {
        let mut frames = Frames::after(0);
        let frame = written(1, END_HEADERS, b"abc");
        let (last, most) = frame.split_last().expect("bytes");
        seen(&mut frames, most);
        assert_eq!(frames.head(), Head::Open);
        assert!(!frames.are_between());
        seen(&mut frames, &[*last]);
        assert_eq!(frames.head(), Head::Whole);
        assert!(frames.are_between());
    }

    proptest! {
        #[test]
        fn frames_are_told_apart_in_whatever_pieces_they_come(
            sent in vec((0u8..20, any::<u8>(), vec(any::<u8>(), 0..40)), 0..20),
            preface in vec(any::<u8>(), 0..30),
            size in 1usize..50,
        ) {
            let mut text = preface.clone();
            for (kind, flags, payload) in &sent {
                text.extend(written(*kind, *flags, payload));
            }
            let mut frames = Frames::after(preface.len());
            let pieces = text.chunks(size);
            let told: Vec<_> = pieces.flat_map(|piece| seen(&mut frames, piece)).collect();
            let expected: Vec<_> = sent
                .iter()
                .map(|(kind, flags, payload)| Frame {
                    kind: Kind::from(*kind),
                    length: payload.len(),
                    ends_stream: *kind == 0 && flags & END_STREAM != 0,
                })
                .collect();
            prop_assert_eq!(told, expected);
        }
    }
}
