//! One worker: a thread with its own sockets, its own connections to the apps and its own stacks. It shares nothing that it would have to wait for.

use std::{io, net::TcpListener as StdListener, rc::Rc, sync::Arc};

use tokio::{
    net::TcpListener,
    runtime,
    sync::Semaphore,
    task::{JoinSet, LocalSet, spawn_local},
    time::{interval, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    app::{
        entrance::{self, Entrances},
        site::{Plan, Site},
    },
    net::{
        conn,
        ending::Endings,
        listen::{Listener, accept},
        progress::Progress,
        timer::{TICK, Timer},
        warden::Warden,
    },
};

/// What one worker is given.
#[derive(Debug)]
pub struct Worker {
    /// One socket per address, and what clients meet there.
    pub sockets: Vec<(Listener, StdListener)>,
    /// What the stacks are built from.
    pub plan: Arc<Plan>,
    /// Begins the ids of its requests; random.
    pub seed: u64,
    /// Fires when the gateway is to stop.
    pub stop: CancellationToken,
    /// Fires when it is to stop without waiting for anybody.
    pub abort: CancellationToken,
}

impl Worker {
    /// Serves until told to stop, and then until its connections have ended or the drain is over.
    pub fn run(self) -> io::Result<()> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        LocalSet::new().block_on(&runtime, self.serve())
    }

    async fn serve(self) -> io::Result<()> {
        let timer = Timer::new();
        let site = Rc::new(Site::new(&self.plan, self.seed, &timer));
        let warden = Rc::new(Warden::new(
            timer.clone(),
            Rc::clone(site.limits()),
            Endings::new(self.plan.metrics.clone()),
        ));
        let connections = TaskTracker::new();

        let mut own = JoinSet::new();
        own.spawn_local(timer.run());
        own.spawn_local(tick(Rc::clone(&site), Rc::clone(&warden)));
        let entrances = Entrances::new(&self.plan);
        for (listener, socket) in self.sockets {
            let accepting = Accepting {
                listener: TcpListener::from_std(socket)?,
                entrance: entrances.at(&listener)?,
                site: Rc::clone(&site),
                warden: Rc::clone(&warden),
                connections: connections.clone(),
                // Each address has places of its own: who fills those of one leaves the others served.
                places: Arc::new(Semaphore::new(self.plan.limits.max_connections)),
            };
            let stop = self.stop.clone();
            own.spawn_local(async move {
                stop.run_until_cancelled(accepting.run()).await;
            });
        }
        let ended_early = tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            ended = own.join_next() => ended,
        };
        if let Some(part) = ended_early {
            // Without its timer or its sockets a worker must not go on.
            return Err(io::Error::other(format!("a part of it ended: {part:?}")));
        }

        warden.drain();
        connections.close();
        let drained = timeout(site.limits().drain, connections.wait());
        let drained = self.abort.run_until_cancelled(drained).await;
        if !matches!(drained, Some(Ok(()))) {
            let left = connections.len();
            tracing::warn!(left, "closing connections that did not end in time");
        }
        Ok(())
    }
}

/// Accepts the connections of one socket.
struct Accepting {
    listener: TcpListener,
    entrance: entrance::Entrance,
    site: Rc<Site>,
    warden: Rc<Warden>,
    connections: TaskTracker,
    places: Arc<Semaphore>,
}

impl Accepting {
    async fn run(self) {
        loop {
            // The place comes first: who has none waits in the kernel's queue, not in our memory.
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
                return;
            };
            let (stream, address) = accept(&self.listener).await;
            let progress = Progress::new(Rc::clone(&self.warden), address);
            let site = Rc::clone(&self.site);
            let entrance = self.entrance.clone();
            let serving = self.connections.track_future(async move {
                if let Some(guest) = entrance.let_in(stream, &progress).await {
                    let client = guest.peer.ip;
                    let door = site.door(guest.peer, guest.entry);
                    let refuse = |code| site.refuse(client, code);
                    conn::serve(guest.arrived, door, refuse, progress).await;
                    drop(guest.seat);
                }
                drop(place);
            });
            drop(spawn_local(serving));
        }
    }
}

/// Neither who reads the log nor who ended a session shall wait longer than for a deadline.
async fn tick(site: Rc<Site>, warden: Rc<Warden>) {
    let mut ticks = interval(TICK);
    loop {
        ticks.tick().await;
        site.tick();
        warden.endings.tick();
    }
}
