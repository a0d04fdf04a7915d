//! Servers as the target of a copy: keeps records until all are there, and lets gateways in then; knows no source.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use redis::Cmd;

use super::{
    Servers, Spec,
    pack::{account, delivery, meter, purse, request, revoked, window},
    scan::{Scan, portions},
};
use crate::{
    clock::{Clock, Timestamp},
    domain::{
        account::{Account, AccountKey},
        budget::Purse,
        delivery::{Delivery, Once},
        fraud::{Meter, MeterKey},
        otp::{ChallengeId, Started},
        quota::Bucket,
        session::SessionId,
    },
    secret::SecretId,
    store::{
        Error,
        redis::{
            group::Group,
            join::join_all,
            keys::{group_of, message_group},
            packed::Packed,
            reply::{Nonsense, Reply},
            script::Script,
            scripts,
            verbs::{FORM, UNFINISHED},
        },
        transfer::{Batch, Bookmark, Broken, Entry, Progress, Stamp},
    },
};

/// A store that no gateway works on yet, since its name plate says that it is not complete.
#[derive(Debug)]
pub struct Import {
    servers: Servers,
    stamp: Stamp,
}

/// What stands on the name plate.
enum Found {
    /// Nothing did: now it is ours.
    Begun,
    /// An earlier copy, of which nothing can be said.
    Outdated,
    Progress(Progress),
    Taken {
        form: Vec<u8>,
        secret: Vec<u8>,
    },
}

impl Import {
    /// Takes the place, unless somebody else has it.
    pub async fn open(
        spec: &Spec,
        names: SecretId,
        clock: Clock,
        stamp: Stamp,
    ) -> Result<(Self, Progress), Broken> {
        let servers = Servers::open(spec, clock).await?;
        let (group, plate) = servers.keys.plate();
        let (secret, copy) = (names.to_string(), stamp.0.to_string());
        let args = [FORM, UNFINISHED, &secret, &copy].map(str::as_bytes);
        let script = &scripts::BEGIN_COPY;
        let found = servers
            .call(script, group, &[plate], &args, read_plate)
            .await?;
        let import = Self { servers, stamp };
        let progress = match found {
            Found::Begun => Progress::None,
            Found::Progress(progress) => progress,
            Found::Outdated => {
                import.throw_away().await?;
                Progress::None
            }
            Found::Taken { form, secret } => return Err(import.taken(&form, &secret, names)),
        };
        Ok((import, progress))
    }

    /// Keeps the entries, each in one step, and then how far the copy has come.
    pub async fn put(&mut self, batch: &Batch) -> Result<(), Error> {
        let (mut accounts, mut windows) = (Vec::new(), Vec::new());
        let (mut meters, mut purses, mut ended) = (Vec::new(), Vec::new(), Vec::new());
        let (mut deliveries, mut requests) = (Vec::new(), Vec::new());
        for entry in &batch.entries {
            match entry {
                Entry::Account { key, account } => {
                    accounts.push((group_of(*key), (*key, account)));
                }
                Entry::Window {
                    bucket,
                    events,
                    dead_at,
                } => windows.push((group(&bucket.0), (*bucket, events.as_slice(), *dead_at))),
                Entry::Meter { key, meter } => meters.push((group(&key.0), (*key, meter))),
                Entry::Purse { key, purse } => purses.push((group(&key.0), (*key, purse))),
                Entry::Delivery {
                    challenge,
                    delivery,
                } => deliveries.push((message_group(*challenge), (*challenge, delivery))),
                Entry::Request { once, started } => {
                    requests.push((group(&once.key.0), (*once, started)));
                }
                // Gateways read the sets of all groups, so that it does not matter in which it is.
                Entry::Revoked { session, until } => {
                    ended.push((group(session.as_bytes()), (*session, *until)));
                }
            }
        }
        let link = &self.servers.link;
        let accounts = portions(link, accounts);
        let accounts = accounts
            .iter()
            .map(|(group, items)| self.accounts(*group, items));
        let windows = portions(link, windows);
        let windows = windows
            .iter()
            .map(|(group, items)| self.windows(*group, items));
        let ended = portions(link, ended);
        let ended = ended
            .iter()
            .map(|(group, items)| self.revoked(*group, items));
        let meters = portions(link, meters);
        let meters = meters
            .iter()
            .map(|(group, items)| self.meters(*group, items));
        let purses = portions(link, purses);
        let purses = purses
            .iter()
            .map(|(group, items)| self.purses(*group, items));
        let deliveries = portions(link, deliveries);
        let deliveries = deliveries
            .iter()
            .map(|(group, items)| self.deliveries(*group, items));
        let requests = portions(link, requests);
        let requests = requests
            .iter()
            .map(|(group, items)| self.requests(*group, items));
        let (accounts, windows, meters, purses, ended, deliveries, requests) = tokio::join!(
            join_all(accounts),
            join_all(windows),
            join_all(meters),
            join_all(purses),
            join_all(ended),
            join_all(deliveries),
            join_all(requests)
        );
        let all = accounts.into_iter().chain(windows).chain(meters);
        let all = all.chain(purses).chain(ended);
        for put in all.chain(deliveries).chain(requests) {
            put?;
        }
        match &batch.bookmark {
            Some(Bookmark(bookmark)) => {
                let bookmark = BASE64_URL_SAFE_NO_PAD.encode(bookmark);
                self.write_plate(|plate| plate.arg("bookmark").arg(bookmark))
                    .await
            }
            None => Ok(()),
        }
    }

