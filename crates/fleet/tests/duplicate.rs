//! Two machines under one identity: when they are detected, and what a run does then.

#[allow(dead_code)] // The reports of the other tests are not needed here.
mod support;

use core::net::{IpAddr, Ipv4Addr};

use fleet::desired::Generation;
use fleet::fact::{Fact, NodeFact};
use fleet::node::{Contact, Duty, NodeId};
use fleet::observed::{Admission, Calls, Observed, ReleaseState, Staging};
use fleet::platform::{Blocker, Event, Fleet, Warning};
use fleet::policy::Policy;
use fleet::progress::{Failure, Phase, Progress};
use fleet::run::Outcome;
use fleet::starts::{DUPLICATE_OVER, Process, StartId};
use fleet::status::Waits;
use fleet::time::{Span, Time};
use fleet::version::Sha256;

use support::{NODE, package, progress, release};

const OTHER: NodeId = NodeId(2);
/// How often a process reports.
const EVERY: u64 = 10_000;

/// A process of a node's program, with what its last answer named.
struct Reporter {
    id: NodeId,
    start: Option<StartId>,
    beside: Option<StartId>,
    runs: u16,
    calls: u32,
}

/// A report in flight.
#[derive(Clone)]
struct Message(NodeId, Observed);

impl Reporter {
    fn new(id: NodeId, start: u64, runs: u16) -> Self {
        Self { id, start: Some(StartId(start)), beside: None, runs, calls: 0 }
    }

    /// One that runs release 34, which has no numbers.
    fn unnumbered(id: NodeId) -> Self {
        Self { id, start: None, beside: None, runs: 0, calls: 0 }
    }

    /// Its report at a time of its own clock. It does all that is wanted but a restart.
    fn report(&self, fleet: &Fleet, at: u64) -> Message {
        let wanted = fleet.wanted(self.id).unwrap();
        let address = self.start.map(|start| {
            let last = u8::try_from(start.0).unwrap();
            IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
        });
        let refuses = !wanted.intent.owners.is_empty();
        let observed = Observed {
            at: Time(at),
            generation: wanted.generation,
            release: release(self.runs),
            release_state: ReleaseState::Confirmed,
            admission: if refuses { Admission::Refusing } else { Admission::Admitting },
            calls: Calls::Known { count: self.calls, oldest: (self.calls > 0).then_some(Span(at)) },
            staging: Staging::Staged { manifest: Sha256([1; 32]) },
            unfit: None,
            start_fault: None,
            process: self.start.map(|start| Process { start, beside: self.beside, address }),
        };
        Message(self.id, observed)
    }

    /// Sends its report and receives the answer.
    fn sends_report(&mut self, fleet: &mut Fleet, at: u64) -> Vec<Fact> {
        let message = self.report(fleet, at);
        let facts = arrives(fleet, at, message);
        self.beside = self.start.and_then(|start| fleet.nodes().get(self.id)?.starts.beside(start));
        facts
    }
}

fn arrives(fleet: &mut Fleet, at: u64, Message(id, observed): Message) -> Vec<Fact> {
    let mut facts = Vec::new();
    while fleet.next_deadline().is_some_and(|deadline| deadline <= Time(at)) {
        facts.extend(fleet.apply(Time(at), Event::DeadlinePassed).facts);
    }
    if fleet.is_news(id, Time(at), &observed) {
        facts.extend(fleet.apply(Time(at), Event::Report { id, observed }).facts);
        return facts;
    }
    let before = fleet.clone();
    let more = fleet.apply(Time(at), Event::Report { id, observed }).facts;
    assert_eq!((before, more), (fleet.clone(), Vec::new()), "an unchanged report has changed something");
    facts
}

fn of(facts: &[Fact], id: NodeId) -> Vec<NodeFact> {
    let of_it = facts.iter().filter_map(Fact::of_node).filter(|(node, _)| *node == id);
    of_it.map(|(_, what)| what.clone()).collect()
}

fn platform() -> Fleet {
    let mut fleet = Fleet::new(release(0), Policy::standard());
    for id in [NODE, OTHER] {
        fleet.apply(Time(0), Event::NodeAdded { id, name: format!("node{id}"), duty: Duty::AlwaysOn });
    }
    fleet
}

