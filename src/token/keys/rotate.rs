//! The life of keys: made, next, active, retired, deleted. Knows nothing of who asks for a rotation.
//!
//! A rotation is a list of steps. After each of them the directory is whole: exactly one key signs,
//! and every key that has signed verifies. A rotation that was cut short is finished by the next.

use std::{path::Path, time::Duration};

use crate::{
    clock::Timestamp,
    token::{
        Algorithm, KeysError,
        keys::{
            Keyring,
            directory::{Directory, KeyFile, Name, State},
            material::Material,
        },
    },
};

/// What a rotation has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Keys that were made.
    pub created: Vec<String>,
    /// The key that signs from now on, unless a rotation that was cut short had seen to it.
    pub activated: Option<String>,
    /// Keys that only verify from now on.
    pub retired: Vec<String>,
    /// Keys that are gone, since all they have signed has expired.
    pub deleted: Vec<String>,
}

/// One change of the directory.
#[derive(Debug)]
enum Step {
    Create { name: Name, material: Material },
    Activate(Name),
    Retire(Name),
    Delete(Name),
}

impl Keyring {
    /// Sees to it that a directory has keys: an empty or missing one gets an active key and the
    /// next one, any other stays as it is.
    pub fn generate(dir: &Path, algorithm: Algorithm, now: Timestamp) -> Result<(), KeysError> {
        let dir = Directory::open(dir)?;
        if !dir.read()?.is_empty() {
            return Ok(());
        }
        let mut names = Names::after(&[], now);
        for state in [State::Active, State::Next] {
            names.create(state, algorithm)?.run(&dir, now)?;
        }
        Ok(())
    }

    /// Makes the next key the active one and the active one retired, makes a new next one, and
    /// deletes those that were retired for longer than `keep_retired`.
    pub fn rotate(
        dir: &Path,
        algorithm: Algorithm,
        now: Timestamp,
        keep_retired: Duration,
    ) -> Result<Rotation, KeysError> {
        let dir = Directory::open(dir)?;
        let mut rotation = Rotation::default();
        for step in plan(&dir.read()?, algorithm, now, keep_retired)? {
            step.run(&dir, now)?;
            rotation.add(step);
        }
        Ok(rotation)
    }
}

/// The steps of a rotation, in the order in which they are safe. Public keys are left alone, and
/// so are keys that wait as next behind the first two.
fn plan(
    files: &[KeyFile],
    algorithm: Algorithm,
    now: Timestamp,
    keep_retired: Duration,
) -> Result<Vec<Step>, KeysError> {
    let ours = |state| {
        files
            .iter()
            .filter(move |file| file.key.can_sign() && file.name.state == state)
    };
    let fits = |file: &&KeyFile| file.key.algorithm() == algorithm;
    // Two active keys: the last rotation was cut short when only the old one's retirement was left.
    let activated = ours(State::Active).rfind(fits);
    let activated = activated.filter(|_| ours(State::Active).count() > 1);

    let mut steps = Vec::new();
    if activated.is_none() {
        let mut names = Names::after(files, now);
        let mut next = ours(State::Next).filter(fits);
        let activate = match next.next() {
            Some(file) => Step::Activate(file.name.clone()),
            None => names.create(State::Active, algorithm)?,
        };
        if next.next().is_none() {
            steps.push(names.create(State::Next, algorithm)?);
        }
        steps.push(activate);
    }
    let outdated = ours(State::Next).filter(|file| !fits(file));
    for file in ours(State::Active).chain(outdated) {
        if activated.is_none_or(|kept| kept.name != file.name) {
            steps.push(Step::Retire(file.name.clone()));
        }
    }
    for file in files {
        if file.is_spent(now, keep_retired) {
            steps.push(Step::Delete(file.name.clone()));
        }
    }
    Ok(steps)
}

impl Step {
    fn run(&self, dir: &Directory, now: Timestamp) -> Result<(), KeysError> {
        match self {
            Self::Create { name, material } => dir.write(name, &material.bytes),
            Self::Activate(name) => dir.change(name, State::Active),
            Self::Retire(name) => {
                // First the time: a retired key without it would look as old as its making.
                dir.stamp(name, now)?;
                dir.change(name, State::Retired)
            }
            Self::Delete(name) => dir.delete(name),
        }
    }
}

impl Rotation {
    fn add(&mut self, done: Step) {
        match done {
            Step::Create { name, .. } => {
                if name.state == State::Active {
                    self.activated = Some(name.kid.clone());
                }
                self.created.push(name.kid);
            }
            Step::Activate(name) => self.activated = Some(name.kid),
            Step::Retire(name) => self.retired.push(name.kid),
            Step::Delete(name) => self.deleted.push(name.kid),
        }
    }
}

/// Names for new keys: `k` and a number that is the time in seconds, or higher if that is not
/// above all numbers given so far.
struct Names {
    next: u64,
}

impl Names {
    fn after(files: &[KeyFile], now: Timestamp) -> Self {
        let given = files
            .iter()
            .filter_map(|file| file.name.kid.strip_prefix('k')?.parse::<u32>().ok());
        let beyond = given.max().map_or(0, |highest| u64::from(highest) + 1);
        Self {
            next: beyond.max(now.as_secs()),
        }
    }

    fn create(&mut self, state: State, algorithm: Algorithm) -> Result<Step, KeysError> {
        let material = Material::generate(algorithm)?;
        let name = Name {
            kid: format!("k{:010}", self.next),
            state,
            form: material.form,
        };
        self.next += 1;
        Ok(Step::Create { name, material })
    }
}

#[cfg(test)]
mod tests;
