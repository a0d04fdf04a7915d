//! Directories of keys in every state, good and bad.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    time::SystemTime,
};

use tempfile::TempDir;

use super::*;
use crate::{
    secret::Secret,
    token::{InvalidKey, key::tests::EC_PUBLIC},
};

const KEEP: Duration = Duration::from_hours(1);

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_700_000_000 + secs)
}

fn dir() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn put(dir: &TempDir, name: &str, content: &[u8]) {
    let path = dir.path().join(name);
    fs::write(&path, content).expect("written");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("mode set");
}

/// A private key on P-256.
fn put_key(dir: &TempDir, name: &str) {
    let material = Material::generate(Algorithm::Es256).expect("a key");
    put(dir, name, material.bytes.expose());
}

fn set_age(dir: &TempDir, name: &str, now: Timestamp, age: Duration) {
    let file = File::open(dir.path().join(name)).expect("a file");
    let then = Duration::from_millis(now.minus(age).as_millis());
    file.set_modified(SystemTime::UNIX_EPOCH + then)
        .expect("time set");
}

fn load(dir: &TempDir) -> Result<Keyring, KeysError> {
    Keyring::load(dir.path(), Algorithm::Es256, at(0), KEEP)
}

fn kids(ring: &Keyring) -> Vec<&str> {
    ring.iter().map(Key::kid).collect()
}

fn signing(ring: &Keyring) -> Option<&str> {
    ring.signing().map(Key::kid)
}

fn complaint(dir: &TempDir) -> String {
    let error = load(dir).expect_err("a complaint").to_string();
    error.replace(&dir.path().display().to_string(), "DIR")
}

#[test]
fn an_empty_or_missing_directory_says_so() {
    let dir = dir();
    assert_eq!(complaint(&dir), "DIR: holds no keys");
    let missing = Keyring::load(&dir.path().join("keys"), Algorithm::Es256, at(0), KEEP);
    assert!(matches!(missing, Err(KeysError::Empty { .. })));
}

#[test]
fn a_first_run_makes_an_active_and_a_next_key_for_its_owner_alone() {
    for algorithm in Algorithm::ALL {
        let parent = dir();
        let dir = parent.path().join("data/keys");
        Keyring::generate(&dir, algorithm, at(0)).expect("generated");
        let ending = if algorithm == Algorithm::Hs256 {
            "key"
        } else {
            "pem"
        };
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&dir), 0o700);
        for name in ["k1700000000.active", "k1700000001.next"] {
            assert_eq!(mode(&dir.join(format!("{name}.{ending}"))), 0o600);
        }
        let ring = Keyring::load(&dir, algorithm, at(0), KEEP).expect("keys");
        assert_eq!(kids(&ring), ["k1700000000", "k1700000001"]);
        assert_eq!(signing(&ring), Some("k1700000000"));
        assert!(ring.iter().all(|key| key.algorithm() == algorithm));

        Keyring::generate(&dir, algorithm, at(9)).expect("nothing to do");
        let again = Keyring::load(&dir, algorithm, at(9), KEEP).expect("keys");
        assert_eq!(kids(&again), kids(&ring));
    }
}

#[test]
fn what_is_in_a_directory_besides_keys_does_not_stand_in_the_way_of_the_first_ones() {
    let dir = dir();
    fs::create_dir(dir.path().join("lost+found")).expect("a directory");
    for name in [".lock", ".k1700000000.active.pem.tmp", "README"] {
        put(&dir, name, b"");
    }
    assert!(matches!(load(&dir), Err(KeysError::Empty { .. })));
    Keyring::generate(dir.path(), Algorithm::Es256, at(0)).expect("generated");
    assert_eq!(signing(&load(&dir).expect("keys")), Some("k1700000000"));
}

#[test]
fn all_states_verify_and_only_the_active_one_signs() {
    let dir = dir();
    for name in ["a.retired.pem", "b.active.pem", "c.next.pem"] {
        put_key(&dir, name);
    }
    let ring = load(&dir).expect("keys");
    assert_eq!(kids(&ring), ["a", "b", "c"]);
    assert_eq!(signing(&ring), Some("b"));
    assert_eq!(ring.find("c").map(Key::kid), Some("c"));
    assert!(ring.find("d").is_none());
}

#[test]
fn of_two_active_keys_the_one_with_the_higher_name_signs() {
    let dir = dir();
    for name in ["2025-b.active.pem", "2025-a.active.pem", "2026.next.pem"] {
        put_key(&dir, name);
    }
    assert_eq!(signing(&load(&dir).expect("keys")), Some("2025-b"));
}

