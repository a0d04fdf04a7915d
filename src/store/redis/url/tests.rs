//! Every form of URL, every mistake in one, and that no password is ever repeated.

use proptest::prelude::*;

use super::*;
use crate::secret::Secret;

fn url(text: &str) -> Url {
    text.parse().expect(text)
}

fn at(host: &str, port: u16) -> Address {
    let host = host.to_owned();
    Address { host, port }
}

fn login(user: Option<&str>, password: &str) -> Login {
    Login {
        user: user.map(ToOwned::to_owned),
        password: Secret::new(password.as_bytes()),
    }
}

#[test]
fn one_server_has_a_host_and_perhaps_more() {
    for (text, servers, transport, who, database) in [
        ("redis://db", at("db", 6379), Transport::Plain, None, 0),
        (
            "redis://DB:7000/",
            at("db", 7000),
            Transport::Plain,
            None,
            0,
        ),
        ("rediss://db/3", at("db", 6379), Transport::Tls, None, 3),
        ("redis://[::1]", at("::1", 6379), Transport::Plain, None, 0),
        (
            "redis://[fe80::1]:7000/15",
            at("fe80::1", 7000),
            Transport::Plain,
            None,
            15,
        ),
        (
            "redis://:pw@db",
            at("db", 6379),
            Transport::Plain,
            Some(login(None, "pw")),
            0,
        ),
        (
            "redis://app:p%40%3a%2Fw%25@10.0.0.1:1/2",
            at("10.0.0.1", 1),
            Transport::Plain,
            Some(login(Some("app"), "p@:/w%")),
            2,
        ),
        (
            "redis://a%20b:c:d@db",
            at("db", 6379),
            Transport::Plain,
            Some(login(Some("a b"), "c:d")),
            0,
        ),
    ] {
        let expected = Url {
            servers: Servers::One(servers),
            transport,
            login: who,
            database,
        };
        assert!(url(text) == expected, "{text} was read as {:?}", url(text));
    }
}

#[test]
fn sentinels_name_a_master() {
    let read = url("rediss+sentinel://app:pw@s1:5000,[::1],s3/my-master/4");
    let servers = Servers::Sentinel {
        sentinels: vec![at("s1", 5000), at("::1", 26379), at("s3", 26379)],
        master: "my-master".to_owned(),
    };
    assert_eq!(read.servers, servers);
    assert_eq!((read.transport, read.database), (Transport::Tls, 4));
    assert_eq!(read.login, Some(login(Some("app"), "pw")));
}

#[test]
fn a_cluster_is_found_through_any_of_its_servers() {
    let read = url("redis+cluster://:pw@a,b:7001/");
    let seeds = vec![at("a", 6379), at("b", 7001)];
    assert_eq!(read.servers, Servers::Cluster(seeds));
    assert_eq!(read.login, Some(login(None, "pw")));
    assert_eq!(url("rediss+cluster://a").transport, Transport::Tls);
}

#[test]
fn a_socket_is_a_path() {
    let read = url("redis+unix:///run/my%20redis.sock?db=2&user=app&password=p%26w");
    assert_eq!(read.servers, Servers::Socket("/run/my redis.sock".into()));
    assert_eq!(
        (read.database, read.login),
        (2, Some(login(Some("app"), "p&w")))
    );
    assert_eq!(url("redis+unix:///s").login, None);
}

