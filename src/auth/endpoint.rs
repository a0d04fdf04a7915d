//! Which endpoint a path and a method mean; knows nothing of what an endpoint does.

use http::{Method, header};

use crate::{
    auth::wire::{Accepts, Medium},
    reject::{Code, Reject},
    sms::receipt::Teller,
};

/// Everything the auth service answers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    SendOtp,
    VerifyOtp,
    /// What stands in the place of the challenge's id comes along.
    ShowChallenge(String),
    Refresh,
    Logout,
    Me,
    Check,
    ListSessions,
    /// What stands in the place of the session's id comes along.
    EndSession(String),
    ShowLogin,
    SubmitLogin,
    OpenApi,
    Jwks,
    Metadata,
    /// Whoever tells comes along.
    Receipt(Teller),
}

/// The endpoints at one path, by what is done there.
#[derive(Debug, Clone, Default)]
struct Place {
    read: Option<Endpoint>,
    post: Option<Endpoint>,
    delete: Option<Endpoint>,
}

impl Endpoint {
    /// The endpoint for `method` at `path`, which begins below the base. Only the exact path leads
    /// there: nothing is forgiven at its end.
    pub fn find(path: &str, method: &Method) -> Result<Self, Reject> {
        let place = Place::at(path).ok_or_else(nothing_here)?;
        let allow = place.allow();
        let endpoint = match *method {
            Method::GET | Method::HEAD => place.read,
            Method::POST => place.post,
            Method::DELETE => place.delete,
            _ => None,
        };
        endpoint.ok_or_else(|| {
            Reject::new(Code::MethodNotAllowed, "The method is not allowed here.")
                .header(header::ALLOW, &allow)
        })
    }

    /// The bodies it takes.
    pub const fn accepts(&self) -> Accepts {
        match self {
            Self::SendOtp | Self::VerifyOtp => Accepts::Json,
            Self::Refresh => Accepts::JsonOrNothing,
            Self::Logout => Accepts::Anything,
            Self::SubmitLogin => Accepts::Form,
            Self::Receipt(Teller::Twilio) => Accepts::Signed(Medium::Form),
            Self::Receipt(Teller::Webhook) => Accepts::Signed(Medium::Json),
            Self::ShowChallenge(_)
            | Self::Me
            | Self::Check
            | Self::ListSessions
            | Self::EndSession(_)
            | Self::ShowLogin
            | Self::OpenApi
            | Self::Jwks
            | Self::Metadata => Accepts::Nothing,
        }
    }
}

impl Place {
    fn at(path: &str) -> Option<Self> {
        match path {
            "/send-otp" => Some(Self::post(Endpoint::SendOtp)),
            "/verify-otp" => Some(Self::post(Endpoint::VerifyOtp)),
            "/refresh" => Some(Self::post(Endpoint::Refresh)),
            "/logout" => Some(Self::post(Endpoint::Logout)),
            "/me" => Some(Self::read(Endpoint::Me)),
            "/check" => Some(Self::read(Endpoint::Check)),
            "/sessions" => Some(Self::read(Endpoint::ListSessions)),
            "/login" => Some(Self {
                post: Some(Endpoint::SubmitLogin),
                ..Self::read(Endpoint::ShowLogin)
            }),
            "/receipts/twilio" => Some(Self::post(Endpoint::Receipt(Teller::Twilio))),
            "/receipts/webhook" => Some(Self::post(Endpoint::Receipt(Teller::Webhook))),
            "/openapi.json" => Some(Self::read(Endpoint::OpenApi)),
            "/.well-known/jwks.json" => Some(Self::read(Endpoint::Jwks)),
            "/.well-known/oauth-authorization-server" => Some(Self::read(Endpoint::Metadata)),
            other => {
                let (folder, id) = other.rsplit_once('/').filter(|(_, id)| !id.is_empty())?;
                match folder {
                    "/challenges" => Some(Self::read(Endpoint::ShowChallenge(id.to_owned()))),
                    "/sessions" => Some(Self {
                        delete: Some(Endpoint::EndSession(id.to_owned())),
                        ..Self::default()
                    }),
                    _ => None,
                }
            }
        }
    }

    fn read(endpoint: Endpoint) -> Self {
        Self {
            read: Some(endpoint),
            ..Self::default()
        }
    }

    fn post(endpoint: Endpoint) -> Self {
        Self {
            post: Some(endpoint),
            ..Self::default()
        }
    }

    /// For `Allow` (RFC 9110 §10.2.1).
    fn allow(&self) -> String {
        let methods = [
            self.read.as_ref().map(|_| "GET, HEAD"),
            self.post.as_ref().map(|_| "POST"),
            self.delete.as_ref().map(|_| "DELETE"),
        ];
        methods.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// The answer outside of every endpoint.
pub fn nothing_here() -> Reject {
    Reject::new(Code::NotFound, "There is no such endpoint.")
}
