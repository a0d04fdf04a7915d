//! `[store]`: where the gateway keeps its state, and who may vouch for the place; opens nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    config::{document::Section, env, item::Item, problem::Reported, units::Size, value::Value},
    secret::Secret,
    store::{
        self, Backend, InvalidBackend,
        redis::{self, InvalidPrefix, Prefix, Roots, Transport},
    },
};

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_mins(1);

/// What `[store]` says of any store, wherever it is: so a command can name another one by its URL.
#[derive(Debug, Clone)]
pub struct Stores {
    data_dir: PathBuf,
    ca: Option<Roots>,
    prefix: Prefix,
    leeway: Duration,
    max_size: u64,
    deadline: Duration,
}

/// Why a text names no store. It is not repeated: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoStore {
    /// There is no such variable.
    #[error("the environment variable {0} is not set")]
    NotSet(String),
    /// It is no URL.
    #[error("the URL {0}")]
    Invalid(#[from] InvalidBackend),
}

/// `[store]`; an embedded store without a path is in `data_dir`. Clocks that differ by more than
/// `leeway` are told to the operators.
pub fn store(
    section: &Section<'_>,
    data_dir: &Path,
    leeway: Duration,
) -> Result<(store::Spec, Stores), Reported> {
    let url = section.read("url", r#""embedded:""#);
    let max_size = section.read_within("max_size", r#""1gb""#, Size(1 << 20)..=Size(1 << 50));
    let deadline = section.read_within("deadline", r#""1s""#, SHORTEST..=LONGEST);
    let ca: Result<Option<Authorities>, _> = section.read("ca", r#""""#);
    let prefix = section.read("prefix", r#""otp:""#);
    let (url, ca, prefix) = (url?, ca?, prefix?);
    let stores = Stores {
        data_dir: data_dir.to_owned(),
        ca: ca.map(|Authorities(roots)| roots),
        prefix,
        leeway,
        max_size: max_size?.0,
        deadline: deadline?,
    };
    let spec = stores.at(url);
    if stores.ca.is_some() && !is_verified(&spec.backend) {
        return Err(section.refuse("ca", "is only used by URLs that begin with rediss", None));
    }
    Ok((spec, stores))
}

impl Stores {
    /// The store that a command names: by its URL, or, since everybody on a machine may read
    /// arguments, by `env:NAME`, the environment variable that holds it.
    pub fn find(&self, text: &str) -> Result<store::Spec, NoStore> {
        let url = match text.strip_prefix("env:") {
            Some(name) => &env(name).ok_or_else(|| NoStore::NotSet(name.to_owned()))?,
            None => text,
        };
        Ok(self.at(StoreUrl::parse(url)?))
    }

    fn at(&self, url: StoreUrl) -> store::Spec {
        let backend = match url {
            StoreUrl::InDataDir => Backend::Embedded(self.data_dir.join("otp-gateway.redb")),
            StoreUrl::Given(Backend::Redis(spec)) => Backend::Redis(redis::Spec {
                ca: self
                    .ca
                    .clone()
                    .filter(|_| spec.url.transport == Transport::Tls),
                prefix: self.prefix.clone(),
                leeway: self.leeway,
                ..spec
            }),
            StoreUrl::Given(other) => other,
        };
        store::Spec {
            backend,
            max_size: self.max_size,
            deadline: self.deadline,
        }
    }
}

fn is_verified(backend: &Backend) -> bool {
    matches!(backend, Backend::Redis(spec) if spec.url.transport == Transport::Tls)
}

/// Who may vouch for a server.
struct Authorities(Roots);

/// Which store.
enum StoreUrl {
    Given(Backend),
    InDataDir,
}

impl StoreUrl {
    fn parse(text: &str) -> Result<Self, InvalidBackend> {
        match text {
            "embedded:" => Ok(Self::InDataDir),
            text => text.parse().map(Self::Given),
        }
    }
}

/// The URL is read as a secret is, since it may hold a password.
impl Value for StoreUrl {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let secret = Secret::read(item)?;
        let text = String::from_utf8_lossy(secret.expose());
        Self::parse(&text).map_err(|error| item.refuse(error, None))
    }
}

impl Value for Authorities {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let path = PathBuf::read(item)?;
        let pem = fs::read(&path).map_err(|error| {
            item.refuse(format!("cannot read {}: {error}", path.display()), None)
        })?;
        let roots = Roots::from_pem(&pem);
        let roots = roots.map_err(|error| item.refuse(format!("{} {error}", path.display()), None));
        roots.map(Self)
    }
}

impl Value for Prefix {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let text = item.text("a string")?;
        text.parse()
            .map_err(|error: InvalidPrefix| item.refuse(error, None))
    }
}
