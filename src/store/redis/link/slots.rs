//! Which server of a cluster has which group, as one of them told it; asks nobody.

use redis::Value;

use crate::store::redis::{group::Group, url::Address};

/// Who has what. Empty until somebody was asked.
#[derive(Debug, Clone, Default)]
pub struct Slots {
    /// By group.
    owners: Vec<Option<Address>>,
    /// All servers that were named, masters first.
    members: Vec<Address>,
}

/// A range of slots, the address of its master, and those of its replicas.
struct Range {
    first: u16,
    last: u16,
    members: Vec<Address>,
}

impl Slots {
    /// Reads the answer to `CLUSTER SLOTS` of the server at `asked`.
    pub fn read(answer: Value, asked: &Address) -> Option<Self> {
        let ranges: Vec<Range> = list(answer)?
            .into_iter()
            .map(|range| Range::read(range, asked))
            .collect::<Option<_>>()?;
        let owner = |group: Group| {
            let slot = group.slot();
            let range = ranges.iter().find(|r| (r.first..=r.last).contains(&slot))?;
            range.members.first().cloned()
        };
        let masters = ranges.iter().filter_map(|range| range.members.first());
        let replicas = ranges.iter().flat_map(|range| range.members.iter().skip(1));
        let mut members: Vec<Address> = Vec::new();
        for address in masters.chain(replicas) {
            if !members.contains(address) {
                members.push(address.clone());
            }
        }
        Some(Self {
            owners: Group::all().map(owner).collect(),
            members,
        })
    }

    /// Who has `group`, if anybody is known to.
    pub fn owner(&self, group: Group) -> Option<&Address> {
        self.owners.get(group.index())?.as_ref()
    }

    /// Remembers that `group` is at `address`.
    pub fn put(&mut self, group: Group, address: Address) {
        self.owners.resize(Group::COUNT, None);
        if let Some(owner) = self.owners.get_mut(group.index()) {
            *owner = Some(address);
        }
    }

    /// Whom one can ask again.
    pub fn members(&self) -> &[Address] {
        &self.members
    }

    /// Everybody who has a group, each with all that it has.
    pub fn masters(&self) -> Vec<(Address, Vec<Group>)> {
        let mut masters: Vec<(Address, Vec<Group>)> = Vec::new();
        for group in Group::all() {
            let Some(owner) = self.owner(group) else {
                continue;
            };
            match masters.iter_mut().find(|(address, _)| address == owner) {
                Some((_, groups)) => groups.push(group),
                None => masters.push((owner.clone(), vec![group])),
            }
        }
        masters
    }
}

impl Range {
    /// `[first, last, [host, port, ...], ...]`, the master before its replicas.
    fn read(value: Value, asked: &Address) -> Option<Self> {
        let mut fields = list(value)?.into_iter();
        let first = number(&fields.next()?)?;
        let last = number(&fields.next()?)?;
        let members = fields
            .map(|member| address(member, asked))
            .collect::<Option<_>>()?;
        Some(Self {
            first,
            last,
            members,
        })
    }
}

/// A server that does not know its own name is where we asked; one that nobody knows is nowhere.
fn address(value: Value, asked: &Address) -> Option<Address> {
    let mut fields = list(value)?.into_iter();
    let host = redis::from_redis_value::<Option<String>>(fields.next()?).ok()?;
    let port = number(&fields.next()?)?;
    let host = match host.as_deref() {
        None | Some("") => asked.host.clone(),
        Some(host) => host.to_owned(),
    };
    Some(Address { host, port })
}

/// The library's own reading would wrap around.
fn number(value: &Value) -> Option<u16> {
    if let Value::Int(number) = value {
        u16::try_from(*number).ok()
    } else {
        None
    }
}

fn list(value: Value) -> Option<Vec<Value>> {
    if let Value::Array(values) = value {
        Some(values)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> Address {
        let host = host.to_owned();
        Address { host, port }
    }

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn range(first: i64, last: i64, members: &[(Value, i64)]) -> Value {
        let members = members
            .iter()
            .map(|(host, port)| Value::Array(vec![host.clone(), Value::Int(*port), text("id")]));
        let bounds = [Value::Int(first), Value::Int(last)];
        Value::Array(bounds.into_iter().chain(members).collect())
    }

    #[test]
    fn every_group_has_the_master_of_its_slot() {
        let answer = Value::Array(vec![
            range(0, 8191, &[(text("a"), 1), (text("c"), 3)]),
            range(8192, 16383, &[(Value::Nil, 2), (text("a"), 1)]),
        ]);
        let slots = Slots::read(answer, &at("here", 9)).expect("slots");
        for group in Group::all() {
            let owner = if group.slot() < 8192 {
                at("a", 1)
            } else {
                at("here", 2)
            };
            assert_eq!(slots.owner(group), Some(&owner), "{group}");
        }
        assert_eq!(slots.members(), [at("a", 1), at("here", 2), at("c", 3)]);
        let masters = slots.masters();
        assert_eq!(masters.len(), 2);
        let count: usize = masters.iter().map(|(_, groups)| groups.len()).sum();
        assert_eq!(count, Group::COUNT);
    }

    #[test]
    fn slots_without_a_master_have_none() {
        let answer = Value::Array(vec![range(0, 8191, &[(text("a"), 1)])]);
        let mut slots = Slots::read(answer, &at("here", 9)).expect("slots");
        let group = Group::all().find(|group| group.slot() > 8191).expect("one");
        assert_eq!(slots.owner(group), None);
        slots.put(group, at("b", 2));
        assert_eq!(slots.owner(group), Some(&at("b", 2)));
        let mut unknown = Slots::default();
        assert_eq!(unknown.owner(group), None);
        unknown.put(group, at("b", 2));
        assert_eq!(unknown.masters(), [(at("b", 2), vec![group])]);
    }

    #[test]
    fn an_answer_of_another_kind_is_none() {
        for answer in [
            Value::Nil,
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![range(-1, 5, &[])]),
            Value::Array(vec![range(0, 5, &[(text("a"), 65536)])]),
            Value::Array(vec![range(0, 5, &[(Value::Array(Vec::new()), 1)])]),
        ] {
            let read = Slots::read(answer.clone(), &at("here", 9));
            assert!(read.is_none(), "{answer:?}");
        }
    }
}
