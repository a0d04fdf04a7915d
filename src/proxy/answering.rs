//! The answer to one request, whichever way it is had, as one future; it knows nothing of the ways.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use http::Response;
use pin_project_lite::pin_project;

use crate::{
    body::Body,
    proxy::{content::Content, exchange::Exchange, upgrade::Upgrade},
    reject::Reject,
};

pin_project! {
    /// Waits for the head of an answer. Every layer around it moves it, so it has room for nothing twice,
    /// and none for what is rare.
    #[project = AnsweringProjection]
    pub enum Answering<E, U> {
        /// That of an app to a request.
        Exchange { #[pin] exchange: E },
        /// That of an app to the handshake of a WebSocket.
        Upgrade { upgrade: Pin<Box<U>> },
        /// Ours: the request goes to no app.
        Refused { reject: Option<Reject> },
    }
}

/// How a request is answered.
#[derive(Debug)]
pub enum Way {
    /// By an app.
    Exchange(Exchange),
    /// By an app that may leave HTTP behind.
    Upgrade(Upgrade),
}

/// Goes that way, if there is one.
pub fn answer(
    way: Result<Way, Reject>,
) -> impl Future<Output = Result<Response<Body<Content>>, Infallible>> {
    match way {
        Ok(Way::Exchange(exchange)) => Answering::Exchange {
            exchange: exchange.run(),
        },
        Ok(Way::Upgrade(upgrade)) => Answering::Upgrade {
            upgrade: Box::pin(upgrade.run()),
        },
        Err(reject) => Answering::Refused {
            reject: Some(reject),
        },
    }
}

impl<E, U> Future for Answering<E, U>
where
    E: Future<Output = Response<Body<Content>>>,
    U: Future<Output = Response<Body<Content>>>,
{
    type Output = Result<Response<Body<Content>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            AnsweringProjection::Exchange { exchange } => exchange.poll(cx).map(Ok),
            AnsweringProjection::Upgrade { upgrade } => upgrade.as_mut().poll(cx).map(Ok),
            AnsweringProjection::Refused { reject } => {
                reject.take().map_or(Poll::Pending, |reject| {
                    Poll::Ready(Ok(reject.into_response()))
                })
            }
        }
    }
}
