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

impl<F: Future> Unpin for Slot<F> {}
