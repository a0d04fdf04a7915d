//! The first words on a connection: the login, and whether the server is of the kind that the URL names; knows no addresses.

use redis::Value;

use super::{
    connection::Connection,
    dial::Dialer,
    fault::Fault,
    refusal::{NoConnection, Refusal},
};

/// Whom we want to meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// A server that takes writes and belongs to no cluster.
    Alone,
    /// A server that takes writes in a cluster.
    Master,
    /// Any server of a cluster.
    Member,
    /// One that knows who takes writes.
    Sentinel,
}

/// What a server says of itself.
#[derive(Debug, Default)]
struct Greeting {
    version: String,
    mode: String,
    role: String,
}

/// The oldest server that has all that the scripts use.
const OLDEST: (u32, u32) = (6, 2);

/// Logs in, chooses the database and looks whom we have met.
pub async fn exchange(
    connection: &Connection,
    dialer: &Dialer,
    expected: Expected,
) -> Result<(), NoConnection> {
    let answer = connection.send(&[&dialer.hello()]).await.map_err(refused)?;
    judge(&Greeting::read(answer).ok_or(Refusal::Stranger)?, expected)?;
    if dialer.database > 0 {
        let mut select = redis::cmd("SELECT");
        select.arg(dialer.database);
        let selected = connection.send(&[&select]).await;
        selected.map_err(|fault| no_database(fault, dialer.database))?;
    }
    Ok(())
}

impl Greeting {
    /// Names and values in turn.
    fn read(answer: Value) -> Option<Self> {
        let Value::Array(fields) = answer else {
            return None;
        };
        let mut greeting = Self::default();
        let mut fields = fields.into_iter();
        while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
            let field = match redis::from_redis_value::<String>(name).ok()?.as_str() {
                "version" => &mut greeting.version,
                "mode" => &mut greeting.mode,
                "role" => &mut greeting.role,
                _ => continue,
            };
            *field = redis::from_redis_value(value).ok()?;
        }
        Some(greeting)
    }
}

fn judge(met: &Greeting, expected: Expected) -> Result<(), NoConnection> {
    let mut version = met.version.split('.').map(str::parse::<u32>);
    match (version.next(), version.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= OLDEST => {}
        (Some(Ok(_)), Some(Ok(_))) => return Err(Refusal::Version((*met.version).into()).into()),
        (_, _) => return Err(Refusal::Stranger.into()),
    }
    match (expected, met.mode.as_str()) {
        (Expected::Alone, "cluster") => return Err(Refusal::IsCluster.into()),
        (Expected::Master | Expected::Member, "standalone") => {
            return Err(Refusal::NotCluster.into());
        }
        (Expected::Alone | Expected::Master | Expected::Member, "sentinel") => {
            return Err(Refusal::IsSentinel.into());
        }
        (Expected::Sentinel, mode) if mode != "sentinel" => {
            return Err(Refusal::NotSentinel.into());
        }
        (_, _) => {}
    }
    match (expected, met.role.as_str()) {
        (Expected::Alone | Expected::Master, "replica" | "slave") => Err(
            NoConnection::unreachable("is a replica and takes no writes"),
        ),
        (_, _) => Ok(()),
    }
}

/// What the answer to the login means. Its text is not repeated: a server that does not know the
/// command would show its arguments, among them the password.
fn refused(fault: Fault) -> NoConnection {
    match fault {
        Fault::Refused { code, text } => match &*code {
            "WRONGPASS" => Refusal::Login.into(),
            "NOPERM" => Refusal::Permission("HELLO is forbidden".into()).into(),
            "ERR" if text.contains("unknown command") => Refusal::Version("before 6".into()).into(),
            // Such as "max number of clients reached".
            code => NoConnection::unreachable(format_args!("turns us away with {code}")),
        },
        // Before the login, the only thing that is not done is what needs one.
        Fault::Demoted(_) => Refusal::NoLogin.into(),
        Fault::Unsent(why) | Fault::Cut(why) | Fault::Later(why) => NoConnection::Unreachable(why),
        Fault::NoScript | Fault::Moved(_) | Fault::Ask(_) | Fault::Silent(_) => {
            Refusal::Stranger.into()
        }
    }
}

fn no_database(fault: Fault, database: u32) -> NoConnection {
    if let Fault::Refused { code, .. } = &fault {
        return match &**code {
            "NOPERM" => Refusal::Permission("SELECT is forbidden".into()).into(),
            _ => Refusal::Database(database).into(),
        };
    }
    refused(fault)
}
