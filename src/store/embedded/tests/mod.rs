//! The embedded store under its contract, and what only it must do.

mod batches;
mod files;
mod processes;
mod size;

use std::{path::Path, time::Duration};

use super::Figures;
use crate::{
    clock::Clock,
    store::{
        Backend, Spec, Store,
        contract::{self, BEGINNING, NAMES, Stage},
    },
};

mod in_memory {
    crate::store::contract::contract!(super::in_memory_stage);
}

mod in_a_file {
    crate::store::contract::contract!(super::in_a_file_stage);
}

#[test]
fn in_memory_all_answers_are_those_of_the_model() {
    contract::answers_are_those_of_the_model(200, in_memory_stage);
}

#[test]
fn in_a_file_all_answers_are_those_of_the_model() {
    contract::answers_are_those_of_the_model(10, in_a_file_stage);
}

fn figures(store: &Store) -> &Figures {
    match store {
        Store::Embedded(store) => &store.figures,
        Store::Redis(_) => panic!("not embedded"),
    }
}

/// Large enough for every test that is not about size; long enough for a busy machine.
fn spec(backend: Backend) -> Spec {
    Spec {
        backend,
        max_size: 1 << 30,
        deadline: Duration::from_mins(1),
    }
}

async fn in_memory_stage() -> Stage {
    let clock = Clock::manual(BEGINNING);
    let store = Store::open(&spec(Backend::Memory), NAMES, clock.clone())
        .await
        .unwrap();
    Stage {
        store,
        clock,
        _home: None,
    }
}

async fn in_a_file_stage() -> Stage {
    let home = tempfile::tempdir().unwrap();
    let stage = stage_at(&home.path().join("store.redb")).await;
    Stage {
        _home: Some(Box::new(home)),
        ..stage
    }
}

/// A stage on the store that is at `path`, or will be.
async fn stage_at(path: &Path) -> Stage {
    let clock = Clock::manual(BEGINNING);
    let backend = Backend::Embedded(path.to_owned());
    let store = Store::open(&spec(backend), NAMES, clock.clone())
        .await
        .unwrap();
    Stage {
        store,
        clock,
        _home: None,
    }
}
