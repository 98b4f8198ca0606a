//! Events of wall clocks: the alarms that they raise and lower, and the times that are shown.

use fleet::fact::{Fact, NodeFact};
use fleet::node::NodeId;
use fleet::platform::{Event, Fleet};
use fleet::time::{Offset, Time, Wall};
use fleet::wall::{Gap, STEADY_AFTER};

use crate::kit::{FIRST, NOW, fleet, node, of_nodes, platform, release};

const HOUR: u64 = 3_600_000;
const BY: Offset = Offset(3_600_000);

fn one_node() -> Fleet {
    fleet(platform(0), [node(0)])
}

#[test]
fn step_of_the_managers_wall_clock_is_reported_once_and_shown_times_follow_it() {
    let ahead = Wall(NOW.0 + HOUR);
    let counted = Event::WallClock { wall: ahead };
    let estimated =
        |gap| Event::ManagerStarted { release: release(0), fell_back: None, wall: Some((ahead, gap)) };
    for (event, gap) in [
        (counted, Gap::Counted),
        (estimated(Gap::Counted), Gap::Counted),
        (estimated(Gap::Estimated), Gap::Estimated),
    ] {
        let mut fleet = one_node();
        assert_eq!(fleet.apply(NOW, event.clone()).facts, [Fact::ClockStepped { by: BY, gap }]);
        assert_eq!(fleet.shown(NOW), ahead);
        assert_eq!(fleet.apply(NOW, event).facts, [], "the same reading is no step");
    }
    let mut fleet = one_node();
    assert_eq!(fleet.apply(NOW, Event::WallClock { wall: Wall(NOW.0) }).facts, []);
}

#[test]
fn wall_clock_is_steady_again_an_hour_after_its_last_step() {
    let mut fleet = one_node();
    fleet.apply(NOW, Event::WallClock { wall: Wall(NOW.0 + HOUR) });
    let steady_at = NOW + STEADY_AFTER;
    assert_eq!(fleet.next_deadline(), Some(steady_at));
    assert_eq!(fleet.apply(Time(steady_at.0 - 1), Event::DeadlinePassed).facts, []);
    assert_eq!(fleet.apply(steady_at, Event::DeadlinePassed).facts, [Fact::ClockSteady]);
    assert_eq!((fleet.next_deadline(), fleet.platform.wall.stepped_at()), (None, None));
    assert_eq!(fleet.apply(steady_at, Event::DeadlinePassed).facts, []);
}

#[test]
fn offset_of_a_nodes_wall_clock_is_reported_when_the_alarm_changes() {
    let mut fleet = one_node();
    let mut measured = |ahead: i64| {
        let ahead = Offset(ahead);
        let judged = fleet.nodes().get(FIRST).unwrap().clock_judged(ahead);
        let facts = of_nodes(&fleet.apply(NOW, Event::ClockOffset { id: FIRST, ahead }).facts);
        assert_eq!(fleet.nodes().get(FIRST).unwrap().clock_off, judged);
        facts
    };
    let minutes = |minutes: i64| minutes * 60_000;
    assert_eq!(measured(999), []);
    assert_eq!(measured(minutes(-5)), [NodeFact::ClockOff { ahead: Offset(minutes(-5)) }]);
    assert_eq!(measured(minutes(-5) + 999), [], "it is off by about the same");
    assert_eq!(measured(minutes(120)), [NodeFact::ClockOff { ahead: Offset(minutes(120)) }]);
    assert_eq!(measured(0), [NodeFact::ClockRight]);
    assert_eq!(measured(0), []);
    let of_nobody = Event::ClockOffset { id: NodeId(9), ahead: Offset(minutes(5)) };
    assert_eq!(fleet.apply(NOW, of_nobody).facts, []);
}
