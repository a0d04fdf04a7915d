//! Connections that speak HTTP/2: few of them, each for many requests at once. A further one is opened when the peer takes no more streams on those there are.

use std::{
    cell::{Cell, RefCell},
    error::Error as _,
    fmt,
    future::poll_fn,
    mem,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use h2::Reason;
use http::{Request, Uri, Version, header, uri::Authority};
use hyper::{
    client::conn::http2::{self, SendRequest},
    rt::Executor,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use pin_project_lite::pin_project;
use tokio::task::spawn_local;

use crate::{
    net::{dial::Dialled, timer::Alarm},
    proxy::{
        endpoint::{Endpoint, OpenConnection},
        error::Error,
        lease::Sent,
        upload::Upload,
    },
};

/// Requests that go over one connection at once, if its peer takes as many.
const MAX_STREAMS: usize = 100;

/// Bytes of an answer that one stream may hold here unread. Apps are near: within a round trip of a
/// millisecond it is two gigabits per second.
const STREAM_WINDOW: u32 = 256 << 10;

/// The same for a connection: what all its streams may hold. If it were less, streams whose clients
/// do not read would hold up all others.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * 100;

/// Bytes of the head of an answer.
const MAX_HEAD: u32 = 64 << 10;

/// After so long a silence of the peer it is asked whether it is still there. Servers of gRPC hang up
/// on who asks more often (gRFC A8).
const PING_AFTER: Duration = Duration::from_mins(5);

/// For its answer to that.
const PONG_WITHIN: Duration = Duration::from_secs(20);

/// A stream that carries one exchange. Dropping it makes room for another one; what hyper holds of an
/// exchange resets the stream when that is dropped early.
#[derive(Debug)]
pub struct Stream {
    connection: Rc<Connection>,
    /// Judges whatever the stream is waiting for.
    pub alarm: Alarm,
    /// For which its connection is kept when nothing else goes over it.
    idle: Duration,
}

/// The connections to one server.
#[derive(Default)]
pub struct Shared(RefCell<Vec<Rc<Connection>>>);

struct Connection {
    sender: SendRequest<Upload>,
    /// `None` when it has ended.
    driver: RefCell<Option<Driver>>,
    streams: Cell<usize>,
    /// Due when it has been of no use for too long.
    alarm: Alarm,
}

type Driver = http2::Connection<TokioIo<Dialled>, Upload, Tasks>;

/// Begins to speak HTTP/2 over `stream`, and waits until the peer has said how many streams it takes.
/// The first one is for the caller, the others for everybody.
pub async fn open(
    stream: Dialled,
    open: OpenConnection,
    endpoint: &Rc<Endpoint>,
) -> Result<Stream, Error> {
    let tasks = Tasks {
        _open: Rc::new(open),
        news: Rc::default(),
    };
    let news = Rc::clone(&tasks.news);
    let (sender, driver) = http2::Builder::new(tasks)
        .timer(TokioTimer::new())
        // None at all, until the peer's settings have come.
        .initial_max_send_streams(0)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEAD)
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PONG_WITHIN)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(Error::Exchange)?;
    let connection = Rc::new(Connection {
        sender,
        driver: RefCell::new(Some(driver)),
        streams: Cell::new(0),
        alarm: endpoint.timer.alarm(),
    });
    // Should nobody wait for it to the end.
    connection.alarm.set(endpoint.spec.connect_timeout);
    drop(spawn_local(drive(
        Rc::clone(&connection),
        Rc::clone(endpoint),
        Rc::clone(&news),
    )));
    poll_fn(|cx| {
        if connection.sender.is_closed() {
            return Poll::Ready(Err(Error::NoHttp2));
        }
        if connection.max_streams() > 0 {
            return Poll::Ready(Ok(()));
        }
        news.set(Some(cx.waker().clone()));
        Poll::Pending
    })
    .await?;
    endpoint.shared.0.borrow_mut().push(Rc::clone(&connection));
    Ok(Stream::of(connection, endpoint))
}

/// Runs a connection until it ends or is of no use any more. Streams that are under way then go on to
/// their ends; no new ones begin.
async fn drive(connection: Rc<Connection>, endpoint: Rc<Endpoint>, news: Rc<News>) {
    poll_fn(|cx| {
        if connection.alarm.poll_due(cx).is_ready() {
            return Poll::Ready(());
        }
        match connection.driver.borrow_mut().as_mut() {
            Some(driver) => pin!(driver).poll(cx).map(|ended| {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection to an app ended badly");
                }
            }),
            None => Poll::Ready(()),
        }
    })
    .await;
    // With it goes the queue of requests: those in it were not sent, and come back.
    connection.driver.take();
    let mut shared = endpoint.shared.0.borrow_mut();
    shared.retain(|other| !Rc::ptr_eq(other, &connection));
    if let Some(waker) = news.take() {
        waker.wake();
    }
}

