//! A bounded queue of messages and the task that empties it; knows nothing of providers beyond that they take messages.
//!
//! Sending takes seconds at a bad provider, and how long must not tell whether a number was real.
//! So a request only reserves a place, and the one task sends later, several messages at a time.
//! The place is reserved before the challenge is stored: a caller never holds a challenge whose
//! message had no room.

use std::sync::Arc;

use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
};

use super::{Message, Sms, tell::tell};
use crate::{
    observe::metrics::Metrics,
    reject::{Code, Reject},
};

/// The entrance of the queue.
#[derive(Clone, Debug)]
pub struct Outbox(mpsc::Sender<Message>);

/// A reserved place in the queue. Dropping it gives the place back.
#[derive(Debug)]
pub struct Permit(mpsc::OwnedPermit<Message>);

/// As many messages wait as may wait, or nobody sends them any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no further message can be queued")]
pub struct Full;

impl Outbox {
    /// A queue of at most `capacity` messages, and the task that hands them to `sms`. The task
    /// ends when every `Outbox` and `Permit` is gone and the last message is sent.
    pub fn new(
        sms: Sms,
        capacity: usize,
        metrics: Metrics,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (entrance, queue) = mpsc::channel(capacity.max(1));
        (Self(entrance), empty(queue, Arc::new(sms), metrics))
    }

    /// Takes a place, at once or not at all.
    pub fn reserve(&self) -> Result<Permit, Full> {
        self.0
            .clone()
            .try_reserve_owned()
            .map(Permit)
            .map_err(|_| Full)
    }
}

impl Permit {
    /// Puts the message into the reserved place.
    pub fn send(self, message: Message) {
        // The sender that comes back is one of many.
        drop(self.0.send(message));
    }
}

impl From<Full> for Reject {
    fn from(Full: Full) -> Self {
        Self::new(
            Code::Overloaded,
            "Too many messages are waiting to be sent; try again shortly.",
        )
        .retry_after(std::time::Duration::from_secs(1))
    }
}

/// Sends what comes, as many messages at a time as may be under way.
async fn empty(mut queue: mpsc::Receiver<Message>, sms: Arc<Sms>, metrics: Metrics) {
    let mut under_way = JoinSet::new();
    loop {
        let has_room = under_way.len() < sms.max_in_flight();
        tokio::select! {
            message = queue.recv(), if has_room => match message {
                Some(message) => {
                    let (sms, metrics) = (Arc::clone(&sms), metrics.clone());
                    under_way.spawn(async move { deliver(&sms, &message, &metrics).await });
                }
                None => break,
            },
            Some(sent) = under_way.join_next() => report(sent),
        }
    }
    while let Some(sent) = under_way.join_next().await {
        report(sent);
    }
}

async fn deliver(sms: &Sms, message: &Message, metrics: &Metrics) {
    let mut ways = sms.ways(&message.to, message.channel);
    ways.retain(|way| way.channel == message.channel);
    let sent = sms
        .carry(&ways, |_| Some(message.clone()), &mut |attempt| {
            tell(attempt, metrics);
        })
        .await;
    let to = message.to.masked();
    match sent.result() {
        Ok(accepted) => {
            // What a provider calls it is what its support will ask for.
            if let Some(reference) = accepted.reference {
                let provider = accepted.provider;
                tracing::info!(message = %message.id, to, provider, reference, "a message was taken");
            }
        }
        Err(error) => {
            tracing::error!(message = %message.id, to, %error, "a message could not be sent");
        }
    }
}

/// A panic in one message is no reason not to send the others.
fn report(sent: Result<(), JoinError>) {
    if let Err(error) = sent {
        tracing::error!(%error, "a message was lost");
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    use super::*;
    use crate::sms::{console::Console, message::tests::message};

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Paper {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn console(out: impl Write + Send + 'static) -> Sms {
        Sms::console(Console::new(Box::new(out)))
    }

    #[tokio::test]
    async fn messages_are_printed_in_order_one_line_each_and_the_last_before_the_end() {
        let paper = Paper::default();
        let (outbox, task) = Outbox::new(console(paper.clone()), 4, Metrics::new());
        outbox.reserve().unwrap().send(message("one\r\nSMS to you"));
        outbox.reserve().unwrap().send(message("two"));
        drop(outbox);
        task.await;
        assert_eq!(
            paper.text(),
            "SMS to +16502530000: one  SMS to you\nSMS to +16502530000: two\n"
        );
    }

    #[tokio::test]
    async fn a_full_queue_gives_no_place_until_one_is_returned() {
        let (outbox, task) = Outbox::new(console(io::sink()), 2, Metrics::new());
        let first = outbox.reserve().unwrap();
        outbox.reserve().unwrap().send(message("one"));
        assert_eq!(outbox.reserve().unwrap_err(), Full);
        drop(first);
        drop(outbox.reserve().unwrap());
        drop(outbox);
        task.await;
    }

    #[test]
    fn nothing_is_taken_when_nobody_sends_any_more() {
        let (outbox, task) = Outbox::new(console(io::sink()), 2, Metrics::new());
        drop(task);
        assert_eq!(outbox.reserve().unwrap_err(), Full);
    }

    #[tokio::test]
    async fn a_message_that_fails_is_counted_and_does_not_end_the_task() {
        let metrics = Metrics::new();
        let (outbox, task) = Outbox::new(console(Broken), 2, metrics.clone());
        outbox.reserve().unwrap().send(message("one"));
        outbox.reserve().unwrap().send(message("two"));
        drop(outbox);
        task.await;
        let mut text = String::new();
        metrics.encode(&mut text).unwrap();
        assert!(
            text.contains("sms_messages_total{provider=\"console\",result=\"down\"} 2"),
            "{text}"
        );
    }
}
