//! Keeps the table of the suite: a line without its test, a test without its line, and a count that is not right are found here.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// One test, and the file it stands in.
struct Test {
    file: PathBuf,
    name: String,
}

impl Test {
    fn is_of_the_suite(&self) -> bool {
        let folder = self.file.parent();
        folder.is_some_and(|folder| folder.ends_with("threats"))
    }

    /// Whether `table` names it, or all of its file.
    fn stands_in(&self, table: &str, words: &BTreeSet<&str>) -> bool {
        let family = self.file.file_stem().and_then(|stem| stem.to_str());
        let all = format!("`{}`: all", family.unwrap_or_default());
        words.contains(&*self.name) || table.contains(&all)
    }
}

#[test]
fn the_table_names_every_test_of_the_suite_and_none_that_is_not_there() {
    let suite = read("tests/it/threats/mod.rs");
    let lines = suite.lines().filter(|line| line.starts_with("//! |"));
    let table: String = lines.collect();
    let words: BTreeSet<&str> = table
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .collect();
    let tests = tests_below(&root().join("tests/it"));

    let ours = tests.iter().filter(|test| test.is_of_the_suite());
    let missing = ours.clone().filter(|test| !test.stands_in(&table, &words));
    let missing: Vec<&str> = missing.map(|test| &*test.name).collect();
    assert!(missing.is_empty(), "not in the table: {missing:?}");

    // The name of a test is a sentence; nothing else in the table has so many words in one.
    let mut sentences = words.iter().filter(|word| word.matches('_').count() > 3);
    let known: BTreeSet<&str> = tests.iter().map(|test| &*test.name).collect();
    let unknown = sentences.find(|name| !known.contains(**name));
    assert_eq!(unknown, None, "no such test");

    let told = format!(" {} tests over real sockets", ours.count());
    assert!(read("README.md").contains(&told), "the README says{told}");
}

fn tests_below(folder: &Path) -> Vec<Test> {
    let mut tests = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let file = entry.expect("an entry").path();
        if file.is_dir() {
            tests.extend(tests_below(&file));
        } else if file.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&file).expect("text");
            let names = text.split("#[tokio::test]\nasync fn ").skip(1);
            tests.extend(
                names
                    .filter_map(|rest| rest.split('(').next())
                    .map(|name| Test {
                        file: file.clone(),
                        name: name.to_owned(),
                    }),
            );
        }
    }
    tests
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect("text")
}
