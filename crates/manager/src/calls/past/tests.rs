//! Calls that end, move and get lost, as nodes report them.

use fleet::starts::StartId;
use fleet::time::{Span, Time};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use wire::live::{Departed, ParticipantChanges};

use super::super::participant_for_tests;
use super::super::table::Table;
use super::*;

const ONE: NodeId = NodeId(1);
const TWO: NodeId = NodeId(2);
const BEGIN: (Time, Wall) = (Time(1_000_000), Wall(1_795_463_936_000));

/// The Management Node's side of several nodes.
#[derive(Default)]
struct World {
    table: Table,
    passed: Span,
}

impl World {
    fn at(&self) -> (Time, Wall) {
        (BEGIN.0 + self.passed, Wall(BEGIN.1.0 + self.passed.0))
    }

    fn pass(&mut self, span: Span) {
        self.passed = Span(self.passed.0 + span.0);
    }

    /// A process of a node reports who has left, and why, and who is new.
    fn report(&mut self, (node, start): (NodeId, u64), left: &[(u128, Option<Departure>)], new: &[u128]) {
        let start = StartId(start);
        let since = self.table.revision(node, start);
        let departed = |(id, why): &(u128, Option<Departure>)| {
            why.map(|why| Departed { participant: Uuid::from_u128(*id), why })
        };
        let joined = Span(self.passed.0 + 60_000);
        let of_age = |id: &u128| wire::live::Participant {
            joined: Some(joined),
            conference_age: Span(joined.0 + 60_000),
            ..participant_for_tests(*id)
        };
        let changes = ParticipantChanges {
            since,
            to: since + 1,
            removed: left.iter().map(|(id, _)| Uuid::from_u128(*id)).collect(),
            changed: new.iter().map(of_age).collect(),
            departures: left.iter().filter_map(departed).collect(),
        };
        self.table.take(node, start, self.at(), Some(changes), Vec::new());
    }

    /// What is over now and was not before.
    fn over(&mut self) -> Vec<Past> {
        let now = self.at().0;
        self.table.drop_unheard(now);
        self.table.past.settle(now);
        self.table.past.take_over(usize::MAX).0
    }
}

/// What is over, in short.
fn short(past: &[Past]) -> Vec<String> {
    let text = |past: &Past| match past {
        Past::Participant(past) => {
            let (id, conference) = (past.last.reported.id.as_u128(), past.conference.id.as_u128() >> 64);
            format!("{id} of {conference} at {}: {:?}", past.node.0, past.why)
        }
        Past::Conference(past) => format!("{} {}", past.room, past.key.id.as_u128() >> 64),
    };
    past.iter().map(text).collect()
}

const HUNG_UP: Option<Departure> = Some(Departure::HungUp);
const MOVED: Option<Departure> = Some(Departure::Moved);

#[test]
fn participant_is_over_when_it_leaves_and_its_conference_with_the_last_one() {
    let mut world = World::default();
    world.report((ONE, 7), &[], &[1, 2]);
    world.pass(Span::minutes(5));
    world.report((ONE, 7), &[(1, Some(Departure::Disconnected))], &[]);
    let past = world.over();
    assert_eq!(short(&past), ["1 of 0 at 1: Some(Disconnected)"]);
    let [Past::Participant(one)] = &past[..] else { panic!("{past:?}") };
    assert_eq!((one.start, one.end), (Wall(BEGIN.1.0 - 60_000), world.at().1));
    world.report((ONE, 7), &[(2, HUNG_UP)], &[3]);
    let conference = |past: &Past| matches!(past, Past::Conference(_));
    let past = world.over();
    assert_eq!(short(&past), ["2 of 0 at 1: Some(HungUp)", "standup 0"], "who comes then begins a new one");
    let Some(Past::Conference(over)) = past.into_iter().find(conference) else { panic!() };
    assert_eq!((over.key.began, over.end), (Wall(BEGIN.1.0 - 120_000), world.at().1));
}

