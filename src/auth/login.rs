//! `GET login` and `POST login`: the hosted page; it can do nothing that the JSON endpoints cannot, and does all of it through them.
//!
//! The forms carry everything from step to step, so that nothing about a half-done login is kept.
//! A login ends with both cookies set and the browser back where it wanted to go. A browser whose
//! access cookie has expired gets new ones from its refresh cookie on the way, without a question.

use http::{StatusCode, header};
use serde_json::Value;

use crate::{
    auth::{
        bearer,
        call::{Call, Desk},
        captcha::Token,
        cookie, form,
        page::{self, CodeForm, NumberForm, Scripts, WorkForm},
        refresh,
        request_key::RequestKey,
        return_to::ReturnTo,
        send_otp::{self, Wish},
        verify_otp::{self, Attempt, MAX_DEVICE_INFO},
        wire::{self, Fields, Reply, Wrong},
    },
    domain::{otp::Code, phone::Phone},
    reject::{self, FieldError, Reject},
};

/// How often in a row a browser is sent on without being asked for anything. Beyond it, whoever
/// sends it here does not accept what it has, and only a fresh login can help.
const MAX_BOUNCES: u8 = 5;

/// What is known of a visitor, at whichever step.
#[derive(Debug)]
struct Visit<'a> {
    desk: &'a Desk,
    call: &'a Call,
    return_to: ReturnTo,
    number: String,
    challenge: String,
    proof: Option<String>,
    captcha: Option<Token>,
    /// The name of what the form asks for, which is the same however often it is sent.
    key: Option<RequestKey>,
}

/// What went wrong: the refusal, and how it is put to a person.
#[derive(Debug)]
struct Trouble {
    reject: Reject,
    words: String,
}

/// Shows the form, or sends a browser back that is logged in already. `prompt=login` asks for a
/// fresh login in any case (as in `OpenID` Connect Core §3.1.2.1).
pub async fn show(desk: &Desk, call: &Call) -> Reply {
    let query = call.head.uri.query().unwrap_or_default();
    let query = form::parse(query.as_bytes()).unwrap_or_default();
    let text = |name: &str| query.get(name).and_then(|value| value.as_str());
    let visit = Visit::new(desk, call, text("return_to"));
    if text("prompt") == Some("login") || cookie::bounces(call) >= MAX_BOUNCES {
        return visit.begin();
    }
    if bearer::caller(desk, call).await.is_ok() {
        return visit.bounce();
    }
    let Ok(Some(token)) = cookie::refresh(desk.spec(), call) else {
        return visit.begin();
    };
    match refresh::rotate(desk, call, token).await {
        Ok(pair) => {
            let mut reply = visit.bounce();
            cookie::set(reply.headers_mut(), desk.spec(), call, &pair);
            reply
        }
        Err(reject) if reject.code() == reject::Code::InvalidGrant => {
            let mut reply = visit.begin();
            cookie::clear(reply.headers_mut(), desk.spec(), call);
            reply
        }
        Err(reject) => visit.ask_number(reject.into()),
    }
}

/// Takes a step: sends a code, or checks one.
pub async fn submit(desk: &Desk, call: &Call, mut fields: Fields) -> Reply {
    let mut visit = Visit::new(desk, call, fields.optional("return_to").as_deref());
    if let Err(reject) = call.same_origin(desk.spec()) {
        return visit.ask_number(reject.into());
    }
    visit.challenge = fields.optional("challenge_id").unwrap_or_default();
    visit.proof = fields.optional("proof").filter(|proof| !proof.is_empty());
    let key = fields.optional("request_key");
    visit.key = key.and_then(|text| text.parse().ok());
    visit.captcha = fields
        .optional("captcha")
        .and_then(|text| text.parse().ok());
    visit.number = fields.optional("mobile_number").unwrap_or_default();
    let phone = match Phone::parse(&visit.number, desk.spec().default_country) {
        Ok(phone) => phone,
        Err(error) => {
            return visit.ask_number(Trouble::in_field("mobile_number", "The number", &error));
        }
    };
    if fields.optional("step").as_deref() != Some("verify") {
        return visit.send(&phone).await;
    }
    let typed = fields.optional("otp").unwrap_or_default();
    match Code::parse(&typed, desk.spec().otp.length) {
        Ok(code) => visit.verify(phone, code).await,
        Err(error) => visit.ask_code(&phone, Trouble::in_field("otp", "The code", &error)),
    }
}

impl<'a> Visit<'a> {
    fn new(desk: &'a Desk, call: &'a Call, return_to: Option<&str>) -> Self {
        Self {
            desk,
            call,
            return_to: ReturnTo::parse(return_to, desk.spec()),
            number: String::new(),
            challenge: String::new(),
            proof: None,
            captcha: None,
            key: None,
        }
    }

