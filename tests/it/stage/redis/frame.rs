//! The frames of RESP, as far as it takes to see where one ends and which command it is.

/// The length of the frame that `bytes` begin with, once all of it is there.
///
/// # Panics
/// On what is no RESP.
pub fn length(bytes: &[u8]) -> Option<usize> {
    let line = line(bytes)?;
    let after = line.len() + 2;
    let (kind, rest) = line.split_first().expect("a kind");
    let count = || -> i64 {
        let text = str::from_utf8(rest).expect("a count");
        text.parse()
            .unwrap_or_else(|_| panic!("no count: {text:?}"))
    };
    match kind {
        b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => Some(after),
        b'$' | b'=' | b'!' => {
            let whole = match usize::try_from(count()) {
                Ok(count) => after + count + 2,
                // "$-1": nothing.
                Err(_) => after,
            };
            (bytes.len() >= whole).then_some(whole)
        }
        b'*' | b'~' | b'>' => members(bytes, after, count()),
        b'%' => members(bytes, after, count() * 2),
        _ => panic!("no RESP: {:?}", String::from_utf8_lossy(line)),
    }
}

/// The first word of a command, in capitals. A script whose first key is about messages is called
/// so, since those are run when the courier likes, and not when somebody asks.
pub fn command(frame: &[u8]) -> String {
    let lines: Vec<_> = frame.split(|byte| *byte == b'\n').collect();
    let line = |at: usize| String::from_utf8_lossy(lines.get(at).unwrap_or(&&b""[..]));
    let word = line(2).trim_end().to_uppercase();
    let first_key = line(8);
    if word == "EVALSHA" && first_key.trim_end().ends_with("}d") {
        return format!("{word} OF MESSAGES");
    }
    word
}

/// Whether a frame answers no command, but brings news to a subscriber.
pub fn is_push(frame: &[u8]) -> bool {
    // Before RESP3 it looks like any list.
    frame.starts_with(b">3\r\n$7\r\nmessage\r\n") || frame.starts_with(b"*3\r\n$7\r\nmessage\r\n")
}

/// A command, as clients write it.
pub fn of(command: &[&str]) -> Vec<u8> {
    let mut frame = format!("*{}\r\n", command.len()).into_bytes();
    for word in command {
        frame.extend(format!("${}\r\n", word.len()).as_bytes());
        frame.extend(word.as_bytes());
        frame.extend(b"\r\n");
    }
    frame
}

fn members(bytes: &[u8], start: usize, count: i64) -> Option<usize> {
    (0..count).try_fold(start, |at, _| Some(at + length(&bytes[at..])?))
}

/// Up to the end of the line, without it.
fn line(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some(&bytes[..end])
}