#[test]
fn participant_that_moves_is_waited_for_and_is_one_whichever_node_reports_first() {
    let mut world = World::default();
    world.report((ONE, 7), &[], &[1]);
    world.report((TWO, 8), &[], &[1]);
    world.report((ONE, 7), &[(1, MOVED)], &[]);
    world.report((TWO, 8), &[(1, MOVED)], &[]);
    world.pass(Span::minutes(1) - Span(1));
    world.report((ONE, 7), &[], &[1]);
    world.pass(Span::minutes(9));
    world.report((ONE, 9), &[], &[1]);
    assert_eq!(short(&world.over()), [""; 0], "it has moved to another node, back, and to a new process");
    world.report((ONE, 9), &[(1, HUNG_UP)], &[]);
    assert_eq!(short(&world.over()), ["1 of 0 at 1: Some(HungUp)", "standup 0"]);
}

#[test]
fn participant_of_which_nobody_says_why_it_has_left_is_over_after_a_minute() {
    let mut world = World::default();
    world.report((ONE, 7), &[], &[1, 2]);
    world.pass(Span::minutes(2));
    let heard = world.at().1;
    world.report((ONE, 7), &[], &[]);
    world.pass(Span::minutes(1));
    world.report((ONE, 8), &[], &[]);
    world.pass(Span::minutes(1) - Span(1));
    assert_eq!(short(&world.over()), [""; 0], "a new process may have taken them over");
    world.pass(Span(1));
    let past = world.over();
    assert_eq!(short(&past), ["1 of 0 at 1: None", "2 of 0 at 1: None", "standup 0"]);
    let [Past::Participant(one), ..] = &past[..] else { panic!("{past:?}") };
    assert_eq!(one.end, heard, "it was heard of then for the last time");
}

#[test]
fn participants_of_a_node_that_vanishes_end_when_it_was_heard_last() {
    let mut world = World::default();
    world.report((ONE, 7), &[], &[1]);
    let heard = world.at().1;
    world.pass(Span::minutes(10) - Span(1));
    assert_eq!(short(&world.over()), [""; 0]);
    world.pass(Span(1));
    let past = world.over();
    assert_eq!(short(&past), ["1 of 0 at 1: Some(TimedOut)", "standup 0"]);
    let [Past::Participant(one), Past::Conference(conference)] = &past[..] else { panic!("{past:?}") };
    assert_eq!((one.end, conference.end), (heard, heard));
}

#[test]
fn conference_on_two_nodes_is_one_with_the_name_of_the_part_that_began_first() {
    let mut world = World::default();
    let [first, later] = [1_u128 << 64 | 1, 2_u128 << 64 | 1];
    world.report((ONE, 7), &[], &[first]);
    world.pass(Span(1));
    world.report((TWO, 8), &[], &[later]);
    world.report((ONE, 7), &[(first, HUNG_UP)], &[]);
    assert_eq!(short(&world.over()), [format!("{first} of 1 at 1: Some(HungUp)")]);
    world.report((TWO, 8), &[(later, HUNG_UP)], &[]);
    assert_eq!(short(&world.over()), [format!("{later} of 1 at 2: Some(HungUp)"), "standup 1".into()]);
}

#[test]
fn conference_goes_on_over_a_restart_of_the_management_node() {
    let mut world = World::default();
    let open = PastConference {
        room: "standup".into(),
        key: ConferenceKey { id: Uuid::from_u128(5 << 64), began: Wall(7) },
        end: Wall(9),
    };
    world.table.past.restore(world.at().0, vec![open.clone()], Vec::new());
    world.report((ONE, 7), &[], &[1]);
    world.report((ONE, 7), &[(1, HUNG_UP)], &[]);
    assert_eq!(short(&world.over()), ["1 of 5 at 1: Some(HungUp)"], "other nodes may have more of it");
    world.report((TWO, 8), &[], &[2]);
    world.pass(Span::minutes(1));
    assert_eq!(short(&world.over()), [""; 0]);
    world.report((TWO, 8), &[(2, HUNG_UP)], &[]);
    assert_eq!(short(&world.over()), ["2 of 5 at 2: Some(HungUp)", "standup 5"]);
    world.table.past.restore(world.at().0, vec![open.clone()], Vec::new());
    world.pass(Span::minutes(1));
    assert_eq!(world.over(), [Past::Conference(open)], "nobody was in it any more");
}

