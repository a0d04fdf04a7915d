//! A verb on its way through the queue, and back with its answer; knows neither what verbs do nor when they are durable.
//!
//! Jobs are an enum and not closures: it names all there are, and a job can be run again when its
//! transaction had to be given up, which a closure that is called once could not.

use tokio::sync::oneshot;

use super::{
    fault::Fault,
    step::Step,
    verbs::{
        AnswerChallenge, Deliver, End, GetDelivery, ListDue, ListSessions, Ready, Rotate,
        StartChallenge, Take, Verb,
    },
};
use crate::store::Error;

/// What the writer is told.
#[derive(Debug)]
pub enum Message {
    /// To do this.
    Do(Box<Job>),
    /// To close the file, and to say when it is closed.
    Close(oneshot::Sender<()>),
}

/// A verb that somebody waits for.
#[derive(Debug)]
pub enum Job {
    StartChallenge(Call<StartChallenge>),
    Take(Call<Take>),
    Deliver(Call<Deliver>),
    GetDelivery(Call<GetDelivery>),
    ListDue(Call<ListDue>),
    AnswerChallenge(Call<AnswerChallenge>),
    Rotate(Call<Rotate>),
    End(Call<End>),
    ListSessions(Call<ListSessions>),
    Ready(Call<Ready>),
}

/// One verb, who asked, and what the answer will be once it is durable.
#[derive(Debug)]
pub struct Call<V: Verb> {
    verb: V,
    caller: oneshot::Sender<Result<V::Answer, Error>>,
    answer: Option<Result<V::Answer, Error>>,
}

impl Job {
    /// Whether somebody still waits. What nobody waits for is not begun.
    pub fn is_awaited(&self) -> bool {
        match self {
            Self::StartChallenge(call) => call.is_awaited(),
            Self::Take(call) => call.is_awaited(),
            Self::Deliver(call) => call.is_awaited(),
            Self::GetDelivery(call) => call.is_awaited(),
            Self::ListDue(call) => call.is_awaited(),
            Self::AnswerChallenge(call) => call.is_awaited(),
            Self::Rotate(call) => call.is_awaited(),
            Self::End(call) => call.is_awaited(),
            Self::ListSessions(call) => call.is_awaited(),
            Self::Ready(call) => call.is_awaited(),
        }
    }

    /// Runs the verb and keeps its answer. An error is one that the transaction cannot survive.
    pub fn run(&mut self, step: &mut Step<'_>) -> Result<(), Fault> {
        match self {
            Self::StartChallenge(call) => call.run(step),
            Self::Take(call) => call.run(step),
            Self::Deliver(call) => call.run(step),
            Self::GetDelivery(call) => call.run(step),
            Self::ListDue(call) => call.run(step),
            Self::AnswerChallenge(call) => call.run(step),
            Self::Rotate(call) => call.run(step),
            Self::End(call) => call.run(step),
            Self::ListSessions(call) => call.run(step),
            Self::Ready(call) => call.run(step),
        }
    }

    /// Gives the kept answer, or the error that kept it from becoming durable.
    pub fn answer(self, durable: Result<(), Error>) {
        match self {
            Self::StartChallenge(call) => call.answer(durable),
            Self::Take(call) => call.answer(durable),
            Self::Deliver(call) => call.answer(durable),
            Self::GetDelivery(call) => call.answer(durable),
            Self::ListDue(call) => call.answer(durable),
            Self::AnswerChallenge(call) => call.answer(durable),
            Self::Rotate(call) => call.answer(durable),
            Self::End(call) => call.answer(durable),
            Self::ListSessions(call) => call.answer(durable),
            Self::Ready(call) => call.answer(durable),
        }
    }
}

impl<V: Verb> Call<V> {
    /// The call, and where its answer will arrive.
    pub fn new(verb: V) -> (Self, oneshot::Receiver<Result<V::Answer, Error>>) {
        let (caller, answer) = oneshot::channel();
        let call = Self {
            verb,
            caller,
            answer: None,
        };
        (call, answer)
    }

    fn is_awaited(&self) -> bool {
        !self.caller.is_closed()
    }

    fn run(&mut self, step: &mut Step<'_>) -> Result<(), Fault> {
        self.answer = match self.verb.run(step) {
            Ok(answer) => Some(Ok(answer)),
            Err(Fault::Refused(error)) => Some(Err(error)),
            Err(fault) => return Err(fault),
        };
        Ok(())
    }

    fn answer(self, durable: Result<(), Error>) {
        // Without any answer the caller is dropped here, and hears that the store is unavailable.
        if let Some(answer) = durable.map_or_else(|error| Some(Err(error)), |()| self.answer) {
            // Whoever has stopped waiting does not need it.
            drop(self.caller.send(answer));
        }
    }
}
