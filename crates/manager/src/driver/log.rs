//! One line of the log for every fact. Contact with nodes is logged once more, under the names that
//! operators' alarms look for (R26).

use fleet::fact::{Fact, NodeFact};
use tracing::{error, info, warn};

/// Logs a fact.
pub(crate) fn fact(fact: &Fact) {
    info!(target: "pitlane::platform", "{fact}");
    if let Fact::Node { node, name, what: NodeFact::ContactLost } = fact {
        error!(target: "administrator.system.connectivity", node = node.0, name, "Unable to contact node.");
        warn!(
            target: "administrator.alarm",
            Alarm = "connectivity_lost", node = node.0, name, "Alarm raised"
        );
    }
}
