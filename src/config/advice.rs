//! What works on a developer's machine and should not go into production.

use crate::{
    auth::{self, captcha},
    config::{
        MasterSecret,
        captcha::findings as findings_of_captchas,
        document::Section,
        money,
        problem::{Advice, Problem, Reported},
        server::{Mode, Server},
        sms::findings as findings_of_sms,
        url::Origin,
    },
    net::listen::{Entrance, Listener},
    proxy::{self, UpstreamSpec},
    sms,
    store::Backend,
};

/// What there is to look at.
#[derive(Debug)]
pub struct Subject<'a> {
    /// How it can be reached, and by whom.
    pub server: &'a Server,
    /// Where the state lives.
    pub store: &'a Backend,
    /// How people log in.
    pub login: &'a auth::Spec,
    /// Who carries messages.
    pub sms: &'a sms::Spec,
    /// Whose captchas are taken.
    pub captcha: Option<&'a captcha::Spec>,
    /// The apps.
    pub upstreams: &'a [UpstreamSpec],
}

/// What is to be said of `subject`: errors in production, otherwise advice. On a machine that
/// nobody else reaches there is nothing to say.
pub fn advice(root: &Section<'_>, subject: &Subject<'_>) -> Result<Vec<Advice>, Reported> {
    if !is_reached_by_others(subject.server) {
        return Ok(Vec::new());
    }
    let found = findings(root, subject);
    match subject.server.mode {
        Mode::Production if !found.is_empty() => {
            for problem in found {
                root.report(problem);
            }
            Err(Reported)
        }
        Mode::Production | Mode::Development => Ok(found.into_iter().map(Advice).collect()),
    }
}

fn findings(root: &Section<'_>, subject: &Subject<'_>) -> Vec<Problem> {
    let section = root.section("server");
    let mut found = Vec::new();
    if let Some(help) = travels_in_the_clear(subject.server) {
        let what = "phone numbers, codes and tokens travel in the clear";
        found.push(section.problem("listen", what, Some(help.to_owned())));
    }
    if subject.server.trusted_proxies.are_everybody() {
        let what = "everybody is believed about who their client is, and so gets past every limit";
        let help = "name the networks of your proxies alone, `[\"10.0.0.0/8\"]`".to_owned();
        found.push(section.problem("trusted_proxies", what, Some(help)));
    }
    if let MasterSecret::Kept { file, .. } = &subject.server.secret {
        let what = format!(
            "the master secret is made by the first run and kept in {}",
            file.display()
        );
        let help = "`secret = { file = \"PATH\" }` takes one that you keep safe".to_owned();
        found.push(section.problem("secret", what, Some(help)));
    }
    if *subject.store == Backend::Memory {
        let what = "every session is lost when the gateway stops";
        let help = "\"embedded:\" keeps them".to_owned();
        found.push(root.section("store").problem("url", what, Some(help)));
    }
    if matches!(subject.store, Backend::Redis(_)) && !root.section("tokens").says("keys") {
        let what = "each gateway signs with keys of its own, which the others do not know";
        let help = "`keys = \"DIRECTORY\"` names one that all gateways share, or have copies of";
        let tokens = root.section("tokens");
        found.push(tokens.problem("keys", what, Some(help.to_owned())));
    }
    found.extend(money::findings(&root.section("otp"), subject.login));
    found.extend(findings_of_sms(&root.section("sms"), subject.sms));
    found.extend(findings_of_captchas(&root.section("otp"), subject.captcha));
    for (name, upstream) in root.named("upstreams") {
        let spec = subject.upstreams.iter().find(|spec| *spec.name == *name);
        if spec.is_some_and(|spec| spec.servers.contains(&proxy::Server::Demo)) {
            let what = "the demo app shows its visitors everything it receives";
            found.push(upstream.problem("servers", what, None));
        }
    }
    found
}

/// What helps against it, if others can reach the gateway without TLS.
fn travels_in_the_clear(server: &Server) -> Option<&'static str> {
    if !server.trusted_proxies.is_empty() {
        return None;
    }
    if server.tls.spec.is_none() {
        let behind_tls = server.public_url.as_ref().is_some_and(Origin::is_https);
        return (!behind_tls).then_some(
            "listen in `[server.tls]`, or put TLS in front: name it in `trusted_proxies`, or say \
             `public_url = \"https://…\"`",
        );
    }
    let in_the_clear = |it: &Listener| it.entrance == Entrance::Plain && is_public(it);
    server
        .listen
        .iter()
        .any(in_the_clear)
        .then_some("move the address to `redirect` in `[server.tls]`, which leads to HTTPS")
}

fn is_public(listener: &Listener) -> bool {
    !listener.address.ip().to_canonical().is_loopback()
}

fn is_reached_by_others(server: &Server) -> bool {
    server.mode == Mode::Production
        || server.public_url.is_some()
        || !server.trusted_proxies.is_empty()
        || server.listen.iter().any(is_public)
}
