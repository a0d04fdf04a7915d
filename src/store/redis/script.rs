//! A script and the digest under which a server keeps it; knows not what it does.

use std::fmt::Write;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use redis::Cmd;

/// A Lua script that runs as one atomic step on one server.
#[derive(Debug, Clone)]
pub struct Script {
    source: String,
    sha: String,
}

impl Script {
    /// From its text.
    pub fn new(source: String) -> Self {
        let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, source.as_bytes());
        let mut sha = String::with_capacity(40);
        for byte in digest.as_ref() {
            // Nothing can go wrong: a string takes everything.
            let _ok = write!(sha, "{byte:02x}");
        }
        Self { source, sha }
    }

    /// The command that runs it. On a cluster all `keys` must be of one group.
    pub(super) fn run<K: AsRef<[u8]>, A: AsRef<[u8]>>(&self, keys: &[K], args: &[A]) -> Cmd {
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(&self.sha).arg(keys.len());
        for key in keys {
            cmd.arg(key.as_ref());
        }
        for arg in args {
            cmd.arg(arg.as_ref());
        }
        cmd
    }

    /// The command that makes a server keep it.
    pub(super) fn load(&self) -> Cmd {
        let mut cmd = redis::cmd("SCRIPT");
        cmd.arg("LOAD").arg(&self.source);
        cmd
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_one_that_servers_compute() {
        // FIPS 180-1, appendix A.
        let sha = Script::new("abc".to_owned()).sha;
        assert_eq!(sha, "a9993e364706816aba3e25717850c26c9cd0d89d");
    }

    #[test]
    fn a_run_names_its_keys_before_its_arguments() {
        let cmd = Script::new("abc".to_owned()).run(&["{ab}k"], &["1", ""]);
        let packed = String::from_utf8(cmd.get_packed_command()).unwrap();
        assert!(packed.ends_with("\r\n$1\r\n1\r\n$5\r\n{ab}k\r\n$1\r\n1\r\n$0\r\n\r\n"));
    }
}
