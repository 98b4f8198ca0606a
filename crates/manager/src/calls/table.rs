//! The participants by node. Pure: the time is given. A node's part begins anew with each start of its program, and ends
//! when the node is removed or was not heard for long.

use std::collections::BTreeMap;

use fleet::node::NodeId;
use fleet::starts::StartId;
use fleet::time::{Span, Time, Wall};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use wire::live::{Departure, FAR_TEXT, MediaStatistics, Participant, ParticipantChanges};

use super::past::{InterruptedCall, Tracker};
use super::sanitised;

/// How long the participants of a node are shown that is not heard: its calls may well go on. After that it has mostly
/// restarted without them, and what is shown would only be old.
const UNHEARD: Span = Span::minutes(10);
/// The most participants of one node: several times the calls that a large one carries. What is more is not shown.
const PARTICIPANTS: usize = 10_000;
/// The longest name of a Virtual Meeting Room, in characters, as the management API takes it.
const ROOM_NAME: usize = 250;
/// How far two measurements of the same moment may be apart: a message takes a while. The first one stays.
const SAME_MOMENT: u64 = 5_000;

/// A participant, with moments in place of ages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LiveParticipant {
    /// What its node says of it.
    pub(crate) reported: Participant,
    /// Since when it takes part.
    pub(crate) joined_at: Option<Wall>,
    /// Since when its conference lasts at its node.
    pub(crate) conference_began: Wall,
    /// What was counted of its sound last.
    pub(crate) statistics: Option<MediaStatistics>,
}

/// The participants of one node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeParticipants<'a> {
    /// The node.
    pub(crate) node: NodeId,
    /// Its participants by their names.
    pub(crate) participants: &'a BTreeMap<Uuid, LiveParticipant>,
}

#[derive(Debug)]
struct OfNode {
    start: StartId,
    revision: u64,
    heard_at: (Time, Wall),
    participants: BTreeMap<Uuid, LiveParticipant>,
}

/// The participants of all nodes.
#[derive(Debug, Default)]
pub(super) struct Table {
    nodes: BTreeMap<NodeId, OfNode>,
    /// Who of them has left.
    pub(super) past: Tracker,
}

impl Table {
    /// A process of a node reports. What does not follow what is known is passed over: it is late, or comes
    /// again.
    pub(super) fn take(
        &mut self,
        node: NodeId,
        start: StartId,
        (now, wall): (Time, Wall),
        changes: Option<ParticipantChanges>,
        statistics: Vec<MediaStatistics>,
    ) {
        let nothing = || OfNode { start, revision: 0, heard_at: (now, wall), participants: BTreeMap::new() };
        let known = self.nodes.entry(node).or_insert_with(nothing);
        if known.start != start {
            // Its calls may go on in the new process.
            std::mem::replace(known, nothing()).leave(&mut self.past, node, None, now);
        }
        known.heard_at = (now, wall);
        if let Some(changes) = changes {
            known.change(&mut self.past, node, (now, wall), changes);
        }
        for counted in statistics {
            if let Some(participant) = known.participants.get_mut(&counted.participant) {
                participant.statistics = Some(counted);
            }
        }
    }

    pub(super) fn revision(&self, node: NodeId, start: StartId) -> u64 {
        self.nodes.get(&node).filter(|known| known.start == start).map_or(0, |known| known.revision)
    }

    pub(super) fn process(&self, node: NodeId) -> Option<StartId> {
        self.nodes.get(&node).map(|known| known.start)
    }

    pub(super) fn forget(&mut self, node: NodeId, now: Time) {
        if let Some(known) = self.nodes.remove(&node) {
            known.leave(&mut self.past, node, None, now);
        }
    }

    /// The calls that are not over, each with the moment at which it was heard of last.
    pub(super) fn interrupted(&self) -> Vec<InterruptedCall> {
        let live = self.nodes.iter().flat_map(|(node, known)| {
            known.participants.values().map(|participant| (*node, participant, known.heard_at.1))
        });
        self.past.interrupted(live)
    }

    /// Drops what was not heard for long.
    pub(super) fn drop_unheard(&mut self, now: Time) {
        let is_unheard = |_: &NodeId, known: &mut OfNode| known.heard_at.0 + UNHEARD <= now;
        for (node, known) in self.nodes.extract_if(.., is_unheard) {
            known.leave(&mut self.past, node, Some(Departure::TimedOut), now);
        }
    }