impl Connection {
    /// How many streams the peer takes at once.
    fn max_streams(&self) -> usize {
        let driver = self.driver.borrow();
        let max = driver.as_ref().map(Driver::current_max_send_streams);
        max.unwrap_or_default().min(MAX_STREAMS)
    }

    fn has_room(&self) -> bool {
        !self.sender.is_closed() && self.streams.get() < self.max_streams()
    }
}

impl Shared {
    /// A stream of the first connection that has room for one: so that those that are not needed fall
    /// silent, and end.
    pub fn stream(&self, endpoint: &Rc<Endpoint>) -> Option<Stream> {
        let connections = self.0.borrow();
        let connection = connections.iter().find(|it| it.has_room())?;
        Some(Stream::of(Rc::clone(connection), endpoint))
    }
}

impl Stream {
    fn of(connection: Rc<Connection>, endpoint: &Endpoint) -> Self {
        connection.alarm.lift();
        connection.streams.set(connection.streams.get() + 1);
        Self {
            connection,
            alarm: endpoint.timer.alarm(),
            idle: endpoint.spec.idle,
        }
    }

    /// Sends a request and waits for the head of its answer.
    pub async fn send(&mut self, mut request: Request<Upload>, endpoint: &Endpoint) -> Sent {
        to_absolute_form(&mut request, endpoint);
        let mut again = request.body().is_none().then(|| head_of(&request));
        let mut sender = self.connection.sender.clone();
        let mut sending = pin!(sender.try_send_request(request));
        poll_fn(|cx| {
            let Poll::Ready(sent) = sending.as_mut().poll(cx) else {
                return self.alarm.poll_due(cx).map(|()| Sent::Late);
            };
            Poll::Ready(match sent {
                Ok(answer) => Sent::Answered(answer),
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => Sent::Unsent(unsent, failed.into_error()),
                    None => failed_with(failed.into_error(), again.take()),
                },
            })
        })
        .await
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let left = self.connection.streams.get().saturating_sub(1);
        self.connection.streams.set(left);
        if left == 0 {
            self.connection.alarm.set(self.idle);
        }
    }
}

/// A request of which all is known to be in its head.
type Head = Request<()>;

fn head_of(request: &Request<Upload>) -> Head {
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = request.uri().clone();
    *head.version_mut() = request.version();
    *head.headers_mut() = request.headers().clone();
    head
}

/// What became of a request that got no answer: its stream was refused, or came after the last one that
/// a peer that goes away took (RFC 9113 §8.7); or nobody knows.
fn failed_with(error: hyper::Error, again: Option<Head>) -> Sent {
    let cause = error
        .source()
        .and_then(|cause| cause.downcast_ref::<h2::Error>());
    let was_not_processed = cause.is_some_and(|cause| {
        let refused = cause.is_reset() && cause.reason() == Some(Reason::REFUSED_STREAM);
        cause.is_remote() && (refused || cause.is_go_away())
    });
    match again {
        Some(head) if was_not_processed => Sent::Refused(head.map(|()| Upload::none()), error),
        Some(_) | None => Sent::Failed(error),
    }
}

/// In HTTP/2 the host stands in the target (RFC 9113 §8.3.1). Who has not said it wants the server
/// that it is led to.
fn to_absolute_form(request: &mut Request<Upload>, endpoint: &Endpoint) {
    let host = request.headers_mut().remove(header::HOST);
    let host = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let authority = host.or_else(|| Authority::try_from(endpoint.place().address()).ok());
    let mut target = mem::take(request.uri_mut()).into_parts();
    if target.authority.is_none() {
        target.authority = authority;
    }
    target.scheme = Some(endpoint.place().scheme());
    if let Ok(target) = Uri::from_parts(target) {
        *request.uri_mut() = target;
    }
    *request.version_mut() = Version::HTTP_2;
}

/// What wakes the one who waits for a connection's first words.
type News = Cell<Option<Waker>>;

/// Runs what belongs to one connection on the worker's own thread; it is open as long as any of it is.
#[derive(Clone)]
struct Tasks {
    _open: Rc<OpenConnection>,
    news: Rc<News>,
}

impl<F: Future<Output = ()> + 'static> Executor<F> for Tasks {
    fn execute(&self, future: F) {
        let tasks = self.clone();
        drop(spawn_local(Task { future, tasks }));
    }
}

pin_project! {
    struct Task<F> {
        #[pin]
        future: F,
        tasks: Tasks,
    }
}

impl<F: Future<Output = ()>> Future for Task<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let polled = this.future.poll(cx);
        if let Some(waker) = this.tasks.news.take() {
            waker.wake();
        }
        polled
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({} streams)", self.streams.get())
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.borrow().iter()).finish()
    }
}