    /// Lets gateways in.
    pub async fn finish(self) -> Result<(), Error> {
        self.write_plate(|plate| plate.arg("form").arg(FORM)).await
    }

    async fn accounts(
        &self,
        group: Group,
        accounts: &[(AccountKey, &Account)],
    ) -> Result<(), Error> {
        let keys = &self.servers.keys;
        let names: Vec<_> = accounts
            .iter()
            .flat_map(|(key, _)| [keys.code(*key), keys.sessions(*key)])
            .collect();
        let args: Vec<_> = accounts.iter().map(|(_, one)| account(one)).collect();
        let script = &scripts::PUT_ACCOUNTS;
        self.run(script, group, &names, &args).await
    }

    async fn windows(
        &self,
        group: Group,
        windows: &[(Bucket, &[Timestamp], Timestamp)],
    ) -> Result<(), Error> {
        let keys = &self.servers.keys;
        let names = windows.iter().map(|(bucket, ..)| keys.window(*bucket));
        let args = windows
            .iter()
            .map(|(_, events, dead_at)| window(events, *dead_at));
        let (names, args): (Vec<_>, Vec<_>) = (names.collect(), args.collect());
        let script = &scripts::PUT_WINDOWS;
        self.run(script, group, &names, &args).await
    }

    async fn meters(&self, group: Group, meters: &[(MeterKey, &Meter)]) -> Result<(), Error> {
        let keys = &self.servers.keys;
        let names: Vec<_> = meters.iter().map(|(key, _)| keys.meter(*key)).collect();
        let args: Vec<_> = meters.iter().map(|(_, one)| meter(one)).collect();
        let script = &scripts::PUT_METERS;
        self.run(script, group, &names, &args).await
    }

    async fn purses(&self, group: Group, purses: &[(Bucket, &Purse)]) -> Result<(), Error> {
        let keys = &self.servers.keys;
        let names: Vec<_> = purses.iter().map(|(key, _)| keys.purse(*key)).collect();
        let args: Vec<_> = purses.iter().map(|(_, one)| purse(one)).collect();
        let script = &scripts::PUT_PURSES;
        self.run(script, group, &names, &args).await
    }

    async fn revoked(&self, group: Group, ended: &[(SessionId, Timestamp)]) -> Result<(), Error> {
        let names = [self.servers.keys.revoked(group)];
        let script = &scripts::PUT_REVOKED;
        self.run(script, group, &names, &[revoked(ended)]).await
    }

    async fn deliveries(
        &self,
        group: Group,
        deliveries: &[(ChallengeId, &Delivery)],
    ) -> Result<(), Error> {
        let keys = &self.servers.keys;
        let names = deliveries.iter().flat_map(|(challenge, _)| {
            let group = message_group(*challenge);
            [keys.deliveries(group), keys.queue(group)]
        });
        let args = deliveries
            .iter()
            .map(|(challenge, one)| delivery(*challenge, one));
        let args: Result<Vec<_>, _> = args.collect();
        let args = args.map_err(|Nonsense| self.servers.nonsense())?;
        let (script, names) = (&scripts::PUT_DELIVERIES, names.collect::<Vec<_>>());
        self.run(script, group, &names, &args).await
    }

