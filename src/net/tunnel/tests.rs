//! What is said in a tunnel, who hears it, and when it is over.

use std::{cell::Cell, net::SocketAddr, rc::Rc, time::Duration};

use http_body::Frame;
use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    runtime,
    task::{LocalSet, spawn_local},
    time::{Instant, timeout},
};

use super::*;
use crate::{
    net::{
        Limits, ending::Endings, patience::Pace, progress::Progress, timer::Timer, warden::Warden,
    },
    observe::metrics::Metrics,
};

/// Between two pieces that a client takes.
const PAUSE: Duration = Duration::from_secs(1);

/// An app whose end of the tunnel a test holds, and which a test can break.
struct App {
    stream: DuplexStream,
    is_broken: Rc<Cell<bool>>,
}

#[derive(Debug, thiserror::Error)]
#[error("broken")]
struct Gone;

impl App {
    fn check(&self) -> Result<(), Gone> {
        if self.is_broken.get() {
            Err(Gone)
        } else {
            Ok(())
        }
    }
}

impl Body for App {
    type Data = Bytes;
    type Error = Gone;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Gone>>> {
        self.check()?;
        let mut room = [0; 100];
        let mut heard = ReadBuf::new(&mut room);
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut heard));
        let said = Bytes::copy_from_slice(heard.filled());
        Poll::Ready(
            read.map(|()| Frame::data(said.clone()))
                .map_err(|_| Gone)
                .map_or_else(
                    |gone| Some(Err(gone)),
                    |frame| (!said.is_empty()).then_some(Ok(frame)),
                ),
        )
    }
}

impl Duplex for App {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Gone>> {
        self.check()?;
        Pin::new(&mut self.stream)
            .poll_write(cx, bytes)
            .map_err(|_| Gone)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        Poll::Ready(self.check())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        Pin::new(&mut self.stream)
            .poll_shutdown(cx)
            .map_err(|_| Gone)
    }
}

/// A tunnel under way: what the client and the app hold of it.
struct Scene {
    client: DuplexStream,
    app: DuplexStream,
    is_broken: Rc<Cell<bool>>,
    tunnel: Pin<Box<Tunnel<DuplexStream, App>>>,
}

/// Each end takes `room` bytes before somebody has to read them.
fn scene(room: usize, first: &'static [u8], progress: &Rc<Progress>) -> Scene {
    let ((client, outer), (app, inner)) = (duplex(room), duplex(room));
    let is_broken = Rc::<Cell<bool>>::default();
    let side = App {
        stream: inner,
        is_broken: Rc::clone(&is_broken),
    };
    let first = Bytes::from_static(first);
    let tunnel = Box::pin(Tunnel::new(outer, first, side, progress.begin()));
    Scene {
        client,
        app,
        is_broken,
        tunnel,
    }
}

/// Runs `test` under tokio's paused clock, with the progress of a connection.
fn with_progress<F: Future<Output = ()>>(test: impl FnOnce(Rc<Progress>) -> F) {
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        let timer = Timer::new();
        spawn_local(timer.clone().run());
        let warden = Warden::new(timer, Rc::new(limits()), Endings::new(Metrics::new()));
        let client = SocketAddr::from(([127, 0, 0, 1], 1));
        test(Progress::new(Rc::new(warden), client)).await;
    });
}

fn limits() -> Limits {
    Limits {
        handshake: PAUSE,
        first_byte: PAUSE,
        headers: PAUSE,
        idle: PAUSE,
        pace: Pace {
            pause: PAUSE,
            rate: 0,
        },
        ping: PAUSE,
        half_closed: PAUSE,
        tunnel_idle: PAUSE,
        max_age: None,
        drain: PAUSE,
        max_header_bytes: 8192,
        max_headers: 100,
        max_streams: 100,
        max_handshakes: 1,
        max_connections: 1,
        max_connections_per_client: 1,
    }
}

/// Lets time pass, tick by tick.
async fn pass(span: Duration) {
    assert!(timeout(span, std::future::pending::<()>()).await.is_err());
}

async fn heard(stream: &mut DuplexStream) -> Vec<u8> {
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.expect("an end");
    said
}

