//! The master secret is replaced, as the README says.

use serde_json::json;

use super::{
    Fleet,
    people::{Crowd, Person},
};

const OLD: &str = "the secret that everything began with";
const NEW: &str = "another one, since the first got around";

#[tokio::test]
async fn a_master_secret_is_replaced_in_three_steps_and_nobody_notices() {
    let mut fleet = Fleet::start(&format!("server.secret = \"{OLD}\"")).await;
    let mut sleeper = Person::new(&fleet.world, 9999);
    let asleep = sleeper.log_in().await;
    let crowd = Crowd::gather(&fleet.world, 6);
    let names = format!("server.pseudonym_secret = \"{OLD}\"");
    for secrets in [
        format!("[\"{OLD}\", \"{NEW}\"]"),
        format!("[\"{NEW}\", \"{OLD}\"]"),
    ] {
        let settings = format!("server.secret = {secrets}\n{names}");
        fleet.roll(&settings, &crowd).await;
    }
    let early_riser = sleeper.refresh(&asleep).await;
    // Everybody has refreshed since the new one is used; who has not would have to log in.
    fleet
        .roll(&format!("server.secret = \"{NEW}\"\n{names}"), &crowd)
        .await;
    crowd.disperses().await;
    sleeper.ask_app(&early_riser).await;
    sleeper.refresh(&early_riser).await;
    let late = json!({ "refresh_token": asleep.refresh });
    let late = sleeper.try_post("refresh", &late).await;
    late.is_refused(400, "invalid_grant");
    sleeper.log_in().await;
}
