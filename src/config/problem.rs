//! What is wrong with a configuration and where, as an operator reads it; knows nothing of what is configured.

use std::{fmt, sync::Arc};

/// One thing that is wrong, with all it takes to put it right. It never holds the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub place: Place,
    /// The path of the key, such as `otp.ttl`; empty when the file as a whole is meant.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub help: Option<String>,
}

/// A spot in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file's name as the operator gave it.
    pub file: Arc<str>,
    /// `None` for what is not written anywhere, such as a key that is missing.
    pub position: Option<Position>,
}

/// Line and column, both counted from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

/// Everything that is wrong with one configuration, in the order of the file; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

/// Something that works but should not go into production as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice(pub Problem);

/// Proof that a problem has been written down, so that the caller may give up on this value and go
/// on with the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported;

impl Position {
    /// Where the byte `offset` of `text` stands.
    pub fn of(offset: usize, text: &str) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }
}

impl Problems {
    /// Orders `found` by place; `None` when there is nothing wrong.
    pub fn new(mut found: Vec<Problem>) -> Option<Self> {
        found.sort_by_key(|problem| problem.place.position);
        (!found.is_empty()).then_some(Self(found))
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        match self.position {
            Some(Position { line, column }) => write!(f, ":{line}:{column}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(f, "{problem}")?;
        }
        match self.0.len() {
            1 => f.write_str("1 problem"),
            many => write!(f, "{many} problems"),
        }
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn problem(line: usize, help: Option<&str>) -> Problem {
        Problem {
            place: Place {
                file: "gateway.toml".into(),
                position: Some(Position { line, column: 7 }),
            },
            key: "otp.ttl".to_owned(),
            what: "is odd".to_owned(),
            help: help.map(str::to_owned),
        }
    }

    #[test]
    fn problems_are_printed_in_the_order_of_the_file_and_counted() {
        let problems = Problems::new(vec![problem(12, None), problem(3, Some("try \"5m\""))]);
        assert_eq!(
            problems.expect("there are some").to_string(),
            "gateway.toml:3:7: otp.ttl: is odd\n  help: try \"5m\"\n\
             gateway.toml:12:7: otp.ttl: is odd\n\
             2 problems"
        );
        assert_eq!(Problems::new(Vec::new()), None);
    }

    #[test]
    fn columns_are_counted_in_characters() {
        let at = Position::of("a = \"é\"\nb = \"éé".len(), "a = \"é\"\nb = \"éé\" # x");
        assert_eq!(at, Position { line: 2, column: 8 });
    }

    proptest! {
        #[test]
        fn every_offset_has_a_position(text in "(\\PC|\n){0,40}", offset in 0_usize..200) {
            let at = Position::of(offset, &text);
            prop_assert!(at.line >= 1 && at.line <= text.matches('\n').count() + 1);
            prop_assert!(at.column >= 1);
        }
    }
}