#[test]
fn a_retired_key_is_used_until_all_it_has_signed_has_expired() {
    let dir = dir();
    put_key(&dir, "a.retired.pem");
    put_key(&dir, "b.active.pem");
    set_age(&dir, "a.retired.pem", at(0), KEEP);
    assert_eq!(kids(&load(&dir).expect("keys")), ["a", "b"]);
    set_age(&dir, "a.retired.pem", at(0), KEEP + Duration::from_secs(1));
    assert_eq!(kids(&load(&dir).expect("keys")), ["b"]);
    set_age(&dir, "b.active.pem", at(0), KEEP * 1000);
    assert_eq!(
        kids(&load(&dir).expect("keys")),
        ["b"],
        "others have no age"
    );
}

#[test]
fn a_key_of_another_algorithm_signs_only_where_there_is_none_of_the_right_one() {
    let dir = dir();
    put_key(&dir, "es.active.pem");
    put(&dir, "hs.active.key", &[7; 32]);
    let signer = |algorithm| {
        let ring = Keyring::load(dir.path(), algorithm, at(0), KEEP).expect("keys");
        signing(&ring).map(str::to_owned)
    };
    assert_eq!(signer(Algorithm::Es256).as_deref(), Some("es"));
    assert_eq!(signer(Algorithm::Hs256).as_deref(), Some("hs"));
    put_key(&dir, "zz.active.pem");
    assert_eq!(signer(Algorithm::Hs256).as_deref(), Some("hs"));
    assert_eq!(signer(Algorithm::EdDsa).as_deref(), Some("zz"));
}

#[test]
fn private_keys_none_of_which_is_active_are_an_error_and_public_keys_are_not() {
    for name in ["a.next.pem", "a.retired.pem"] {
        let dir = dir();
        put_key(&dir, name);
        assert!(matches!(load(&dir), Err(KeysError::NoSigningKey { .. })));
        assert_eq!(
            complaint(&dir),
            "DIR: holds no active private key; rotate the keys"
        );
        set_age(&dir, name, at(0), KEEP * 2);
        assert!(matches!(load(&dir), Err(KeysError::NoSigningKey { .. })));
    }
    let dir = dir();
    put(&dir, "a.active.pem", EC_PUBLIC.as_bytes());
    let ring = load(&dir).expect("a public key");
    assert_eq!((kids(&ring), signing(&ring)), (vec!["a"], None));
}

#[test]
fn a_key_file_with_a_name_that_says_nothing_is_named() {
    for name in [
        "es256.pem",
        "es256.actve.pem",
        "es256.Active.pem",
        "a.b.active.pem",
        ".active.pem.pem",
        "with space.active.key",
        "ümlaut.active.pem",
        "es256.active.x.pem",
    ] {
        let dir = dir();
        put_key(&dir, name);
        if name.starts_with('.') {
            assert_eq!(complaint(&dir), "DIR: holds no keys");
        } else {
            let expected = format!("DIR/{name}: a key file is called NAME.STATE.pem");
            assert!(
                complaint(&dir).starts_with(&expected),
                "{}",
                complaint(&dir)
            );
        }
    }
    let dir = dir();
    put_key(&dir, &format!("{}.active.pem", "x".repeat(64)));
    assert!(load(&dir).is_ok());
    put_key(&dir, &format!("{}.active.pem", "x".repeat(65)));
    assert!(matches!(load(&dir), Err(KeysError::BadName { .. })));
}

#[test]
fn other_files_are_none_of_our_business() {
    let dir = dir();
    put_key(&dir, "a.active.pem");
    for name in [
        "README",
        "notes.txt",
        ".b.next.pem.tmp",
        ".c.next.pem",
        "d.active.pem.bak",
    ] {
        put(&dir, name, b"nothing");
    }
    assert_eq!(kids(&load(&dir).expect("keys")), ["a"]);
}

