//! The gateway as a program: says how it runs, listens to signals, ends in order.

use std::{
    io::{self, Write},
    time::Duration,
};

use tokio::{
    runtime,
    signal::unix::{Signal, SignalKind, signal},
    time::interval,
};

use crate::{
    app::{App, Deps, Ending, Error},
    clock::Clock,
    config::{Advice, Config, MasterSecret},
    net::listen::Entrance,
    observe::log,
    proxy::Server,
    sms::{self, ProviderSpec},
};

/// How often the end of the gateway is looked for when nobody asked for it.
const LOOK: Duration = Duration::from_millis(200);

/// Runs a gateway until it is told to stop (SIGTERM or SIGINT), or dies. A second signal stops it
/// without waiting for requests in flight.
pub fn serve(config: Config, advice: &[Advice], out: &mut dyn Write) -> Result<Ending, Error> {
    log::init(config.fixed.log)?;
    let greeting = Greeting::of(&config);
    let signals = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let app = App::start(
        config,
        Deps {
            clock: Clock::System,
            console: Box::new(io::stdout()),
            access_log: Box::new(io::stdout()),
        },
    )?;
    // Listened for before anybody is told that we are there: who has read that may tell us to go.
    let (mut terminate, mut interrupt) = {
        let _within = signals.enter();
        (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        )
    };
    // A terminal that has gone away is no reason not to serve.
    drop(greeting.say(&app, advice, out));
    signals.block_on(async {
        wait(&app, &mut terminate, &mut interrupt).await;
        tracing::info!("stopping; a second signal stops at once");
        app.stop();
        wait(&app, &mut terminate, &mut interrupt).await;
    });
    app.abort();
    Ok(app.wait())
}

/// Until a signal comes or the gateway has ended.
async fn wait(app: &App, terminate: &mut Signal, interrupt: &mut Signal) {
    let mut looks = interval(LOOK);
    loop {
        tokio::select! {
            _ = terminate.recv() => return,
            _ = interrupt.recv() => return,
            _ = looks.tick() => if app.has_ended() { return },
        }
    }
}

/// What a person who starts the gateway wants to know at once.
struct Greeting {
    format: log::Format,
    codes: String,
    development: Vec<&'static str>,
    apps: Vec<String>,
    login: String,
}

impl Greeting {
    fn of(config: &Config) -> Self {
        let live = &config.live;
        Self {
            format: config.fixed.log.format,
            codes: codes(&live.sms),
            development: for_development(config),
            apps: live.upstreams.iter().map(ToString::to_string).collect(),
            login: format!("{}/login", live.auth.base),
        }
    }

    fn say(&self, app: &App, advice: &[Advice], out: &mut dyn Write) -> io::Result<()> {
        if self.format == log::Format::Json {
            for listener in app.listeners() {
                tracing::info!(%listener, admin = ?app.admin(), "listening");
            }
            for warning in advice {
                tracing::warn!("{warning}");
            }
            return Ok(());
        }
        writeln!(out, "otp-gateway {}", env!("CARGO_PKG_VERSION"))?;
        for listener in app.listeners() {
            match listener.entrance {
                Entrance::Plain | Entrance::Tls => {
                    let login = &self.login;
                    writeln!(out, "  listening  {listener}/  (login page: {login})")?;
                }
                Entrance::Redirect => {
                    writeln!(out, "  listening  {listener}/  (leads to https)")?;
                }
            }
        }
        for upstream in &self.apps {
            writeln!(out, "  app        {upstream}")?;
        }
        writeln!(out, "  codes      {}", self.codes)?;
        if let Some(admin) = app.admin() {
            writeln!(out, "  operators  http://{admin}/metrics, /ready, /health")?;
        }
        if !self.development.is_empty() {
            let list = self.development.join(", ");
            writeln!(out, "  for development only: {list}")?;
        }
        for warning in advice {
            writeln!(out, "  warning    {warning}")?;
        }
        out.flush()
    }
}

/// What becomes of them.
fn codes(spec: &sms::Spec) -> String {
    if *spec.providers == [ProviderSpec::Console] {
        return "printed here, on the console; nobody gets a message".to_owned();
    }
    let orders = spec.routing.orders().map(|(route, names)| {
        let names: Vec<_> = names.iter().map(|name| name.as_str()).collect();
        let names = names.join(", then ");
        match route {
            Some(route) => format!("to {} by {names}", route.prefix),
            None => format!("sent by {names}"),
        }
    });
    orders.collect::<Vec<_>>().join("; ")
}

/// What is convenient on a developer's machine and nowhere else.
fn for_development(config: &Config) -> Vec<&'static str> {
    let Config { fixed, live } = config;
    let demo = live
        .upstreams
        .iter()
        .any(|upstream| upstream.servers.contains(&Server::Demo));
    let secret = match fixed.secret {
        MasterSecret::Kept { .. } => Some("a secret that the first run made"),
        MasterSecret::Given(_) => None,
    };
    let console = live.sms.providers.contains(&ProviderSpec::Console);
    let codes = console.then_some("codes on the console");
    [codes, secret, demo.then_some("the demo app")]
        .into_iter()
        .flatten()
        .collect()
}