#[test]
fn either_side_may_end_and_still_hear_the_other_out() {
    with_progress(|progress| async move {
        for ends_first in ["client", "app"] {
            let Scene {
                client,
                app,
                tunnel,
                ..
            } = scene(16, b"", &progress);
            let tunnel = spawn_local(tunnel);
            let (mut first, mut last) = match ends_first {
                "client" => (client, app),
                _ => (app, client),
            };
            first.write_all(b"question").await.expect("open");
            first.shutdown().await.expect("open");
            assert_eq!(heard(&mut last).await, b"question");
            last.write_all(b"a long answer to it").await.expect("open");
            assert!(!tunnel.is_finished());
            last.shutdown().await.expect("open");
            assert_eq!(heard(&mut first).await, b"a long answer to it");
            tunnel.await.expect("no panic");
        }
    });
}

#[test]
fn what_came_with_the_handshake_comes_first() {
    with_progress(|progress| async move {
        let mut scene = scene(4, b"first, ", &progress);
        spawn_local(scene.tunnel);
        scene.client.write_all(b"then").await.expect("open");
        drop(scene.client);
        assert_eq!(heard(&mut scene.app).await, b"first, then");
    });
}

#[test]
fn a_side_that_takes_nothing_is_not_told_more_than_it_has_room_for() {
    with_progress(|progress| async move {
        let Scene {
            mut client,
            app: _silent,
            tunnel,
            ..
        } = scene(1 << 10, b"", &progress);
        spawn_local(tunnel);
        let mut taken = 0;
        // The paused clock goes on only when nobody can do anything any more.
        while timeout(PAUSE, client.write_all(&[0; 256])).await.is_ok() {
            taken += 256;
        }
        assert!(taken <= PIECE + 3 * 1024, "{taken}");
    });
}

#[test]
fn a_tunnel_that_must_end_does_so_although_its_client_takes_nothing() {
    with_progress(|progress| async move {
        let Scene {
            client: mut silent,
            mut app,
            is_broken,
            mut tunnel,
        } = scene(8, b"", &progress);
        app.write_all(b"12345678").await.expect("room");
        let poll = |tunnel: &mut Pin<Box<Tunnel<_, App>>>| {
            let mut cx = Context::from_waker(std::task::Waker::noop());
            Future::poll(tunnel.as_mut(), &mut cx)
        };
        assert_eq!(poll(&mut tunnel), Poll::Pending);
        app.write_all(b"12345678").await.expect("room");
        assert_eq!(poll(&mut tunnel), Poll::Pending);
        is_broken.set(true);
        silent.write_all(b"too late").await.expect("room");
        assert_eq!(poll(&mut tunnel), Poll::Ready(()));
        drop(tunnel);
        assert_eq!(heard(&mut app).await, b"");
    });
}

#[test]
fn a_client_that_takes_nothing_for_long_is_given_up_but_a_slow_one_is_not() {
    with_progress(|progress| async move {
        let Scene {
            mut client,
            mut app,
            tunnel,
            ..
        } = scene(8, b"", &progress);
        let tunnel = spawn_local(tunnel);
        let saying = spawn_local(async move { while app.write_all(b"more").await.is_ok() {} });
        for _ in 0..5 {
            pass(3 * PAUSE).await;
            // One more than there is room for: the tunnel itself has to move.
            let mut piece = [0; 9];
            client.read_exact(&mut piece).await.expect("more");
        }
        let began = Instant::now();
        tunnel.await.expect("no panic");
        assert!(began.elapsed() >= 4 * PAUSE, "{:?}", began.elapsed());
        saying.await.expect("no panic");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However much is said at once and however little room there is.
    #[test]
    fn all_that_is_said_arrives_in_order(
        up in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..400), 0..20),
        down in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..400), 0..20),
        room in 1_usize..600,
    ) {
        with_progress(|progress| async move {
            let Scene { client, app, tunnel, .. } = scene(room, b"", &progress);
            let tunnel = spawn_local(tunnel);
            let said = [up.concat(), down.concat()];
            let heard = [(client, up), (app, down)].map(|(stream, pieces)| {
                let (mut hears, mut says) = tokio::io::split(stream);
                spawn_local(async move {
                    for piece in pieces {
                        says.write_all(&piece).await.expect("open");
                    }
                    says.shutdown().await.expect("open");
                });
                spawn_local(async move {
                    let mut all = Vec::new();
                    hears.read_to_end(&mut all).await.expect("an end");
                    all
                })
            });
            let [by_client, by_app] = heard;
            assert_eq!(by_app.await.expect("no panic"), said[0]);
            assert_eq!(by_client.await.expect("no panic"), said[1]);
            tunnel.await.expect("no panic");
        });
    }
}
