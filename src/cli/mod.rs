//! The program's arguments, what each command prints, and how it exits. It decides nothing about requests.

mod check;
mod explain;
mod keys;
mod simulate;
mod sms;
mod store;
mod token;

use std::{
    ffi::OsString,
    io::{self, Read, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use http::Method;

use crate::{
    app::{self, Ending},
    clock::Clock,
    config::{Flags, Loaded, Source, server_url},
    proxy::Server,
    token::Pace,
};

/// Phone login in front of your apps: people log in with a code sent to their phone, and only who
/// has logged in gets through.
#[derive(Debug, Parser)]
#[command(name = "otp-gateway", version, subcommand_value_name = "COMMAND")]
struct Cli {
    #[command(flatten)]
    given: Given,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Where the configuration comes from; the same for every command.
#[derive(Debug, Args)]
struct Given {
    /// The configuration; ./gateway.toml if there is one
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The app, in place of the servers of the only upstream
    #[arg(long, global = true, value_name = "URL", value_parser = server_url)]
    upstream: Option<Server>,
    /// Where clients connect, in place of server.listen
    #[arg(long, global = true, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Configured(Configured),
    /// Try the rules on made-up traffic
    #[command(subcommand)]
    Simulate(Simulate),
}

/// What is done with a configuration.
#[derive(Debug, Subcommand)]
enum Configured {
    /// Run the gateway (what happens without a command, too)
    Serve,
    /// Say everything that is wrong with the configuration
    Check,
    /// Say what would happen to a request
    Explain {
        /// Such as GET
        #[arg(value_parser = |name: &str| name.to_ascii_uppercase().parse::<Method>())]
        method: Method,
        /// A path, or a URL with a host
        url: String,
    },
    /// Look after the keys that sign access tokens
    #[command(subcommand)]
    Keys(Keys),
    /// Look into tokens
    #[command(subcommand)]
    Token(Token),
    /// Try how messages are carried
    #[command(subcommand)]
    Sms(Sms),
    /// Move from one store to another
    #[command(subcommand)]
    Store(Store),
}

#[derive(Debug, Subcommand)]
enum Keys {
    /// Show every key and what it is used for
    List,
    /// Sign with the next key from now on, and make a new next one; refused as long as somebody may
    /// not know that key yet
    Rotate {
        /// Do not wait: the active key must not be used any more
        #[arg(long)]
        at_once: bool,
    },
}

#[derive(Debug, Subcommand)]
enum Token {
    /// Show what a token says, and whether it is one of ours
    Inspect {
        /// The token; read from standard input when it is left out
        token: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
enum Sms {
    /// Send one message as the gateway would, and show every step; its code opens nothing
    #[command(after_help = sms::ADVICE)]
    Test(sms::Test),
}

#[derive(Debug, Subcommand)]
enum Store {
    /// Copy all that a store holds into a new one, so that nobody notices the difference
    #[command(after_help = store::ADVICE)]
    Copy(store::Places),
}

#[derive(Debug, Subcommand)]
enum Simulate {
    /// Play days of honest people and attacks through the conversion guard, which takes some seconds
    /// and needs no configuration
    Fraud {
        /// What chance follows from; the same seed gives the same table
        #[arg(long, value_name = "NUMBER", default_value_t = simulate::SEED)]
        seed: u64,
    },
}

/// What a command reads from and writes to.
pub struct Streams<'a> {
    /// Standard input.
    pub input: &'a mut dyn Read,
    /// For answers.
    pub out: &'a mut dyn Write,
    /// For everything that went wrong, and for what is under way.
    pub err: &'a mut dyn Write,
    /// Who reads the latter.
    pub reader: Reader,
}

/// Who reads what a long command says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Somebody at a terminal, where a line can be written anew.
    Terminal,
    /// A file, or another program.
    Other,
}

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// As it should: what was asked for is done, or the gateway was told to stop.
    Done,
    /// Something failed while it ran.
    Failed,
    /// It may go better later (`EX_TEMPFAIL` of sysexits).
    Later,
    /// The arguments are wrong (`EX_USAGE` of sysexits).
    Usage,
    /// The configuration is wrong (`EX_CONFIG` of sysexits).
    Config,
}

/// Why a command cannot go on, as far as it is not about the configuration.
type Error = Box<dyn std::error::Error>;

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Failed => Self::FAILURE,
            Exit::Later => Self::from(75),
            Exit::Usage => Self::from(64),
            Exit::Config => Self::from(78),
        }
    }
}

/// Does what `args` say, the first of which is the program's own name.
pub fn run(args: impl IntoIterator<Item = OsString>, streams: &mut Streams<'_>) -> Exit {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return explain_usage(&error, streams),
    };
    let command = match cli.command {
        None => Configured::Serve,
        Some(Command::Configured(command)) => command,
        Some(Command::Simulate(Simulate::Fraud { seed })) => {
            let done = simulate::fraud(seed, streams.out);
            return done.unwrap_or_else(|error| fail(&error, streams));
        }
    };
    let source = Source {
        file: cli.given.config,
        flags: Flags {
            listen: cli.given.listen,
            upstream: cli.given.upstream,
        },
    };
    let loaded = match source.load() {
        Ok(loaded) => loaded,
        Err(error) => {
            // With nobody reading, the exit code still tells.
            drop(writeln!(streams.err, "{error}"));
            return Exit::Config;
        }
    };
    let done = execute(command, loaded, streams);
    done.unwrap_or_else(|error| fail(&*error, streams))
}

fn fail(error: &dyn std::error::Error, streams: &mut Streams<'_>) -> Exit {
    // With nobody reading, the exit code still tells.
    drop(writeln!(streams.err, "{error}"));
    Exit::Failed
}

fn execute(command: Configured, loaded: Loaded, streams: &mut Streams<'_>) -> Result<Exit, Error> {
    let Loaded {
        config,
        stores,
        advice,
    } = loaded;
    let now = Clock::System.now();
    match command {
        Configured::Serve => match app::serve(config, &advice, streams.out)? {
            Ending::Asked => Ok(Exit::Done),
            Ending::Died => Ok(Exit::Failed),
        },
        Configured::Check => Ok(check::check(&advice, streams.out)?),
        Configured::Explain { method, url } => {
            Ok(explain::explain(config, &method, &url, streams)?)
        }
        Configured::Keys(Keys::List) => keys::list(&config.live, now, streams.out),
        Configured::Keys(Keys::Rotate { at_once }) => {
            let pace = if at_once {
                Pace::AtOnce
            } else {
                Pace::Announced
            };
            keys::rotate(&config.live, pace, now, streams.out)
        }
        Configured::Token(Token::Inspect { token }) => {
            let token = token.map_or_else(|| io::read_to_string(&mut streams.input), Ok)?;
            token::inspect(&config, token.trim(), now, streams.out)
        }
        Configured::Sms(Sms::Test(test)) => sms::test(&test, &config, streams),
        Configured::Store(Store::Copy(places)) => store::copy(&places, &config, &stores, streams),
    }
}

/// Prints clap's message where it belongs: help and version are answers, the rest is a mistake.
fn explain_usage(error: &clap::Error, streams: &mut Streams<'_>) -> Exit {
    let text = error.render();
    if error.use_stderr() {
        drop(write!(streams.err, "{text}"));
        Exit::Usage
    } else {
        drop(write!(streams.out, "{text}"));
        Exit::Done
    }
}

impl std::fmt::Debug for Streams<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streams").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
