//! Several futures at once, of which none is a task of its own: whoever stops waiting has stopped them all.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

/// One of them, and what it came to.
enum Slot<F: Future> {
    Running(Pin<Box<F>>),
    Done(F::Output),
}

/// What each came to, in their order.
pub async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let boxed = futures.into_iter().map(|f| Slot::Running(Box::pin(f)));
    let mut slots: Vec<Slot<F>> = boxed.collect();
    poll_fn(|cx| poll_all(&mut slots, cx)).await;
    slots.into_iter().filter_map(Slot::into_output).collect()
}

/// They are few, so each is asked each time.
fn poll_all<F: Future>(slots: &mut [Slot<F>], cx: &mut Context<'_>) -> Poll<()> {
    let mut all = Poll::Ready(());
    for slot in slots {
        if let Slot::Running(future) = slot {
            match future.as_mut().poll(cx) {
                Poll::Ready(output) => *slot = Slot::Done(output),
                Poll::Pending => all = Poll::Pending,
            }
        }
    }
    all
}

impl<F: Future> Slot<F> {
    fn into_output(self) -> Option<F::Output> {
        match self {
            Self::Done(output) => Some(output),
            Self::Running(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::Barrier;

    #[tokio::test]
    async fn all_are_under_way_at_once_and_keep_their_places() {
        let barrier = Barrier::new(3);
        // Nobody passes the barrier before all have come to it.
        let meet = async |place: u32| {
            barrier.wait().await;
            place
        };
        assert_eq!(join_all([3, 1, 2].map(meet)).await, [3, 1, 2]);
    }

    #[tokio::test]
    async fn of_nothing_there_is_nothing_to_wait_for() {
        let none: [std::future::Ready<()>; 0] = [];
        assert!(join_all(none).await.is_empty());
    }
}
