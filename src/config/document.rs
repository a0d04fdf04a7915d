//! A parsed file while it is being read: sections, values with their places, and every problem found on the way; knows no key.
//!
//! Reading never stops at the first problem. A read that fails writes its problem down and returns
//! [`Reported`], so that the caller reads on and gives up only when it puts its result together.
//! Every read names its key and the key's default, as TOML; this is the only place where either
//! is stated, and `keys` remembers them to tell which keys of the file nobody asked for.

use std::{
    cell::{Ref, RefCell},
    collections::BTreeMap,
    fmt,
    ops::{Range, RangeInclusive},
    sync::Arc,
};

use toml::de::{DeTable, DeValue};

use crate::config::{
    item::Item,
    problem::{Place, Position, Problem, Problems, Reported},
    unknown,
    value::{Bounded, Value},
};

/// How an environment variable is looked up.
pub type Env = fn(&str) -> Option<String>;

/// The keys that were asked for, with their defaults, under the pattern of their section:
/// `server`, `routes[]`, `upstreams.*`.
pub type Keys = BTreeMap<String, BTreeMap<&'static str, &'static str>>;

/// One file.
#[derive(Debug)]
pub struct Document<'t> {
    file: Arc<str>,
    text: &'t str,
    root: DeTable<'t>,
    env: Env,
    keys: RefCell<Keys>,
    problems: RefCell<Vec<Problem>>,
}

/// One table of the file, or the lack of it, in which case all its keys have their defaults.
#[derive(Debug, Clone)]
pub struct Section<'d> {
    document: &'d Document<'d>,
    table: Option<&'d DeTable<'d>>,
    span: Option<Range<usize>>,
    path: String,
    pattern: String,
}

impl<'t> Document<'t> {
    /// Parses `text`; `file` is what problems call it.
    pub fn parse(file: &str, text: &'t str, env: Env) -> Result<Self, Problems> {
        let file: Arc<str> = file.into();
        let (root, errors) = DeTable::parse_recoverable(text);
        let problems = errors.into_iter().map(|error| Problem {
            place: Place {
                file: Arc::clone(&file),
                position: error.span().map(|span| Position::of(span.start, text)),
            },
            key: String::new(),
            what: format!("not valid TOML: {}", error.message()),
            help: None,
        });
        match Problems::new(problems.collect()) {
            Some(problems) => Err(problems),
            None => Ok(Self {
                file,
                text,
                root: root.into_inner(),
                env,
                keys: RefCell::default(),
                problems: RefCell::default(),
            }),
        }
    }

    /// The table that holds all others.
    pub fn root(&self) -> Section<'_> {
        self.section_at(Some(&self.root), None, String::new(), String::new())
    }

    /// An environment variable, as `{ env = "NAME" }` means it.
    pub fn env(&self, name: &str) -> Option<String> {
        (self.env)(name)
    }

    /// Every key asked for so far.
    pub fn keys(&self) -> Ref<'_, Keys> {
        self.keys.borrow()
    }

    /// Ends the reading: its outcome, or every problem found, with one for each key that nobody
    /// asked for.
    pub fn finish<T>(self, outcome: Result<T, Reported>) -> Result<T, Problems> {
        for stray in unknown::keys(&self.root, &self.keys()) {
            self.report(
                Some(&stray.span),
                stray.path,
                "unknown key",
                Some(stray.help),
            );
        }
        let place = self.place(None);
        match (Problems::new(self.problems.into_inner()), outcome) {
            (Some(problems), _) => Err(problems),
            (None, Ok(outcome)) => Ok(outcome),
            (None, Err(Reported)) => Err(Problems::from(Problem {
                place,
                key: String::new(),
                what: "cannot be read, and nobody said why".to_owned(),
                help: None,
            })),
        }
    }

    fn section_at<'d>(
        &'d self,
        table: Option<&'d DeTable<'d>>,
        span: Option<Range<usize>>,
        path: String,
        pattern: String,
    ) -> Section<'d> {
        self.keys.borrow_mut().entry(pattern.clone()).or_default();
        Section {
            document: self,
            table,
            span,
            path,
            pattern,
        }
    }

    fn place(&self, span: Option<&Range<usize>>) -> Place {
        Place {
            file: Arc::clone(&self.file),
            position: span.map(|span| Position::of(span.start, self.text)),
        }
    }

    /// Writes down a problem at `span`.
    pub fn report(
        &self,
        span: Option<&Range<usize>>,
        key: String,
        what: impl fmt::Display,
        help: Option<String>,
    ) -> Reported {
        self.problems.borrow_mut().push(Problem {
            place: self.place(span),
            key,
            what: what.to_string(),
            help,
        });
        Reported
    }
}

impl<'d> Section<'d> {
    /// The value of `key`, or what the text `default` means.
    pub fn read<T: Value>(&self, key: &'static str, default: &'static str) -> Result<T, Reported> {
        self.register(key, default);
        if let Some(item) = self.item(key) {
            return T::read(&item);
        }
        let path = join(&self.path, key);
        let value = DeValue::parse(default).map_err(|error| {
            let what = format!("the built-in default is broken: {}", error.message());
            self.document.report(None, path.clone(), what, None)
        })?;
        T::read(&Item::of_default(self.document, value.get_ref(), path))
    }

