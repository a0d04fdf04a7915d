//! Source files as the plan keeper reads them: code without words, words without code. It knows no rule.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One source file.
#[derive(Debug)]
pub struct Source {
    /// From the root of the project, with slashes.
    pub path: String,
    /// As it stands there.
    pub text: String,
    /// Without texts: their insides are blank. Comments are kept.
    pub speech: String,
    /// Without texts and comments. Lines are where they were.
    pub code: String,
    /// Where tests begin: the first line of the file when all of it is for tests.
    pub tests_from: usize,
}

/// What a character belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Code,
    Comment,
    Text,
}

impl Source {
    /// A file of that name.
    pub fn new(path: &str, text: &str) -> Self {
        let parts = parts(text);
        let only = |kept: &[Part]| -> String {
            let keep = |(c, part): (char, &Part)| match c {
                '\n' => '\n',
                c if kept.contains(part) => c,
                _ => ' ',
            };
            text.chars().zip(&parts).map(keep).collect()
        };
        let code = only(&[Part::Code]);
        let all_tests = path.starts_with("tests/") || path.starts_with("benches/");
        let tests_from = if all_tests { 1 } else { inline_tests(&code) };
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            speech: only(&[Part::Code, Part::Comment]),
            code,
            tests_from,
        }
    }

    /// The modules it stands in, from the root of the crate: `src/net/conn.rs` is `net`, `conn`.
    pub fn modules(&self) -> Vec<&str> {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let inside = inside.strip_suffix(".rs").unwrap_or(inside);
        let names = inside.split('/').filter(|name| *name != "mod");
        names.filter(|n| !matches!(*n, "lib" | "main")).collect()
    }

    /// The number of a line, from the place of one of its characters.
    pub fn line(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }

    /// The lines of code of the product, with their numbers.
    pub fn product(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self
            .code
            .lines()
            .enumerate()
            .map(|(at, line)| (at + 1, line));
        lines.take_while(|(number, _)| *number < self.tests_from)
    }

    /// The lines of code of the tests, with their numbers.
    pub fn tests(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self
            .code
            .lines()
            .enumerate()
            .map(|(at, line)| (at + 1, line));
        lines.skip_while(|(number, _)| *number < self.tests_from)
    }

    /// The modules of its own that are only for tests, kept in files of their own.
    fn test_modules(&self) -> Vec<String> {
        let name = |rest: &str| -> Option<String> {
            let rest = rest.trim_start();
            let rest = rest.strip_prefix("pub ").unwrap_or(rest);
            let (name, _) = rest.strip_prefix("mod ")?.split_once(';')?;
            let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '_');
            is_name.then(|| name.to_owned())
        };
        self.code
            .split("#[cfg(test)]")
            .skip(1)
            .filter_map(name)
            .collect()
    }
}

/// Every source file below these folders; those that only tests are made of are marked so.
pub fn read(root: &Path, folders: &[&str]) -> Vec<Source> {
    let mut files = Vec::new();
    for folder in folders {
        collect(&root.join(folder), &mut files);
    }
    files.sort();
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("a text file");
        let path = path.strip_prefix(root).expect("below the root");
        Source::new(&path.to_str().expect("UTF-8").replace('\\', "/"), &text)
    };
    let mut sources: Vec<Source> = files.iter().map(read).collect();
    mark_test_files(&mut sources);
    sources
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn mark_test_files(sources: &mut [Source]) {
    let mut for_tests = Vec::new();
    for source in &*sources {
        let mut parent: Vec<String> = source.modules().into_iter().map(str::to_owned).collect();
        for module in source.test_modules() {
            parent.push(module);
            for_tests.push(parent.clone());
            parent.pop();
        }
    }
    for source in sources.iter_mut().filter(|s| s.path.starts_with("src/")) {
        let modules: Vec<String> = source.modules().into_iter().map(str::to_owned).collect();
        if for_tests.iter().any(|module| modules.starts_with(module)) {
            source.tests_from = 1;
        }
    }
}

/// The line of the first `#[cfg(test)]` in front of a block: tests stand last in a file.
fn inline_tests(code: &str) -> usize {
    let mut lines = code.lines().zip(code.lines().skip(1)).enumerate();
    lines
        .find(|(_, (line, next))| {
            line.trim() == "#[cfg(test)]" && next.contains("mod ") && next.contains('{')
        })
        .map_or(usize::MAX, |(at, _)| at + 1)
}

/// What each character of a source file belongs to.
fn parts(text: &str) -> Vec<Part> {
    let chars: Vec<char> = text.chars().collect();
    let mut parts = Vec::with_capacity(chars.len());
    while parts.len() < chars.len() {
        let rest = &chars[parts.len()..];
        let before = parts.len().checked_sub(1).map(|at| chars[at]);
        let (part, length) = token(rest, before);
        parts.extend(std::iter::repeat_n(part, length));
    }
    parts
}

/// What comes next, and how long it is.
fn token(rest: &[char], before: Option<char>) -> (Part, usize) {
    let starts = |text: &str| {
        text.chars()
            .enumerate()
            .all(|(at, c)| rest.get(at) == Some(&c))
    };
    let until = |end: &str, from: usize| {
        let end: Vec<char> = end.chars().collect();
        let found = rest[from..].windows(end.len()).position(|w| w == end);
        found.map_or(rest.len(), |at| from + at + end.len())
    };
    if starts("//") {
        return (Part::Comment, until("\n", 0).max(1));
    }
    if starts("/*") {
        return (Part::Comment, until("*/", 2));
    }
    let in_a_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let hashes = rest.iter().skip(1).take_while(|c| **c == '#').count();
    if rest[0] == 'r' && rest.get(hashes + 1) == Some(&'"') && (!in_a_word || before == Some('b')) {
        return (
            Part::Text,
            until(&format!("\"{}", "#".repeat(hashes)), hashes + 2),
        );
    }
    if rest[0] == '"' {
        return (Part::Text, quoted(rest, '"'));
    }
    // A quote begins a character, or a lifetime when no other quote follows soon.
    let is_char = rest[0] == '\'' && (rest.get(1) == Some(&'\\') || rest.get(2) == Some(&'\''));
    if is_char {
        return (Part::Text, quoted(rest, '\''));
    }
    (Part::Code, 1)
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}
