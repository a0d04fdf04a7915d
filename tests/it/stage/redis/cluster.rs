//! A Redis Cluster of three masters with a replica each, whose slots can be moved and whose masters can be killed.

use std::{cmp::Reverse, ops::RangeInclusive};

use super::{port::Port, reply::Reply, server::Server, wait_for};

/// Six servers. The first three begin as masters of a third of the slots each, the others as their replicas.
#[derive(Debug)]
pub struct RedisCluster {
    pub nodes: Vec<Server>,
}

/// A slot on its way from one master to another: commands on its keys are answered with `ASK` or
/// `TRYAGAIN` by the one, with `MOVED` by the other, until it has arrived.
#[derive(Debug)]
pub struct SlotMove<'a> {
    cluster: &'a RedisCluster,
    slot: u16,
    from: usize,
    to: usize,
}

const MASTERS: usize = 3;

/// A replica takes over when its master was silent for so long, plus a second for the vote.
const SETTINGS: [&str; 4] = [
    "cluster-enabled yes",
    "cluster-announce-ip 127.0.0.1",
    "cluster-node-timeout 1000",
    "cluster-replica-validity-factor 0",
];

impl RedisCluster {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// The same, with further settings for every server.
    pub fn with(settings: &[&str]) -> Self {
        let mut all = SETTINGS.to_vec();
        all.extend(settings);
        let mut nodes: Vec<Server> = (0..MASTERS * 2)
            .map(|_| Server::at(Port::free(), &all))
            .collect();
        nodes.iter_mut().for_each(Server::launch);
        nodes.iter_mut().for_each(Server::is_up);
        let cluster = Self { nodes };
        cluster.introduce();
        cluster.assign();
        cluster.is_whole();
        cluster
    }

    /// Where all of them listen, with commas between.
    pub fn addresses(&self) -> String {
        let addresses = self.nodes.iter().map(|node| node.address().to_string());
        addresses.collect::<Vec<_>>().join(",")
    }

    /// Which node is the master of a slot, as soon as there is one that runs.
    pub fn master_of(&self, slot: u16) -> usize {
        wait_for("a master", || {
            let claims = (0..self.nodes.len()).filter_map(|node| {
                let (epoch, slots) = self.claim(node)?;
                let is_its = slots.iter().any(|range| range.contains(&slot));
                is_its.then_some((epoch, Reverse(node)))
            });
            let (_, Reverse(node)) = claims.max()?;
            Some(node)
        })
    }

    /// Kills the master of a slot: which node it was.
    pub fn kill_master_of(&mut self, slot: u16) -> usize {
        let master = self.master_of(slot);
        self.nodes[master].kill();
        master
    }

