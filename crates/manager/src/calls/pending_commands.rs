//! The commands on their way to nodes, each until its outcome has come or nobody waits for it. Pure: the time is given.
//!
//! A command is for one process. It goes out with the next answer, and again every few seconds until the outcome comes:
//! an answer may be lost on its way. The process carries it out once.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet::node::NodeId;
use fleet::starts::StartId;
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;
use wire::live::{Action, COMMANDS_AT_ONCE, Command, Failure, Outcome};
use wire::report::SENTENCE_CHARACTERS;

use super::sanitised;

/// How long a command may take until its outcome: nobody wants a call to be cut minutes after it was asked for. A node
/// that is there answers within a fraction of a second.
pub(crate) const COMMAND_LIFE: Duration = Duration::from_secs(60);

/// When a command without an outcome goes out again.
const REPEAT: Duration = Duration::from_secs(2);

/// A command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum CommandError {
    /// The node says why.
    #[error("{0}")]
    Failed(String),
    /// What it names is not there any more.
    #[error("{0}")]
    Missing(String),
    /// The process that it was for has ended.
    #[error("the node has restarted meanwhile")]
    Restarted,
    /// The node was removed.
    #[error("the node was removed meanwhile")]
    Removed,
    /// As many are on their way to the node as it is given at once.
    #[error("{COMMANDS_AT_ONCE} commands are on their way to the node already")]
    TooMany,
}

/// What has become of a command: the participant that was dialled, if one was.
pub(crate) type CommandOutcome = Result<Option<Uuid>, CommandError>;

/// A command on its way.
#[derive(Debug)]
pub(crate) struct Enqueued {
    /// Its name.
    pub(crate) id: Uuid,
    /// Its outcome, when that has come.
    pub(crate) outcome: oneshot::Receiver<CommandOutcome>,
}

/// How far a command had come that was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Withdrawn {
    /// It never left.
    Unsent,
    /// It has left, and may have been carried out.
    Sent,
}

#[derive(Debug)]
struct Pending {
    command: Command,
    sent_at: Option<Instant>,
    waiting: oneshot::Sender<CommandOutcome>,
}

/// The commands of all nodes.
#[derive(Debug, Default)]
pub(super) struct PendingCommands(BTreeMap<NodeId, Vec<Pending>>);

impl PendingCommands {
    pub(super) fn enqueue(
        &mut self,
        node: NodeId,
        start: StartId,
        action: Action,
    ) -> Result<Enqueued, CommandError> {
        let pending = self.0.entry(node).or_default();
        pending.retain(|pending| !pending.waiting.is_closed());
        if pending.len() >= COMMANDS_AT_ONCE {
            return Err(CommandError::TooMany);
        }
        let (waiting, outcome) = oneshot::channel();
        let id = Uuid::new_v4();
        pending.push(Pending { command: Command { id, start, action }, sent_at: None, waiting });
        Ok(Enqueued { id, outcome })
    }

    pub(super) fn withdraw(&mut self, node: NodeId, command: Uuid) -> Withdrawn {
        match self.remove(node, command) {
            Some(Pending { sent_at: None, .. }) => Withdrawn::Unsent,
            Some(Pending { sent_at: Some(_), .. }) | None => Withdrawn::Sent,
        }
    }

    /// When the next answer to this process has commands to carry.
    pub(super) fn due(&self, node: NodeId, start: StartId, now: Instant) -> Option<Instant> {
        let pending = self.0.get(&node)?.iter().filter(|pending| pending.command.start == start);
        pending.map(|pending| pending.sent_at.map_or(now, |sent_at| sent_at + REPEAT)).min()
    }

    pub(super) fn take_due(&mut self, node: NodeId, start: StartId, now: Instant) -> Vec<Command> {
        let pending = self.0.get_mut(&node).into_iter().flatten();
        let is_due = |pending: &&mut Pending| {
            pending.command.start == start && pending.sent_at.is_none_or(|sent_at| sent_at + REPEAT <= now)
        };
        let due = pending.filter(is_due).map(|pending| {
            pending.sent_at = Some(now);
            pending.command.clone()
        });
        due.collect()
    }

    /// The outcome of a command has come; it may be that of one that nobody waits for.
    pub(super) fn end(&mut self, node: NodeId, outcome: Outcome) {
        let Outcome { command, participant, mut failure } = outcome;
        failure.iter_mut().for_each(|failure| sanitised(&mut failure.why, SENTENCE_CHARACTERS));
        let Some(Pending { waiting, .. }) = self.remove(node, command) else { return };
        // Who has given up waits no more.
        let _ = waiting.send(match failure {
            None => Ok(participant),
            Some(Failure { missing, why }) if missing => Err(CommandError::Missing(why)),
            Some(Failure { why, .. }) => Err(CommandError::Failed(why)),
        });
    }