#[test]
fn call_that_ends_while_the_management_node_restarts_is_over_and_one_that_lasts_goes_on() {
    let mut before = World::default();
    before.report((ONE, 7), &[], &[1, 2]);
    before.report((TWO, 8), &[], &[3]);
    let stopped = before.at().1;
    before.report((TWO, 8), &[(3, MOVED)], &[]);
    let interrupted = before.table.interrupted();
    let stored: Vec<InterruptedCall> =
        serde_json::from_str(&serde_json::to_string(&interrupted).unwrap()).unwrap();
    assert_eq!(stored, interrupted);
    let mut world = World { passed: Span::minutes(1), ..World::default() };
    world.table.past.restore(world.at().0, Vec::new(), stored);
    world.report((ONE, 7), &[], &[2, 3]);
    world.pass(Span::minutes(1));
    let past = world.over();
    assert_eq!(short(&past), ["1 of 0 at 1: None"]);
    let [Past::Participant(one)] = &past[..] else { panic!("{past:?}") };
    assert_eq!(one.end, stopped);
    world.report((ONE, 7), &[(2, HUNG_UP), (3, HUNG_UP)], &[]);
    let expected = ["2 of 0 at 1: Some(HungUp)", "3 of 0 at 1: Some(HungUp)", "standup 0"];
    assert_eq!(short(&world.over()), expected);
}

#[test]
fn of_more_than_can_wait_the_first_are_lost_and_counted() {
    let mut world = World::default();
    for n in 0..31_000 {
        world.report((ONE, 7), &[], &[n]);
        world.report((ONE, 7), &[(n, HUNG_UP)], &[]);
    }
    let (past, lost) = world.table.past.take_over(usize::MAX);
    assert_eq!((past.len(), lost), (60_000, 2_000));
    assert_eq!(short(&past[..1]), ["1000 of 0 at 1: Some(HungUp)"]);
    assert_eq!(world.table.past.take_over(1), (Vec::new(), 0));
}

/// What the nodes of a run do all the time: calls go from process to process, in whatever order that is reported.
#[test]
fn whatever_moves_a_run_makes_each_call_is_one_participant_of_one_conference() {
    for seed in 0..50 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut world = World::default();
        let calls: Vec<u128> = (1..=8).collect();
        let mut starts = [1_u64, 1, 1];
        let node = |place: usize| NodeId(u32::try_from(place).unwrap() + 1);
        let mut place = 0;
        world.report((node(0), 1), &[], &calls);
        for _ in 0..20 {
            let to = rng.random_range(0..3);
            if to == place {
                starts[place] += 1;
                world.report((node(place), starts[place]), &[], &calls);
            } else {
                let leaves: Vec<_> = calls.iter().map(|id| (*id, MOVED)).collect();
                let is_seen_first = rng.random();
                if is_seen_first {
                    world.report((node(to), starts[to]), &[], &calls);
                }
                world.report((node(place), starts[place]), &leaves, &[]);
                world.pass(Span(rng.random_range(0..50_000)));
                if !is_seen_first {
                    world.report((node(to), starts[to]), &[], &calls);
                }
                place = to;
            }
            world.pass(Span(rng.random_range(0..50_000)));
            assert_eq!(short(&world.over()), [""; 0], "seed {seed}");
        }
        let leaves: Vec<_> = calls.iter().map(|id| (*id, HUNG_UP)).collect();
        world.report((node(place), starts[place]), &leaves, &[]);
        let past = world.over();
        assert_eq!(past.len(), calls.len() + 1, "seed {seed}: {:?}", short(&past));
        assert_eq!(short(&past[8..]), ["standup 0"]);
        let began = |past: &Past| match past {
            Past::Participant(past) => past.start,
            Past::Conference(past) => past.key.began,
        };
        assert!(past[..8].iter().all(|past| began(past) == Wall(BEGIN.1.0 - 60_000)), "seed {seed}");
    }
}
