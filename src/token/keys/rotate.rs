//! The life of keys: made, next, active, retired, deleted. Knows nothing of who asks for a rotation.
//!
//! A rotation is a list of steps. After each of them the directory is whole: exactly one key signs,
//! and every key that has signed verifies. A rotation that was cut short is finished by the next.
//! A key is published as "next" for a while before it signs, so that all who verify know it by then;
//! a rotation that comes too early only sees to it that there is one.

use std::{path::Path, time::Duration};

use crate::{
    clock::Timestamp,
    token::{
        Algorithm, KeysError,
        keys::{
            Keyring, Pace, Timetable,
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
    /// The key that signs from now on, unless it is too early for that, or a rotation that was cut
    /// short had seen to it.
    pub activated: Option<String>,
    /// What it is too early for.
    pub waits: Option<Waits>,
    /// Keys that only verify from now on.
    pub retired: Vec<String>,
    /// Keys that are gone, since all they have signed has expired.
    pub deleted: Vec<String>,
}

/// A key that may not sign yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waits {
    /// Its name.
    pub kid: String,
    /// How long it must still be known before it signs.
    pub wait: Duration,
}

/// What a rotation finds, and what it is to make.
#[derive(Debug, Clone, Copy)]
struct Found<'a> {
    files: &'a [KeyFile],
    algorithm: Algorithm,
    now: Timestamp,
}

/// What there is to do.
#[derive(Debug, Default)]
struct Plan {
    steps: Vec<Step>,
    waits: Option<Waits>,
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
    /// deletes those that were retired for long enough.
    pub fn rotate(
        dir: &Path,
        algorithm: Algorithm,
        now: Timestamp,
        timetable: Timetable,
        pace: Pace,
    ) -> Result<Rotation, KeysError> {
        let dir = Directory::open(dir)?;
        let files = dir.read()?;
        let found = Found {
            files: &files,
            algorithm,
            now,
        };
        let plan = Plan::of(found, timetable, pace)?;
        let mut rotation = Rotation {
            waits: plan.waits,
            ..Rotation::default()
        };
        for step in plan.steps {
            step.run(&dir, now)?;
            rotation.add(step);
        }
        Ok(rotation)
    }
}

impl Plan {
    /// The steps of a rotation, in the order in which they are safe. Public keys are left alone, and
    /// so are keys that wait as next behind the first two.
    fn of(found: Found<'_>, timetable: Timetable, pace: Pace) -> Result<Self, KeysError> {
        let mut plan = Self::default();
        let wait = match pace {
            Pace::Announced => found.wait(timetable.notice),
            Pace::AtOnce => Duration::ZERO,
        };
        match found.activated() {
            Some(kept) => plan.retire(found, Some(kept)),
            None if wait.is_zero() => {
                plan.activate(found)?;
                plan.retire(found, None);
            }
            None => plan.announce(found, wait)?,
        }
        let spent = |file: &&KeyFile| file.is_spent(found.now, timetable.keep_retired);
        let spent = found.files.iter().filter(spent);
        plan.steps
            .extend(spent.map(|file| Step::Delete(file.name.clone())));
        Ok(plan)
    }

    fn activate(&mut self, found: Found<'_>) -> Result<(), KeysError> {
        let mut names = Names::after(found.files, found.now);
        let mut next = found.fitting(State::Next);
        let activate = match next.next() {
            Some(file) => Step::Activate(file.name.clone()),
            None => names.create(State::Active, found.algorithm)?,
        };
        if next.next().is_none() {
            self.steps.push(names.create(State::Next, found.algorithm)?);
        }
        self.steps.push(activate);
        Ok(())
    }

    /// Retires all that is active but `kept`, and what waits in vain to be.
    fn retire(&mut self, found: Found<'_>, kept: Option<&KeyFile>) {
        let outdated = found
            .ours(State::Next)
            .filter(|file| file.key.algorithm() != found.algorithm);
        for file in found.ours(State::Active).chain(outdated) {
            if kept.is_none_or(|kept| kept.name != file.name) {
                self.steps.push(Step::Retire(file.name.clone()));
            }
        }
    }

    /// Sees to it that there is a next key.
    fn announce(&mut self, found: Found<'_>, wait: Duration) -> Result<(), KeysError> {
        let kid = if let Some(file) = found.fitting(State::Next).next() {
            file.name.kid.clone()
        } else {
            let mut names = Names::after(found.files, found.now);
            let step = names.create(State::Next, found.algorithm)?;
            let kid = step.kid().to_owned();
            self.steps.push(step);
            kid
        };
        self.waits = Some(Waits { kid, wait });
        Ok(())
    }
}

impl<'a> Found<'a> {
    /// The private keys in that state, in the order of their names.
    fn ours(self, state: State) -> impl DoubleEndedIterator<Item = &'a KeyFile> {
        let files = self.files.iter();
        files.filter(move |file| file.key.can_sign() && file.name.state == state)
    }

    fn fitting(self, state: State) -> impl DoubleEndedIterator<Item = &'a KeyFile> {
        let ours = self.ours(state);
        ours.filter(move |file| file.key.algorithm() == self.algorithm)
    }

    /// The key that a rotation has made active which was cut short when only the retirement of the
    /// old one was left: then two are active.
    fn activated(self) -> Option<&'a KeyFile> {
        let several = self.ours(State::Active).count() > 1;
        self.fitting(State::Active).next_back().filter(|_| several)
    }

    /// How long the key that is to sign must still be known before it does. Where nobody can sign,
    /// nobody waits.
    fn wait(self, notice: Duration) -> Duration {
        if self.ours(State::Active).next().is_none() {
            return Duration::ZERO;
        }
        let next = self.fitting(State::Next).next();
        let known_for = next.map_or(Duration::ZERO, |file| self.now.since(file.modified));
        notice.saturating_sub(known_for)
    }
}

impl Step {
    fn kid(&self) -> &str {
        match self {
            Self::Create { name, .. }
            | Self::Activate(name)
            | Self::Retire(name)
            | Self::Delete(name) => &name.kid,
        }
    }

    fn run(&self, dir: &Directory, now: Timestamp) -> Result<(), KeysError> {
        match self {
            Self::Create { name, material } => dir.write(name, &material.bytes, now),
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
