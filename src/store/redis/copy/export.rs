//! Servers as the source of a copy: walks over all keys and reads what lies under them; writes nothing.

use super::{
    Servers, Spec,
    pack::{all, read_account, read_delivery, read_purse, read_request, read_window},
    scan::{Scan, portions},
};
use crate::{
    clock::Clock,
    domain::{
        account::AccountKey,
        budget::Purse,
        delivery::{Once, OnceKey},
        fraud::{Meter, MeterKey},
        quota::Bucket,
        session::SessionId,
    },
    secret::SecretId,
    store::{
        Error,
        redis::{
            group::Group,
            join::join_all,
            keys::{Named, group_of},
            reply::Reply,
            scripts,
            verbs::{FORM, read_meter},
        },
        transfer::{Batch, Broken, Entry, Stamp},
    },
};

/// Servers that are read.
#[derive(Debug)]
pub struct Export {
    servers: Servers,
    stamp: Stamp,
    at: Position,
}

/// What comes next.
#[derive(Debug)]
enum Position {
    /// Accounts and windows, as they are met.
    Keys(Scan),
    /// The messages of one group after the other.
    Deliveries(u8),
    /// The ended sessions of all groups.
    Revoked,
    End,
}

impl Export {
    /// Finds the store. Whether it has changed since somebody read it cannot be told, so every
    /// copy is one of its own: `stamp`.
    pub async fn open(
        spec: &Spec,
        names: SecretId,
        clock: Clock,
        stamp: Stamp,
    ) -> Result<Self, Broken> {
        let servers = Servers::open(spec, clock).await?;
        let (group, plate) = servers.keys.plate();
        let mut look = redis::cmd("HMGET");
        look.arg(&plate).arg("form").arg("secret");
        let found = servers.link.ask(group, &look).await?;
        match redis::from_redis_value::<(Option<String>, Option<String>)>(found) {
            Ok((Some(form), Some(secret))) if form == FORM => {
                if secret != names.to_string() {
                    return Err(servers.foreign().into());
                }
            }
            Ok((None, None)) => return Err(Broken::Nowhere(servers.name)),
            Ok(_) | Err(_) => return Err(servers.other_form().into()),
        }
        let scan = Scan::new(&servers.link, &servers.keys).await?;
        Ok(Self {
            servers,
            stamp,
            at: Position::Keys(scan),
        })
    }

    /// What tells this copy from others.
    pub const fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// What lies under the next keys.
    pub async fn next(&mut self) -> Result<Option<Batch>, Error> {
        let mut batch = Batch::default();
        match &mut self.at {
            Position::Keys(scan) => match scan.next().await? {
                Some(keys) => self.read(&keys, &mut batch).await?,
                None => self.at = Position::Deliveries(0),
            },
            Position::Deliveries(group) => {
                let byte = *group;
                self.deliveries(Group::new(byte), &mut batch).await?;
                self.at = match byte.checked_add(1) {
                    Some(next) => Position::Deliveries(next),
                    None => Position::Revoked,
                };
            }
            Position::Revoked => {
                self.revoked(&mut batch).await?;
                self.at = Position::End;
            }
            Position::End => return Ok(None),
        }
        Ok(Some(batch))
    }

    async fn read(&self, keys: &[Vec<u8>], batch: &mut Batch) -> Result<(), Error> {
        let (mut accounts, mut windows) = (Vec::new(), Vec::new());
        let (mut meters, mut purses, mut requests) = (Vec::new(), Vec::new(), Vec::new());
        for named in keys.iter().filter_map(|key| self.servers.keys.read(key)) {
            match named {
                Named::Sessions(key) => accounts.push((group_of(key), (key, Met::Sessions))),
                Named::Code(key) => accounts.push((group_of(key), (key, Met::Code))),
                Named::Window(bucket) => {
                    let Bucket([first, ..]) = bucket;
                    windows.push((Group::new(first), bucket));
                }
                Named::Meter(meter) => {
                    let MeterKey([first, ..]) = meter;
                    meters.push((Group::new(first), meter));
                }
                Named::Purse(purse) => purses.push((named.group(), purse)),
                Named::Once(once) => {
                    let OnceKey([first, ..]) = once;
                    requests.push((Group::new(first), once));
                }
            }
        }
        let link = &self.servers.link;
        let accounts = portions(link, accounts);
        let accounts = accounts
            .iter()
            .map(|(group, keys)| self.accounts(*group, keys));
        let windows = portions(link, windows);
        let windows = windows
            .iter()
            .map(|(group, keys)| self.windows(*group, keys));
        let meters = portions(link, meters);
        let meters = meters.iter().map(|(group, keys)| self.meters(*group, keys));
        let requests = portions(link, requests);
        let requests = requests
            .iter()
            .map(|(group, keys)| self.requests(*group, keys));
        let purses = portions(link, purses);
        let purses = purses.iter().map(|(group, keys)| self.purses(*group, keys));
        let (accounts, windows, meters, purses, requests) = tokio::join!(
            join_all(accounts),
            join_all(windows),
            join_all(meters),
            join_all(purses),
            join_all(requests)
        );
        let all = accounts.into_iter().chain(windows).chain(meters);
        for read in all.chain(purses).chain(requests) {
            let read = read?;
            batch.dead += read.dead;
            batch.entries.extend(read.entries);
        }
        Ok(())
    }

