//! `secret` and `pseudonym_secret` of `[server]`: which secrets there are, and what names follow from; knows not what is done with them.

use std::{collections::HashSet, path::Path, sync::Arc};

use crate::{
    config::{
        document::Section,
        item::Item,
        master::MasterSecret,
        problem::Reported,
        value::{OneOrMany, Value},
    },
    secret::{Master, Masters, Pseudonyms, Secret, TooShort},
    store::Backend,
};

/// The master secrets in the order of the file; none when one is to be made.
struct Written(Vec<One>);

/// One of them. Any could be the one that names follow from.
struct One {
    master: Master,
    pseudonyms: Pseudonyms,
}

/// The secrets of `[server]`. When no master secret is given, one is kept in `data_dir`.
pub fn secrets(section: &Section<'_>, data_dir: &Path) -> Result<MasterSecret, Reported> {
    let written: Result<Written, _> = section.read("secret", "[]");
    let pseudonyms: Result<Option<Pseudonyms>, _> = section.read("pseudonym_secret", r#""""#);

    let (Written(written), pseudonyms) = (written?, pseudonyms?);
    let mut written = written.into_iter();
    let Some(first) = written.next() else {
        return Ok(MasterSecret::kept_in(data_dir, pseudonyms));
    };
    let others: Vec<_> = written.map(|one| one.master).collect();
    let pseudonyms = match pseudonyms {
        Some(pseudonyms) => pseudonyms,
        None if others.is_empty() => first.pseudonyms,
        None => return Err(undecided(section)),
    };
    let masters = Masters::new(first.master, others, pseudonyms);
    Ok(MasterSecret::Given(Arc::new(masters)))
}

/// Gateways that share a store must have the same secrets, which none of them can make for the others.
pub fn refuse_own(
    root: &Section<'_>,
    secret: &MasterSecret,
    store: &Backend,
) -> Result<(), Reported> {
    match (secret, store) {
        (MasterSecret::Kept { .. }, Backend::Redis(_)) => {
            let what =
                "is needed beside a store that gateways share: all of them must have the same";
            let help = "`secret = { file = \"PATH\" }`, or { env = \"NAME\" }; `openssl rand -base64 32` makes one";
            Err(root
                .section("server")
                .refuse("secret", what, Some(help.to_owned())))
        }
        (MasterSecret::Kept { .. }, Backend::Memory | Backend::Embedded(_))
        | (MasterSecret::Given(_), Backend::Memory | Backend::Embedded(_) | Backend::Redis(_)) => {
            Ok(())
        }
    }
}

/// Neither the first nor the last of several secrets will do: both change while one is replaced.
fn undecided(section: &Section<'_>) -> Reported {
    let what = "with several secrets it must be said which one names follow from: with another one \
                everybody would get another `sub`, and nobody's session would be found";
    let help = "write the secret you began with as `pseudonym_secret`, too, and leave it there";
    section.refuse("pseudonym_secret", what, Some(help.to_owned()))
}

impl Value for Written {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        if item
            .elements()
            .is_some_and(|mut elements| elements.next().is_none())
        {
            return Ok(Self(Vec::new()));
        }
        let OneOrMany(written) = OneOrMany::<One>::read(item)?;
        let mut seen = HashSet::new();
        if !written.iter().all(|one| seen.insert(one.master.id())) {
            return Err(item.refuse("holds the same secret twice", None));
        }
        Ok(Self(written))
    }
}

impl Value for One {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        derived(item, |secret| {
            Ok(Self {
                master: Master::new(secret)?,
                pseudonyms: Pseudonyms::new(secret)?,
            })
        })
    }
}

impl Value for Pseudonyms {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        derived(item, Self::new)
    }
}

fn derived<T>(
    item: &Item<'_>,
    derive: impl FnOnce(&Secret) -> Result<T, TooShort>,
) -> Result<T, Reported> {
    let secret = Secret::read(item)?;
    let help = "`openssl rand -base64 32` makes a good one".to_owned();
    derive(&secret).map_err(|error| item.refuse(error, Some(help)))
}
