//! The names of the session cookies and how one is read from a request; knows nothing of what is inside them.
//!
//! Over TLS the names carry a prefix that browsers enforce (RFC 6265bis §4.1.3): a `__Host-` cookie
//! was set by this very host over TLS, so neither a sibling domain nor a forged answer in the clear
//! can plant one. Only the names that belong to the request's scheme are read, or the prefix would
//! protect nothing.

use http::{HeaderMap, HeaderValue, header};

use crate::net::peer::Scheme;

/// When cookies are marked `Secure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CookieSecure {
    /// When the client came over TLS, as far as the gateway can tell.
    #[default]
    Auto,
    /// Always: TLS ends at a proxy in front that is not trusted to say so.
    Always,
    /// Never: for tests in the clear.
    Never,
}

/// How the session cookies are called and guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// `Secure`, with the prefixes that only `Secure` cookies may have.
    Secure,
    /// Without either.
    Plain,
}

/// A cookie that came twice. Which of the two a server reads is a matter of taste, so none is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cookie came more than once")]
pub struct Duplicate;

impl CookieSecure {
    /// The cookies of a client that came by `scheme`.
    pub const fn flavour(self, scheme: Scheme) -> Flavour {
        match (self, scheme) {
            (Self::Always, _) | (Self::Auto, Scheme::Https) => Flavour::Secure,
            (Self::Never, _) | (Self::Auto, Scheme::Http) => Flavour::Plain,
        }
    }
}

impl Flavour {
    /// The cookie that holds the access token; sent with every request to this host.
    pub const fn access(self) -> &'static str {
        match self {
            Self::Secure => "__Host-otp_access",
            Self::Plain => "otp_access",
        }
    }

    /// The cookie that holds the refresh token; sent below the auth base path only, which is why
    /// it cannot be a `__Host-` cookie.
    pub const fn refresh(self) -> &'static str {
        match self {
            Self::Secure => "__Secure-otp_refresh",
            Self::Plain => "otp_refresh",
        }
    }
}

/// The value of the cookie `name`, without allocating. A value that is not text is as good as none.
pub fn read<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Duplicate> {
    // HTTP/2 may split the cookies over several fields (RFC 9113 §8.2.3), and another app's
    // cookies may hold any byte: neither must hide ours.
    let mut values = headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|field| field.as_bytes().split(|byte| *byte == b';'))
        .filter_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes()))
        .filter_map(|rest| rest.strip_prefix(b"="));
    let value = values.next();
    if values.next().is_some() {
        return Err(Duplicate);
    }
    Ok(value.and_then(|bytes| std::str::from_utf8(bytes).ok()))
}

/// Takes the session cookies out of a request that goes to an app: they are the gateway's, and an
/// app that logs its requests must not come to hold them. Other cookies stay as they are.
pub fn strip(headers: &mut HeaderMap) {
    let is_ours = |pair: &[u8]| {
        let name = pair.split(|b| *b == b'=').next().unwrap_or_default();
        OURS.iter().any(|ours| name.trim_ascii() == ours.as_bytes())
    };
    let holds_ours = headers
        .get_all(header::COOKIE)
        .iter()
        .any(|field| field.as_bytes().split(|byte| *byte == b';').any(is_ours));
    if !holds_ours {
        return;
    }
    let kept = headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|field| field.as_bytes().split(|byte| *byte == b';'))
        .filter(|pair| !is_ours(pair))
        .map(<[u8]>::trim_ascii)
        .collect::<Vec<_>>()
        .join(&b"; "[..]);
    headers.remove(header::COOKIE);
    if let Ok(value) = HeaderValue::from_bytes(&kept)
        && !kept.is_empty()
    {
        headers.insert(header::COOKIE, value);
    }
}

/// Takes out of an app's answer what would set one of the session cookies, or end it: says whether there
/// was anything. An app that could would choose who somebody is.
pub fn keep_ours(headers: &mut HeaderMap) -> bool {
    let sets_ours = |line: &HeaderValue| {
        let pair = line.as_bytes().split(|byte| *byte == b';').next();
        // A cookie without a name is sent back as its value alone, which may look like a name and a value.
        let pair = pair.unwrap_or_default().trim_ascii_start();
        let pair = pair.strip_prefix(b"=").unwrap_or(pair);
        let name = pair.split(|byte| *byte == b'=').next();
        let name = name.unwrap_or_default().trim_ascii();
        // Browsers compare prefixes without regard to case.
        OURS.iter()
            .any(|ours| name.eq_ignore_ascii_case(ours.as_bytes()))
    };
    if !headers.get_all(header::SET_COOKIE).iter().any(sets_ours) {
        return false;
    }
    let lines = headers.get_all(header::SET_COOKIE).iter();
    let kept: Vec<_> = lines.filter(|line| !sets_ours(line)).cloned().collect();
    headers.remove(header::SET_COOKIE);
    for line in kept {
        headers.append(header::SET_COOKIE, line);
    }
    true
}