/// The processes report in turn for so many rounds; the time of the last report, and all facts.
fn in_turn(fleet: &mut Fleet, from: u64, rounds: u64, who: &mut [&mut Reporter]) -> (u64, Vec<Fact>) {
    let (mut at, mut facts) = (from, Vec::new());
    for _ in 0..rounds {
        for reporter in who.iter_mut() {
            at += EVERY / 2;
            facts.extend(reporter.sends_report(fleet, at));
        }
    }
    (at, facts)
}

fn is_duplicate(fleet: &Fleet) -> bool {
    fleet.nodes().get(NODE).unwrap().duplicate().is_some()
}

/// Two processes of the first node, on the release that the platform has, and one of the second.
fn duplicated() -> (Fleet, Reporter, Reporter, Reporter, u64) {
    let mut fleet = platform();
    let (mut one, mut copy) = (Reporter::new(NODE, 1, 0), Reporter::new(NODE, 2, 0));
    let mut other = Reporter::new(OTHER, 9, 0);
    let (at, _) = in_turn(&mut fleet, 0, 3, &mut [&mut one, &mut copy, &mut other]);
    assert!(is_duplicate(&fleet));
    (fleet, one, copy, other, at)
}

/// A run whose Management Node is upgraded.
fn start(fleet: &mut Fleet, at: u64) {
    fleet.start(package(1), Policy::standard(), Time(at)).unwrap();
    fleet.apply(Time(at), Event::ManagerStaged);
    fleet.apply(Time(at), Event::ManagerStarted { release: release(1), fell_back: None, wall: None });
}

#[test]
fn two_processes_that_report_in_turn_are_detected_once_and_named_with_their_addresses() {
    let mut fleet = platform();
    let (mut one, mut copy) = (Reporter::new(NODE, 1, 0), Reporter::new(NODE, 2, 0));
    let (at, facts) = in_turn(&mut fleet, 0, 100, &mut [&mut one, &mut copy]);
    let raised: Vec<&Fact> =
        facts.iter().filter(|fact| matches!(fact.of_node(), Some((_, NodeFact::Duplicated(_))))).collect();
    assert_eq!(raised.len(), 1, "{facts:?}");
    let text = raised[0].to_string();
    assert!(text.contains("10.0.0.1") && text.contains("10.0.0.2"), "{text}");
    assert_eq!(facts.len(), 2, "there is more than one contact and one alarm: {facts:?}");
    assert!(matches!(fleet.waits(NODE, Time(at)), Some(Waits::Duplicate { .. })));
}

#[test]
fn restart_is_no_duplicate_however_late_the_reports_of_the_process_before_arrive() {
    let mut fleet = platform();
    let mut before = Reporter::new(NODE, 1, 0);
    in_turn(&mut fleet, 0, 3, &mut [&mut before]);
    // All its last messages arrive after its successor has reported, with times ahead of it.
    let late: Vec<Message> = (0..20).map(|n| before.report(&fleet, 1_000_000 + n * 7)).collect();
    let mut after = Reporter::new(NODE, 2, 0);
    let mut at = 40_000;
    for message in late.iter().chain(&late) {
        after.sends_report(&mut fleet, at);
        arrives(&mut fleet, at + 1, message.clone());
        after.sends_report(&mut fleet, at + 2);
        at += EVERY;
    }
    assert!(!is_duplicate(&fleet));
}

#[test]
fn upgrade_from_a_release_without_numbers_is_no_duplicate() {
    let mut fleet = platform();
    let mut old = Reporter::unnumbered(NODE);
    in_turn(&mut fleet, 0, 5, &mut [&mut old]);
    let (first, second) = (old.report(&fleet, 900_000), old.report(&fleet, 900_001));
    let mut new = Reporter::new(NODE, 1, 1);
    for (n, late) in [first, second].into_iter().enumerate() {
        new.sends_report(&mut fleet, 100_000 + n as u64 * 3);
        arrives(&mut fleet, 100_001 + n as u64 * 3, late);
    }
    in_turn(&mut fleet, 900_100, 5, &mut [&mut new]);
    assert!(!is_duplicate(&fleet));
}

