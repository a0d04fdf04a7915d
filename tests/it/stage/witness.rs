//! What reached the app behind a gateway, and what did not: told without a race, by a request that comes last.

use serde_json::Value;

use super::Stage;

/// The setting that a stage needs for [`Stage::arrived`]: a way that is open to everybody.
pub const MARKED: &str = "[[routes]]\npath = \"/marker\"\nmatch = \"exact\"\nauth = \"none\"";

/// The settings under which nothing overtakes anything: one worker does everything in its order.
pub const IN_ORDER: &str = "server.workers = 1";

const MARKER: &str = "/marker";

impl Stage {
    /// The heads of all requests that reached the app since this was asked last. One request more is
    /// sent behind them, on a connection of its own: when that one is answered, whatever the gateway
    /// had sent on before has been seen. Needs [`MARKED`] and [`IN_ORDER`].
    pub async fn arrived(&self) -> Vec<Value> {
        let marked = self.get(MARKER).send().await;
        assert_eq!(marked.status, 200, "{marked:?}");
        let is_marker = |head: &Value| head["target"] == MARKER;
        let mut seen = self.upstream.seen();
        let last = seen.pop().expect("the marker");
        assert!(is_marker(&last), "came behind the marker: {last}");
        let earlier = seen.iter().rposition(is_marker);
        seen.split_off(earlier.map_or(0, |at| at + 1))
    }

    /// The targets of those requests.
    pub async fn arrived_at(&self) -> Vec<String> {
        let heads = self.arrived().await;
        let target = |head: &Value| head["target"].as_str().expect("a target").to_owned();
        heads.iter().map(target).collect()
    }
}
