//! The aims of the guard, as the table must show them.

use super::*;

const SEED: u64 = 20_261_122;

#[test]
fn the_guard_stops_attacks_and_hinders_hardly_anybody_else() {
    for mix in MIXES {
        let Outcome { attack, honest } =
            World::new(Guard::Works, Attacker::Lazy).run(&mix.asks(SEED));
        let name = mix.name;
        assert!(attack.sent * 20 <= attack.asked, "{name}: {attack:?}");
        assert!(honest.asked > 10_000, "{name}: {honest:?}");
        assert!(honest.proved * 100 < honest.asked, "{name}: {honest:?}");
        assert_eq!(honest.sent, honest.asked, "{name}: {honest:?}");
    }
}

#[test]
fn without_the_guard_the_limits_alone_let_most_of_it_through() {
    let mix = MIXES
        .iter()
        .find(|mix| mix.name.contains("one operator"))
        .expect("the mix");
    let attack = World::new(Guard::Watches, Attacker::Lazy)
        .run(&mix.asks(SEED))
        .attack;
    assert!(attack.sent * 10 > attack.asked * 9, "{attack:?}");
}

#[test]
fn one_seed_is_one_course_of_events() {
    let asks = |seed| MIXES.first().expect("a mix").asks(seed);
    assert_eq!(asks(SEED), asks(SEED));
    assert_ne!(asks(SEED), asks(SEED + 1));
}
