//! One value of a file and where it stands, with the words for what is wrong with it; knows neither keys nor sections.

use std::{fmt, ops::Range};

use toml::{Spanned, de::DeValue};

use crate::config::{
    document::{Document, join},
    problem::Reported,
};

/// One value and where it stands. A default stands nowhere.
#[derive(Debug)]
pub struct Item<'d> {
    document: &'d Document<'d>,
    value: &'d DeValue<'d>,
    span: Option<Range<usize>>,
    path: String,
}

impl<'d> Item<'d> {
    /// The value at `path` of the file.
    pub fn at(document: &'d Document<'d>, value: &'d Spanned<DeValue<'d>>, path: String) -> Self {
        Self {
            document,
            value: value.get_ref(),
            span: Some(value.span()),
            path,
        }
    }

    /// The default of the key at `path`.
    pub const fn of_default(
        document: &'d Document<'d>,
        value: &'d DeValue<'d>,
        path: String,
    ) -> Self {
        Self {
            document,
            value,
            span: None,
            path,
        }
    }

    /// The path of its key.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where it stands.
    pub const fn span(&self) -> Option<&Range<usize>> {
        self.span.as_ref()
    }

    /// The value as TOML has it.
    pub const fn value(&self) -> &'d DeValue<'d> {
        self.value
    }

    /// The string it is; anything else is a problem.
    pub fn text(&self, expected: &str) -> Result<&'d str, Reported> {
        self.value.as_str().ok_or_else(|| self.expected(expected))
    }

    /// Its elements, if it is a list.
    pub fn elements(&self) -> Option<impl Iterator<Item = Item<'d>>> {
        let elements = self.value.as_array()?.iter().enumerate();
        Some(elements.map(|(at, value)| self.part(value, format!("{}[{at}]", self.path))))
    }

    /// Its entries, if it is a table.
    pub fn entries(&self) -> Option<impl Iterator<Item = (&'d str, Item<'d>)>> {
        let entries = self.value.as_table()?.iter();
        Some(entries.map(|(key, value)| {
            let key: &str = key.get_ref();
            (key, self.part(value, join(&self.path, key)))
        }))
    }

    /// The environment in which `{ env = "NAME" }` is looked up.
    pub fn env(&self, name: &str) -> Option<String> {
        self.document.env(name)
    }

    /// Writes down that it is of another kind than `what`. The value itself is not shown: it may
    /// be a secret in the wrong place.
    pub fn expected(&self, what: &str) -> Reported {
        let found = match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.refuse(format!("expected {what}, found {found}"), None)
    }

    /// Writes down what is wrong with it.
    pub fn refuse(&self, what: impl fmt::Display, help: Option<String>) -> Reported {
        let span = self.span.as_ref();
        self.document.report(span, self.path.clone(), what, help)
    }

    fn part(&self, value: &'d Spanned<DeValue<'d>>, path: String) -> Item<'d> {
        Item {
            document: self.document,
            value: value.get_ref(),
            // The parts of a default stand as little in the file as the default itself.
            span: self.span.as_ref().map(|_| value.span()),
            path,
        }
    }
}