    /// This process of a node runs: what was for another one is over.
    pub(super) fn restarted(&mut self, node: NodeId, start: StartId) {
        self.fail(node, |pending| pending.command.start != start, &CommandError::Restarted);
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        self.fail(node, |_| true, &CommandError::Removed);
    }

    fn fail(&mut self, node: NodeId, is_over: impl Fn(&Pending) -> bool, why: &CommandError) {
        let Some(pending) = self.0.get_mut(&node) else { return };
        let over = pending.extract_if(.., |pending| is_over(pending));
        over.for_each(|pending| drop(pending.waiting.send(Err(why.clone()))));
        if pending.is_empty() {
            self.0.remove(&node);
        }
    }

    fn remove(&mut self, node: NodeId, command: Uuid) -> Option<Pending> {
        let pending = self.0.get_mut(&node)?;
        let place = pending.iter().position(|pending| pending.command.id == command)?;
        let found = pending.remove(place);
        if pending.is_empty() {
            self.0.remove(&node);
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId(1);
    const START: StartId = StartId(7);

    fn enqueue(commands: &mut PendingCommands) -> (Uuid, oneshot::Receiver<CommandOutcome>) {
        let given = commands.enqueue(NODE, START, Action::DisconnectAll { room: "standup".into() });
        given.map(|Enqueued { id, outcome }| (id, outcome)).unwrap()
    }

    #[test]
    fn command_goes_out_at_once_and_again_until_its_outcome() {
        let (mut commands, now) = (PendingCommands::default(), Instant::now());
        let (id, mut outcome) = enqueue(&mut commands);
        assert_eq!(commands.due(NODE, START, now), Some(now));
        assert_eq!(commands.due(NODE, StartId(8), now), None, "it is for one process");
        assert_eq!(commands.take_due(NODE, START, now).len(), 1);
        assert_eq!(commands.take_due(NODE, START, now).len(), 0);
        assert_eq!(commands.due(NODE, START, now), Some(now + REPEAT));
        assert_eq!(commands.take_due(NODE, START, now + REPEAT)[0].id, id);
        let participant = Some(Uuid::from_u128(9));
        commands.end(NodeId(2), Outcome { command: id, participant, failure: None });
        assert!(outcome.try_recv().is_err(), "another node says so");
        commands.end(NODE, Outcome { command: id, participant, failure: None });
        assert_eq!(outcome.try_recv(), Ok(Ok(participant)));
        assert_eq!(commands.due(NODE, START, now + REPEAT), None);
        assert!(commands.0.is_empty());
    }

    #[test]
    fn command_for_a_process_that_has_ended_fails() {
        let mut commands = PendingCommands::default();
        let (_, mut outcome) = enqueue(&mut commands);
        commands.restarted(NODE, START);
        assert!(outcome.try_recv().is_err());
        commands.restarted(NODE, StartId(8));
        assert_eq!(outcome.try_recv(), Ok(Err(CommandError::Restarted)));
        let (_, mut outcome) = enqueue(&mut commands);
        commands.forget(NODE);
        assert_eq!(outcome.try_recv(), Ok(Err(CommandError::Removed)));
    }

    #[test]
    fn command_that_is_given_up_says_how_far_it_had_come() {
        let (mut commands, now) = (PendingCommands::default(), Instant::now());
        let ((first, _one), (second, _two)) = (enqueue(&mut commands), enqueue(&mut commands));
        assert_eq!(commands.withdraw(NODE, first), Withdrawn::Unsent);
        commands.take_due(NODE, START, now);
        assert_eq!(commands.withdraw(NODE, second), Withdrawn::Sent);
        assert_eq!(commands.take_due(NODE, START, now + REPEAT).len(), 0);
    }

    #[test]
    fn number_of_commands_to_a_node_is_bounded_and_those_nobody_waits_for_do_not_count() {
        let mut commands = PendingCommands::default();
        let waiting: Vec<_> = (0..COMMANDS_AT_ONCE).map(|_| enqueue(&mut commands)).collect();
        let more = commands.enqueue(NODE, START, Action::Unknown);
        assert_eq!(more.map(|_| ()), Err(CommandError::TooMany));
        assert!(commands.enqueue(NodeId(2), START, Action::Unknown).is_ok());
        drop(waiting);
        assert!(commands.enqueue(NODE, START, Action::Unknown).is_ok());
    }
}
