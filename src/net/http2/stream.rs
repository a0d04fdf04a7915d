//! One HTTP/2 stream: a task of the worker that ends when its client takes nothing of its answer for too long, or the answer takes too long itself. Knows nothing of what is served.
//!
//! HTTP/1 shows such a client at its socket. Here the socket may be busy with other streams while one
//! window stays closed, so the stream itself is watched: its body says when it is asked for more, and
//! that of a stalled stream never is.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use hyper::rt::Executor;
use pin_project_lite::pin_project;
use tokio::task::spawn_local;

use crate::net::{progress::Progress, timer::Alarm};

/// Runs the streams of one connection on the worker's own thread.
#[derive(Clone, Debug)]
pub struct Streams(Rc<Progress>);

impl Streams {
    /// The streams of the connection with this progress.
    pub const fn of(progress: Rc<Progress>) -> Self {
        Self(progress)
    }
}

impl<F: Future<Output = ()> + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        // The task ends with its connection, which owns the other half of all it waits for.
        drop(spawn_local(Supervised {
            stream,
            stalled: None,
            overdue: None,
            progress: Rc::clone(&self.0),
        }));
    }
}

pin_project! {
    /// A stream under the deadlines of a client that reads and of an answer that ends. Given up, it is
    /// reset.
    struct Supervised<F> {
        #[pin]
        stream: F,
        // Made when the body is first asked for; most streams have ended by then.
        stalled: Option<Alarm>,
        // Made when the answer begins, if it must end at some moment.
        overdue: Option<Alarm>,
        progress: Rc<Progress>,
    }
}

impl<F: Future<Output = ()>> Future for Supervised<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        // What another stream left there says nothing about this one.
        this.progress.take_asked();
        if this.stream.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        // Asked for its next piece, whether it had one or not: the last one has been taken.
        if this.progress.take_asked() {
            this.progress.await_client(this.stalled);
        }
        if let Some(due) = this.progress.take_answer_due() {
            let alarm = this.progress.warden().timer.alarm();
            alarm.set_at(due);
            *this.overdue = Some(alarm);
        }
        let mut deadlines = this.stalled.iter().chain(this.overdue.as_ref());
        if deadlines.any(|alarm| alarm.poll_due(cx).is_ready()) {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}
