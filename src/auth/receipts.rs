//! `POST receipts/…`: a provider tells what became of a message; knows nothing of what follows.
//!
//! Who tells has signed it, or is not listened to. Whether there is such a message is told to nobody.

use http::{HeaderName, StatusCode};

use crate::{
    auth::{
        call::{Call, Desk},
        endpoint::nothing_here,
        wire::{self, Fields, Reply},
    },
    reject::{Code, Reject},
    sms::{
        receipt::{Receipt, Refused, Teller},
        twilio,
        webhook::{Seal, SigningKey},
    },
};

const TWILIO_SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");
const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Takes a receipt.
pub async fn answer(
    desk: &Desk,
    call: &Call,
    teller: Teller,
    fields: &Fields,
) -> Result<Reply, Reject> {
    let (tellers, body) = (&desk.spec().tellers, fields.unread());
    let read = match teller {
        Teller::Twilio => tellers.twilio.as_ref().map(|it| by_twilio(it, call, body)),
        Teller::Webhook => tellers
            .webhook
            .as_ref()
            .map(|it| by_webhook(it, call, body)),
    };
    let receipt = read.ok_or_else(nothing_here)??;
    desk.ledger().enter(teller.as_str(), &receipt).await?;
    Ok(wire::empty(StatusCode::NO_CONTENT))
}

fn by_twilio(hook: &twilio::Hook, call: &Call, body: &[u8]) -> Result<Receipt, Refused> {
    let query = call.head.uri.query().unwrap_or_default();
    let signature = call.header(&TWILIO_SIGNATURE).ok_or(Refused::Forged)?;
    hook.read(query, signature, body)
}

fn by_webhook(key: &SigningKey, call: &Call, body: &[u8]) -> Result<Receipt, Refused> {
    let header = |name| call.header(name).ok_or(Refused::Forged);
    let seal = Seal {
        id: header(&WEBHOOK_ID)?,
        timestamp: header(&WEBHOOK_TIMESTAMP)?,
        signatures: header(&WEBHOOK_SIGNATURE)?,
    };
    key.open(seal, body, call.now)
}

impl From<Refused> for Reject {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Forged => Self::new(
                Code::InvalidSignature,
                "The request does not bear the signature of the provider for this URL.",
            ),
            Refused::Unreadable => Self::new(
                Code::ValidationFailed,
                "The receipt does not name a message and its challenge as they were given.",
            ),
        }
    }
}
