//! `[store]`: where the gateway keeps its state, and who may vouch for the place; opens nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    config::{document::Section, item::Item, problem::Reported, units::Size, value::Value},
    secret::Secret,
    store::{
        self, Backend, InvalidBackend,
        redis::{self, InvalidPrefix, Prefix, Roots, Transport},
    },
};

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_mins(1);

/// `[store]`; an embedded store without a path is in `data_dir`. Clocks that differ by more than
/// `leeway` are told to the operators.
pub fn store(
    section: &Section<'_>,
    data_dir: &Path,
    leeway: Duration,
) -> Result<store::Spec, Reported> {
    let url = section.read("url", r#""embedded:""#);
    let max_size = section.read_within("max_size", r#""1gb""#, Size(1 << 20)..=Size(1 << 50));
    let deadline = section.read_within("deadline", r#""1s""#, SHORTEST..=LONGEST);
    let ca: Result<Option<Authorities>, _> = section.read("ca", r#""""#);
    let prefix = section.read("prefix", r#""otp:""#);
    let (ca, prefix) = (ca?, prefix?);
    let backend = match url? {
        StoreUrl::InDataDir => Backend::Embedded(data_dir.join("otp-gateway.redb")),
        StoreUrl::Given(Backend::Redis(spec)) => Backend::Redis(redis::Spec {
            ca: ca.as_ref().map(|Authorities(roots)| roots.clone()),
            prefix,
            leeway,
            ..spec
        }),
        StoreUrl::Given(other) => other,
    };
    let verifies = matches!(&backend, Backend::Redis(spec) if spec.url.transport == Transport::Tls);
    if ca.is_some() && !verifies {
        return Err(section.refuse("ca", "is only used by URLs that begin with rediss", None));
    }
    Ok(store::Spec {
        backend,
        max_size: max_size?.0,
        deadline: deadline?,
    })
}

/// Who may vouch for a server.
struct Authorities(Roots);

/// Which store.
enum StoreUrl {
    Given(Backend),
    InDataDir,
}

/// The URL is read as a secret is, since it may hold a password.
impl Value for StoreUrl {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let secret = Secret::read(item)?;
        let text = String::from_utf8_lossy(secret.expose());
        if text == "embedded:" {
            return Ok(Self::InDataDir);
        }
        text.parse()
            .map(Self::Given)
            .map_err(|error: InvalidBackend| item.refuse(error, None))
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
