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

    /// The first line for which `wanted` holds, now or later.
    pub async fn line(&self, wanted: impl Fn(&str) -> bool) -> String {
        let search = async {
            loop {
                let news = self.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                if let Some(line) = self.lines().into_iter().rfind(|line| wanted(line)) {
                    return line;
                }
                news.await;
            }
        };
        timeout(PATIENCE, search)
            .await
            .unwrap_or_else(|_| panic!("no such line in {:?}", self.lines()))
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

/// The six digits in a message.
pub fn code_in(message: &str) -> String {
    let text = message.split_once(": ").expect("a message").1;
    text.split(|c: char| !c.is_ascii_digit())
        .find(|digits| digits.len() == 6)
        .unwrap_or_else(|| panic!("no code in {message}"))
        .to_owned()
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