/// Every name one of our cookies may have.
const OURS: [&str; 4] = [
    Flavour::Secure.access(),
    Flavour::Secure.refresh(),
    Flavour::Plain.access(),
    Flavour::Plain.refresh(),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cookies(fields: &[&[u8]]) -> HeaderMap {
        fields
            .iter()
            .map(|field| {
                let value = HeaderValue::from_bytes(field).expect("a header value");
                (header::COOKIE, value)
            })
            .collect()
    }

    #[test]
    fn secure_cookies_follow_the_scheme_unless_told_otherwise() {
        use {CookieSecure as C, Flavour as F, Scheme as S};
        for (mode, scheme, flavour) in [
            (C::Auto, S::Https, F::Secure),
            (C::Auto, S::Http, F::Plain),
            (C::Always, S::Http, F::Secure),
            (C::Never, S::Https, F::Plain),
        ] {
            assert_eq!(mode.flavour(scheme), flavour, "{mode:?} {scheme:?}");
        }
    }

    #[test]
    fn the_prefixes_are_the_ones_browsers_enforce() {
        assert!(Flavour::Secure.access().starts_with("__Host-"));
        assert!(Flavour::Secure.refresh().starts_with("__Secure-"));
    }

    #[test]
    fn a_cookie_is_found_among_others_and_by_its_whole_name_only() {
        let all = cookies(&[b"a=1; otp_access=abc.d=; xotp_access=2", b"otp_access2=3"]);
        assert_eq!(read(&all, "otp_access"), Ok(Some("abc.d=")));
        assert_eq!(read(&all, "__Host-otp_access"), Ok(None));
        assert_eq!(read(&all, "otp"), Ok(None));
        assert_eq!(read(&all, "OTP_ACCESS"), Ok(None));
        assert_eq!(read(&HeaderMap::new(), "otp_access"), Ok(None));
    }

    #[test]
    fn bytes_in_another_apps_cookie_do_not_hide_ours() {
        let all = cookies(&[b"name=J\xf6rg; otp_access=t"]);
        assert_eq!(read(&all, "otp_access"), Ok(Some("t")));
        assert_eq!(read(&all, "name"), Ok(None));
    }

    #[test]
    fn a_cookie_that_comes_twice_is_refused_wherever_it_stands() {
        let same = cookies(&[b"otp_access=a; otp_access=a"]);
        assert_eq!(read(&same, "otp_access"), Err(Duplicate));
        let apart = cookies(&[b"otp_access=a", b"b=1; otp_access="]);
        assert_eq!(read(&apart, "otp_access"), Err(Duplicate));
    }

    #[test]
    fn an_app_gets_every_cookie_but_ours() {
        let mut all = cookies(&[
            b"a=1; otp_access=t; b=2",
            b"__Host-otp_access=t",
            b"c=otp_access",
        ]);
        strip(&mut all);
        assert_eq!(all.len(), 1);
        assert_eq!(all["cookie"], "a=1; b=2; c=otp_access");
        let mut only_ours = cookies(&[b"__Secure-otp_refresh=t;otp_refresh = u"]);
        strip(&mut only_ours);
        assert!(only_ours.is_empty());
    }

    #[test]
    fn an_app_sets_every_cookie_but_ours() {
        for line in [
            "otp_access=forged; Path=/",
            " otp_access = forged",
            "otp_access=; Max-Age=0",
            "otp_access",
            "=otp_access=forged",
            "= otp_access=forged",
            "__Host-otp_access=forged; Secure; Path=/",
            "__HOST-otp_access=forged; Secure; Path=/",
            "__Secure-otp_refresh=forged; Secure",
            "otp_refresh=forged; Domain=example.com",
        ] {
            let lines = ["a=1; Path=/", line, "xotp_access=2", "b=otp_access=3"];
            let lines = lines.map(|line| (header::SET_COOKIE, line.parse().expect("a value")));
            let mut headers = HeaderMap::from_iter(lines);
            assert!(keep_ours(&mut headers), "{line}");
            let kept: Vec<_> = headers.get_all(header::SET_COOKIE).iter().collect();
            assert_eq!(kept, ["a=1; Path=/", "xotp_access=2", "b=otp_access=3"]);
            assert!(!keep_ours(&mut headers));
        }
        assert!(!keep_ours(&mut HeaderMap::new()));
    }

    proptest! {
        #[test]
        fn whatever_stands_around_a_cookie_it_is_read_whole(
            before in "[a-z]{1,4}=[!-:<-~]{0,8}",
            value in "[A-Za-z0-9._~+/=-]{0,40}",
            after in "[a-z]{1,4}=[!-:<-~]{0,8}",
        ) {
            let field = format!("{before}; otp_refresh={value};{after}");
            let all = cookies(&[field.as_bytes()]);
            prop_assert_eq!(read(&all, "otp_refresh"), Ok(Some(value.as_str())));
        }
    }
}
