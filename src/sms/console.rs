//! The provider for development: prints each message where the developer looks; reaches nobody's phone.
//!
//! A terminal that nobody reads blocks whoever writes to it. So one thread writes, and the others
//! wait for it, but not for ever: what it has not printed by then, it still may.

use std::{
    fmt,
    io::{self, Write},
    thread,
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    Accepted, Channel, Message,
    error::{Cause, Class, Error},
};

/// Prints messages, one line each.
pub struct Console {
    lines: mpsc::Sender<Line>,
    patience: Duration,
}

/// What is to be printed, and who wants to know that it was.
struct Line {
    text: String,
    printed: oneshot::Sender<io::Result<()>>,
}

/// For how long a line may wait to be printed.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a message takes at most: it waits for a place, and to be printed.
pub const LONGEST: Duration = Duration::from_secs(10);

/// Lines that wait inside; more of them wait outside.
const WAITING: usize = 16;

impl Console {
    /// Prints to `out`. A write may block until somebody reads it, as writes to terminals do.
    pub fn new(out: Box<dyn Write + Send>) -> Self {
        Self::with_patience(out, PATIENCE)
    }

    fn with_patience(out: Box<dyn Write + Send>, patience: Duration) -> Self {
        let (lines, waiting) = mpsc::channel(WAITING);
        // Where no thread can be had, the queue is closed, and every message is refused. The
        // thread ends with the last sender, or with the process when it is blocked then.
        let _thread = thread::Builder::new()
            .name("console".to_owned())
            .spawn(move || print(waiting, out));
        Self { lines, patience }
    }

    /// Prints the one place where number and code are meant to be seen: the stand-in for the phone.
    pub(super) async fn send(&self, message: &Message) -> Result<Accepted, Error> {
        let (printed, outcome) = oneshot::channel();
        let text = line(message);
        let failed = |class, why: &str| Error::new(class, Cause::Console(why.to_owned()));
        let gone = || failed(Class::Down, "it is closed");
        match timeout(self.patience, self.lines.send(Line { text, printed })).await {
            Ok(Ok(())) => {}
            Ok(Err(_closed)) => return Err(gone()),
            Err(_elapsed) => return Err(failed(Class::Down, "nobody reads it")),
        }
        match timeout(self.patience, outcome).await {
            Ok(Ok(Ok(()))) => Ok(Accepted {
                provider: "console",
                reference: None,
                status: None,
            }),
            Ok(Ok(Err(error))) => Err(failed(Class::Down, &error.to_string())),
            Ok(Err(_gone)) => Err(gone()),
            Err(_elapsed) => Err(failed(Class::Unknown, "nobody reads it")),
        }
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").finish_non_exhaustive()
    }
}

fn line(message: &Message) -> String {
    let text = message.text.replace(['\r', '\n'], " ");
    let kind = match message.channel {
        Channel::Sms => "SMS",
        Channel::WhatsApp => "WhatsApp",
        Channel::Voice => "Call",
    };
    format!("{kind} to {}: {text}\n", message.to.as_e164())
}

/// Each line in one write, so that lines of the log never fall between.
fn print(mut lines: mpsc::Receiver<Line>, mut out: Box<dyn Write + Send>) {
    while let Some(Line { text, printed }) = lines.blocking_recv() {
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        // Whoever sent it may have gone.
        drop(printed.send(written));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc as std_mpsc;

    use super::*;
    use crate::sms::message::tests::message;

    /// Blocks every write until it is let go on; tells what was written.
    struct Stuck {
        go_on: std_mpsc::Receiver<()>,
        written: mpsc::UnboundedSender<String>,
    }

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.go_on.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
            let text = String::from_utf8_lossy(bytes).into_owned();
            self.written
                .send(text)
                .map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_console_that_nobody_reads_holds_up_nobody_for_ever_and_loses_nothing() {
        let (go_on, gate) = std_mpsc::channel();
        let (written, mut lines) = mpsc::unbounded_channel();
        let stuck = Box::new(Stuck {
            go_on: gate,
            written,
        });
        let console = Console::with_patience(stuck, Duration::from_millis(20));
        // One is being printed, as many as wait are taken, and all of these may yet appear.
        for _ in 0..=WAITING {
            let error = console.send(&message("late")).await.unwrap_err();
            assert_eq!(error.class, Class::Unknown, "{error}");
        }
        let error = console.send(&message("too much")).await.unwrap_err();
        assert_eq!(error.class, Class::Down, "{error}");
        for _ in 0..=WAITING {
            go_on.send(()).unwrap();
            assert_eq!(lines.recv().await.unwrap(), "SMS to +16502530000: late\n");
        }
        go_on.send(()).unwrap();
        let accepted = console.send(&message("in time")).await.unwrap();
        assert_eq!(accepted.provider, "console");
        assert_eq!(
            lines.recv().await.unwrap(),
            "SMS to +16502530000: in time\n"
        );
    }
}
