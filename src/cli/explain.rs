//! `explain`: what would happen to a request, found by the very look-up that serves requests.

use std::io::{self, Write};

use http::{
    Method, Request, Uri,
    header::HOST,
    uri::{Authority, PathAndQuery},
};

use crate::{
    cli::{Exit, Streams},
    config::{Config, Live, Size, Span},
    domain::route::{Access, Demands, PathPattern, Route},
    edge::destination::{Destination, Map},
    reject::Reject,
};

/// Says where a request leads. `url` may leave the host out; then it is the gateway's own.
pub fn explain(
    config: Config,
    method: &Method,
    url: &str,
    streams: &mut Streams<'_>,
) -> io::Result<Exit> {
    let Some(request) = request(&config, method, url) else {
        writeln!(
            streams.err,
            "{url:?} is neither a path nor a URL: no client could send it"
        )?;
        return Ok(Exit::Usage);
    };
    let sent = request.uri().path().to_owned();
    let (mut parts, ()) = request.into_parts();
    let Config { live, .. } = config;
    let map = Map {
        auth_bases: live.auth.bases().cloned().collect(),
        routes: live.routes.clone(),
    };
    let out = &mut *streams.out;
    match map.find(&mut parts) {
        Destination::Auth | Destination::Gateway => {
            writeln!(out, "gateway   answers {method} {sent} itself")?;
        }
        Destination::Route(route) => {
            writeln!(out, "route     {} ({})", route.name, pattern(&route))?;
            let path = parts.uri.path();
            if path == sent {
                writeln!(out, "path      {path}")?;
            } else {
                writeln!(out, "path      {path}, sent as {sent}")?;
            }
            access(&route.access, &live, out)?;
            upstream(&route, &live, out)?;
        }
        Destination::Refused(reject) => {
            writeln!(out, "refused   {}", shown(&reject))?;
        }
    }
    Ok(Exit::Done)
}

/// The request as it would arrive: the target in origin form, the host in `Host`.
fn request(config: &Config, method: &Method, url: &str) -> Option<Request<()>> {
    let uri: Uri = url.parse().ok()?;
    if uri.scheme().is_none() && !url.starts_with('/') {
        return None;
    }
    let own = || {
        let public = config.live.auth.public_url.as_ref()?.parse::<Uri>().ok();
        public.and_then(|uri| uri.authority().map(Authority::to_string))
    };
    let listen = || config.fixed.listen.first().map(|it| it.address.to_string());
    let host = uri.authority().map(Authority::to_string);
    let host = host.or_else(own).or_else(listen)?;
    let target = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let request = Request::builder().method(method).uri(target);
    request.header(HOST, host).body(()).ok()
}

/// What the route matches, as it could be written.
fn pattern(route: &Route) -> String {
    let host = route.host.as_ref().map(ToString::to_string);
    let below = match &route.path {
        PathPattern::Prefix(_) => " and below",
        PathPattern::Exact(_) => "",
    };
    let methods = route.methods.as_ref().map(|methods| {
        let names: Vec<_> = methods.iter().map(Method::as_str).collect();
        format!("{} ", names.join("|"))
    });
    format!(
        "{}{}{}{below}",
        methods.unwrap_or_default(),
        host.unwrap_or_default(),
        route.path.as_str()
    )
}

fn access(access: &Access, live: &Live, out: &mut dyn Write) -> io::Result<()> {
    match access {
        Access::None => writeln!(out, "auth      none: everybody gets through, unidentified"),
        Access::Optional(demands) => {
            writeln!(
                out,
                "auth      optional: everybody gets through; who sends a token is identified"
            )?;
            self::demands(demands, out)
        }
        Access::Required(demands) => {
            writeln!(
                out,
                "auth      required: only a valid access token gets through"
            )?;
            self::demands(demands, out)?;
            let reject = Reject::missing_token();
            writeln!(out, "without   {}", shown(&reject))?;
            writeln!(
                out,
                "          or, for a browser that asks for a page, {}/login",
                live.auth.base
            )
        }
    }
}

fn demands(demands: &Demands, out: &mut dyn Write) -> io::Result<()> {
    for scope in &demands.scopes {
        writeln!(out, "          with the scope {scope}")?;
    }
    for (claim, values) in &demands.claims {
        let values: Vec<_> = values.iter().map(ToString::to_string).collect();
        writeln!(
            out,
            "          with the claim {claim} = {}",
            values.join(" or ")
        )?;
    }
    if let Some(age) = demands.max_auth_age {
        writeln!(out, "          of a login at most {} ago", Span(age))?;
    }
    Ok(())
}

fn upstream(route: &Route, live: &Live, out: &mut dyn Write) -> io::Result<()> {
    if let Some(upstream) = live.upstreams.get(route.upstream) {
        writeln!(out, "upstream  {upstream}")?;
    }
    let (body, wait) = (Size(route.max_body), Span(route.response_timeout));
    writeln!(
        out,
        "limits    {body} of request body, {wait} until the answer begins"
    )?;
    if let Some(span) = route.request_timeout {
        writeln!(out, "          {} until it has ended", Span(span))?;
    }
    for rate in live.rates.iter().chain(&route.limits) {
        writeln!(out, "          {rate}")?;
    }
    if let Some(cors) = &route.cors {
        writeln!(out, "pages     of {} may ask, too", cors.origins)?;
    }
    Ok(())
}

fn shown(reject: &Reject) -> String {
    let code = reject.code();
    format!(
        "{} {}: {}",
        code.status().as_u16(),
        code.as_str(),
        reject.detail()
    )
}
