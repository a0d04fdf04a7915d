//! `store copy`: from where to where, how far it has come, and what must come along; moves nothing itself.

use std::{
    fmt,
    io::{self, Write},
    time::Duration,
};

use clap::Args;

use crate::{
    app::{self, Copied, How, Moving},
    cli::{Error, Exit, Reader, Streams},
    clock::{Clock, Timestamp},
    config::{Config, MasterSecret, Stores},
    store,
};

/// The two stores of a copy.
#[derive(Debug, Args)]
pub struct Places {
    /// The store to be read; that of the configuration if it is left out
    #[arg(long, value_name = "URL")]
    from: Option<Place>,
    /// The store to be made; that of the configuration if it is left out
    #[arg(long, value_name = "URL")]
    to: Option<Place>,
}

/// What stands below the help.
pub const ADVICE: &str = "\
A URL is one that store.url may have, or env:NAME for one that stands in an environment variable: \
arguments can be read by everybody on the machine. The prefix and the authorities of servers are \
those of [store] in the configuration.

Stop the gateways of the old store, copy, and start them with the new one. A file is refused as \
long as a gateway has it open. A Redis can be read while gateways use it, but what they change \
behind the back of the copy is lost: whoever logs in or refreshes meanwhile has to log in again.

The new store must be new: nothing is copied over a store, which may be newer. Gateways refuse to \
work on it until the copy is complete. A copy that is broken off leaves nothing that has to be \
removed: run it again. From a file it goes on where it stopped, if no gateway has opened the file \
in between; else it begins anew.

What is not in a store must come along: the same server.secret and server.pseudonym_secret, and \
the signing keys. With others everybody would have to log in again.";

/// How often a line is written anew, and how often there is another one where that is not possible.
const AT_A_TERMINAL: Duration = Duration::from_millis(100);
const ELSEWHERE: Duration = Duration::from_secs(5);

/// The name of a store, which may hold a password.
#[derive(Clone)]
pub struct Place(String);

/// Copies one store into another.
pub fn copy(
    places: &Places,
    config: &Config,
    stores: &Stores,
    streams: &mut Streams<'_>,
) -> Result<Exit, Error> {
    let mut find = |flag: &str, place: Option<&Place>| match place {
        None => Ok(Ok(config.fixed.store.clone())),
        Some(Place(text)) => match stores.find(text) {
            Ok(spec) => Ok(Ok(spec)),
            Err(error) => writeln!(streams.err, "{flag}: {error}").map(|()| Err(Exit::Usage)),
        },
    };
    let (from, to) = (
        find("--from", places.from.as_ref())?,
        find("--to", places.to.as_ref())?,
    );
    let (from, to) = match (from, to) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(exit), _) | (_, Err(exit)) => return Ok(exit),
    };
    if from.backend == to.backend {
        writeln!(
            streams.err,
            "--from and --to are the same store: {}",
            to.backend
        )?;
        return Ok(Exit::Usage);
    }
    let moving = Moving::new(config, from, to)?;
    let mut line = Line::new(streams.err, streams.reader);
    let copied = app::copy(&moving, &mut |copied| {
        line.show(copied, Clock::System.now());
    });
    line.end()?;
    tell(&copied?, &moving.to, config, streams.out)?;
    Ok(Exit::Done)
}

/// What was done, and what is to be done now.
fn tell(copied: &Copied, to: &store::Spec, config: &Config, out: &mut dyn Write) -> io::Result<()> {
    let seconds = copied.took.as_secs_f64();
    match copied.how {
        How::Anew => writeln!(out, "copied in {seconds:.1} s: {}", Counts(copied))?,
        How::WentOn => writeln!(
            out,
            "went on where an earlier copy had stopped, and copied the rest in {seconds:.1} s: {}",
            Counts(copied)
        )?,
        How::Complete => writeln!(out, "everything had been copied before")?,
    }
    let secret = match &config.fixed.secret {
        MasterSecret::Given(_) => "the same server.secret and server.pseudonym_secret".to_owned(),
        MasterSecret::Kept { file, .. } => {
            let file = file.display().to_string();
            format!("server.secret = {{ file = {file:?} }}, which a first run has made")
        }
    };
    writeln!(out, "\nNow start the gateways with")?;
    writeln!(out, "  store.url   {}", to.backend)?;
    writeln!(out, "  secrets     {secret}")?;
    writeln!(
        out,
        "  tokens.keys the files in {}",
        config.live.keys.dir.display()
    )
}

/// One line that says how far it has come.
struct Line<'a> {
    out: &'a mut dyn Write,
    reader: Reader,
    last: Timestamp,
}

impl<'a> Line<'a> {
    fn new(out: &'a mut dyn Write, reader: Reader) -> Self {
        let last = Clock::System.now();
        Self { out, reader, last }
    }

    /// Nobody has to read it, so that it does not matter if it cannot be written.
    fn show(&mut self, copied: &Copied, now: Timestamp) {
        let (pause, begin, end) = match self.reader {
            Reader::Terminal => (AT_A_TERMINAL, "\r\x1b[K", ""),
            Reader::Other => (ELSEWHERE, "", "\n"),
        };
        if now.since(self.last) < pause {
            return;
        }
        self.last = now;
        let seconds = copied.took.as_secs();
        drop(write!(
            self.out,
            "{begin}{seconds} s: {}{end}",
            Counts(copied)
        ));
        drop(self.out.flush());
    }

    fn end(self) -> io::Result<()> {
        match self.reader {
            Reader::Terminal => write!(self.out, "\r\x1b[K"),
            Reader::Other => Ok(()),
        }
    }
}

struct Counts<'a>(&'a Copied);

impl fmt::Display for Counts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Copied {
            accounts,
            sessions,
            windows,
            meters,
            messages,
            revoked,
            dead,
            ..
        } = self.0;
        write!(
            f,
            "{accounts} accounts, {sessions} sessions, {windows} windows, {meters} meters, {messages} messages, {revoked} revoked, {dead} dead left out"
        )
    }
}

impl From<String> for Place {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place(…)")
    }
}