    async fn send(mut self, phone: &Phone) -> Reply {
        let wish = Wish {
            proof: self.proof.take(),
            captcha: self.captcha.take(),
            key: self.key.clone(),
            ..Wish::new(phone.clone(), self.desk.spec())
        };
        match send_otp::send(self.desk, self.call, &wish).await {
            Ok(sent) => {
                self.challenge = sent.challenge.to_string();
                page::reply(StatusCode::OK, self.code_form(phone, None))
            }
            Err(reject) if reject.code() == reject::Code::ProofRequired => self.ask_proof(reject),
            Err(reject) if self.challenge.is_empty() => self.ask_number(reject.into()),
            // The code that was sent before may still be entered.
            Err(reject) => self.ask_code(phone, reject.into()),
        }
    }

    async fn verify(self, phone: Phone, code: Code) -> Reply {
        let attempt = Attempt {
            phone: phone.clone(),
            code,
            challenge: (!self.challenge.is_empty()).then(|| verify_otp::challenge(&self.challenge)),
            device_info: self.user_agent(),
        };
        match verify_otp::verify(self.desk, self.call, attempt).await {
            Ok(pair) => {
                let mut reply = self.back();
                cookie::set(reply.headers_mut(), self.desk.spec(), self.call, &pair);
                reply
            }
            Err(reject) => self.ask_code(&phone, reject.into()),
        }
    }

    /// The form, empty.
    fn begin(&self) -> Reply {
        page::reply(StatusCode::OK, self.number_form(None))
    }

    fn ask_number(&self, trouble: Trouble) -> Reply {
        let page = self.number_form(Some(&trouble.words));
        page::instead(trouble.reject.into_response(), page, Scripts::None)
    }

    /// Has the browser prove some work, and ask again by itself.
    fn ask_proof(&self, reject: Reject) -> Reply {
        let proof = reject.member("proof");
        let member = |name: &str| proof.and_then(|proof| proof.get(name));
        // Not where its provider just could not be asked.
        let captcha = reject
            .member("captcha")
            .and(self.desk.spec().captcha.as_ref());
        let page = WorkForm {
            action: &self.action(),
            return_to: &self.return_to,
            number: &self.number,
            challenge: &self.challenge,
            key: self.key.as_ref().map_or("", RequestKey::as_str),
            puzzle: member("puzzle").and_then(Value::as_str).unwrap_or_default(),
            bits: member("bits").and_then(Value::as_u64).unwrap_or_default(),
            captcha,
        }
        .page();
        page::instead(reject.into_response(), page, Scripts::Work(captcha))
    }

    fn ask_code(&self, phone: &Phone, trouble: Trouble) -> Reply {
        let page = self.code_form(phone, Some(&trouble.words));
        page::instead(trouble.reject.into_response(), page, Scripts::None)
    }

    /// To where the browser wanted to go, by GET whatever brought it here (RFC 9110 §15.4.4).
    fn back(&self) -> Reply {
        let mut reply = wire::empty(StatusCode::SEE_OTHER);
        reply
            .headers_mut()
            .insert(header::LOCATION, self.return_to.to_header());
        reply
    }

    /// Back without having asked for anything, which is counted.
    fn bounce(&self) -> Reply {
        let mut reply = self.back();
        cookie::count_bounce(reply.headers_mut(), self.desk.spec(), self.call);
        reply
    }

    fn number_form(&self, trouble: Option<&str>) -> maud::Markup {
        NumberForm {
            action: &self.action(),
            return_to: &self.return_to,
            number: &self.number,
            key: &fresh_key(),
            country: &self.desk.spec().default_country.to_string(),
            trouble,
        }
        .page()
    }

    fn code_form(&self, phone: &Phone, trouble: Option<&str>) -> maud::Markup {
        CodeForm {
            action: &self.action(),
            return_to: &self.return_to,
            number: phone.as_e164(),
            masked: &phone.masked(),
            challenge: &self.challenge,
            key: &fresh_key(),
            digits: self.desk.spec().otp.length.digits(),
            trouble,
        }
        .page()
    }

    fn action(&self) -> String {
        format!("{}/login", self.desk.spec().base)
    }

    /// What a browser says about itself, for the list of sessions.
    fn user_agent(&self) -> String {
        let agent = self.call.header(&header::USER_AGENT).unwrap_or_default();
        agent.chars().take(MAX_DEVICE_INFO).collect()
    }
}

/// For a form that asks for one thing, however often it is sent. Without chance there is none, and no
/// code either.
fn fresh_key() -> String {
    RequestKey::fresh().map_or_else(|_| String::new(), |key| key.as_str().to_owned())
}

impl From<Reject> for Trouble {
    fn from(reject: Reject) -> Self {
        let words = reject.detail().to_owned();
        Self { reject, words }
    }
}

impl Trouble {
    /// Something typed is not right: "The code must be 6 digits."
    fn in_field(field: &'static str, subject: &str, error: &impl std::error::Error) -> Self {
        let message = error.to_string();
        Self {
            words: format!("{subject} {message}."),
            reject: Wrong(vec![FieldError {
                field,
                message: message.into(),
            }])
            .into(),
        }
    }
}
