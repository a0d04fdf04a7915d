//! What the environment says to programs that use AWS, as it was when the configuration was read; does not read it itself.

use std::{collections::BTreeMap, fmt, path::PathBuf};

/// The variables that are looked at, and what they held.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Surroundings(BTreeMap<&'static str, String>);

/// Every variable that is looked at.
const NAMES: [&str; 19] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_ENDPOINT_URL_STS",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "HOME",
];

impl Surroundings {
    /// What `variable` says of each name. An empty value is none.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let held = NAMES.into_iter().filter_map(|name| {
            let value = variable(name).filter(|value| !value.is_empty());
            Some((name, value?))
        });
        Self(held.collect())
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The region, if the environment names one.
    pub fn region(&self) -> Option<&str> {
        self.get("AWS_REGION")
            .or_else(|| self.get("AWS_DEFAULT_REGION"))
    }

    /// The files in which profiles are kept: of credentials, and of settings.
    pub fn files(&self) -> [Option<PathBuf>; 2] {
        let in_home = |name| Some(PathBuf::from(self.get("HOME")?).join(".aws").join(name));
        let file = |variable, name| {
            self.get(variable)
                .map(PathBuf::from)
                .or_else(|| in_home(name))
        };
        [
            file("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
            file("AWS_CONFIG_FILE", "config"),
        ]
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Some of the values are secrets.
        f.debug_set().entries(self.0.keys()).finish()
    }
}
