//! Enters what is found of messages that SNS took; knows nothing of where it is found.

use tokio::time::sleep;

use super::{Ledger, Receipt};
use crate::sms::{error::Error, sns::status::Status};

/// What could not be entered is kept for the next look, up to so many receipts.
const MOST_KEPT: usize = 10_000;

/// Looks as long as anything is waited for, and never ends.
pub async fn follow(mut status: Status, ledger: Ledger) {
    let mut kept = Vec::new();
    let mut last = Ok(());
    loop {
        if kept.is_empty() {
            status.wanted().await;
        }
        sleep(status.every()).await;
        let (found, result) = status.look().await;
        kept.extend(found);
        kept.truncate(MOST_KEPT);
        kept = enter(&ledger, kept).await;
        complain(&last, &result);
        last = result;
    }
}

/// Those that could not be entered.
async fn enter(ledger: &Ledger, receipts: Vec<Receipt>) -> Vec<Receipt> {
    let mut kept = Vec::new();
    for receipt in receipts {
        if let Err(error) = ledger.enter("sns", &receipt).await {
            tracing::debug!(%error, "a receipt of SNS's could not be entered");
            kept.push(receipt);
        }
    }
    kept
}

/// Says what is wrong once, and not at every look.
fn complain(last: &Result<(), Error>, result: &Result<(), Error>) {
    match (last, result) {
        (Ok(()), Err(error)) => {
            tracing::warn!(%error, "it cannot be seen what became of messages by SNS");
        }
        (Err(_), Ok(())) => tracing::info!("it can be seen again what became of messages by SNS"),
        (Ok(()), Ok(())) | (Err(_), Err(_)) => {}
    }
}