    pub(super) fn nodes(&self) -> Vec<NodeParticipants<'_>> {
        let of_node = self.nodes.iter();
        of_node
            .map(|(node, known)| NodeParticipants { node: *node, participants: &known.participants })
            .collect()
    }
}

impl OfNode {
    fn change(
        &mut self,
        past: &mut Tracker,
        node: NodeId,
        (now, wall): (Time, Wall),
        changes: ParticipantChanges,
    ) {
        let ParticipantChanges { since, to, removed, changed, departures } = changes;
        if since != 0 && since != self.revision {
            return;
        }
        let before = if since == 0 { std::mem::take(&mut self.participants) } else { BTreeMap::new() };
        let departures: BTreeMap<Uuid, Departure> =
            departures.into_iter().map(|departed| (departed.participant, departed.why)).collect();
        for id in removed {
            if let Some(participant) = self.participants.remove(&id) {
                let why = departures.get(&id).copied().filter(|why| is_the_end(*why));
                past.left((node, participant), wall, why, now);
            }
        }
        for reported in changed {
            if self.participants.len() < PARTICIPANTS || self.participants.contains_key(&reported.id) {
                self.put(past, node, wall, reported);
            }
        }
        for (id, participant) in before {
            if !self.participants.contains_key(&id) {
                past.left((node, participant), wall, None, now);
            }
        }
        self.revision = to;
    }

    /// Nothing of it is shown any more.
    fn leave(self, past: &mut Tracker, node: NodeId, why: Option<Departure>, now: Time) {
        let Self { heard_at: (_, heard_at), participants, .. } = self;
        for participant in participants.into_values() {
            past.left((node, participant), heard_at, why, now);
        }
    }

    fn put(&mut self, past: &mut Tracker, node: NodeId, wall: Wall, mut reported: Participant) {
        sanitise(&mut reported);
        let before = self.participants.remove(&reported.id);
        let ago = |age: Span| Wall(wall.0.saturating_sub(age.0));
        let joined_at =
            reported.joined.map(|age| settled(ago(age), before.as_ref().and_then(|it| it.joined_at)));
        let began = ago(reported.conference_age);
        let conference_began = settled(began, before.as_ref().map(|before| before.conference_began));
        let is_new = before.is_none();
        let statistics = before.and_then(|before| before.statistics);
        let participant = LiveParticipant { reported, joined_at, conference_began, statistics };
        if is_new {
            past.came(node, &participant, wall);
        }
        self.participants.insert(participant.reported.id, participant);
    }
}

/// Whether a participant that has left for this reason is nowhere else.
fn is_the_end(why: Departure) -> bool {
    match why {
        Departure::HungUp
        | Departure::Disconnected
        | Departure::ConferenceEnded
        | Departure::Rejected
        | Departure::NotAuthenticated
        | Departure::Failed
        | Departure::TimedOut
        | Departure::ShutDown => true,
        Departure::Moved | Departure::Unknown => false,
    }
}

/// The moment that was known before, if the new one only differs by the way of the message.
fn settled(moment: Wall, before: Option<Wall>) -> Wall {
    before.filter(|before| before.0.abs_diff(moment.0) < SAME_MOMENT).unwrap_or(moment)
}