    async fn requests(&self, group: Group, requests: &[(Once, &Started)]) -> Result<(), Error> {
        let keys = &self.servers.keys;
        let names: Vec<_> = requests
            .iter()
            .map(|(once, _)| keys.once(once.key))
            .collect();
        let args: Vec<_> = requests
            .iter()
            .map(|(once, started)| request(once.request, started))
            .collect();
        let script = &scripts::PUT_ONCE;
        self.run(script, group, &names, &args).await
    }

    async fn run(
        &self,
        script: &Script,
        group: Group,
        keys: &[String],
        args: &[Packed],
    ) -> Result<(), Error> {
        let args: Vec<_> = args.iter().map(AsRef::as_ref).collect();
        self.servers
            .call(script, group, keys, &args, read_put)
            .await
    }

    /// Removes what an earlier copy has left, and begins anew.
    async fn throw_away(&self) -> Result<(), Error> {
        let Servers { link, keys, .. } = &self.servers;
        let mut scan = Scan::new(link, keys).await?;
        while let Some(met) = scan.next().await? {
            let records = met
                .into_iter()
                .filter_map(|key| Some((keys.read(&key)?.group(), key)));
            let unlinks = portions(link, records)
                .into_iter()
                .map(|(group, met)| async move {
                    let mut unlink = redis::cmd("UNLINK");
                    unlink.arg(met);
                    link.ask(group, &unlink).await
                });
            for unlinked in join_all(unlinks).await {
                unlinked?;
            }
        }
        for group in Group::all() {
            let mut unlink = redis::cmd("UNLINK");
            unlink.arg(keys.revoked(group));
            unlink.arg(keys.deliveries(group)).arg(keys.queue(group));
            link.ask(group, &unlink).await?;
        }
        let (group, plate) = keys.plate();
        let mut forget = redis::cmd("HDEL");
        forget.arg(plate).arg("bookmark");
        link.ask(group, &forget).await?;
        // Last, so that whoever is interrupted before begins anew once more.
        let stamp = self.stamp.0.to_string();
        self.write_plate(|plate| plate.arg("copy").arg(stamp)).await
    }

    async fn write_plate(&self, fields: impl FnOnce(&mut Cmd) -> &mut Cmd) -> Result<(), Error> {
        let (group, plate) = self.servers.keys.plate();
        let mut write = redis::cmd("HSET");
        fields(write.arg(plate));
        self.servers.link.ask(group, &write).await.map(drop)
    }

    /// Who has the place.
    fn taken(self, form: &[u8], secret: &[u8], names: SecretId) -> Broken {
        let is_known = [FORM, UNFINISHED].map(str::as_bytes).contains(&form);
        if !is_known {
            self.servers.other_form().into()
        } else if secret == names.to_string().as_bytes() {
            Broken::Taken(self.servers.name)
        } else {
            self.servers.foreign().into()
        }
    }
}

fn group([first, ..]: &[u8; 16]) -> Group {
    Group::new(*first)
}

fn read_plate(mut reply: Reply) -> Result<Found, Nonsense> {
    let found = match reply.word()?.as_slice() {
        b"begun" => Found::Begun,
        b"outdated" => Found::Outdated,
        b"complete" => Found::Progress(Progress::All),
        b"until" => {
            let bookmark = BASE64_URL_SAFE_NO_PAD.decode(reply.word()?);
            let bookmark = Bookmark(bookmark.map_err(|_| Nonsense)?);
            Found::Progress(Progress::Until(bookmark))
        }
        b"taken" => Found::Taken {
            form: reply.word()?,
            secret: reply.word()?,
        },
        _ => return Err(Nonsense),
    };
    reply.end(found)
}

fn read_put(mut reply: Reply) -> Result<(), Nonsense> {
    match reply.word()?.as_slice() {
        b"put" => reply.end(()),
        _ => Err(Nonsense),
    }
}
