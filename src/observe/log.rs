//! Log lines on standard output, for people or for machines; does not know who writes them.

use std::io::{self, IsTerminal};

use tracing::{Subscriber, level_filters::LevelFilter, subscriber::SetGlobalDefaultError};
use tracing_subscriber::{
    Layer, Registry,
    filter::Targets,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
};

/// For whom log lines are.
pub use crate::observe::access::Format;

/// How log lines look and which are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// For whom.
    pub format: Format,
    /// The least important level that is written.
    pub level: LevelFilter,
}

/// Sends every log line of the process to standard output; to be called once.
pub fn init(spec: Spec) -> Result<(), SetGlobalDefaultError> {
    let colour = io::stdout().is_terminal();
    tracing::subscriber::set_global_default(subscriber(spec, io::stdout, colour.into()))
}

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colour {
    On,
    Off,
}

impl From<bool> for Colour {
    fn from(terminal: bool) -> Self {
        if terminal { Self::On } else { Self::Off }
    }
}

fn subscriber<W>(spec: Spec, out: W, colour: Colour) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(out);
    let lines = match spec.format {
        Format::Text => lines.with_ansi(colour == Colour::On).boxed(),
        // Fields beside the message rather than below it: log stores query them by name.
        Format::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .boxed(),
    };
    Registry::default().with(lines.with_filter(wanted(spec.level)))
}

/// Parsers that complain of what a peer sends, line by line, are for who debugs them: nobody else's log is
/// to be filled by strangers. What is wrong with a peer is told once, by who hangs up on it.
fn wanted(level: LevelFilter) -> Targets {
    let parsers = if level >= LevelFilter::DEBUG {
        level
    } else {
        LevelFilter::OFF
    };
    Targets::new()
        .with_default(level)
        .with_targets(["h2", "hyper"].map(|parser| (parser, parsers)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn written(format: Format, level: LevelFilter) -> String {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let out = Arc::new(file.reopen().expect("the same file"));
        let subscriber = subscriber(Spec { format, level }, out, Colour::Off);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(route = "app", status = 200, "request");
            tracing::debug!("detail");
            tracing::warn!(target: "h2::proto", "a peer is odd");
        });
        std::fs::read_to_string(file.path()).expect("text")
    }

    #[test]
    fn text_is_one_line_with_all_fields() {
        let text = written(Format::Text, LevelFilter::INFO);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.contains("INFO")
                && text
                    .trim_end()
                    .ends_with("request route=\"app\" status=200"),
            "{text}"
        );
    }

    #[test]
    fn what_parsers_say_of_their_peers_is_for_who_debugs_them() {
        for (level, is_told) in [
            (LevelFilter::WARN, false),
            (LevelFilter::INFO, false),
            (LevelFilter::DEBUG, true),
        ] {
            let text = written(Format::Text, level);
            assert_eq!(text.contains("a peer is odd"), is_told, "{text}");
        }
    }

    #[test]
    fn json_has_the_fields_beside_the_message() {
        let text = written(Format::Json, LevelFilter::DEBUG);
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|l| serde_json::from_str(l).expect(l))
            .collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(lines[0]["message"], "request");
        assert_eq!(lines[0]["status"], 200);
        assert_eq!(lines[0]["level"], "INFO");
        assert!(lines[0]["timestamp"].is_string());
    }

    #[test]
    fn nothing_is_written_when_logging_is_off() {
        assert_eq!(written(Format::Text, LevelFilter::OFF), "");
    }
}
