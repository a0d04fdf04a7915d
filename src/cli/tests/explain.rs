//! What `explain` prints, to the letter.

use super::*;

const SHOP: &str = r#"
[upstreams.shop]
servers = ["http://10.0.0.1:3000", "http://10.0.0.2:3000"]

[upstreams.files]
servers = "http://files"

[[routes]]
host = "shop.example.com"
upstream = "shop"

[[routes]]
name = "prices"
path = "/prices"
match = "exact"
methods = ["GET", "HEAD"]
auth = "none"
upstream = "shop"

[[routes]]
name = "admin"
host = "*.example.com"
path = "/admin"
scopes = ["admin:read"]
claims = { role = ["admin", "owner"] }
max_auth_age = "1h"
upstream = "shop"
limits = ["100/s per ip", "30/m per subject"]
cors.origins = ["https://a.example", "https://*.b.example"]
max_body = "1kb"
response_timeout = "1m30s"
request_timeout = "10m"

[[routes]]
name = "files"
path = "/files"
auth = "optional"
allow_encoded = true
upstream = "files"
"#;

fn check(method: &str, url: &str, expected: &str) {
    let ran = Place::new(SHOP).run(&["explain", method, url]);
    assert_eq!(
        (ran.exit, ran.err.as_str()),
        (Exit::Done, ""),
        "{method} {url}"
    );
    assert_eq!(ran.out, expected, "{method} {url}");
}

#[test]
fn a_route_is_shown_with_its_policy_and_its_upstream() {
    check(
        "GET",
        "https://shop.example.com/cart?x=1",
        "route     shop.example.com/ (shop.example.com/ and below)\n\
         path      /cart\n\
         auth      required: only a valid access token gets through\n\
         without   401 missing_token: Send an access token as Authorization: Bearer.\n          \
         or, for a browser that asks for a page, /api/auth/login\n\
         upstream  shop at http://10.0.0.1:3000 http://10.0.0.2:3000\n\
         limits    10mb of request body, 30s until the answer begins\n",
    );
    check(
        "POST",
        "http://eu.example.com/admin/x",
        "route     admin (*.example.com/admin and below)\n\
         path      /admin/x\n\
         auth      required: only a valid access token gets through\n          \
         with the scope admin:read\n          \
         with the claim role = \"admin\" or \"owner\"\n          \
         of a login at most 1h ago\n\
         without   401 missing_token: Send an access token as Authorization: Bearer.\n          \
         or, for a browser that asks for a page, /api/auth/login\n\
         upstream  shop at http://10.0.0.1:3000 http://10.0.0.2:3000\n\
         limits    1kb of request body, 1m30s until the answer begins\n          \
         10m until it has ended\n          \
         100/1s per ip\n          \
         30/60s per subject\n\
         pages     of https://a.example or https://*.b.example may ask, too\n",
    );
    check(
        "get",
        "/prices",
        "route     prices (GET|HEAD /prices)\n\
         path      /prices\n\
         auth      none: everybody gets through, unidentified\n\
         upstream  shop at http://10.0.0.1:3000 http://10.0.0.2:3000\n\
         limits    10mb of request body, 30s until the answer begins\n",
    );
}

#[test]
fn the_canonical_path_is_shown_beside_the_one_that_was_sent() {
    check(
        "GET",
        "/%66iles/a%2fb",
        "route     files (/files and below)\n\
         path      /files/a%2Fb, sent as /%66iles/a%2fb\n\
         auth      optional: everybody gets through; who sends a token is identified\n\
         upstream  files at http://files:80\n\
         limits    10mb of request body, 30s until the answer begins\n",
    );
}

#[test]
fn a_refusal_is_shown_as_the_client_would_get_it() {
    for (method, url, refusal) in [
        ("GET", "/nothing", "404 not_found: No route leads here."),
        (
            "POST",
            "/prices",
            "405 method_not_allowed: This path knows other methods; see Allow.",
        ),
        (
            "GET",
            "/prices/../admin",
            "400 invalid_request_target: The path holds a dot segment.",
        ),
        (
            "GET",
            "/prices/%2e%2e/admin",
            "400 invalid_request_target: The path holds a dot segment.",
        ),
        (
            "GET",
            "https://shop.example.com/a%2Fb",
            "400 invalid_request_target: The path holds an encoded slash.",
        ),
        (
            "GET",
            "//admin",
            "400 invalid_request_target: The path holds an empty segment.",
        ),
    ] {
        check(method, url, &format!("refused   {refusal}\n"));
    }
}

#[test]
fn the_gateways_own_paths_are_its_own_on_every_host() {
    for path in [
        "/api/auth/me",
        "/api/v1/auth",
        "https://shop.example.com/api/auth/login",
    ] {
        let shown = path.trim_start_matches("https://shop.example.com");
        check(
            "GET",
            path,
            &format!("gateway   answers GET {shown} itself\n"),
        );
    }
}

#[test]
fn a_path_alone_is_one_of_the_host_under_which_browsers_know_us() {
    let text = "server.public_url = 'https://login.example.com'\nupstreams.app.servers = 'demo:'\n\
                [[routes]]\nhost = 'login.example.com'\n";
    let ran = Place::new(text).run(&["explain", "GET", "/x"]);
    assert!(
        ran.out.starts_with("route     login.example.com/ "),
        "{}",
        ran.out
    );
    let ran = Place::new(text).run(&["explain", "GET", "http://other.example.com/x"]);
    assert_eq!(ran.out, "refused   404 not_found: No route leads here.\n");
}
