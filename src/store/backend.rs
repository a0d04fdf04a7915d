//! Where the state lives, written as a URL; knows nothing of what is kept there.

use std::{fmt, path::PathBuf, str::FromStr};

use super::redis;

/// The place of the state, written as a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// `memory:`, gone when the process ends.
    Memory,
    /// `embedded:PATH`, a file that one process has for itself.
    Embedded(PathBuf),
    /// `redis:` and its like, servers that many gateways share.
    Redis(redis::Spec),
}

/// The text names no store. It is left out: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBackend {
    /// Not the URL of a store.
    #[error("must be memory:, embedded:PATH or a URL that begins with redis")]
    Unknown,
    /// One of Redis, with a mistake.
    #[error(transparent)]
    Redis(#[from] redis::InvalidUrl),
}

impl FromStr for Backend {
    type Err = InvalidBackend;

    fn from_str(text: &str) -> Result<Self, InvalidBackend> {
        match text.split_once(':') {
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("embedded", path)) if !path.is_empty() => Ok(Self::Embedded(path.into())),
            Some((scheme, _)) if scheme.starts_with("redis") => Ok(Self::Redis(text.parse()?)),
            Some(_) | None => Err(InvalidBackend::Unknown),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::Embedded(path) => write!(f, "embedded:{}", path.display()),
            Self::Redis(spec) => spec.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_is_read_as_it_is_written() {
        for text in [
            "memory:",
            "embedded:data/store.redb",
            "embedded:/a:b",
            "redis://db:6379/1",
        ] {
            assert_eq!(text.parse::<Backend>().unwrap().to_string(), text);
        }
        for text in ["", "memory", "memory:x", "embedded:", "MEMORY:"] {
            let unknown = InvalidBackend::Unknown;
            assert_eq!(text.parse::<Backend>(), Err(unknown), "{text}");
        }
        let mistake = InvalidBackend::Redis(redis::InvalidUrl::NoHost);
        assert_eq!("redis://".parse::<Backend>(), Err(mistake));
    }
}
