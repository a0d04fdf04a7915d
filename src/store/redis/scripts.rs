//! The scripts, each put together from the parts it stands on; what they mean is said in `lua/`.

use std::sync::LazyLock;

use super::script::Script;

/// A script: the parts in the order in which they are read, the prelude first.
macro_rules! script {
    ($($part:literal)+) => {
        LazyLock::new(|| {
            let parts = concat!($(include_str!(concat!("lua/", $part, ".lua")), "\n"),+);
            Script::new(parts.to_owned())
        })
    };
}

/// A send, as far as it touches the server of the account.
pub static START: LazyLock<Script> =
    script!("prelude" "windows" "trail" "meters" "purses" "code" "deliveries" "once" "start");
/// Whether the account's own limits admit a send.
pub static LOOK: LazyLock<Script> = script!("prelude" "windows" "look");
/// Takes from limits on another server, ahead of a send.
pub static RESERVE: LazyLock<Script> = script!("prelude" "windows" "reserve");
/// Gives that back.
pub static CANCEL: LazyLock<Script> = script!("prelude" "cancel");
/// Sends on the credit of places on another server, and pays from purses there, ahead of a send.
pub static OWE: LazyLock<Script> = script!("prelude" "trail" "meters" "purses" "owe");
/// Takes that back.
pub static DISOWN: LazyLock<Script> = script!("prelude" "trail" "meters" "purses" "disown");
/// Pays for messages on another server.
pub static PAY: LazyLock<Script> = script!("prelude" "trail" "meters" "pay");
/// What came of an earlier request under a name.
pub static SEEN: LazyLock<Script> = script!("prelude" "once" "seen");
/// The last message of a challenge.
pub static GET_DELIVERY: LazyLock<Script> = script!("prelude" "get_delivery");
/// What has become of it.
pub static PUT_DELIVERY: LazyLock<Script> = script!("prelude" "deliveries" "put_delivery");
/// The messages that are due.
pub static DUE: LazyLock<Script> = script!("prelude" "deliveries" "due");
/// An answer to a challenge.
pub static ANSWER: LazyLock<Script> =
    script!("prelude" "trail" "meters" "code" "deliveries" "sessions" "answer");
/// A use of a refresh token.
pub static ROTATE: LazyLock<Script> = script!("prelude" "sessions" "rotate");
/// The end of sessions.
pub static REVOKE: LazyLock<Script> = script!("prelude" "sessions" "revoke");
/// The list of sessions.
pub static LIST: LazyLock<Script> = script!("prelude" "sessions" "list");
/// Whose keys these are, and whether they can be written.
pub static READY: LazyLock<Script> = script!("prelude" "ready");

/// A copy into this store begins or goes on.
pub static BEGIN_COPY: LazyLock<Script> = script!("prelude" "begin_copy");
/// Accounts of another store.
pub static PUT_ACCOUNTS: LazyLock<Script> =
    script!("prelude" "code" "sessions" "fields" "put_accounts");
/// Windows of another store.
pub static PUT_WINDOWS: LazyLock<Script> = script!("prelude" "fields" "put_windows");
/// Meters of another store.
pub static PUT_METERS: LazyLock<Script> = script!("prelude" "trail" "meters" "put_meters");
/// Purses of another store.
pub static PUT_PURSES: LazyLock<Script> = script!("prelude" "put_purses");
/// Sessions that were ended in another store.
pub static PUT_REVOKED: LazyLock<Script> = script!("prelude" "fields" "put_revoked");
/// Accounts for another store.
pub static GET_ACCOUNTS: LazyLock<Script> = script!("prelude" "code" "sessions" "get_accounts");
/// Windows for another store.
pub static GET_WINDOWS: LazyLock<Script> = script!("prelude" "get_windows");
/// Meters for another store, and for a send in a cluster.
pub static GET_METERS: LazyLock<Script> = script!("prelude" "get_meters");
/// Purses for another store.
pub static GET_PURSES: LazyLock<Script> = script!("prelude" "get_purses");
/// Ended sessions for another store.
pub static GET_REVOKED: LazyLock<Script> = script!("prelude" "get_revoked");
/// Messages of another store.
pub static PUT_DELIVERIES: LazyLock<Script> = script!("prelude" "deliveries" "put_deliveries");
/// Requests of another store.
pub static PUT_ONCE: LazyLock<Script> = script!("prelude" "once" "put_once");
/// Messages for another store.
pub static GET_DELIVERIES: LazyLock<Script> = script!("prelude" "get_deliveries");
/// Requests for another store.
pub static GET_ONCE: LazyLock<Script> = script!("prelude" "get_once");