#[test]
fn every_mistake_is_named_and_no_password_repeated() {
    let many = format!("redis+cluster://{}a", "a,".repeat(64));
    for (text, why) in [
        ("redis:db", Invalid::Scheme),
        ("redis+tls://:hunter2@db", Invalid::Scheme),
        ("http://:hunter2@db", Invalid::Scheme),
        ("redis://", Invalid::NoHost),
        ("redis://:hunter2@", Invalid::NoHost),
        ("redis+cluster://a,,b", Invalid::NoHost),
        ("redis://::1", Invalid::NoHost),
        ("redis://[::1", Invalid::Host),
        ("redis://[hunter2]", Invalid::Host),
        ("redis://a b", Invalid::Host),
        ("redis://app:hunter2@x@db", Invalid::Host),
        ("redis://db:", Invalid::Port),
        ("redis://db:0", Invalid::Port),
        ("redis://db:+1", Invalid::Port),
        ("redis://db:65536", Invalid::Port),
        ("redis://[::1]7000", Invalid::Port),
        ("redis://app:hunter2", Invalid::Port),
        ("redis://app:hun/ter2@db", Invalid::Port),
        ("redis://a,b", Invalid::Several),
        (many.as_str(), Invalid::TooMany),
        ("redis://hunter2@db", Invalid::Login),
        ("redis://app:@db", Invalid::Login),
        ("redis://:@db", Invalid::Login),
        ("redis+unix:///s?user=hunter2", Invalid::Login),
        ("redis://:hunter2%@db", Invalid::Escape),
        ("redis://:hunter2%zz@db", Invalid::Escape),
        ("redis://:hunter2%+1@db", Invalid::Escape),
        ("redis://:hunter2%ff@db", Invalid::Escape),
        ("redis://db/hunter2", Invalid::Database),
        ("redis://db/1/2", Invalid::Database),
        ("redis://db/4294967296", Invalid::Database),
        ("redis+unix:///s?db=-1", Invalid::Database),
        ("redis+cluster://a/1", Invalid::ClusterPath),
        ("redis+sentinel://a", Invalid::Master),
        ("redis+sentinel://a/", Invalid::Master),
        ("redis+sentinel://a//1", Invalid::Master),
        ("redis+sentinel://a/my master", Invalid::Master),
        ("redis+unix://run/redis.sock", Invalid::Socket),
        ("redis+unix:///", Invalid::Socket),
        ("redis+unix:///s?pasword=hunter2", Invalid::Parameter),
        ("redis+unix:///s?hunter2", Invalid::Parameter),
        ("redis+unix:///s#hunter2", Invalid::TooMuch),
        ("redis://:hunter#2@db", Invalid::TooMuch),
        ("redis://db?password=hunter2", Invalid::TooMuch),
    ] {
        let error = text.parse::<Url>().expect_err(text);
        assert_eq!(error, why, "{text}");
        assert!(!error.to_string().contains("hun"), "{error}");
    }
}

#[test]
fn what_is_shown_has_everything_but_the_password() {
    for (text, shown) in [
        ("redis://app:hunter2@DB/2", "redis://app:…@db:6379/2"),
        ("rediss://:hunter2@[::1]:1", "rediss://:…@[::1]:1"),
        (
            "redis+sentinel://:hunter2@a,b/m/1",
            "redis+sentinel://:…@a:26379,b:26379/m/1",
        ),
        ("rediss+cluster://a,b", "rediss+cluster://a:6379,b:6379"),
        (
            "redis+unix:///s?password=hunter2&db=1",
            "redis+unix:///s?db=1",
        ),
    ] {
        assert_eq!(url(text).to_string(), shown);
        assert_eq!(format!("{:?}", url(text)), format!("Url({shown})"));
    }
}

proptest! {
    #[test]
    fn a_url_without_a_password_is_read_as_it_is_shown(
        text in prop_oneof![
            "rediss?://[a-z]{1,5}(:[1-9][0-9]{0,3})?(/[0-9]{1,3})?",
            "rediss?\\+cluster://[a-z]{1,5}(:[1-9][0-9]{0,3})?(,[a-z]{1,3}){0,3}",
            "rediss?\\+sentinel://[a-z]{1,5}(,[a-z]{1,3}:[1-9]){0,3}/[a-z]{1,5}(/[0-9])?",
        ]
    ) {
        let read = url(&text);
        prop_assert!(url(&read.to_string()) == read);
    }

    #[test]
    fn every_password_survives_its_escapes(password in "\\PC{1,20}") {
        let escape = |escaped, byte| format!("{escaped}%{byte:02X}");
        let escaped = password.bytes().fold(String::new(), escape);
        prop_assert_eq!(url(&format!("redis://:{escaped}@db")).login, Some(login(None, &password)));
    }

    #[test]
    fn no_text_panics(text in "(rediss?(\\+(unix|sentinel|cluster))?://)?\\PC{0,40}") {
        let _read = text.parse::<Url>();
    }
}
