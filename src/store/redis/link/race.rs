//! Asks several for the same thing, one after another, waiting for none of them for long; knows not what they are asked.

use std::{future::Future, time::Duration};

use tokio::{task::JoinSet, time::sleep};

use super::refusal::NoConnection;

/// How long the next one is held back for the one before.
const HEAD_START: Duration = Duration::from_millis(50);

/// The first good answer; if there is none, why the last one gave none.
pub async fn first_of<T, F>(questions: impl IntoIterator<Item = F>) -> Result<T, NoConnection>
where
    T: Send + 'static,
    F: Future<Output = Result<T, NoConnection>> + Send + 'static,
{
    let mut questions = questions.into_iter();
    let mut running = JoinSet::new();
    let mut why = NoConnection::unreachable("there is nobody to ask");
    loop {
        let Some(question) = questions.next() else {
            break;
        };
        running.spawn(question);
        tokio::select! {
            Some(answer) = running.join_next() => match answer {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(reason)) => why = reason,
                Err(_) => {}
            },
            () = sleep(HEAD_START) => {}
        }
    }
    while let Some(answer) = running.join_next().await {
        match answer {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(reason)) => why = reason,
            Err(_) => {}
        }
    }
    Err(why)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::Instant;

    use super::*;

    type Answer = Result<u8, NoConnection>;

    /// Never answers, or at once.
    async fn ask(answer: Option<Answer>) -> Answer {
        match answer {
            Some(answer) => answer,
            None => pending().await,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_silent_does_not_keep_the_others_from_answering() {
        let begun = Instant::now();
        let none = Err(NoConnection::unreachable("not me"));
        let answers = [None, Some(none), None, Some(Ok(7)), Some(Ok(8))];
        assert_eq!(first_of(answers.map(ask)).await, Ok(7));
        assert_eq!(begun.elapsed(), HEAD_START * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_refuse_there_is_a_reason() {
        let why = NoConnection::unreachable("not me");
        let answers = [Some(Err(why.clone())), Some(Err(why.clone()))];
        assert_eq!(first_of(answers.map(ask)).await, Err(why));
        assert!(first_of([].map(ask)).await.is_err());
    }
}