#[test]
fn copy_that_runs_a_release_without_numbers_is_detected_by_reports_that_alternate() {
    let mut fleet = platform();
    let (mut one, mut copy) = (Reporter::new(NODE, 1, 1), Reporter::unnumbered(NODE));
    in_turn(&mut fleet, 0, 4, &mut [&mut one, &mut copy]);
    let two = fleet.nodes().get(NODE).unwrap().duplicate().copied();
    // The process on the older release counts.
    assert_eq!(two.map(|two| (two.believed.release, two.other.release)), Some((release(0), release(1))));
}

#[test]
fn duplicate_is_over_when_only_one_was_heard_for_long_enough() {
    let (mut fleet, mut one, mut copy, _, at) = duplicated();
    let (at, facts) = in_turn(&mut fleet, at, DUPLICATE_OVER.0 / EVERY * 2, &mut [&mut one, &mut copy]);
    assert_eq!(of(&facts, NODE), []);
    let alone = DUPLICATE_OVER.0 / EVERY * 2;
    let (at, facts) = in_turn(&mut fleet, at, alone - 30, &mut [&mut one]);
    assert_eq!(of(&facts, NODE), [], "it is over too early");
    let (at, facts) = in_turn(&mut fleet, at, 40, &mut [&mut one]);
    assert_eq!(of(&facts, NODE), [NodeFact::DuplicateOver]);
    // A copy that was cut off and is back is noticed again.
    let (_, facts) = in_turn(&mut fleet, at, 3, &mut [&mut one, &mut copy]);
    assert!(matches!(of(&facts, NODE)[..], [NodeFact::Duplicated(_)]), "{facts:?}");
}

#[test]
fn silence_of_both_does_not_end_a_duplicate() {
    let (mut fleet, mut one, _, _, at) = duplicated();
    fleet.apply(Time(at), Event::LinkDown { id: NODE });
    let later = at + Span::hours(2).0;
    fleet.apply(Time(later), Event::DeadlinePassed);
    one.sends_report(&mut fleet, later);
    one.sends_report(&mut fleet, later + EVERY);
    assert!(is_duplicate(&fleet));
}

#[test]
fn status_of_a_duplicated_node_does_not_alternate() {
    let (mut fleet, mut one, mut copy, _, at) = duplicated();
    copy.calls = 3;
    let held = fleet.nodes().get(NODE).unwrap().observed.clone();
    let mut seen = std::collections::BTreeSet::new();
    for n in 1..50 {
        let who = if n % 2 == 0 { &mut one } else { &mut copy };
        who.sends_report(&mut fleet, at + n * EVERY / 2);
        let observed = fleet.nodes().get(NODE).unwrap().observed.clone().unwrap();
        seen.insert(format!("{:?}", observed.calls));
    }
    assert_eq!(seen.len(), 1, "{seen:?} after {held:?}");
}

#[test]
fn reports_of_the_other_are_believed_when_the_believed_one_is_gone() {
    let (mut fleet, mut one, mut copy, _, at) = duplicated();
    (one.calls, copy.calls) = (1, 2);
    let (at, _) = in_turn(&mut fleet, at, 2, &mut [&mut one, &mut copy]);
    let calls = |fleet: &Fleet| fleet.nodes().get(NODE).unwrap().observed.clone().unwrap().calls;
    let believed = calls(&fleet);
    let rest = if believed == (Calls::Known { count: 1, oldest: None }) { &mut copy } else { &mut one };
    in_turn(&mut fleet, at, 60, &mut [rest]);
    assert_ne!(calls(&fleet), believed);
}

/// A restart has another number, and the copy goes on all the while.
#[test]
fn restarted_process_is_believed_again_while_the_copy_goes_on() {
    let (mut fleet, mut one, mut copy, _, at) = duplicated();
    (one.calls, copy.calls) = (1, 1);
    let (at, _) = in_turn(&mut fleet, at, 2, &mut [&mut one, &mut copy]);
    let believed = fleet.nodes().get(NODE).unwrap().observed.clone().unwrap().process.unwrap().start;
    let rest = if Some(believed) == one.start { &mut copy } else { &mut one };
    let mut restarted = Reporter { calls: 7, ..Reporter::new(NODE, 5, 0) };
    rest.calls = 8;
    in_turn(&mut fleet, at, 60, &mut [rest, &mut restarted]);
    let calls = fleet.nodes().get(NODE).unwrap().observed.clone().unwrap().calls;
    assert_ne!(calls, Calls::Known { count: 1, oldest: None }, "what is shown is frozen");
    assert!(is_duplicate(&fleet));
}

