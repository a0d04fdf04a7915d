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
    let code = match &fault {
        Fault::Refused { code, .. } => Some(&**code),
        Fault::NoScript
        | Fault::Moved(_)
        | Fault::Ask(_)
        | Fault::Later(_)
        | Fault::Demoted(_)
        | Fault::Unsent(_)
        | Fault::Cut(_)
        | Fault::Silent(_) => None,
    };
    match code {
        Some("NOPERM") => Refusal::Permission("SELECT is forbidden".into()).into(),
        Some("ERR") => Refusal::Database(database).into(),
        Some(_) | None => refused(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting(version: &str, mode: &str, role: &str) -> Greeting {
        let fields = [
            ("version", version),
            ("mode", mode),
            ("role", role),
            ("id", ""),
        ];
        let text = |text: &str| Value::BulkString(text.into());
        let fields = fields
            .iter()
            .flat_map(|(name, value)| [text(name), text(value)]);
        Greeting::read(Value::Array(fields.collect())).expect("a greeting")
    }

    #[test]
    fn an_old_server_is_refused_and_one_that_is_none_too() {
        for (version, expected) in [
            ("6.2.0", Ok(())),
            ("7.0.15", Ok(())),
            ("10.0.0-rc1", Ok(())),
            ("6.0.16", Err(Refusal::Version("6.0.16".into()).into())),
            ("5.0", Err(Refusal::Version("5.0".into()).into())),
            ("", Err(Refusal::Stranger.into())),
            ("seven", Err(Refusal::Stranger.into())),
        ] {
            let met = greeting(version, "standalone", "master");
            assert_eq!(judge(&met, Expected::Alone), expected, "{version}");
        }
        for answer in [Value::Okay, Value::Array(vec![Value::Int(1), Value::Nil])] {
            let read = Greeting::read(answer);
            let met = read.map_or(Err(Refusal::Stranger.into()), |met| {
                judge(&met, Expected::Alone)
            });
            assert_eq!(met, Err(Refusal::Stranger.into()));
        }
    }

    #[test]
    fn a_server_must_be_of_the_kind_that_was_expected() {
        use Expected::{Alone, Master, Member, Sentinel};
        for (mode, role, fits) in [
            ("standalone", "master", &[Alone][..]),
            ("standalone", "replica", &[]),
            ("cluster", "master", &[Master, Member]),
            ("cluster", "replica", &[Member]),
            ("sentinel", "", &[Sentinel]),
        ] {
            for expected in [Alone, Master, Member, Sentinel] {
                let met = judge(&greeting("7.0.0", mode, role), expected);
                assert_eq!(
                    met.is_ok(),
                    fits.contains(&expected),
                    "{mode} {role} {expected:?}"
                );
            }
        }
        let replica = judge(&greeting("7.0.0", "standalone", "replica"), Alone);
        assert!(
            matches!(replica, Err(NoConnection::Unreachable(_))),
            "it may be promoted"
        );
    }

    #[test]
    fn what_is_said_to_a_login_never_repeats_it() {
        let answer = |code: &str, text: &str| {
            let (code, text) = (code.into(), text.into());
            Fault::Refused { code, text }
        };
        let unknown = answer("ERR", "ERR unknown command 'HELLO', with args 'hunter2'");
        assert_eq!(refused(unknown), Refusal::Version("before 6".into()).into());
        let busy = refused(answer("BUSY", "hunter2"));
        assert!(!busy.to_string().contains("hunter2"), "{busy}");
        assert!(matches!(busy, NoConnection::Unreachable(_)));
        let selected = no_database(answer("BUSY", ""), 3);
        assert!(
            matches!(selected, NoConnection::Unreachable(_)),
            "{selected}"
        );
        let selected = no_database(answer("ERR", "out of range"), 3);
        assert_eq!(selected, Refusal::Database(3).into());
    }
}
