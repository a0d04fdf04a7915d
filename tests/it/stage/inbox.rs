//! A place where text arrives line by line, and where a test waits for a line.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use tokio::{sync::Notify, time::timeout};

use super::PATIENCE;

/// Everything that was written so far. Clones are the same place.
#[derive(Clone, Default)]
pub struct Inbox {
    text: Arc<Mutex<String>>,
    news: Arc<Notify>,
}

impl Inbox {
    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        let text = self.text.lock().unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// The last line for which `wanted` holds, as soon as there is one.
    pub async fn line(&self, wanted: impl Fn(&str) -> bool) -> String {
        self.find(|lines| lines.into_iter().rfind(|line| wanted(line)))
            .await
    }

    /// The code in the `count`-th message to a number, as soon as it is there.
    pub async fn nth_code_for(&self, phone: &str, count: usize) -> String {
        self.find(|_| self.messages_to(phone).get(count - 1).map(|m| code_in(m)))
            .await
    }

    /// What `search` finds in the lines, now or later.
    async fn find<T>(&self, search: impl Fn(Vec<String>) -> Option<T>) -> T {
        let found = async {
            loop {
                let news = self.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                if let Some(found) = search(self.lines()) {
                    return found;
                }
                news.await;
            }
        };
        timeout(PATIENCE, found)
            .await
            .unwrap_or_else(|_| panic!("nothing such in {:?}", self.lines()))
    }

    /// All messages, as soon as there are so many.
    pub async fn messages(&self, at_least: u64) -> Vec<String> {
        self.find(|mut lines| {
            lines.retain(|line| line.contains("SMS to "));
            (lines.len() as u64 >= at_least).then_some(lines)
        })
        .await
    }

    /// The messages that went to a number.
    pub fn messages_to(&self, phone: &str) -> Vec<String> {
        let to = format!("SMS to {phone}:");
        let mut lines = self.lines();
        lines.retain(|line| line.contains(&to));
        lines
    }

    /// The code in the last message to a number, which may still be on its way.
    pub async fn code_for(&self, phone: &str) -> String {
        let to = format!("SMS to {phone}:");
        code_in(&self.line(|line| line.contains(&to)).await)
    }
}

/// The code in a message: its first word of four digits or more.
pub fn code_in(message: &str) -> String {
    let text = message.split_once(": ").expect("a message").1;
    text.split(|c: char| !c.is_ascii_digit())
        .find(|digits| digits.len() >= 4)
        .unwrap_or_else(|| panic!("no code in {message}"))
        .to_owned()
}

/// Another code, of the same length.
pub fn wrong_for(code: &str) -> String {
    let (most, last) = code.split_at(code.len() - 1);
    let last: u8 = last.parse().expect("a digit");
    format!("{most}{}", (last + 1) % 10)
}

impl Write for Inbox {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.text.lock().unwrap().push_str(&text);
        self.news.notify_waiters();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
