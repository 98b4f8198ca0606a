//! What was counted of the sound of one leg.

use crate::audio::Participant;
use crate::participants::{MediaStatistics, ParticipantId, StreamStatistics};

/// The streams of both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LegStatistics {
    /// That of the far end, from its first packet on.
    pub(crate) received: Option<StreamStatistics>,
    /// That of this node.
    pub(crate) sent: StreamStatistics,
}

/// The statistics of all participants that have a name.
pub(crate) fn named(
    counts: Vec<(Participant, LegStatistics)>,
    name: impl Fn(Participant) -> Option<ParticipantId>,
) -> Vec<MediaStatistics> {
    let named = |(call, LegStatistics { received, sent })| {
        name(call).map(|participant| MediaStatistics { participant, received, sent })
    };
    counts.into_iter().filter_map(named).collect()
}
