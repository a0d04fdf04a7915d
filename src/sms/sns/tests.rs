//! Where credentials come from, whom that is asked of, and for how long they are kept.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::{clock::Timestamp, sms::http::Line};

/// Answers requests for paths by texts, and remembers the requests.
#[derive(Clone, Default)]
pub struct Lender {
    pub answers: Arc<Mutex<BTreeMap<String, String>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Lender {
    /// Its address.
    pub async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let lender = self.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let text = read_request(&mut stream).await;
                let answer = lender.answer(&text);
                lender.asked.lock().unwrap().push(text);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        format!("http://{address}")
    }

    pub fn says(&self, path: &str, text: impl Into<String>) {
        let mut answers = self.answers.lock().unwrap();
        answers.insert(path.to_owned(), text.into());
    }

    fn answer(&self, request: &str) -> String {
        let path = request.split(' ').nth(1).unwrap();
        let (status, body) = match self.answers.lock().unwrap().get(path) {
            Some(body) => ("200 OK", body.clone()),
            None => ("404 Not Found", String::new()),
        };
        let length = body.len();
        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// A whole request, in however many pieces it comes.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let is_whole = |text: &str| {
        text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.split("content-length: ").nth(1);
            let length = length.and_then(|rest| rest.lines().next()?.parse().ok());
            body.len() >= length.unwrap_or(0)
        })
    };
    while !is_whole(&text) {
        let mut piece = [0; 8192];
        let length = stream.read(&mut piece).await.unwrap();
        assert_ne!(length, 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    text
}

pub fn client() -> Client {
    let line = Line {
        connect_timeout: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
        authorities: None,
    };
    Client::new(&line).unwrap()
}

fn keeper(profile: Option<&str>, variables: &[(&str, &str)]) -> Keeper {
    let variables: BTreeMap<_, _> = variables.iter().copied().collect();
    let surroundings = Surroundings::of(|name| variables.get(name).map(|&value| value.to_owned()));
    let given = Given::Usual {
        profile: profile.map(str::to_owned),
        surroundings: Arc::new(surroundings),
    };
    Keeper::new(given, "eu-west-1", client())
}

/// What an agent lends until so many seconds after 1970.
fn lent(id: &str, until: u64) -> String {
    let until = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(until);
    let until = humantime::format_rfc3339_seconds(until);
    format!(
        r#"{{"AccessKeyId": "{id}", "SecretAccessKey": "s", "Token": "t", "Expiration": "{until}"}}"#
    )
}

async fn key(keeper: &Keeper, now: u64) -> Result<String, String> {
    let credentials = keeper.credentials(Timestamp::from_secs(now)).await;
    credentials
        .map(|credentials| credentials.access_key)
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn the_environment_goes_before_profiles_and_a_named_profile_before_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("credentials");
    let profile = |name, id| format!("[{name}]\naws_access_key_id={id}\naws_secret_access_key=s\n");
    std::fs::write(&file, profile("default", "D") + &profile("work", "W")).unwrap();
    let file = file.to_str().unwrap();
    let env = [("AWS_ACCESS_KEY_ID", "E"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let files = [("AWS_SHARED_CREDENTIALS_FILE", file)];
    let both = [&env[..], &files[..]].concat();
    assert_eq!(key(&keeper(None, &both), 0).await.unwrap(), "E");
    assert_eq!(key(&keeper(Some("work"), &both), 0).await.unwrap(), "W");
    assert_eq!(key(&keeper(None, &files), 0).await.unwrap(), "D");
    let by_name = [&files[..], &[("AWS_PROFILE", "work")]].concat();
    assert_eq!(key(&keeper(None, &by_name), 0).await.unwrap(), "W");
    let error = key(&keeper(Some("nobody"), &both), 0).await.unwrap_err();
    assert!(
        error.ends_with("no credentials: no profile nobody with keys in it"),
        "{error}"
    );
}

#[tokio::test]
async fn a_container_is_asked_with_its_token() {
    let lender = Lender::default();
    lender.says("/keys", lent("C", 10_000));
    let url = format!("{}/keys", lender.start().await);
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "let me in"),
    ];
    assert_eq!(key(&keeper(None, &variables), 0).await.unwrap(), "C");
    assert!(lender.asked()[0].contains("authorization: let me in\r\n"));
    let far = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://10.0.0.1/keys")];
    let error = key(&keeper(None, &far), 0).await.unwrap_err();
    assert!(
        error.ends_with("neither https nor on this machine"),
        "{error}"
    );
}

#[tokio::test]
async fn a_machine_is_asked_for_a_token_a_role_and_its_keys() {
    let lender = Lender::default();
    lender.says("/latest/api/token", "token-1");
    lender.says("/latest/meta-data/iam/security-credentials/", "gateway\n");
    lender.says(
        "/latest/meta-data/iam/security-credentials/gateway",
        lent("M", 10_000),
    );
    let url = lender.start().await;
    let endpoint = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.as_str())];
    assert_eq!(key(&keeper(None, &endpoint), 0).await.unwrap(), "M");
    let asked = lender.asked();
    assert!(
        asked[0].starts_with("PUT /latest/api/token "),
        "{}",
        asked[0]
    );
    for request in &asked[1..] {
        assert!(
            request.contains("x-aws-ec2-metadata-token: token-1\r\n"),
            "{request}"
        );
    }
    let none = [("AWS_EC2_METADATA_DISABLED", "true")];
    let error = key(&keeper(None, &none), 0).await.unwrap_err();
    assert!(
        error.ends_with("nothing in the environment names any"),
        "{error}"
    );
}

