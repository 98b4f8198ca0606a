//! The live participants of all nodes, in memory, and the commands that are on their way to nodes.
//!
//! It relies on the link for what nodes say and for when commands leave, and on nobody for decisions: participants and
//! commands are no part of the core or of the journal; the store has past participants, and while the program is down those
//! of the moment at which it ended. After a restart the
//! nodes say anew what there is.

mod past;
mod pending_commands;
mod table;

use std::borrow::Cow;

use edge::text::visible;
use fleet::node::NodeId;
use fleet::starts::StartId;
use fleet::time::{Time, Wall};
use parking_lot::Mutex;
use tokio::time::Instant;
use uuid::Uuid;
use wire::live::{Action, Command, MediaStatistics, Outcome, ParticipantChanges};
use wire::report::cut;

pub(crate) use past::{ConferenceKey, InterruptedCall, Past, PastConference, PastParticipant};
pub(crate) use pending_commands::{COMMAND_LIFE, CommandError, Withdrawn};
use pending_commands::{Enqueued, PendingCommands};
use table::Table;
pub(crate) use table::{LiveParticipant, NodeParticipants};

#[cfg(test)]
pub(crate) use table::tests::participant as participant_for_tests;

/// Cuts a text that comes from elsewhere, and escapes what cannot be seen.
fn sanitised(text: &mut String, characters: usize) {
    cut(text, characters);
    if let Cow::Owned(visible) = visible(text) {
        *text = visible;
        cut(text, characters);
    }
}

/// What a request of a node says of its participants and commands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LiveReport {
    /// What has changed of its participants.
    pub(crate) participants: Option<ParticipantChanges>,
    /// What it has counted of the sound of some.
    pub(crate) statistics: Vec<MediaStatistics>,
    /// What has become of commands.
    pub(crate) outcomes: Vec<Outcome>,
}

/// The participants of all nodes, and the commands to them.
#[derive(Debug, Default)]
pub(crate) struct LiveCalls {
    table: Mutex<Table>,
    commands: Mutex<PendingCommands>,
}

impl LiveCalls {
    /// A process of a node reports.
    pub(crate) fn take(&self, node: NodeId, start: StartId, (now, wall): (Time, Wall), reported: LiveReport) {
        let LiveReport { participants, statistics, outcomes } = reported;
        self.table.lock().take(node, start, (now, wall), participants, statistics);
        let mut commands = self.commands.lock();
        commands.restarted(node, start);
        outcomes.into_iter().for_each(|outcome| commands.end(node, outcome));
    }

    /// The revision of a process's participants that is known.
    pub(crate) fn revision(&self, node: NodeId, start: StartId) -> u64 {
        self.table.lock().revision(node, start)
    }

    /// A node was removed.
    pub(crate) fn forget(&self, node: NodeId, now: Time) {
        self.table.lock().forget(node, now);
        self.commands.lock().forget(node);
    }

    /// The Management Node has started, and these conferences and calls were not over when it ended before.
    pub(crate) fn restore(&self, now: Time, open: Vec<PastConference>, interrupted: Vec<InterruptedCall>) {
        self.table.lock().past.restore(now, open, interrupted);
    }

    /// The calls that are not over.
    pub(crate) fn interrupted(&self) -> Vec<InterruptedCall> {
        self.table.lock().interrupted()
    }

    /// Takes what is over and not stored yet, so many at most, and how many were lost before because too many waited.
    pub(crate) fn take_past(&self, now: Time, at_most: usize) -> (Vec<Past>, u64) {
        let mut table = self.table.lock();
        table.drop_unheard(now);
        table.past.settle(now);
        table.past.take_over(at_most)
    }

    /// Reads the participants that are known now.
    pub(crate) fn read<T>(&self, now: Time, read: impl FnOnce(&[NodeParticipants<'_>]) -> T) -> T {
        let mut table = self.table.lock();
        table.drop_unheard(now);
        read(&table.nodes())
    }

    /// The process of a node that reports participants.
    pub(crate) fn process(&self, node: NodeId) -> Option<StartId> {
        self.table.lock().process(node)
    }

    /// Puts a command on its way to a process of a node; its outcome follows.
    ///
    /// # Errors
    /// There are too many for the node already.
    pub(crate) fn enqueue(
        &self,
        node: NodeId,
        start: StartId,
        action: Action,
    ) -> Result<Enqueued, CommandError> {
        self.commands.lock().enqueue(node, start, action)
    }

    /// Gives a command up that has no outcome.
    pub(crate) fn withdraw(&self, node: NodeId, command: Uuid) -> Withdrawn {
        self.commands.lock().withdraw(node, command)
    }

    /// When an answer to a process of a node has commands to carry: now, or later, or not at all.
    pub(crate) fn due(&self, node: NodeId, start: StartId, now: Instant) -> Option<Instant> {
        self.commands.lock().due(node, start, now)
    }

    /// The commands that an answer carries now.
    pub(crate) fn take_due(&self, node: NodeId, start: StartId, now: Instant) -> Vec<Command> {
        self.commands.lock().take_due(node, start, now)
    }
}
