//! Shows people the login page where programs get 401; knows neither tokens nor the page.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};

use crate::{
    net::page_view::is_page_view,
    reject::{Code, Reject},
};

/// Where the login page is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginRedirect {
    /// Its path on this host, such as `/api/auth/login`.
    pub path: String,
}

impl LoginRedirect {
    /// The way to the login page, if `request` was refused for want of a good token and is somebody
    /// looking at a page. Everything else keeps its 401: a program cannot fill in a form.
    pub fn instead_of<A, B: From<Bytes>>(
        &self,
        reject: &Reject,
        request: &Request<A>,
    ) -> Option<Response<B>> {
        if reject.code().status() != StatusCode::UNAUTHORIZED
            || reject.code() == Code::InsufficientUserAuthentication
            || !is_page_view(request.method(), request.headers())
        {
            return None;
        }
        let target = request
            .uri()
            .path_and_query()
            .map_or("/", http::uri::PathAndQuery::as_str);
        let location: String = [self.path.as_str(), "?return_to="]
            .into_iter()
            .chain(form_urlencoded::byte_serialize(target.as_bytes()))
            .collect();
        Some(reject.to_redirect(HeaderValue::from_str(&location).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn location(method: Method, target: &str, headers: &[(&str, &str)]) -> Option<String> {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let login = LoginRedirect {
            path: "/api/auth/login".to_owned(),
        };
        let request = request.body(()).expect("a request");
        let response: Response<Bytes> = login.instead_of(&Reject::missing_token(), &request)?;
        assert_eq!(response.headers()["cache-control"], "no-store");
        let location = response.headers()["location"].to_str().expect("text");
        Some(location.to_owned())
    }

    const BROWSER: (&str, &str) = (
        "accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    );

    #[test]
    fn somebody_looking_at_a_page_is_led_to_the_login_and_back() {
        assert_eq!(
            location(Method::GET, "/a/b?c=d&e=f#", &[BROWSER]).as_deref(),
            Some("/api/auth/login?return_to=%2Fa%2Fb%3Fc%3Dd%26e%3Df")
        );
        let navigation = ("sec-fetch-mode", "navigate");
        assert!(location(Method::GET, "/", &[BROWSER, navigation]).is_some());
    }

    #[test]
    fn programs_keep_their_401() {
        for headers in [
            &[][..],
            &[("accept", "*/*")],
            &[("accept", "application/json")],
            &[("accept", "application/json, text/html;q=0.5")],
            &[("accept", "text/html;q=0")],
            &[BROWSER, ("authorization", "Bearer x")],
            &[BROWSER, ("sec-fetch-mode", "cors")],
        ] {
            assert_eq!(location(Method::GET, "/", headers), None, "{headers:?}");
        }
        assert_eq!(location(Method::POST, "/", &[BROWSER]), None);
    }
}
