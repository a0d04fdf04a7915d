//! A provider of captchas: it vouches once for each token that it has given away, and remembers what it was asked.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use super::upstream::{Reply, Upstream};

/// A running provider. Clones are the same one; it ends with the test's runtime.
#[derive(Clone)]
pub struct Siteverify {
    /// Where it listens.
    pub address: SocketAddr,
    book: Arc<Mutex<Book>>,
}

#[derive(Default)]
struct Book {
    /// What it will say of tokens that are not used yet.
    given: HashMap<String, Value>,
    asked: Vec<HashMap<String, String>>,
}

/// What a gateway shows it.
const SECRET: &str = "captcha-secret";

/// The host of the pages that its widget stands on.
pub const HOST: &str = "login.example.com";

impl Siteverify {
    /// A provider that has given nothing away yet, and whose widget's script is this.
    pub async fn start(script: &'static str) -> Self {
        let book: Arc<Mutex<Book>> = Arc::default();
        let kept = Arc::clone(&book);
        let server = Upstream::doing(move |request| {
            let book = Arc::clone(&kept);
            Box::pin(async move {
                if request.method() == "GET" {
                    return said("text/javascript", script.to_owned());
                }
                let body = request.into_body().collect().await.expect("a body");
                let form = form_urlencoded::parse(&body.to_bytes())
                    .into_owned()
                    .collect();
                let answer = book.lock().unwrap().answer(form);
                said("application/json", answer.to_string())
            })
        });
        Self {
            address: server.await.address,
            book,
        }
    }

    /// The settings of a gateway that takes its captchas.
    pub fn settings(&self, provider: &str) -> [String; 7] {
        let address = self.address;
        [
            format!("otp.captcha.provider = \"{provider}\""),
            "otp.captcha.site_key = \"site-1\"".to_owned(),
            format!("otp.captcha.secret = \"{SECRET}\""),
            format!("otp.captcha.hosts = [\"{HOST}\"]"),
            // A busy machine is no provider that cannot be asked.
            "otp.captcha.timeout = \"20s\"".to_owned(),
            format!("otp.captcha.verify_url = \"http://{address}/siteverify\""),
            format!("otp.captcha.script_url = \"http://{address}/api.js\""),
        ]
    }

    /// Gives a token away to somebody who has solved a captcha on our page.
    pub fn give(&self, token: &str) {
        self.give_for(token, HOST, "send-otp");
    }

    /// The same on another page, or for something else.
    pub fn give_for(&self, token: &str, host: &str, action: &str) {
        let yes = json!({ "success": true, "hostname": host, "action": action, "error-codes": [] });
        self.book
            .lock()
            .unwrap()
            .given
            .insert(token.to_owned(), yes);
    }

    /// All it was asked, as forms.
    pub fn asked(&self) -> Vec<HashMap<String, String>> {
        self.book.lock().unwrap().asked.clone()
    }
}

impl Book {
    fn answer(&mut self, form: HashMap<String, String>) -> Value {
        let no = |code: &str| json!({ "success": false, "error-codes": [code] });
        let field = |name: &str| form.get(name).cloned().unwrap_or_default();
        let answer = if field("secret") == SECRET {
            let given = self.given.remove(&field("response"));
            given.unwrap_or_else(|| no("timeout-or-duplicate"))
        } else {
            no("invalid-input-secret")
        };
        self.asked.push(form);
        answer
    }
}

fn said(kind: &'static str, text: String) -> Reply {
    let mut reply = Reply::new(Full::from(text).boxed());
    let kind = http::HeaderValue::from_static(kind);
    reply.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    reply
}
