//! What operators are told of an attempt: a figure, and a line where something is wrong; never whom it was for.

use super::{
    Attempt,
    breaker::Change,
    error::{Cause, Class},
};
use crate::observe::{metrics::Metrics, sms::Standing};

/// Counts `attempt`, and says what is worth a line.
pub fn tell(attempt: &Attempt<'_>, metrics: &Metrics) {
    let provider = attempt.provider.name().as_str();
    let sms = metrics.sms();
    match attempt.result {
        Ok(_) => sms.attempt(provider, "accepted", Some(attempt.took)),
        Err(error) if error.cause == Cause::LeftAlone => {
            sms.attempt(provider, "left_alone", None);
        }
        Err(error) => {
            tracing::warn!(provider, %error, "a provider did not take a message");
            sms.attempt(provider, error.class.as_str(), Some(attempt.took));
        }
    }
    match attempt.change {
        Some(Change::Opened) => {
            sms.stands(provider, Standing::LeftAlone);
            let class = attempt.result.as_ref().err().map(|error| error.class);
            if class == Some(Class::Misconfigured) {
                tracing::error!(
                    provider,
                    "a provider is left alone until its settings are mended"
                );
            } else {
                tracing::warn!(provider, "a provider is left alone for a while");
            }
        }
        Some(Change::Closed) => {
            sms.stands(provider, Standing::Asked);
            tracing::info!(provider, "a provider is asked again");
        }
        None => {}
    }
}