    async fn accounts(&self, group: Group, met: &[(AccountKey, Met)]) -> Result<Batch, Error> {
        let keys = &self.servers.keys;
        let names: Vec<_> = met
            .iter()
            .flat_map(|(key, _)| [keys.code(*key), keys.sessions(*key)])
            .collect();
        let read = |mut reply: Reply| {
            reply.word()?;
            all(reply, |accounts| read_account(accounts.list()?))
        };
        let script = &scripts::GET_ACCOUNTS;
        let accounts = self.servers.call(script, group, &names, &[], read).await?;
        let mut batch = Batch::default();
        for ((key, met), account) in met.iter().zip(accounts) {
            let (has_code, has_sessions) =
                (account.codes.live.is_some(), !account.sessions.is_empty());
            match met {
                // Under the other key it is met again.
                Met::Code if has_sessions => {}
                Met::Code | Met::Sessions if !has_code && !has_sessions => batch.dead += 1,
                Met::Code | Met::Sessions => {
                    batch.entries.push(Entry::Account { key: *key, account });
                }
            }
        }
        Ok(batch)
    }

    async fn windows(&self, group: Group, buckets: &[Bucket]) -> Result<Batch, Error> {
        let keys = &self.servers.keys;
        let names: Vec<_> = buckets.iter().map(|b| keys.window(*b)).collect();
        let read = |mut reply: Reply| {
            reply.word()?;
            all(reply, |windows| read_window(windows.list()?))
        };
        let script = &scripts::GET_WINDOWS;
        let windows = self.servers.call(script, group, &names, &[], read).await?;
        let mut batch = Batch::default();
        for (bucket, (dead_at, events)) in buckets.iter().zip(windows) {
            if events.is_empty() {
                batch.dead += 1;
            } else {
                batch.entries.push(Entry::Window {
                    bucket: *bucket,
                    events,
                    dead_at,
                });
            }
        }
        Ok(batch)
    }

    async fn meters(&self, group: Group, meters: &[MeterKey]) -> Result<Batch, Error> {
        let keys = &self.servers.keys;
        let names: Vec<_> = meters.iter().map(|meter| keys.meter(*meter)).collect();
        let read = |mut reply: Reply| {
            reply.word()?;
            let now = reply.moment()?;
            Ok((now, all(reply, read_meter)?))
        };
        let script = &scripts::GET_METERS;
        let (now, found) = self.servers.call(script, group, &names, &[], read).await?;
        let mut batch = Batch::default();
        for (key, meter) in meters.iter().zip(found) {
            match meter.filter(|meter: &Meter| meter.dead_at() > now) {
                Some(meter) => batch.entries.push(Entry::Meter { key: *key, meter }),
                None => batch.dead += 1,
            }
        }
        Ok(batch)
    }

    async fn requests(&self, group: Group, requests: &[OnceKey]) -> Result<Batch, Error> {
        let keys = &self.servers.keys;
        let names: Vec<_> = requests.iter().map(|key| keys.once(*key)).collect();
        let read = |mut reply: Reply| {
            reply.word()?;
            let now = reply.moment()?;
            Ok((now, all(reply, read_request)?))
        };
        let script = &scripts::GET_ONCE;
        let (now, found) = self.servers.call(script, group, &names, &[], read).await?;
        let mut batch = Batch::default();
        for (key, kept) in requests.iter().zip(found) {
            match kept.filter(|(_, started)| started.expires_at > now) {
                Some((request, started)) => {
                    let once = Once { key: *key, request };
                    batch.entries.push(Entry::Request { once, started });
                }
                None => batch.dead += 1,
            }
        }
        Ok(batch)
    }

    async fn deliveries(&self, group: Group, batch: &mut Batch) -> Result<(), Error> {
        let names = [self.servers.keys.deliveries(group)];
        let read = |mut reply: Reply| {
            reply.word()?;
            let now = reply.moment()?;
            Ok((now, all(reply.list()?, read_delivery)?))
        };
        let script = &scripts::GET_DELIVERIES;
        let (now, found) = self.servers.call(script, group, &names, &[], read).await?;
        for (challenge, delivery) in found {
            if delivery.dead_at() > now {
                let entry = Entry::Delivery {
                    challenge,
                    delivery,
                };
                batch.entries.push(entry);
            } else {
                batch.dead += 1;
            }
        }
        Ok(())
    }

    async fn purses(&self, group: Group, purses: &[Bucket]) -> Result<Batch, Error> {
        let keys = &self.servers.keys;
        let names: Vec<_> = purses.iter().map(|purse| keys.purse(*purse)).collect();
        let read = |mut reply: Reply| {
            reply.word()?;
            let now = reply.moment()?;
            Ok((now, all(reply, read_purse)?))
        };
        let script = &scripts::GET_PURSES;
        let (now, found) = self.servers.call(script, group, &names, &[], read).await?;
        let mut batch = Batch::default();
        for (key, purse) in purses.iter().zip(found) {
            match purse.filter(|purse: &Purse| purse.dead_at > now) {
                Some(purse) => batch.entries.push(Entry::Purse { key: *key, purse }),
                None => batch.dead += 1,
            }
        }
        Ok(batch)
    }

    async fn revoked(&self, batch: &mut Batch) -> Result<(), Error> {
        let groups: Vec<_> = Group::all().collect();
        let reading = groups.iter().map(|group| async move {
            let names = [self.servers.keys.revoked(*group)];
            let read = |mut reply: Reply| {
                reply.word()?;
                all(reply, |revoked| {
                    Ok((SessionId::new(revoked.bytes()?), revoked.moment()?))
                })
            };
            let script = &scripts::GET_REVOKED;
            self.servers.call(script, *group, &names, &[], read).await
        });
        for read in join_all(reading).await {
            for (session, until) in read? {
                batch.entries.push(Entry::Revoked { session, until });
            }
        }
        Ok(())
    }
}

/// Under which of its keys an account was met.
#[derive(Debug, Clone, Copy)]
enum Met {
    Code,
    Sessions,
}