#[tokio::test]
async fn a_web_identity_is_shown_to_sts() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "who-i-am\n").unwrap();
    let lender = Lender::default();
    let xml = "<R><Credentials><AccessKeyId>S</AccessKeyId><SecretAccessKey>s/+=</SecretAccessKey>\
        <SessionToken>t</SessionToken><Expiration>2026-11-22T10:00:00Z</Expiration></Credentials></R>";
    lender.says("/", xml);
    let url = lender.start().await;
    let variables = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap()),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/gateway"),
        ("AWS_ENDPOINT_URL_STS", &url),
    ];
    assert_eq!(key(&keeper(None, &variables), 0).await.unwrap(), "S");
    let asked = lender.asked().remove(0);
    assert!(
        asked.contains("Action=AssumeRoleWithWebIdentity&"),
        "{asked}"
    );
    assert!(asked.contains("&WebIdentityToken=who-i-am"), "{asked}");
    assert!(!asked.contains("authorization"), "the token is the proof");
}

#[tokio::test]
async fn lent_keys_are_kept_until_shortly_before_their_end_and_longer_when_there_are_no_others() {
    let lender = Lender::default();
    lender.says("/keys", lent("1", 10_000));
    let url = format!("{}/keys", lender.start().await);
    let keeper = keeper(None, &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)]);
    assert_eq!(key(&keeper, 0).await.unwrap(), "1");
    lender.says("/keys", lent("2", 20_000));
    assert_eq!(key(&keeper, 9_699).await.unwrap(), "1");
    assert_eq!(lender.asked().len(), 1);
    assert_eq!(key(&keeper, 9_700).await.unwrap(), "2");
    // The lender is gone: what it lent is good to the end.
    lender.answers.lock().unwrap().clear();
    assert_eq!(key(&keeper, 19_989).await.unwrap(), "2");
    let error = key(&keeper, 19_990).await.unwrap_err();
    assert!(
        error.contains("the container lends none: status 404"),
        "{error}"
    );
    lender.says("/keys", lent("3", 30_000));
    assert_eq!(key(&keeper, 19_991).await.unwrap(), "3");
}

#[test]
fn nothing_of_the_surroundings_is_shown_but_the_names() {
    let surroundings = Surroundings::of(|name| Some(format!("{name}=hunter2")));
    let shown = format!("{surroundings:?}");
    assert!(shown.contains("AWS_SECRET_ACCESS_KEY") && !shown.contains("hunter2"));
}