/// The holder of a stolen key may report any time.
#[test]
fn duplicate_whose_reports_have_the_last_possible_time_ends_all_the_same() {
    let (mut fleet, mut one, mut copy, _, at) = duplicated();
    (one.calls, copy.calls) = (8, 9);
    // Whichever of the two is believed: its stored report has the last possible time.
    for reporter in [&copy, &one] {
        let Message(id, mut last) = reporter.report(&fleet, at);
        last.at = Time(u64::MAX);
        arrives(&mut fleet, at, Message(id, last));
    }
    assert_eq!(fleet.nodes().get(NODE).unwrap().observed.as_ref().unwrap().at, Time(u64::MAX));
    let mut facts = Vec::new();
    for n in 0..DUPLICATE_OVER.0 / EVERY * 2 {
        let now = at + n * EVERY;
        let Message(id, mut observed) = one.report(&fleet, now);
        observed.at = Time(u64::MAX);
        facts.extend(arrives(&mut fleet, now, Message(id, observed)));
        one.beside = fleet.nodes().get(NODE).unwrap().starts.beside(one.start.unwrap());
    }
    assert!(of(&facts, NODE).contains(&NodeFact::DuplicateOver), "{facts:?}");
}

#[test]
fn new_enrolment_ends_a_duplicate() {
    let (mut fleet, _, _, _, at) = duplicated();
    let enrolled = Event::NodeEnrolled { id: NODE, release: Some(release(0)) };
    assert_eq!(of(&fleet.apply(Time(at), enrolled).facts, NODE), [NodeFact::DuplicateOver]);
    assert!(!is_duplicate(&fleet));
}

#[test]
fn duplicate_blocks_a_start_and_is_named_with_what_to_do() {
    let (fleet, _, _, _, at) = duplicated();
    let check = fleet.check_start(&package(1), Time(at));
    let [Blocker::Duplicate { node, two: _ }] = &check.blockers[..] else { panic!("{check:?}") };
    assert_eq!(node, "node1");
    let text = check.blockers[0].to_string();
    for part in ["10.0.0.1", "10.0.0.2", "switch off", "pitlane node enrol", "20 min"] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
}

/// The copy appears while the run is under way, and the node was upgraded.
#[test]
fn run_does_not_count_a_duplicated_node_as_upgraded_and_is_not_complete() {
    let mut fleet = platform();
    let (mut one, mut other) = (Reporter::new(NODE, 1, 0), Reporter::new(OTHER, 9, 0));
    other.calls = 1;
    let (at, _) = in_turn(&mut fleet, 0, 3, &mut [&mut one, &mut other]);
    start(&mut fleet, at);
    let (at, _) = in_turn(&mut fleet, at, 4, &mut [&mut one, &mut other]);
    assert!(matches!(progress(&fleet).phase(), Some(Phase::Installing { .. })), "{:?}", progress(&fleet));
    let mut upgraded = Reporter::new(NODE, 3, 1);
    let (at, _) = in_turn(&mut fleet, at, 3, &mut [&mut upgraded, &mut other]);
    assert!(matches!(progress(&fleet), Progress::Upgraded { .. }), "{:?}", progress(&fleet));
    let mut copy = Reporter::new(NODE, 4, 0);
    copy.calls = 2;
    let (at, facts) = in_turn(&mut fleet, at, 4, &mut [&mut upgraded, &mut copy, &mut other]);
    assert!(matches!(of(&facts, NODE)[..], [NodeFact::Duplicated(_), NodeFact::Queued]), "{facts:?}");
    assert!(matches!(progress(&fleet), Progress::Pending { .. }), "{:?}", progress(&fleet));
    // The other node finishes: the run is over, and not complete.
    other = Reporter::new(OTHER, 8, 1);
    let (_, facts) = in_turn(&mut fleet, at, 100, &mut [&mut upgraded, &mut copy, &mut other]);
    let outcomes: Vec<&Outcome> = facts.iter().filter_map(outcome).collect();
    assert_eq!(outcomes, [&Outcome::Incomplete], "{facts:?}");
    assert_eq!(of(&facts, NODE), [NodeFact::Failed { why: Failure::Duplicate }]);
}

