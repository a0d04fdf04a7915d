//! Everything but codes that is derived from the master secrets; knows nothing of where the results are kept.
//!
//! What lasts (the names of accounts, clients, counters and subjects) comes from the pseudonym
//! secret, so that a new master secret renames nobody.

use crate::{
    auth::{request_key::RequestKey, spec::SubjectKind},
    domain::{
        account::AccountKey,
        budget::{Budget, Expense},
        delivery::{Once, OnceKey},
        fraud::{Debtor, Level, MeterKey, Tail},
        money::Money,
        otp::{ClientKey, Code, Tag},
        phone::Phone,
        quota::{Bucket, Charge, Limit, Per},
        session::Id,
    },
    net::peer::Client,
    secret::{Master, Masters, Named, Purpose},
};

/// The last digits, in which the numbers of a range differ.
const RANGE_DIGITS: usize = 4;

/// The first digits behind the calling code, in which the numbers of a block agree.
const BLOCK_DIGITS: usize = 3;

/// What the store compares instead of the code. It differs per phone, so that equal codes of two
/// phones do not look alike.
pub fn tag(master: &Master, phone: &Phone, code: &Code) -> Tag {
    Tag(first(&master.prf(
        Purpose::AnswerTag,
        &[phone.as_e164().as_bytes(), code.reveal().as_bytes()],
    )))
}

/// The tags that `code` would have under each master secret, since only the store knows which one
/// the challenge was made with.
pub fn tags(masters: &Masters, phone: &Phone, code: &Code) -> Vec<Tag> {
    masters
        .iter()
        .map(|master| tag(master, phone, code))
        .collect()
}

/// The name under which the store knows `subject`. Whoever holds a token of theirs can derive it.
pub fn account_key(masters: &Masters, subject: &str) -> AccountKey {
    let input = subject.as_bytes();
    AccountKey(first(&masters.pseudonyms().name(Named::Account, &[input])))
}

/// The name under which the store knows the client's network.
pub fn client_key(masters: &Masters, client: &Client) -> ClientKey {
    let input = client.network().to_string();
    ClientKey(first(
        &masters
            .pseudonyms()
            .name(Named::Client, &[input.as_bytes()]),
    ))
}

/// What sending a code to `phone`, which is `account`'s, for `client` takes from each limit, in
/// their order.
pub fn charges(
    masters: &Masters,
    limits: &[Limit],
    phone: &Phone,
    account: AccountKey,
    client: &Client,
) -> Vec<Charge> {
    let charge = |limit: &Limit| {
        let subject = whose(limit.per, phone, client);
        let bucket = bucket(masters, b"bucket", &limit.to_string(), &subject);
        Charge {
            bucket: beside(bucket, limit.per, account),
            quota: limit.quota,
        }
    };
    limits.iter().map(charge).collect()
}

/// What sending a code to `phone`, which is `account`'s, for `client` at this price costs each budget,
/// in their order.
pub fn expenses(
    masters: &Masters,
    budgets: &[Budget],
    phone: &Phone,
    account: AccountKey,
    client: &Client,
    price: Money,
) -> Vec<Expense> {
    let expense = |budget: &Budget| {
        let subject = whose(budget.per, phone, client);
        let purse = bucket(masters, b"purse", &budget.to_string(), &subject);
        Expense {
            purse: beside(purse, budget.per, account),
            budget: *budget,
            price,
        }
    };
    budgets.iter().map(expense).collect()
}

/// Whose events are counted together.
fn whose(per: Per, phone: &Phone, client: &Client) -> String {
    match per {
        Per::Phone => phone.as_e164().to_owned(),
        Per::Ip => client.network().to_string(),
        Per::Country => phone.calling_code().to_string(),
        Per::All => String::new(),
    }
}

const fn beside(bucket: Bucket, per: Per, account: AccountKey) -> Bucket {
    match per {
        Per::Phone => bucket.beside(account),
        Per::Ip | Per::Country | Per::All => bucket,
    }
}

/// The places that a message to `phone` concerns when `client` asks for it or answers it.
pub fn debtors(masters: &Masters, phone: &Phone, client: &Client) -> Vec<Debtor> {
    let debtor = |level: Level| {
        let place = place(level, phone, client);
        let kind = level.as_str();
        Debtor {
            meter: MeterKey(first(&masters.pseudonyms().name(
                Named::Client,
                &[b"meter", kind.as_bytes(), place.as_bytes()],
            ))),
            level,
            tail: match level {
                Level::Range => Tail::of(phone.as_e164()),
                Level::Block | Level::Country | Level::Network => None,
            },
        }
    };
    Level::ALL.map(debtor).to_vec()
}

/// The name under which the store knows a request to send a code to `phone`, which is `account`'s, by the
/// name that `client` has given to it: nobody else's is the same. `wish` is what else was asked for.
pub fn once(
    masters: &Masters,
    phone: &Phone,
    account: AccountKey,
    client: &Client,
    key: &RequestKey,
    wish: &[&str],
) -> Once {
    let names = masters.pseudonyms();
    let (phone, network) = (phone.as_e164(), client.network().to_string());
    let name = [
        b"request" as &[u8],
        phone.as_bytes(),
        network.as_bytes(),
        key.as_str().as_bytes(),
    ];
    let mut asked = vec![b"wish" as &[u8]];
    asked.extend(wish.iter().map(|part| part.as_bytes()));
    Once {
        key: OnceKey(first(&names.name(Named::Client, &name))),
        request: first(&names.name(Named::Client, &asked)),
    }
    .beside(account)
}

fn place(level: Level, phone: &Phone, client: &Client) -> String {
    let (number, country) = (phone.as_e164(), phone.calling_code().to_string());
    let upto = |length: usize| number.get(..length).unwrap_or(number).to_owned();
    match level {
        Level::Range => upto(number.len().saturating_sub(RANGE_DIGITS)),
        Level::Block => upto(country.len() + BLOCK_DIGITS),
        Level::Country => country,
        Level::Network => client.neighbourhood().to_string(),
    }
}

/// The `sub` of whoever holds `phone`.
pub fn subject(masters: &Masters, kind: SubjectKind, phone: &Phone) -> String {
    match kind {
        SubjectKind::Derived => {
            let input = phone.as_e164().as_bytes();
            Id(first(&masters.pseudonyms().name(Named::Subject, &[input]))).to_string()
        }
        SubjectKind::Phone => phone.as_e164().to_owned(),
    }
}

/// What is counted for one subject of a limit or a budget. The key is the one of clients; the kind and
/// the limit's own text in front keep these names apart from theirs.
fn bucket(masters: &Masters, kind: &[u8], limit: &str, subject: &str) -> Bucket {
    Bucket(first(&masters.pseudonyms().name(
        Named::Client,
        &[kind, limit.as_bytes(), subject.as_bytes()],
    )))
}

/// The first bytes of a hash.
fn first<const N: usize>(hash: &[u8; 32]) -> [u8; N] {
    const { assert!(N <= 32) };
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(hash) {
        *to = *from;
    }
    out
}

#[cfg(test)]
mod tests;
