//! Which rooms a source file reaches for: `crate::room`, also inside of braces, and `super::` beyond its own.

use super::source::Source;

/// One reach into another room.
#[derive(Debug, PartialEq, Eq)]
pub struct Reach {
    /// Where.
    pub line: usize,
    /// Which room, or `super` for one that leaves its own without saying where to.
    pub room: String,
}

/// Everything a file reaches for, in code and in the links of its comments.
pub fn reaches(source: &Source) -> Vec<Reach> {
    let mut reaches = Vec::new();
    for (at, _) in source.speech.match_indices("crate::") {
        let rest = &source.speech[at + "crate::".len()..];
        let rooms = if let Some(list) = rest.strip_prefix('{') {
            heads(list)
        } else {
            vec![head(rest)]
        };
        let room = |room: String| Reach {
            line: source.line(at),
            room,
        };
        reaches.extend(rooms.into_iter().map(room));
    }
    reaches.extend(leaving_upwards(source));
    reaches
}

/// The first names of a list in braces, which may hold lists itself.
fn heads(list: &str) -> Vec<String> {
    let mut depth = 0;
    let mut item = String::new();
    let mut found = Vec::new();
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => found.push(head(&std::mem::take(&mut item))),
            c if depth == 0 => item.push(c),
            _ => {}
        }
    }
    found.push(head(&item));
    found.retain(|name| !name.is_empty());
    found
}

fn head(path: &str) -> String {
    let is_name = |c: &char| c.is_alphanumeric() || *c == '_';
    path.trim_start().chars().take_while(is_name).collect()
}

/// As many `super::` as modules, or more, lead to the root of the crate. A module of tests inside
/// of the file is one deeper.
fn leaving_upwards(source: &Source) -> Vec<Reach> {
    let depth = source.modules().len();
    let is_inline = source.tests_from > 1;
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = source.code[from..].find("super::").map(|at| from + at) {
        let mut rest = &source.code[at..];
        let mut steps = 0;
        while let Some(next) = rest.strip_prefix("super::") {
            steps += 1;
            let listed = next.strip_prefix('{').map(str::trim_start);
            rest = listed.filter(|l| l.starts_with("super::")).unwrap_or(next);
        }
        let line = source.line(at);
        let deeper = usize::from(is_inline && line >= source.tests_from);
        if steps >= depth + deeper {
            let room = "super".to_owned();
            found.push(Reach { line, room });
        }
        from = source.code.len() - rest.len();
    }
    found
}