fn outcome(fact: &Fact) -> Option<&Outcome> {
    if let Fact::RunEnded { outcome, .. } = fact { Some(outcome) } else { None }
}

#[test]
fn attempt_at_a_node_that_is_found_to_be_two_is_given_up_and_both_take_calls() {
    let mut fleet = platform();
    let (mut one, mut other) = (Reporter::new(NODE, 1, 0), Reporter::new(OTHER, 9, 0));
    (one.calls, other.calls) = (1, 1);
    let (at, _) = in_turn(&mut fleet, 0, 3, &mut [&mut one, &mut other]);
    start(&mut fleet, at);
    let (at, _) = in_turn(&mut fleet, at, 4, &mut [&mut one, &mut other]);
    assert!(matches!(progress(&fleet).phase(), Some(Phase::Draining { .. })), "{:?}", progress(&fleet));
    let mut copy = Reporter::new(NODE, 2, 0);
    let (_, facts) = in_turn(&mut fleet, at, 4, &mut [&mut one, &mut copy, &mut other]);
    assert!(is_duplicate(&fleet) && fleet.wanted(NODE).unwrap().intent.owners.is_empty(), "{facts:?}");
    assert_eq!(of(&facts, NODE).last(), Some(&NodeFact::Failed { why: Failure::Duplicate }));
}

#[test]
fn node_that_is_one_again_during_the_run_is_upgraded_by_it() {
    let mut fleet = platform();
    let (mut one, mut copy) = (Reporter::new(NODE, 1, 0), Reporter::new(NODE, 2, 0));
    let mut other = Reporter::new(OTHER, 9, 0);
    other.calls = 1;
    let (at, _) = in_turn(&mut fleet, 0, 1, &mut [&mut one, &mut copy, &mut other]);
    fleet.start(package(1), Policy::standard(), Time(at)).unwrap();
    let (at, _) = in_turn(&mut fleet, at, 3, &mut [&mut one, &mut copy, &mut other]);
    assert!(is_duplicate(&fleet));
    fleet.apply(Time(at), Event::ManagerStaged);
    fleet.apply(Time(at), Event::ManagerStarted { release: release(1), fell_back: None, wall: None });
    let (at, facts) = in_turn(&mut fleet, at, 10, &mut [&mut one, &mut copy, &mut other]);
    assert!(!of(&facts, NODE).contains(&NodeFact::Preparing), "{facts:?}");
    let (_, facts) = in_turn(&mut fleet, at, 130, &mut [&mut one, &mut other]);
    let reported = of(&facts, NODE);
    assert_eq!(reported[..2], [NodeFact::DuplicateOver, NodeFact::Preparing], "{facts:?}");
}

#[test]
fn node_with_calls_that_is_one_again_counts_as_upgraded_at_once() {
    let mut fleet = platform();
    let (mut one, mut copy) = (Reporter::new(NODE, 1, 0), Reporter::new(NODE, 2, 0));
    let mut other = Reporter::new(OTHER, 9, 0);
    other.calls = 1;
    let (at, _) = in_turn(&mut fleet, 0, 1, &mut [&mut one, &mut copy, &mut other]);
    start(&mut fleet, at);
    for machine in [&mut one, &mut copy] {
        (machine.runs, machine.calls) = (1, 1);
    }
    let (at, _) = in_turn(&mut fleet, at, 3, &mut [&mut one, &mut copy, &mut other]);
    assert!(is_duplicate(&fleet));
    let (_, facts) = in_turn(&mut fleet, at, 130, &mut [&mut one, &mut other]);
    let reported = of(&facts, NODE);
    assert!(matches!(reported[..], [NodeFact::DuplicateOver, NodeFact::Upgraded { .. }]), "{facts:?}");
}

