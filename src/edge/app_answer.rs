//! What an app may not say in its answers: who somebody is, and that the gateway refused. Knows nothing of how they are had.

use http::{HeaderMap, HeaderName, Response};

use crate::{net::cookies, reject::Code};

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// Takes out of an app's answer what only the gateway says: its cookies, and its name in `Proxy-Status` (RFC
/// 9209), by which clients tell its refusals from those of apps.
/// A refusal of the gateway stays as it is.
pub fn leave_to_us<B>(mut response: Response<B>) -> Response<B> {
    if response.extensions().get::<Code>().is_some() {
        return response;
    }
    let headers = response.headers_mut();
    if cookies::keep_ours(headers) {
        tracing::warn!("an app wanted to set a session cookie of the gateway");
    }
    if headers.contains_key(PROXY_STATUS) {
        keep_our_name(headers);
    }
    response
}

fn keep_our_name(headers: &mut HeaderMap) {
    let lines = headers.get_all(PROXY_STATUS).iter();
    let others = lines.filter(|line| {
        let text = String::from_utf8_lossy(line.as_bytes()).to_ascii_lowercase();
        !text.contains("otp-gateway")
    });
    let others: Vec<_> = others.cloned().collect();
    headers.remove(PROXY_STATUS);
    for line in others {
        headers.append(PROXY_STATUS, line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_app_speaks_in_our_name() {
        let lines = [
            "otp-gateway; error=x",
            "cdn; hit",
            "\"OTP-Gateway\"; error=y",
            "a, otp-gateway",
        ];
        let mut response = Response::new(());
        for line in lines {
            let line = line.parse().expect("a value");
            response.headers_mut().append(PROXY_STATUS, line);
        }
        let response = leave_to_us(response);
        let kept: Vec<_> = response.headers().get_all(PROXY_STATUS).iter().collect();
        assert_eq!(kept, ["cdn; hit"]);
    }
}