/// Cuts the texts of far ends, and escapes what cannot be seen.
fn sanitise(reported: &mut Participant) {
    sanitised(&mut reported.room, ROOM_NAME);
    reported.texts().skip(1).for_each(|text| sanitised(text, FAR_TEXT));
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const NODE: NodeId = NodeId(1);
    const START: StartId = StartId(7);
    const NOW: (Time, Wall) = (Time(1_000_000), Wall(1_795_463_936_000));

    /// A participant that has taken part for a minute in a conference of two.
    pub(crate) fn participant(id: u128) -> Participant {
        Participant {
            id: Uuid::from_u128(id),
            conference: Uuid::from_u128(id >> 64 << 64),
            room: "standup".into(),
            conference_age: Span::minutes(2),
            locked: false,
            display_name: "Ann".into(),
            source_alias: "ann@example.com".into(),
            destination_alias: "standup".into(),
            call_id: "a84b4c76e66710".into(),
            vendor: "Phone/1.0".into(),
            remote: "192.0.2.2:5060".parse().unwrap(),
            dialled: false,
            joined: Some(Span::minutes(1)),
            muted: false,
            on_hold: false,
            encrypted: Some(true),
        }
    }

    fn changes(since: u64, to: u64, removed: &[u128], changed: &[u128]) -> Option<ParticipantChanges> {
        let removed = removed.iter().map(|id| Uuid::from_u128(*id)).collect();
        let changed = changed.iter().map(|id| participant(*id)).collect();
        Some(ParticipantChanges { since, to, removed, changed, departures: Vec::new() })
    }

    fn ids(table: &Table) -> Vec<u128> {
        table.nodes().iter().flat_map(|node| node.participants.keys()).map(|id| id.as_u128()).collect()
    }

    #[test]
    fn changes_lead_from_one_revision_to_the_next_and_others_are_passed_over() {
        let mut table = Table::default();
        table.take(NODE, START, NOW, changes(0, 2, &[], &[1, 2]), Vec::new());
        assert_eq!((table.revision(NODE, START), ids(&table)), (2, vec![1, 2]));
        table.take(NODE, START, NOW, changes(2, 4, &[1], &[3]), Vec::new());
        assert_eq!((table.revision(NODE, START), ids(&table)), (4, vec![2, 3]));
        table.take(NODE, START, NOW, changes(2, 3, &[1], &[]), Vec::new());
        table.take(NODE, START, NOW, changes(9, 10, &[2], &[]), Vec::new());
        assert_eq!((table.revision(NODE, START), ids(&table)), (4, vec![2, 3]));
        table.take(NODE, START, NOW, changes(0, 6, &[], &[5]), Vec::new());
        assert_eq!((table.revision(NODE, START), ids(&table)), (6, vec![5]));
    }

    #[test]
    fn another_process_begins_with_nothing() {
        let mut table = Table::default();
        table.take(NODE, START, NOW, changes(0, 2, &[], &[1, 2]), Vec::new());
        assert_eq!(table.revision(NODE, StartId(8)), 0);
        table.take(NODE, StartId(8), NOW, None, Vec::new());
        assert_eq!((ids(&table), table.process(NODE)), (vec![], Some(StartId(8))));
    }

    #[test]
    fn participants_of_a_node_that_is_not_heard_are_dropped_after_a_while() {
        let mut table = Table::default();
        table.take(NODE, START, NOW, changes(0, 2, &[], &[1, 2]), Vec::new());
        table.drop_unheard(NOW.0 + Span(UNHEARD.0 - 1));
        assert_eq!(ids(&table).len(), 2);
        table.drop_unheard(NOW.0 + UNHEARD);
        assert_eq!((ids(&table), table.revision(NODE, START)), (vec![], 0), "all is asked for again");
    }

    #[test]
    fn moment_stays_when_its_age_is_said_again_a_little_later() {
        let mut table = Table::default();
        table.take(NODE, START, NOW, changes(0, 1, &[], &[1]), Vec::new());
        let joined = |table: &Table| table.nodes()[0].participants.values().next().unwrap().joined_at;
        let first = joined(&table);
        assert_eq!(first, Some(Wall(NOW.1.0 - 60_000)));
        table.take(NODE, START, (NOW.0, Wall(NOW.1.0 + 900)), changes(1, 2, &[], &[1]), Vec::new());
        assert_eq!(joined(&table), first);
        table.take(NODE, START, (NOW.0, Wall(NOW.1.0 + 60_000)), changes(2, 3, &[], &[1]), Vec::new());
        assert_eq!(joined(&table), Some(NOW.1), "the clock was set");
    }

    #[test]
    fn texts_of_a_far_end_are_cut_and_what_cannot_be_seen_is_escaped() {
        let mut forged = participant(1);
        forged.display_name = "Ann\n2026-11-29 INFO \u{1b}[2J".into();
        forged.vendor = "x".repeat(9_000);
        let mut table = Table::default();
        let changes = ParticipantChanges { to: 1, changed: vec![forged], ..ParticipantChanges::default() };
        table.take(NODE, START, NOW, Some(changes), Vec::new());
        let reported = table.nodes()[0].participants.values().next().unwrap().reported.clone();
        assert_eq!(reported.display_name, "Ann\\n2026-11-29 INFO \\u{1b}[2J");
        assert_eq!(reported.vendor.len(), FAR_TEXT);
    }

    #[test]
    fn number_of_participants_of_a_node_is_bounded() {
        let mut table = Table::default();
        let all: Vec<u128> = (0..PARTICIPANTS as u128 + 5).collect();
        table.take(NODE, START, NOW, changes(0, 1, &[], &all), Vec::new());
        assert_eq!(ids(&table).len(), PARTICIPANTS);
    }
}
