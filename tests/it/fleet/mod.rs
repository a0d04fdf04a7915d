//! Two gateways on one Redis, restarted one after the other while people use both: nobody notices.

mod keys;
mod people;
mod secrets;

use std::{fs, path::PathBuf, sync::Arc};

use otp_gateway::{
    Clock,
    app::{App, Deps, Ending},
    config::{Flags, Source},
};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use self::people::{Crowd, World};
use crate::stage::{inbox::Inbox, redis::RedisServer, upstream::Upstream};

/// The gateways and what they share.
struct Fleet {
    gateways: Vec<App>,
    /// What people know of it.
    world: Arc<World>,
    app: Upstream,
    redis: RedisServer,
    dir: TempDir,
}

/// Gateways of a fleet.
const SIZE: usize = 2;

impl Fleet {
    /// A fleet whose gateways all have these settings.
    async fn start(settings: &str) -> Self {
        let mut fleet = Self {
            gateways: Vec::new(),
            world: Arc::new(World::default()),
            app: Upstream::start().await,
            redis: RedisServer::start(),
            dir: TempDir::new().expect("a directory"),
        };
        for number in 0..SIZE {
            let gateway = fleet.gateway(number, settings).await;
            fleet.world.moved(number, gateway.listeners()[0].address);
            fleet.gateways.push(gateway);
        }
        fleet
    }

    /// Gives all gateways other settings: one after the other is stopped and started again, each
    /// when everybody has been served by the one before.
    async fn roll(&mut self, settings: &str, crowd: &Crowd) {
        for number in 0..SIZE {
            crowd.goes_on().await;
            self.gateways[number].stop();
            // In its place, so that the one that has stopped can be waited for.
            let started = self.gateway(number, settings).await;
            let address = started.listeners()[0].address;
            let stopped = std::mem::replace(&mut self.gateways[number], started);
            let ending = spawn_blocking(|| stopped.wait()).await.expect("no panic");
            assert_eq!(ending, Ending::Asked);
            self.world.moved(number, address);
        }
        crowd.goes_on().await;
    }

    /// A gateway with a configuration file of its own; only the directory of keys is the same.
    async fn gateway(&self, number: usize, settings: &str) -> App {
        let file = self.file(number);
        fs::write(&file, self.configuration(number, settings)).expect("a file");
        let source = Source {
            file: Some(file),
            flags: Flags::default(),
        };
        let loaded = source.load().unwrap_or_else(|error| panic!("{error}"));
        let deps = Deps {
            clock: Clock::System,
            console: Box::new(self.world.inbox.clone()),
            access_log: Box::new(Inbox::default()),
        };
        spawn_blocking(|| App::start(loaded.config, deps))
            .await
            .expect("no panic")
            .unwrap_or_else(|error| panic!("{error}"))
    }

    fn file(&self, number: usize) -> PathBuf {
        self.dir.path().join(format!("gateway-{number}.toml"))
    }

    fn configuration(&self, number: usize, settings: &str) -> String {
        format!(
            "server.listen = \"127.0.0.1:0\"\nserver.workers = 1\nadmin.listen = \"off\"\n\
             server.data_dir = \"{dir}/data-{number}\"\ntokens.keys = \"{dir}/keys\"\n\
             tokens.issuer = \"https://login.test\"\n\
             store.url = \"redis://{redis}\"\nstore.deadline = \"10s\"\n\
             otp.limits = [\"10000/1h per phone\"]\notp.guard.mode = \"off\"\n\
             upstreams.app.servers = \"http://{app}\"\n{settings}\n[[routes]]\npath = \"/\"\n",
            dir = self.dir.path().display(),
            redis = self.redis.address(),
            app = self.app.address,
        )
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for gateway in self.gateways.drain(..) {
            gateway.abort();
            gateway.wait();
        }
    }
}
