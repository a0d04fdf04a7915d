//! The contract where keys are spread over several servers.

use super::{embedded_stage, stage_at};
use crate::store::{
    contract::{self, contract_in_turn},
    redis::stage::RedisCluster,
};

#[tokio::test]
async fn every_rule_holds_in_a_cluster() {
    let cluster = RedisCluster::start();
    let url = format!("redis+cluster://{}", cluster.addresses());
    let stage = async || stage_at(&url).await;
    contract_in_turn!(stage);
}

#[test]
fn in_a_cluster_all_answers_are_those_of_the_others() {
    let cluster = RedisCluster::start();
    let url = format!("redis+cluster://{}", cluster.addresses());
    contract::answers_are_those_of_the_model(20, async || stage_at(&url).await);
    contract::two_stores_answer_alike(20, embedded_stage, async || stage_at(&url).await);
}
