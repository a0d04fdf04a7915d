//! The contract behind sentinels.

use super::stage_at;
use crate::store::{contract::contract_in_turn, redis::stage::Sentinels};

#[tokio::test]
async fn every_rule_holds_behind_sentinels() {
    let sentinels = Sentinels::start();
    let url = format!(
        "redis+sentinel://{}/{}",
        sentinels.addresses(),
        Sentinels::NAME
    );
    let stage = async || stage_at(&url).await;
    contract_in_turn!(stage);
}
