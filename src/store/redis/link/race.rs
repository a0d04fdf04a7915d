//! Asks several for the same thing, one after another, waiting for none of them for long; knows not what they are asked.

use std::{future::Future, time::Duration};

use tokio::{task::JoinSet, time::sleep};

use super::refusal::NoConnection;

/// How long the next one is held back for the one before.
const HEAD_START: Duration = Duration::from_millis(50);

/// When nobody is left to be asked. Whoever wants to know has a deadline.
const FOREVER: Duration = Duration::from_hours(1);

/// The first good answer. If there is none, why not: rather by one that refuses than by one that
/// cannot be reached, since that will not change.
pub async fn first_of<T, F>(questions: impl IntoIterator<Item = F>) -> Result<T, NoConnection>
where
    T: Send + 'static,
    F: Future<Output = Result<T, NoConnection>> + Send + 'static,
{
    let mut questions = questions.into_iter();
    let mut running = JoinSet::new();
    let mut why = NoConnection::unreachable("there is nobody to ask");
    loop {
        let next = questions.next();
        let wait = if next.is_some() { HEAD_START } else { FOREVER };
        next.map(|question| running.spawn(question));
        tokio::select! {
            biased;
            answer = running.join_next() => match answer {
                Some(Ok(Ok(answer))) => return Ok(answer),
                Some(Ok(Err(reason))) if !matches!(why, NoConnection::Refused(_)) => why = reason,
                Some(Ok(Err(_)) | Err(_)) => {}
                None => return Err(why),
            },
            () = sleep(wait) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::Instant;

    use super::*;
    use crate::store::redis::link::refusal::Refusal;

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
        let away = || Some(Err(NoConnection::unreachable("not me")));
        let no = || Some(Err(NoConnection::from(Refusal::Login)));
        for answers in [[no(), away()], [away(), no()], [no(), no()]] {
            let answer = first_of(answers.map(ask)).await;
            assert_eq!(answer, Err(Refusal::Login.into()));
        }
        let answer = first_of([away(), away()].map(ask)).await;
        assert_eq!(answer, Err(NoConnection::unreachable("not me")));
        assert!(first_of([].map(ask)).await.is_err());
    }
}
