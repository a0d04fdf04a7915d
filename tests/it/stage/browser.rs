//! A browser without JavaScript: it shows pages, keeps cookies and submits forms, and follows nothing by itself.

use std::net::SocketAddr;

use form_urlencoded::Serializer;

use super::{
    Stage,
    client::{Answer, Call},
};

/// One person's browser.
pub struct Browser {
    to: SocketAddr,
    /// Scheme and host as its address bar shows them.
    origin: String,
    jar: Vec<Cookie>,
}

struct Cookie {
    name: String,
    value: String,
    path: String,
}

impl Browser {
    /// A browser that talks to the gateway itself.
    pub fn new(stage: &Stage) -> Self {
        Self {
            to: stage.address,
            origin: format!("http://{}", stage.address),
            jar: Vec::new(),
        }
    }

    /// A browser that comes by TLS to `host`, through the proxy of [`super::BEHIND_A_PROXY`].
    pub fn by_tls(stage: &Stage, host: &str) -> Self {
        Self {
            origin: format!("https://{host}"),
            ..Self::new(stage)
        }
    }

    /// Goes to a page.
    pub async fn open(&mut self, path: &str) -> Answer {
        let call = self
            .navigation("GET", path)
            .header("sec-fetch-site", "none");
        self.keep(call.send().await)
    }

    /// Fills in the form of `page` that has this button, and presses it.
    pub async fn press(&mut self, page: &Answer, button: &str, typed: &[(&str, &str)]) -> Answer {
        let form = Form::with_button(&page.text(), button);
        let mut body = Serializer::new(String::new());
        body.extend_pairs(&form.hidden).extend_pairs(typed);
        body.append_pair("step", button);
        self.post(&form.action, &body.finish()).await
    }

    /// Posts a form from a page of this very site.
    pub async fn post(&mut self, path: &str, form: &str) -> Answer {
        let call = self
            .navigation("POST", path)
            .header("origin", &self.origin)
            .header("sec-fetch-site", "same-origin")
            .form(form);
        self.keep(call.send().await)
    }

    /// Logs somebody in by the forms and ends where the gateway leads.
    pub async fn log_in(&mut self, stage: &Stage, phone: &str, return_to: &str) -> Answer {
        let before = stage.inbox.messages_to(phone).len();
        let wish: String = form_urlencoded::byte_serialize(return_to.as_bytes()).collect();
        let page = self
            .open(&format!("/api/auth/login?return_to={wish}"))
            .await;
        let page = self.press(&page, "send", &[("mobile_number", phone)]).await;
        assert_eq!(page.status, 200, "{page:?}");
        let code = stage.inbox.nth_code_for(phone, before + 1).await;
        self.press(&page, "verify", &[("otp", &code)]).await
    }

    /// A request with this browser's cookies and nothing else that a browser would say.
    pub fn call(&self, method: &str, path: &str) -> Call {
        let (scheme, host) = self.origin.split_once("://").expect("an origin");
        let mut call = Call::new(self.to, method, path).header("host", host);
        if scheme == "https" {
            call = call
                .header("x-forwarded-proto", "https")
                .sent_from("203.0.113.50");
        }
        let cookies = self.cookies_for(path);
        if cookies.is_empty() {
            call
        } else {
            call.header("cookie", &cookies)
        }
    }

    /// The value of a cookie it holds.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let cookie = self.jar.iter().find(|cookie| cookie.name == name)?;
        Some(&cookie.value)
    }

    /// Forgets one, as a browser does when its time is over.
    pub fn forget(&mut self, name: &str) {
        self.jar.retain(|cookie| cookie.name != name);
    }

    fn navigation(&self, method: &str, path: &str) -> Call {
        self.call(method, path)
            .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
            .header("user-agent", "Testium/1.0")
            .header("sec-fetch-mode", "navigate")
    }

    fn cookies_for(&self, path: &str) -> String {
        // RFC 6265 §5.1.4, as far as our paths need it.
        let covers = |cookie: &&Cookie| {
            let below = path.strip_prefix(cookie.path.as_str());
            cookie.path == "/" || below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let pairs = self.jar.iter().filter(covers);
        let pairs: Vec<String> = pairs.map(|c| format!("{}={}", c.name, c.value)).collect();
        pairs.join("; ")
    }

    fn keep(&mut self, answer: Answer) -> Answer {
        for cookie in answer.set_cookies() {
            let mut parts = cookie.split("; ");
            let pair = parts.next().expect("a pair");
            let (name, value) = pair.split_once('=').expect("a pair");
            self.forget(name);
            let attributes: Vec<&str> = parts.collect();
            if attributes.contains(&"Max-Age=0") {
                continue;
            }
            let path = attributes.iter().find_map(|a| a.strip_prefix("Path="));
            self.jar.push(Cookie {
                name: name.to_owned(),
                value: value.to_owned(),
                path: path.expect("a path").to_owned(),
            });
        }
        answer
    }
}

/// What a form sends by itself.
pub struct Form {
    pub action: String,
    pub hidden: Vec<(String, String)>,
}

impl Form {
    /// The form in `page` that has a button of this value.
    pub fn with_button(page: &str, button: &str) -> Self {
        let button = format!("value=\"{button}\"");
        let forms = page.split("<form").skip(1);
        let form = forms
            .filter_map(|rest| rest.split("</form>").next())
            .find(|form| form.contains(&button))
            .unwrap_or_else(|| panic!("no {button} in {page}"));
        let hidden = form.split("<input").skip(1);
        let hidden = hidden.filter(|input| input.contains("type=\"hidden\""));
        Self {
            action: attribute(form, "action"),
            hidden: hidden
                .map(|input| (attribute(input, "name"), attribute(input, "value")))
                .collect(),
        }
    }
}

/// The first attribute of this name, unescaped.
fn attribute(html: &str, name: &str) -> String {
    let start = format!("{name}=\"");
    let value = html
        .split(&start)
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let value = value.unwrap_or_else(|| panic!("no {name} in {html}"));
    let value = value.replace("&lt;", "<").replace("&gt;", ">");
    value.replace("&quot;", "\"").replace("&amp;", "&")
}
