//! Asks sentinels which server takes writes, and believes none that the server itself contradicts.

use std::sync::{Arc, Mutex, PoisonError};

use super::{
    super::url::Address,
    connection::Connection,
    dial::{Dialer, Place},
    greeting::Expected,
    race::first_of,
    refusal::{NoConnection, Refusal},
};

/// The sentinels of one master.
#[derive(Debug)]
pub struct Sentinels {
    addresses: Vec<Address>,
    name: Arc<str>,
    /// Where the master was met last.
    current: Mutex<Option<Place>>,
}

impl Sentinels {
    /// Those at `addresses`, who know the master as `name`.
    pub fn new(addresses: Vec<Address>, name: String) -> Self {
        Self {
            addresses,
            name: name.into(),
            current: Mutex::default(),
        }
    }

    /// Connects to the server that a sentinel names and that agrees to be the master.
    pub async fn connect(&self, dialer: &Arc<Dialer>) -> Result<Connection, NoConnection> {
        let questions = self.addresses.clone().into_iter().map(|sentinel| {
            let (dialer, name) = (Arc::clone(dialer), Arc::clone(&self.name));
            async move {
                let master = ask(&dialer, &Place::Tcp(sentinel), &name).await?;
                dialer.connect(&master, Expected::Alone).await
            }
        });
        let connection = first_of(questions).await?;
        let place = connection.place().clone();
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
        Ok(connection)
    }

    /// Whether the master was last met there. Connections elsewhere lead to what it was before.
    pub fn lead_to(&self, place: &Place) -> bool {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.as_ref() == Some(place)
    }

    /// How the sentinels call it.
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }
}

/// Where the master is, as one sentinel sees it.
async fn ask(dialer: &Dialer, sentinel: &Place, name: &str) -> Result<Place, NoConnection> {
    let at = |why| match why {
        NoConnection::Unreachable(why) => {
            NoConnection::unreachable(format_args!("sentinel {sentinel}: {why}"))
        }
        refused @ NoConnection::Refused(_) => refused,
    };
    let connection = meet(dialer, sentinel).await.map_err(at)?;
    let mut command = redis::cmd("SENTINEL");
    command.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
    let answer = connection.send(&[&command]).await;
    let answer = answer.map_err(|_| at(NoConnection::unreachable("does not answer")))?;
    match redis::from_redis_value::<Option<(String, u16)>>(answer) {
        Ok(Some((host, port))) => Ok(Place::Tcp(Address { host, port })),
        Ok(None) => Err(Refusal::NoSuchMaster(name.into()).into()),
        Err(_) => Err(Refusal::Stranger.into()),
    }
}

/// Connects to a sentinel. The login of the URL is the master's; a sentinel gets it only if it
/// asks for one, as most do not.
async fn meet(dialer: &Dialer, sentinel: &Place) -> Result<Connection, NoConnection> {
    let nobody = Dialer {
        login: None,
        database: 0,
        ..dialer.clone()
    };
    match nobody.connect(sentinel, Expected::Sentinel).await {
        Err(NoConnection::Refused(Refusal::NoLogin)) => {
            let somebody = Dialer {
                database: 0,
                ..dialer.clone()
            };
            somebody.connect(sentinel, Expected::Sentinel).await
        }
        met => met,
    }
}
