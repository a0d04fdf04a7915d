//! Whose keys these are, and whether they can be written: one step, done before all others and whenever somebody asks.
//!
//! A store is ready if it takes writes and passes on news: so a replica, a server that may not
//! write to its disk and one whose memory is full are not, although the last one still lets people
//! log out. In a cluster the server of one group answers for all.

use std::sync::atomic::Ordering;

use super::{Reply, Run};
use crate::{
    secret::SecretId,
    store::{
        Error, OpenError,
        redis::{Redis, reply::Nonsense, scripts},
    },
};

/// What stands on the name plate of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plate {
    /// How its records are written.
    form: Vec<u8>,
    /// The secret that all its names follow from: with another one, nobody would be found.
    names: Vec<u8>,
}

/// How the scripts write records. A store that says another number is not touched.
pub const FORM: &str = "1";

/// The form of a store that is being copied there: none that a gateway would work on.
pub const UNFINISHED: &str = "unfinished";

impl Plate {
    /// Of a store that we understand, and whose names are made with this secret.
    pub fn new(names: SecretId) -> Self {
        Self {
            form: FORM.into(),
            names: names.to_string().into(),
        }
    }
}

impl Redis {
    /// See [`crate::store::Store::ready`].
    pub async fn ready(&self) -> Result<(), Error> {
        match self.claim().await? {
            Ok(()) => Ok(()),
            Err(foreign) => Err(Error::Unavailable(foreign.to_string().into())),
        }
    }

    /// Nothing is asked of a store that is not ours. This has been found out when the store was
    /// opened, or else, if no server was there at that time, is found out by the first verb.
    pub async fn is_ours(&self) -> Result<(), Error> {
        if self.shared.is_ours.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.ready().await
    }

    /// Puts up our name plate, unless somebody else's is there.
    pub async fn claim(&self) -> Result<Result<(), OpenError>, Error> {
        let Plate { form, names } = &self.shared.plate;
        let (group, key) = self.shared.keys.plate();
        let run = Run {
            script: &scripts::READY,
            group,
            keys: &[key],
            args: &[form, names, self.shared.keys.channel().as_bytes()],
        };
        let found = self.run_unchecked(run, read).await?;
        let is_ours = found == self.shared.plate;
        self.shared.is_ours.store(is_ours, Ordering::Relaxed);
        Ok(if is_ours {
            Ok(())
        } else {
            Err(self.foreign(&found))
        })
    }

    fn foreign(&self, found: &Plate) -> OpenError {
        let store = self.shared.name.to_string();
        let prefix = self.shared.keys.prefix().to_owned();
        if found.form == self.shared.plate.form {
            OpenError::Foreign { store, prefix }
        } else if found.form == UNFINISHED.as_bytes() {
            OpenError::Unfinished { store, prefix }
        } else {
            OpenError::Form { store, prefix }
        }
    }
}

fn read(mut reply: Reply) -> Result<Plate, Nonsense> {
    let plate = match reply.word()?.as_slice() {
        b"ready" => Plate {
            form: reply.word()?,
            names: reply.word()?,
        },
        _ => return Err(Nonsense),
    };
    reply.end(plate)
}
