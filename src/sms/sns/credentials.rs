//! What requests are signed with: where it comes from, in the order of AWS's tools, and for how long it is kept.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::Mutex;

use super::{Surroundings, metadata, profile, sts};
use crate::{
    clock::Timestamp,
    secret::Secret,
    sms::{
        error::{Cause, Class, Error},
        http::Client,
    },
};

/// A key, and until when it is one.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The name of the key.
    pub access_key: String,
    /// The key.
    pub secret_key: Secret,
    /// What belongs to a key that is lent.
    pub session_token: Option<Secret>,
    /// When it is no longer lent; `None` for one that is not.
    pub expires_at: Option<Timestamp>,
}

/// Where credentials come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// From the configuration.
    Key(Credentials),
    /// From the first of these that has some: the environment, the profile of this name (or
    /// `AWS_PROFILE`, or `default`), a web identity, the container, the machine.
    Usual {
        /// The profile, if the configuration names one.
        profile: Option<String>,
        /// What the environment says.
        surroundings: Arc<Surroundings>,
    },
}

/// Keeps credentials as long as they are good.
#[derive(Debug)]
pub struct Keeper {
    given: Given,
    region: String,
    client: Client,
    /// Held while new ones are fetched: messages at the same time fetch them once.
    kept: Mutex<Option<Credentials>>,
}

/// Why there are no credentials: the place that should have had some, and what was wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking(pub String);

/// So long before they end, credentials are replaced.
const MARGIN: Duration = Duration::from_mins(5);

/// In the last of these they are not used any more, even if there are no others.
const LAST: Duration = Duration::from_secs(10);

impl Keeper {
    /// Asks where `given` says, for a service in `region`.
    pub fn new(given: Given, region: &str, client: Client) -> Self {
        Self {
            given,
            region: region.to_owned(),
            client,
            kept: Mutex::new(None),
        }
    }

    /// Credentials that are good at `now`. Nothing was sent when there are none.
    pub async fn credentials(&self, now: Timestamp) -> Result<Credentials, Error> {
        let mut kept = self.kept.lock().await;
        if let Some(credentials) = kept.as_ref().filter(|kept| kept.are_good(now + MARGIN)) {
            return Ok(credentials.clone());
        }
        match self.fetch().await {
            Ok(fetched) => {
                *kept = Some(fetched.clone());
                Ok(fetched)
            }
            Err(Lacking(why)) => {
                let old = kept.as_ref().filter(|kept| kept.are_good(now + LAST));
                old.cloned()
                    .ok_or_else(|| Error::new(Class::Misconfigured, Cause::NoCredentials(why)))
            }
        }
    }

    /// Lets the next message fetch new ones.
    pub async fn forget(&self) {
        *self.kept.lock().await = None;
    }

    /// The first place that is meant to have credentials must have them: a machine that lends
    /// others does not step in for a broken profile.
    async fn fetch(&self) -> Result<Credentials, Lacking> {
        let (profile, surroundings) = match &self.given {
            Given::Key(credentials) => return Ok(credentials.clone()),
            Given::Usual {
                profile,
                surroundings,
            } => (profile.as_deref(), surroundings),
        };
        if profile.is_none()
            && let Some(key) = of_environment(surroundings)
        {
            return Ok(key);
        }
        if let Some(key) = of_profile(profile, surroundings).await? {
            return Ok(key);
        }
        if let Some(ask) = sts::WebIdentity::of(surroundings, &self.region) {
            return ask.credentials(&self.client).await;
        }
        if let Some(ask) = metadata::Container::of(surroundings)? {
            return ask.credentials(&self.client).await;
        }
        match metadata::Machine::of(surroundings) {
            Some(machine) => machine.credentials(&self.client).await,
            None => Err(Lacking("nothing in the environment names any".to_owned())),
        }
    }
}

impl Credentials {
    fn are_good(&self, at: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| at < end)
    }
}

fn of_environment(surroundings: &Surroundings) -> Option<Credentials> {
    let secret = |name| {
        surroundings
            .get(name)
            .map(|text| Secret::new(text.as_bytes()))
    };
    Some(Credentials {
        access_key: surroundings.get("AWS_ACCESS_KEY_ID")?.to_owned(),
        secret_key: secret("AWS_SECRET_ACCESS_KEY")?,
        session_token: secret("AWS_SESSION_TOKEN"),
        expires_at: None,
    })
}

/// A profile that is named must be there; `default` need not.
async fn of_profile(
    named: Option<&str>,
    surroundings: &Surroundings,
) -> Result<Option<Credentials>, Lacking> {
    let named = named.or_else(|| surroundings.get("AWS_PROFILE"));
    let name = named.unwrap_or("default");
    for file in surroundings.files().into_iter().flatten() {
        let text = read(file).await.unwrap_or_default();
        if let Some(found) = profile::find(&text, name) {
            return Ok(Some(found));
        }
    }
    match named {
        Some(name) => Err(Lacking(format!("no profile {name} with keys in it"))),
        None => Ok(None),
    }
}

/// The text of a file, which may lie on another machine.
pub async fn read(file: PathBuf) -> Option<String> {
    let reading = tokio::task::spawn_blocking(move || std::fs::read_to_string(file).ok());
    reading.await.ok().flatten()
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
