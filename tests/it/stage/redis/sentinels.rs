//! A master, two replicas, and three Sentinels that put a replica in the master's place when it is gone.

use super::{port::Port, server::Server, wait_for};

/// Six servers, three of them Sentinels, which speak of the others by the name [`Sentinels::NAME`].
#[derive(Debug)]
pub struct Sentinels {
    pub servers: Vec<Server>,
    pub sentinels: Vec<Server>,
}

impl Sentinels {
    /// What the Sentinels call their master.
    pub const NAME: &str = "codes";

    pub fn start() -> Self {
        Self::with(&[])
    }

    /// The same, with further settings for the master and its replicas.
    pub fn with(settings: &[&str]) -> Self {
        let master = Server::with(settings);
        let port = master.address().port();
        let replica_of = format!("replicaof 127.0.0.1 {port}");
        let mut servers = vec![master];
        for _ in 0..2 {
            let mut settings = settings.to_vec();
            settings.push(&replica_of);
            servers.push(Server::with(&settings));
        }
        let watch = Self::watch(port);
        let watch: Vec<&str> = watch.iter().map(String::as_str).collect();
        let started = Self {
            servers,
            sentinels: (0..3).map(|_| Server::at(Port::free(), &watch)).collect(),
        };
        started.begin()
    }

    /// Where the Sentinels listen, with commas between.
    pub fn addresses(&self) -> String {
        let addresses = self.sentinels.iter();
        let addresses = addresses.map(|sentinel| sentinel.address().to_string());
        addresses.collect::<Vec<_>>().join(",")
    }

    /// Which server the Sentinels take for the master.
    pub fn master(&self) -> usize {
        wait_for("Sentinels that agree", || {
            let mut votes = self.sentinels.iter().filter(|s| s.is_running());
            let first = self.vote(votes.next()?)?;
            let agree = votes.all(|sentinel| self.vote(sentinel) == Some(first));
            agree.then_some(first)
        })
    }

    /// Waits until another server than this one is the master: which it is.
    pub fn master_after(&self, old: usize) -> usize {
        wait_for("another master", || {
            // The old one is not asked: it may be frozen.
            let new = Some(self.master()).filter(|new| *new != old)?;
            let role = self.servers[new].info("role")?;
            (role == "master").then_some(new)
        })
    }

    /// Kills the master: which server it was.
    pub fn kill_master(&mut self) -> usize {
        let master = self.master();
        self.servers[master].kill();
        master
    }

    /// What tells a Sentinel whom to watch, and to lose no time.
    fn watch(port: u16) -> Vec<String> {
        let name = Self::NAME;
        vec![
            format!("sentinel monitor {name} 127.0.0.1 {port} 2"),
            format!("sentinel down-after-milliseconds {name} 500"),
            format!("sentinel failover-timeout {name} 3000"),
            format!("sentinel parallel-syncs {name} 2"),
            // The stage's account, whatever the others are.
            format!("sentinel auth-user {name} stage"),
            format!("sentinel auth-pass {name} stage"),
        ]
    }

    fn begin(mut self) -> Self {
        self.sentinels.iter_mut().for_each(Server::launch);
        self.sentinels.iter_mut().for_each(Server::is_up);
        for sentinel in &self.sentinels {
            wait_for("Sentinels that know each other and the replicas", || {
                let known = |what: &str| {
                    let reply = sentinel.ask(&["SENTINEL", what, Self::NAME]);
                    reply.map_or(0, |reply| reply.members().len())
                };
                (known("SENTINELS") == 2 && known("REPLICAS") == 2).then_some(())
            });
        }
        self
    }

    fn vote(&self, sentinel: &Server) -> Option<usize> {
        let reply = sentinel.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", Self::NAME]);
        let place = reply.ok()?.text();
        let port: u16 = place.lines().nth(1)?.parse().ok()?;
        let mut servers = self.servers.iter();
        servers.position(|server| server.address().port() == port)
    }
}
