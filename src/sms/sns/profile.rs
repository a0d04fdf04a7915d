//! The files in which AWS's tools keep profiles (`~/.aws/credentials`, `~/.aws/config`); reads only what signs requests.

use super::Credentials;
use crate::secret::Secret;

/// The keys of the profile `name` in `text`, if it holds any. In a file of settings all profiles
/// but `default` are headed `[profile NAME]`.
pub fn find(text: &str, name: &str) -> Option<Credentials> {
    let mut inside = false;
    let [mut id, mut secret, mut token] = [None; 3];
    for line in text.lines().map(str::trim) {
        if let Some(header) = line
            .strip_prefix('[')
            .and_then(|rest| rest.split(']').next())
        {
            let header = header.trim();
            let header = header.strip_prefix("profile ").unwrap_or(header);
            inside = header.trim() == name;
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| inside) else {
            continue;
        };
        match key.trim() {
            "aws_access_key_id" => id = Some(value.trim()),
            "aws_secret_access_key" => secret = Some(value.trim()),
            "aws_session_token" => token = Some(value.trim()),
            _ => {}
        }
    }
    Some(Credentials {
        access_key: id?.to_owned(),
        secret_key: Secret::new(secret?.as_bytes()),
        session_token: token.map(|token| Secret::new(token.as_bytes())),
        expires_at: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: &str = "# of mine\n[default]\naws_access_key_id = AKIA1\naws_secret_access_key=s1\n\
        region = eu-west-1\n\n[ work ]\naws_access_key_id=AKIA2\naws_secret_access_key = s=2\n\
        aws_session_token = t2\n[profile other]\naws_access_key_id=AKIA3\naws_secret_access_key=s3\n\
        [half]\naws_access_key_id=AKIA4\n";

    #[test]
    fn a_profile_is_found_by_its_name() {
        let found = |name| {
            let found = find(FILE, name)?;
            let text = |secret: &Secret| String::from_utf8(secret.expose().to_vec()).unwrap();
            let token = found.session_token.as_ref().map(text);
            Some((found.access_key, text(&found.secret_key), token))
        };
        let keys = |id: &str, secret: &str| Some((id.to_owned(), secret.to_owned(), None));
        assert_eq!(found("default"), keys("AKIA1", "s1"));
        assert_eq!(found("other"), keys("AKIA3", "s3"));
        assert_eq!(
            found("work"),
            Some(("AKIA2".to_owned(), "s=2".to_owned(), Some("t2".to_owned())))
        );
        for name in ["half", "nobody", "", "profile other"] {
            assert_eq!(found(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_file_panics(text in "(\\[|\\]|=|\n|aws_access_key_id|\\PC){0,30}") {
            let _found = find(&text, "default");
        }
    }
}