    /// As [`Section::read`], for a value that makes sense only inside of `allowed`.
    pub fn read_within<T: Bounded>(
        &self,
        key: &'static str,
        default: &'static str,
        allowed: RangeInclusive<T>,
    ) -> Result<T, Reported> {
        let value: T = self.read(key, default)?;
        if allowed.contains(&value) {
            return Ok(value);
        }
        let (least, most) = (allowed.start().shown(), allowed.end().shown());
        let what = format!("must be between {least} and {most}, is {}", value.shown());
        Err(self.refuse(key, what, None))
    }

    /// The value of a key that has no default; `example` shows one that would do.
    pub fn require<T: Value>(
        &self,
        key: &'static str,
        example: &'static str,
    ) -> Result<T, Reported> {
        self.register(key, example);
        match self.item(key) {
            Some(item) => T::read(&item),
            // What stands in place of this section is no table, and that has been reported.
            None if self.table.is_none() && self.span.is_some() => Err(Reported),
            None => {
                let help = format!("for instance `{key} = {example}`");
                Err(self.refuse(key, "is missing", Some(help)))
            }
        }
    }

    /// The table `[key]`.
    pub fn section(&self, key: &'static str) -> Section<'d> {
        let path = join(&self.path, key);
        let found = self.item(key);
        let table = found.as_ref().and_then(|item| item.value().as_table());
        if let (Some(item), None) = (&found, table) {
            item.expected(&format!("a table `[{path}]`"));
        }
        let span = found.and_then(|item| item.span().cloned());
        let pattern = join(&self.pattern, key);
        self.document.section_at(table, span, path, pattern)
    }

    /// The tables `[[key]]`, in the order of the file.
    pub fn sections(&self, key: &'static str) -> Vec<Section<'d>> {
        let pattern = format!("{}[]", join(&self.pattern, key));
        // Known even when the file has none of them.
        self.document
            .keys
            .borrow_mut()
            .entry(pattern.clone())
            .or_default();
        let Some(item) = self.item(key) else {
            return Vec::new();
        };
        let expected = format!("tables `[[{}]]`", item.path());
        let Some(array) = item.value().as_array() else {
            item.expected(&expected);
            return Vec::new();
        };
        let elements = array.iter().enumerate().filter_map(|(at, element)| {
            let path = format!("{}[{at}]", item.path());
            let Some(table) = element.get_ref().as_table() else {
                Item::at(self.document, element, path).expected(&expected);
                return None;
            };
            let (span, pattern) = (Some(element.span()), pattern.clone());
            Some(self.document.section_at(Some(table), span, path, pattern))
        });
        elements.collect()
    }

    /// The tables `[key.NAME]` and their names.
    pub fn named(&self, key: &'static str) -> Vec<(&'d str, Section<'d>)> {
        let all = self.section(key);
        let pattern = join(&all.pattern, "*");
        self.document
            .keys
            .borrow_mut()
            .entry(pattern.clone())
            .or_default();
        let entries = all.table.into_iter().flatten().map(|(name, value)| {
            let name: &str = name.get_ref();
            let path = join(&all.path, name);
            let table = value.get_ref().as_table();
            if table.is_none() {
                let item = Item::at(self.document, value, path.clone());
                item.expected(&format!("a table `[{path}]`"));
            }
            let span = Some(value.span());
            (
                name,
                self.document.section_at(table, span, path, pattern.clone()),
            )
        });
        entries.collect()
    }

    /// An environment variable, for what has a place of its own there.
    pub fn env(&self, name: &str) -> Option<String> {
        self.document.env(name)
    }

    /// Whether the file says anything of `key`.
    pub fn says(&self, key: &str) -> bool {
        self.item(key).is_some()
    }

    /// Writes down what is wrong with the value of `key`, or with its absence.
    pub fn refuse(&self, key: &str, what: impl fmt::Display, help: Option<String>) -> Reported {
        self.report(self.problem(key, what, help))
    }

    /// Writes down a problem made before.
    pub fn report(&self, problem: Problem) -> Reported {
        self.document.problems.borrow_mut().push(problem);
        Reported
    }

    /// Something to say of `key`, at its place in the file.
    pub fn problem(&self, key: &str, what: impl fmt::Display, help: Option<String>) -> Problem {
        let span = self.item(key).and_then(|item| item.span().cloned());
        Problem {
            place: self.document.place(span.as_ref().or(self.span.as_ref())),
            key: join(&self.path, key),
            what: what.to_string(),
            help,
        }
    }

    fn item(&self, key: &str) -> Option<Item<'d>> {
        let value = self.table?.get(key)?;
        Some(Item::at(self.document, value, join(&self.path, key)))
    }

    fn register(&self, key: &'static str, default: &'static str) {
        let mut keys = self.document.keys.borrow_mut();
        keys.entry(self.pattern.clone())
            .or_default()
            .insert(key, default);
    }
}

/// The path of `key` below `path`.
pub fn join(path: &str, key: &str) -> String {
    if path.is_empty() || key.is_empty() {
        format!("{path}{key}")
    } else {
        format!("{path}.{key}")
    }
}
