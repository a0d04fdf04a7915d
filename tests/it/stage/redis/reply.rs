//! What a server answers, read from its frames. Knows RESP2, which servers speak unless asked for more.

use std::io::{self, Read};

use super::frame;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Bytes(Vec<u8>),
    Number(i64),
    List(Vec<Reply>),
    Nothing,
    Error(String),
}

impl Reply {
    /// The next one that `from` says; `unread` is what came of it already, and what comes after.
    pub fn read(from: &mut impl Read, unread: &mut Vec<u8>) -> io::Result<Self> {
        let mut block = [0; 4096];
        loop {
            if let Some(length) = frame::length(unread) {
                let whole: Vec<u8> = unread.drain(..length).collect();
                return Ok(Self::of(&mut &*whole));
            }
            match from.read(&mut block)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => unread.extend(&block[..count]),
            }
        }
    }

    /// As text: of a list, a member on each line.
    pub fn text(&self) -> String {
        match self {
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Number(number) => number.to_string(),
            Self::List(members) => {
                let lines: Vec<String> = members.iter().map(Self::text).collect();
                lines.join("\n")
            }
            Self::Nothing => String::new(),
            Self::Error(error) => error.clone(),
        }
    }

    /// The members of a list.
    #[track_caller]
    pub fn members(&self) -> &[Self] {
        let Self::List(members) = self else {
            panic!("no list: {self:?}");
        };
        members
    }

    /// From a whole frame, which is taken from the front of `bytes`.
    fn of(bytes: &mut &[u8]) -> Self {
        let end = bytes.windows(2).position(|pair| pair == b"\r\n");
        let line = String::from_utf8_lossy(take(bytes, end.expect("a line"))).into_owned();
        take(bytes, 2);
        let (kind, rest) = line.split_at(1);
        let number = || rest.parse::<i64>().expect("a number");
        match kind {
            "+" => Self::Bytes(rest.as_bytes().to_vec()),
            "-" => Self::Error(rest.to_owned()),
            ":" => Self::Number(number()),
            _ if number() < 0 => Self::Nothing,
            "$" => {
                let count = usize::try_from(number()).expect("a length");
                let text = take(bytes, count).to_vec();
                take(bytes, 2);
                Self::Bytes(text)
            }
            "*" => Self::List((0..number()).map(|_| Self::of(bytes)).collect()),
            _ => panic!("not of RESP2: {line}"),
        }
    }
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(count);
    *bytes = rest;
    taken
}
