//! Credentials for a web identity (a Kubernetes service account, say), lent by AWS STS.

use std::path::PathBuf;

use bytes::Bytes;
use form_urlencoded::Serializer;
use http::{Request, header};

use super::{
    Credentials, Surroundings,
    credentials::{Lacking, read},
    metadata::{answer, moment, unreadable},
    xml,
};
use crate::{secret::Secret, sms::http::Client};

/// Who we are to somebody else, and what we want to be to AWS.
#[derive(Debug)]
pub struct WebIdentity {
    url: String,
    token_file: PathBuf,
    role: String,
    session: String,
}

const WHO: &str = "STS";

impl WebIdentity {
    /// What the environment says of it, if it does.
    pub fn of(surroundings: &Surroundings, region: &str) -> Option<Self> {
        let session = surroundings.get("AWS_ROLE_SESSION_NAME");
        let url = match surroundings.get("AWS_ENDPOINT_URL_STS") {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => super::regional("sts", region),
        };
        Some(Self {
            url,
            token_file: surroundings.get("AWS_WEB_IDENTITY_TOKEN_FILE")?.into(),
            role: surroundings.get("AWS_ROLE_ARN")?.to_owned(),
            session: session.unwrap_or("otp-gateway").to_owned(),
        })
    }

    /// Asks for them. The token is the proof, so the request is not signed.
    pub async fn credentials(self, client: &Client) -> Result<Credentials, Lacking> {
        let Some(token) = read(self.token_file).await else {
            return Err(Lacking(
                "the token of the web identity cannot be read".to_owned(),
            ));
        };
        let form = Serializer::new(String::new())
            .append_pair("Action", "AssumeRoleWithWebIdentity")
            .append_pair("Version", "2011-06-15")
            .append_pair("RoleArn", &self.role)
            .append_pair("RoleSessionName", &self.session)
            .append_pair("WebIdentityToken", token.trim())
            .finish();
        let request = Request::post(format!("{}/", self.url))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from(form))
            .map_err(|_| unreadable(WHO))?;
        let text = answer(client, request, WHO).await?;
        lent(&text).ok_or_else(|| unreadable(WHO))
    }
}

fn lent(text: &str) -> Option<Credentials> {
    let word = |tag| xml::word(text, tag);
    Some(Credentials {
        access_key: word("AccessKeyId")?.to_owned(),
        secret_key: Secret::new(word("SecretAccessKey")?.as_bytes()),
        session_token: Some(Secret::new(word("SessionToken")?.as_bytes())),
        expires_at: Some(moment(word("Expiration")?)?),
    })
}
