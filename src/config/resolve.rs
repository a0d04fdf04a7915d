//! From a parsed file to the configuration: which section is read by whom, and what must agree between them.

use std::{path::Path, sync::Arc, time::Duration};

use crate::{
    auth,
    config::{
        Config, Fixed, Flags, Live, Loaded,
        advice::{Subject, advice},
        cors::own_cors,
        document::{Document, Section},
        identity::identity,
        login::{self, Bases},
        problem::{Problems, Reported},
        routes::{General, routes},
        secrets::refuse_own,
        server, sms, state,
        tokens::{Tokens, tokens},
        upstreams::upstreams,
        url::Origin,
        wording,
    },
    domain::route::Headers,
    net::listen::{Entrance, Listener},
    sms::receipt::Tellers,
};

/// The whole of `document`, in which `flags` take the place of some keys.
pub fn resolve(document: Document<'_>, flags: &Flags) -> Result<Loaded, Problems> {
    let outcome = read(&document.root(), flags);
    document.finish(outcome)
}

/// Every section is read before the first failure ends the reading, so that all are reported.
pub fn read(root: &Section<'_>, flags: &Flags) -> Result<Loaded, Reported> {
    let server = server::server(&root.section("server"), flags.listen);
    let data_dir = server
        .as_ref()
        .map_or(Path::new(""), |server| &server.data_dir);
    let public_url = server
        .as_ref()
        .ok()
        .and_then(|server| server.public_url.as_ref());
    let issuer = server.as_ref().map_or_else(|_| String::new(), issuer);

    let admin = server::admin(&root.section("admin"));
    let log = server::log(&root.section("log"));
    let tokens = tokens(&root.section("tokens"), &issuer, data_dir);
    let leeway = tokens
        .as_ref()
        .map_or_else(|_| Duration::ZERO, |tokens| tokens.spec.leeway);
    let store = state::store(&root.section("store"), data_dir, leeway);
    let sessions = tokens
        .as_ref()
        .map(|tokens| tokens.sessions)
        .map_err(|reported| *reported);
    let bases = login::bases(&root.section("auth"));
    let base = bases.as_ref().ok().map(|bases| &bases.base);
    let home = sms::home(public_url, base);
    let sms = sms::sms(&root.section("sms"), home.as_deref());
    let channels = sms.as_ref().map(|sms| sms.channels.clone());
    let channels = channels.map_err(|reported| *reported);
    let identity = identity(&root.section("identity"));
    let names = identity.clone();
    let login = login::login(root, bases.clone(), public_url, sessions, channels, names);
    let apps = root.named("upstreams");
    let upstreams = upstreams(root, &apps, flags.upstream.as_ref());
    let names: Vec<_> = apps.iter().map(|(name, _)| *name).collect();
    let own: Vec<_> = bases.iter().flat_map(Bases::all).collect();
    let general = server.as_ref().map(|server| General {
        headers: server.headers.clone(),
        request_timeout: server.request_timeout,
    });
    let routes = routes(root, &names, &own, &general.unwrap_or_default());
    let cors = own_cors(&root.section("auth"));

    let server = server?;
    let (Tokens { spec, keys, .. }, sms, upstreams) = (tokens?, sms?, upstreams?);
    let (store, stores) = store?;
    refuse_own(root, &server.secret, &store.backend)?;
    let login = auth::Spec {
        tellers: Tellers::of(&sms.spec),
        ..login?
    };
    let mut advice = advice(
        root,
        &Subject {
            server: &server,
            login: &login,
            store: &store.backend,
            sms: &sms.spec,
            captcha: login.captcha.as_ref(),
            upstreams: &upstreams,
        },
    )?;
    advice.extend(server.tls.advice);
    advice.extend(wording::advice(&root.section("sms"), &login));
    advice.extend(sms::advice(&root.section("sms"), &sms.spec));
    let public_url = server.public_url.as_ref();
    Ok(Loaded {
        config: Config {
            fixed: Fixed {
                listen: server.listen,
                admin: admin?,
                workers: server.workers,
                store,
                secret: server.secret,
                log: log?,
            },
            live: Live {
                limits: server.limits,
                rates: server.rates,
                https_port: public_url.and_then(Origin::https_port),
                tls: server.tls.spec,
                hsts: server.tls.hsts,
                trusted_proxies: server.trusted_proxies,
                cors: cors?,
                headers: Headers::from(&server.headers),
                access_log: server.access_log,
                tokens: spec,
                keys,
                sms: sms.spec,
                auth: Arc::new(login),
                identity: identity?,
                upstreams,
                routes: routes?,
            },
        },
        stores,
        advice,
    })
}

/// Who issues tokens unless the file says otherwise: the address under which we are known.
fn issuer(server: &server::Server) -> String {
    let secure = |listener: &&Listener| listener.entrance == Entrance::Tls;
    let listener = server.listen.iter().find(secure);
    let listener = listener.or(server.listen.first());
    match (&server.public_url, listener) {
        (Some(url), _) => url.to_string(),
        (None, Some(listener)) => listener.to_string(),
        (None, None) => String::new(),
    }
}