    /// Begins to move a slot to another master.
    pub fn start_move(&self, slot: u16, to: usize) -> SlotMove<'_> {
        let from = self.master_of(slot);
        assert_ne!(from, to);
        let number = slot.to_string();
        let set = |node: usize, state: &str, other: usize| {
            let id = self.id(other);
            self.nodes[node].cli(&["CLUSTER", "SETSLOT", &number, state, &id]);
        };
        set(to, "IMPORTING", from);
        set(from, "MIGRATING", to);
        SlotMove {
            cluster: self,
            slot,
            from,
            to,
        }
    }

    /// Moves a slot with all its keys to another master.
    pub fn migrate_slot(&self, slot: u16, to: usize) {
        let on_its_way = self.start_move(slot, to);
        while on_its_way.some_keys(100) > 0 {}
        on_its_way.finish();
    }

    /// Waits until every slot has a master, and every other server that runs is a replica that is up to date.
    pub fn is_whole(&self) {
        wait_for("a cluster in which all is well", || {
            let running = self.nodes.iter().filter(|node| node.is_running());
            let mut masters = 0;
            for node in running {
                match node.info("role")?.as_str() {
                    "master" => masters += 1,
                    _ if node.info("master_link_status")? == "up" => {}
                    _ => return None,
                }
                let info = node.ask(&["CLUSTER", "INFO"]).ok()?.text();
                info.contains("cluster_state:ok").then_some(())?;
            }
            (masters == MASTERS).then_some(())
        });
    }

    /// The id of a node.
    fn id(&self, node: usize) -> String {
        self.nodes[node].cli(&["CLUSTER", "MYID"])
    }

    /// What a running master says of itself: its epoch and its slots.
    fn claim(&self, node: usize) -> Option<(u64, Vec<RangeInclusive<u16>>)> {
        let node = &self.nodes[node];
        let nodes = node.is_running().then(|| node.ask(&["CLUSTER", "NODES"]))?;
        let nodes = nodes.ok()?.text();
        let line = nodes.lines().find(|line| line.contains("myself,master"))?;
        // id address flags master ping pong epoch link slot...
        let mut words = line.split(' ').skip(6);
        let epoch = words.next()?.parse().ok()?;
        // A slot on its way stands in brackets, and among the ranges too.
        let slots = words.skip(1).filter_map(|slots| {
            let (first, last) = slots.split_once('-').unwrap_or((slots, slots));
            Some(first.parse().ok()?..=last.parse().ok()?)
        });
        Some((epoch, slots.collect()))
    }

    /// Lets everybody know everybody.
    fn introduce(&self) {
        for (epoch, node) in self.nodes.iter().enumerate() {
            let epoch = (epoch + 1).to_string();
            node.cli(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]);
        }
        // Each to each: gossip would spread it too, but takes its time.
        for node in &self.nodes {
            for other in &self.nodes {
                let port = other.address().port().to_string();
                node.cli(&["CLUSTER", "MEET", "127.0.0.1", &port]);
            }
        }
        let count = format!("cluster_known_nodes:{}", self.nodes.len());
        for node in &self.nodes {
            wait_for("a node that knows all others", || {
                let nodes = node.cli(&["CLUSTER", "NODES"]);
                let knows_all = node.cli(&["CLUSTER", "INFO"]).contains(&count);
                (knows_all && !nodes.contains("handshake")).then_some(())
            });
        }
    }

    /// Gives the slots to the masters and the masters to the replicas.
    fn assign(&self) {
        let slots: Vec<String> = (0..16_384).map(|slot: u16| slot.to_string()).collect();
        let third = slots.len().div_ceil(MASTERS);
        for (node, slots) in self.nodes.iter().zip(slots.chunks(third)) {
            let mut command = vec!["CLUSTER", "ADDSLOTS"];
            command.extend(slots.iter().map(String::as_str));
            node.cli(&command);
        }
        for (master, replica) in self.nodes[MASTERS..].iter().enumerate() {
            let id = self.id(master);
            // Refused until it has heard that the other one is a master.
            wait_for("a replica", || {
                let reply = replica.ask(&["CLUSTER", "REPLICATE", &id]).ok()?;
                (reply.text() == "OK").then_some(())
            });
        }
    }
}

impl SlotMove<'_> {
    /// Moves at most so many of its keys: how many there were.
    pub fn some_keys(&self, count: usize) -> usize {
        let [from, to] = [self.from, self.to].map(|node| &self.cluster.nodes[node]);
        let (slot, count) = (self.slot.to_string(), count.to_string());
        let keys = from.ask(&["CLUSTER", "GETKEYSINSLOT", &slot, &count]);
        let keys = keys.expect("an answer");
        let port = to.address().port().to_string();
        for key in keys.members() {
            let Reply::Bytes(key) = key else {
                panic!("no key: {key:?}")
            };
            let key = str::from_utf8(key).expect("text");
            // NOKEY, if it died or was removed in between.
            from.cli(&[
                "MIGRATE",
                "127.0.0.1",
                &port,
                key,
                "0",
                "5000",
                "AUTH2",
                "stage",
                "stage",
            ]);
        }
        keys.members().len()
    }

    /// Tells everybody that it has arrived. Keys that are still behind are lost.
    pub fn finish(self) {
        let (slot, id) = (self.slot.to_string(), self.cluster.id(self.to));
        let told = ["CLUSTER", "SETSLOT", &slot, "NODE", &id];
        // Its new master first, so that there is always one.
        self.cluster.nodes[self.to].cli(&told);
        self.cluster.nodes[self.from].cli(&told);
    }
}