#[test]
fn repeat_goes_on_without_a_duplicated_node_while_another_is_left() {
    let mut fleet = platform();
    let (mut one, mut other) = (Reporter::new(NODE, 1, 0), Reporter::new(OTHER, 9, 0));
    other.calls = 1;
    let (at, _) = in_turn(&mut fleet, 0, 1, &mut [&mut one, &mut other]);
    start(&mut fleet, at);
    // Somebody restarts the Management Node, so another run may be started.
    fleet.apply(Time(at), Event::ManagerStarted { release: release(1), fell_back: None, wall: None });
    let mut copy = Reporter::new(NODE, 2, 1);
    one = Reporter::new(NODE, 3, 1);
    let (at, _) = in_turn(&mut fleet, at, 3, &mut [&mut one, &mut copy, &mut other]);
    let check = fleet.check_start(&package(1), Time(at));
    assert!(check.blockers.is_empty(), "{check:?}");
    assert!(matches!(&check.warnings[..], [Warning::Duplicate { .. }]), "{check:?}");
    other = Reporter::new(OTHER, 8, 1);
    let (at, _) = in_turn(&mut fleet, at, 3, &mut [&mut one, &mut copy, &mut other]);
    let check = fleet.check_start(&package(1), Time(at));
    let blocks = check.blockers.iter().any(|blocker| matches!(blocker, Blocker::Duplicate { .. }));
    let nothing = check.blockers.iter().any(|blocker| matches!(blocker, Blocker::NothingToDo { .. }));
    assert!(blocks && !nothing, "{check:?}");
}

/// A copy from before an upgrade that was heard alone looks like a restored machine until the original
/// reports again, here one that has not been brought to the release of the Management Node either.
#[test]
fn neither_of_two_machines_is_kept_out_of_service_as_restored() {
    let mut fleet = platform();
    fleet.apply(Time(0), Event::ManagerStarted { release: release(2), fell_back: None, wall: None });
    let (mut original, mut copy) = (Reporter::new(NODE, 1, 1), Reporter::new(NODE, 2, 0));
    let held = |fleet: &Fleet| fleet.nodes().get(NODE).unwrap().out_of_date.is_some();
    let (at, _) = in_turn(&mut fleet, 0, 3, &mut [&mut original]);
    let (at, _) = in_turn(&mut fleet, at, 20, &mut [&mut copy]);
    assert!(held(&fleet) && !is_duplicate(&fleet));
    let (at, _) = in_turn(&mut fleet, at, 3, &mut [&mut original, &mut copy]);
    assert!(is_duplicate(&fleet) && !held(&fleet));
    in_turn(&mut fleet, at, 20, &mut [&mut original, &mut copy]);
    assert!(is_duplicate(&fleet) && !held(&fleet));
}

/// A message that was doubled or overtaken shows of no process that it runs.
#[test]
fn reports_that_alternate_without_a_later_time_are_no_duplicate() {
    for (step, detected) in [(0, false), (1, true)] {
        let mut fleet = platform();
        let (one, copy) = (Reporter::new(NODE, 1, 1), Reporter::unnumbered(NODE));
        for n in 0..20 {
            let who = if n % 2 == 0 { &one } else { &copy };
            let message = who.report(&fleet, 5 + n * step);
            arrives(&mut fleet, 100 + n, message);
        }
        assert_eq!(is_duplicate(&fleet), detected);
    }
}

#[test]
fn report_is_late_when_it_was_made_before_the_last_one() {
    for (made_at, taken) in [(99, false), (100, true), (101, true)] {
        let mut fleet = platform();
        let mut node = Reporter::new(NODE, 1, 0);
        node.sends_report(&mut fleet, 100);
        node.calls = 4;
        let message = node.report(&fleet, made_at);
        arrives(&mut fleet, 110, message);
        let calls = fleet.nodes().get(NODE).unwrap().observed.clone().unwrap().calls;
        assert_eq!(matches!(calls, Calls::Known { count: 4, .. }), taken, "made at {made_at}");
    }
}

/// Whether a report that arrives now would be used, and whether it would change anything.
fn judged(fleet: &Fleet, at: u64, Message(id, observed): &Message) -> (bool, bool) {
    (fleet.believes(*id, Time(at), observed), fleet.is_news(*id, Time(at), observed))
}

/// The one of the two whose reports are not used.
fn unbelieved<'a>(fleet: &Fleet, at: u64, one: &'a mut Reporter, copy: &'a mut Reporter) -> &'a mut Reporter {
    let [first, second] = [&*one, &*copy].map(|who| judged(fleet, at, &who.report(fleet, at)).0);
    assert_ne!(first, second, "both are used, or neither");
    if first { copy } else { one }
}

