//! Ends what is still under way in sessions that were ended. It alone knows both who may go on and what goes on.

use std::{cell::Cell, sync::Arc};

use crate::{
    edge::gate::Gate, observe::metrics::Metrics, proxy::Tethers, store::revocations::Revocations,
};

/// The watch over the exchanges of one worker.
#[derive(Debug)]
pub struct Curfew {
    revocations: Arc<Revocations>,
    /// What there was when it last looked.
    seen: Cell<u64>,
    gate: Gate,
    tethers: Tethers,
    metrics: Metrics,
}

impl Curfew {
    /// Watches over the exchanges in `tethers`, which `gate` has let in.
    pub fn new(
        revocations: &Arc<Revocations>,
        gate: Gate,
        tethers: Tethers,
        metrics: Metrics,
    ) -> Self {
        Self {
            revocations: Arc::clone(revocations),
            seen: Cell::new(revocations.version()),
            gate,
            tethers,
            metrics,
        }
    }

    /// Looks around, if there is anything new. Nobody slips in between this and the check at the
    /// gate: an exchange is tied in the same breath in which it is let in.
    pub fn look(&self) {
        let version = self.revocations.version();
        if self.seen.replace(version) == version {
            return;
        }
        let cut = self.tethers.cut(|session| self.gate.has_ended(session));
        if cut > 0 {
            self.metrics.requests_cut(cut);
            tracing::debug!(cut, "ended what was under way in sessions that were ended");
        }
    }
}
