//! Whether somebody looks at a page or a program asks for data; knows nothing of what either gets.

use http::{HeaderMap, HeaderName, Method, header};

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Whether a browser asks for a page to show. A request with a token in its header was made by a
/// program, whatever else it says.
pub fn is_page_view(method: &Method, headers: &HeaderMap) -> bool {
    let navigates = match headers.get(SEC_FETCH_MODE) {
        Some(mode) => mode == "navigate",
        None => true,
    };
    (method == Method::GET || method == Method::HEAD)
        && navigates
        && !headers.contains_key(header::AUTHORIZATION)
        && prefers_html(headers)
}

/// Whether `text/html` is what the client would like best: named, and before or above JSON.
fn prefers_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok());
    let weight = |wanted: &str| {
        accept
            .unwrap_or_default()
            .split(',')
            .filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                let named = parts.next()?.eq_ignore_ascii_case(wanted);
                let quality = parts
                    .find_map(|part| part.strip_prefix("q="))
                    .map_or(Some(1.0), |q| q.parse::<f32>().ok());
                named.then_some(quality).flatten()
            })
            .fold(0.0, f32::max)
    };
    let html = weight("text/html");
    html > 0.0 && html >= weight("application/json")
}