#[test]
fn a_secret_that_others_can_read_or_a_key_that_others_can_replace_is_refused() {
    for (content, allowed, forbidden) in [
        (None, [0o600, 0o400, 0o640], [0o644, 0o604, 0o620]),
        (
            Some(EC_PUBLIC),
            [0o644, 0o444, 0o600],
            [0o664, 0o646, 0o666],
        ),
    ] {
        let dir = dir();
        match content {
            Some(public) => put(&dir, "a.active.pem", public.as_bytes()),
            None => put_key(&dir, "a.active.pem"),
        }
        let set = |mode| {
            let path = dir.path().join("a.active.pem");
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("mode set");
        };
        for mode in allowed {
            set(mode);
            assert!(load(&dir).is_ok(), "{mode:o}");
        }
        for mode in forbidden {
            set(mode);
            let expected = format!(
                "DIR/a.active.pem: mode {mode:04o} gives it away to others; 0600 would be right"
            );
            assert_eq!(complaint(&dir), expected);
        }
    }
}

#[test]
fn a_file_that_holds_no_key_is_named_and_not_quoted() {
    for (name, content, reason) in [
        ("a.next.pem", "hunter2", "is not a PEM file"),
        ("a.retired.pem", "", "is not a PEM file"),
        (
            "a.active.pem",
            "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n",
            "is not a key on P-256, of Ed25519 or of RSA with 2048 to 8192 bits",
        ),
        (
            "a.active.key",
            "hunter2",
            "holds 7 bytes, where a secret needs at least 32",
        ),
    ] {
        let dir = dir();
        put_key(&dir, "good.active.pem");
        put(&dir, name, content.as_bytes());
        assert_eq!(complaint(&dir), format!("DIR/{name}: {reason}"));
    }
}

#[test]
fn two_files_with_one_name_are_both_named() {
    let dir = dir();
    put_key(&dir, "a.active.pem");
    put_key(&dir, "a.retired.pem");
    put_key(&dir, "b.next.pem");
    let complaint = complaint(&dir);
    for file in ["DIR/a.active.pem", "DIR/a.retired.pem"] {
        assert!(complaint.contains(file), "{complaint}");
    }
}

#[test]
fn what_the_file_system_refuses_is_named() {
    let parent = dir();
    put(&parent, "file", b"");
    let file = parent.path().join("file");
    for error in [
        Keyring::load(&file, Algorithm::Es256, at(0), KEEP).err(),
        Keyring::generate(&file, Algorithm::Es256, at(0)).err(),
        Keyring::generate(&file.join("keys"), Algorithm::Es256, at(0)).err(),
    ] {
        let error = error.expect("an error");
        assert!(error.to_string().contains("/file"), "{error}");
        assert!(matches!(error, KeysError::Io { .. }), "{error}");
    }
    let dir = dir();
    fs::create_dir(dir.path().join("a.active.pem")).expect("a directory");
    assert_eq!(
        complaint(&dir),
        "DIR/a.active.pem: cannot be read or written"
    );
}

#[test]
fn a_list_shows_what_there_is() {
    let dir = dir();
    put_key(&dir, "a.retired.pem");
    put(&dir, "b.active.key", &[1; 32]);
    set_age(&dir, "a.retired.pem", at(0), Duration::from_secs(5));
    set_age(&dir, "b.active.key", at(0), Duration::ZERO);
    let listed = Keyring::list(dir.path(), at(60)).expect("a list");
    let expected = [
        ("a", State::Retired, Algorithm::Es256, 65),
        ("b", State::Active, Algorithm::Hs256, 60),
    ]
    .map(|(kid, state, algorithm, age)| Listed {
        kid: kid.to_owned(),
        state,
        algorithm,
        age: Duration::from_secs(age),
    });
    assert_eq!(listed, expected);
}

#[test]
fn a_key_in_memory_signs_and_is_another_one_each_time() {
    let make = || Keyring::ephemeral(Algorithm::Es256).expect("a key");
    let (a, b) = (make(), make());
    assert_eq!(signing(&a), a.iter().map(Key::kid).next());
    assert_ne!(signing(&a), signing(&b));
    let signature = a.signing().and_then(|key| key.sign("x")).expect("signed");
    assert!(a.signing().is_some_and(|key| key.verify("x", &signature)));
    assert!(!b.signing().is_some_and(|key| key.verify("x", &signature)));
}

#[test]
fn secrets_do_not_show_in_what_is_printed() {
    let material = Material {
        form: material::Form::Raw,
        bytes: Secret::new([77; 32]),
    };
    let error = KeysError::Invalid {
        path: "a.active.key".into(),
        reason: InvalidKey::TooShort(3),
    };
    let ring = Keyring {
        keys: vec![Arc::new(material.key("a".to_owned()).expect("a key"))],
        signing: None,
    };
    let shown = format!("{material:?} {error:?} {ring:?}");
    assert!(!shown.contains("77, 77"), "{shown}");
}
