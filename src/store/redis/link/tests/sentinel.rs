//! A master that sentinels know, and another one in its place.

use tokio::time::timeout;

use super::{DEADLINE, count_in, count_until_it_works, link, spec};
use crate::store::{
    OpenError,
    redis::{Refusal, link::Link, stage::Sentinels},
};

fn url(stage: &Sentinels) -> String {
    format!("redis+sentinel://{}/{}", stage.addresses(), Sentinels::NAME)
}

#[tokio::test]
async fn the_master_is_found_and_its_successor_too() {
    let mut stage = Sentinels::start();
    let link = link(&url(&stage)).await;
    assert!(count_in(&link, 1).await.is_ok());
    let old = stage.kill_master();
    let new = stage.master_after(old);
    let back = timeout(DEADLINE * 2, count_until_it_works(&link, 1));
    back.await.expect("within two seconds of the failover");
    assert!(
        stage.servers[new]
            .cli(&["GET", "otp:{01}count"])
            .parse::<u32>()
            .expect("a number")
            > 0
    );
    let masters = link.masters().await.expect("a master");
    let address = stage.servers[new].address().to_string();
    assert_eq!(masters[0].to_string(), address);
}

#[tokio::test]
async fn a_master_that_froze_is_not_asked_again_when_it_thaws() {
    let stage = Sentinels::start();
    let link = link(&url(&stage)).await;
    assert!(count_in(&link, 1).await.is_ok());
    let old = stage.master();
    stage.servers[old].freeze();
    let new = stage.master_after(old);
    let back = timeout(DEADLINE * 2, count_until_it_works(&link, 1));
    back.await.expect("within two seconds of the failover");
    let asked = |server: usize| stage.servers[server].info("cmdstat_evalsha");
    stage.servers[old].thaw();
    let before = asked(old);
    for _ in 0..20 {
        assert!(count_in(&link, 1).await.is_ok());
    }
    assert_eq!(asked(old), before);
    assert!(asked(new).is_some());
}

#[tokio::test]
async fn an_unknown_master_is_refused_and_one_dead_sentinel_is_not_missed() {
    let mut stage = Sentinels::start();
    let unknown = format!("redis+sentinel://{}/else", stage.addresses());
    match Link::open(&spec(&unknown), DEADLINE).await {
        Err(OpenError::Refused { refusal, .. }) => {
            assert_eq!(refusal, Refusal::NoSuchMaster("else".into()));
        }
        other => panic!("{other:?}"),
    }
    stage.sentinels[0].kill();
    stage.sentinels[1].freeze();
    let link = link(&url(&stage)).await;
    assert!(count_in(&link, 1).await.is_ok());
}