#[test]
fn reports_of_one_machine_alone_are_used_while_two_report_and_those_of_nobody_unknown() {
    let (fleet, mut one, mut copy, other, at) = duplicated();
    let at = at + 1;
    unbelieved(&fleet, at, &mut one, &mut copy);
    let Message(_, observed) = other.report(&fleet, at);
    assert_eq!(judged(&fleet, at, &Message(OTHER, observed.clone())), (true, false));
    assert_eq!(judged(&fleet, at, &Message(NodeId(9), observed)), (false, false));
}

#[test]
fn report_of_the_machine_that_is_not_believed_is_news_when_it_has_accepted_a_later_generation() {
    let (mut fleet, mut one, mut copy, _, at) = duplicated();
    let at = at + 1;
    fleet.apply(Time(at), Event::Maintenance { id: NODE, operator: Some("fan".into()) });
    let wanted = fleet.wanted(NODE).unwrap().generation;
    let who = unbelieved(&fleet, at, &mut one, &mut copy);
    for (n, is_news) in [(wanted.n - 1, false), (wanted.n, false), (wanted.n + 1, true)] {
        let Message(id, mut observed) = who.report(&fleet, at);
        observed.generation = Generation { n, ..wanted };
        assert_eq!(judged(&fleet, at, &Message(id, observed.clone())), (false, is_news), "generation {n}");
        if is_news {
            fleet.apply(Time(at), Event::Report { id, observed });
        }
    }
    assert!(fleet.wanted(NODE).unwrap().generation > Generation { n: wanted.n + 1, ..wanted });
}

/// Also by a report that was overtaken, which shows of no process that it runs now.
#[test]
fn machine_that_is_not_believed_keeps_the_link_up() {
    let (mut fleet, mut one, mut copy, _, at) = duplicated();
    let who = unbelieved(&fleet, at + 1, &mut one, &mut copy);
    let late = who.report(&fleet, 1);
    let held = fleet.nodes().get(NODE).unwrap().observed.clone();
    fleet.apply(Time(at), Event::LinkDown { id: NODE });
    let lost_at = Time(at) + Policy::standard().silent_after;
    fleet.apply(lost_at, Event::DeadlinePassed);
    let now = lost_at.0 + 1;
    assert_eq!(judged(&fleet, now, &late), (false, true));
    let facts = arrives(&mut fleet, now, late);
    let after = Time(now).since(Time(at));
    assert_eq!(of(&facts, NODE), [NodeFact::ContactRestored { after }]);
    let node = fleet.nodes().get(NODE).unwrap();
    assert_eq!((node.contact, &node.observed), (Contact::Heard, &held));
}

/// Each of these records is an event that is stored.
#[test]
fn two_machines_that_go_on_reporting_are_recorded_once_a_minute_each() {
    let (mut fleet, mut one, mut copy, _, at) = duplicated();
    let (minutes, mut recorded) = (10, 0);
    for n in 1..=minutes * 12 {
        let who = if n % 2 == 0 { &mut one } else { &mut copy };
        let now = at + n * EVERY / 2;
        let (_, is_news) = judged(&fleet, now, &who.report(&fleet, now));
        recorded += u64::from(is_news);
        who.sends_report(&mut fleet, now);
    }
    assert!((minutes..=minutes * 2).contains(&recorded), "{recorded} in {minutes} minutes");
}

/// The processes of two machines are known, and one restart of each.
#[test]
fn two_processes_are_detected_although_two_others_have_reported_in_between() {
    let mut fleet = platform();
    for (n, (start, beside)) in
        [(1, None), (2, Some(1)), (3, None), (4, None), (1, Some(2))].into_iter().enumerate()
    {
        assert!(!is_duplicate(&fleet));
        let reporter = Reporter { beside: beside.map(StartId), ..Reporter::new(NODE, start, 0) };
        let at = (n as u64 + 1) * EVERY;
        let message = reporter.report(&fleet, at);
        arrives(&mut fleet, at, message);
    }
    assert!(is_duplicate(&fleet));
}

#[test]
fn machine_that_is_alone_again_is_named_no_other() {
    let (mut fleet, mut one, _, _, at) = duplicated();
    assert!(one.beside.is_some());
    in_turn(&mut fleet, at, DUPLICATE_OVER.0 / EVERY * 2 + 60, &mut [&mut one]);
    assert!(!is_duplicate(&fleet));
    assert_eq!(one.beside, None);
}
