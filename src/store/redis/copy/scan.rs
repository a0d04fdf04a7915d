//! A walk over all keys of an installation, a few at a time; knows nothing of what lies under them.

use std::collections::HashMap;

use super::{
    super::{
        group::Group,
        keys::Keys,
        link::{Link, Master, Private},
        reply::{Nonsense, Reply},
    },
    PATIENCE, PORTION,
    pack::all,
};
use crate::store::Error;

/// The walk. A key that is there from its beginning to its end is met, perhaps more than once.
#[derive(Debug)]
pub struct Scan {
    pattern: String,
    /// The servers that are still to come.
    masters: Vec<Master>,
    /// The one that is walked over, and where.
    at: Option<(Private, Vec<u8>)>,
}

/// Keys that one step looks at.
const STEP: usize = 2048;

impl Scan {
    /// Over all servers that have some of the keys.
    pub async fn new(link: &Link, keys: &Keys) -> Result<Self, Error> {
        Ok(Self {
            pattern: keys.pattern(),
            masters: link.masters().await?,
            at: None,
        })
    }

    /// The keys that one more step has met; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<Vec<u8>>>, Error> {
        let (server, cursor) = match self.at.take() {
            Some(at) => at,
            None => match self.masters.pop() {
                Some(master) => (master.connection().await?, b"0".to_vec()),
                None => return Ok(None),
            },
        };
        let mut scan = redis::cmd("SCAN");
        scan.arg(&cursor);
        scan.arg("MATCH").arg(&self.pattern).arg("COUNT").arg(STEP);
        let answer = server.ask(&scan, PATIENCE).await?;
        let (cursor, keys) = Reply::new(answer)
            .and_then(read)
            .map_err(|Nonsense| Error::Unavailable("it does not list its keys".into()))?;
        if cursor != b"0" {
            self.at = Some((server, cursor));
        }
        Ok(Some(keys))
    }
}

fn read(mut reply: Reply) -> Result<(Vec<u8>, Vec<Vec<u8>>), Nonsense> {
    let cursor = reply.word()?;
    let keys = all(reply.list()?, Reply::word)?;
    reply.end((cursor, keys))
}

/// Shares items out into what one script may have at once: those of one group, unless all groups
/// are on one server, and not too many.
pub fn portions<T>(
    link: &Link,
    items: impl IntoIterator<Item = (Group, T)>,
) -> Vec<(Group, Vec<T>)> {
    let mut full = Vec::new();
    let mut open: HashMap<Group, Vec<T>> = HashMap::new();
    for (group, item) in items {
        let group = if link.is_one_server() {
            Group::new(0)
        } else {
            group
        };
        let portion = open.entry(group).or_default();
        portion.push(item);
        if portion.len() == PORTION {
            full.extend(open.remove_entry(&group));
        }
    }
    full.extend(open);
    full
}
