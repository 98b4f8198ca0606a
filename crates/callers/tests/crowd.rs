//! A crowd over test nodes that work and over ones with defects: the log must contain failures in the second case and
//! none in the first.

mod support;

use std::time::Duration;

use callers::call_log::{Drain, Failure, Why};
use callers::time::Millis;
use callers::{CallLog, Cause, Crowd, CrowdSettings, Lengths, Mode, NodeName, Pin, Room};
use support::{Defect, LOOPBACK, TestNode};

/// Far longer than any wait takes on an idle machine.
const TIMEOUT: Duration = Duration::from_secs(40);

fn settings(nodes: &[&TestNode], minimum: usize) -> CrowdSettings {
    let rooms = (0..3).map(|n| Room { alias: format!("room{n}"), seats: 6 }).collect();
    let nodes = nodes.iter().map(|node| node.node.clone()).collect();
    let lengths = Lengths {
        median: Millis::seconds(60),
        spread: 0.5,
        shortest: Millis::seconds(30),
        longest: Millis::seconds(90),
    };
    CrowdSettings {
        minimum,
        spare: 0,
        lengths,
        refresh_every: Some(Millis::seconds(2)),
        ..CrowdSettings::new(LOOPBACK, nodes, rooms)
    }
}

fn brief() -> Lengths {
    Lengths { median: Millis(2500), spread: 0.5, shortest: Millis(1000), longest: Millis::seconds(5) }
}

async fn until(crowd: &Crowd, what: &str, condition: impl Fn(&CallLog) -> bool) {
    let wait = async {
        while !condition(&crowd.log()) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let met = tokio::time::timeout(TIMEOUT, wait).await;
    assert!(met.is_ok(), "timed out waiting for: {what}; {:#?}", crowd.log().totals());
}

async fn start(settings: CrowdSettings) -> Crowd {
    let crowd = Crowd::start(settings).await.unwrap();
    tokio::time::timeout(TIMEOUT, crowd.populated()).await.expect("the crowd is complete in time");
    crowd
}

/// Waits until every call that is alive has received more than this number of windows of 100 ms.
async fn all_have_received(crowd: &Crowd, windows: u64) {
    until(crowd, "all calls have received audio", |log| {
        log.calls.values().filter(|call| call.ended.is_none()).all(|call| call.sound.windows > windows)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crowd_over_nodes_without_defects_has_no_failures() {
    let (x, y) = (TestNode::start("x").await, TestNode::start("y").await);
    let crowd = start(CrowdSettings { lengths: brief(), spare: 2, ..settings(&[&x, &y], 16) }).await;
    until(&crowd, "calls have begun and ended", |log| log.totals().ended_by_caller >= 30).await;
    let log = crowd.stop().await;
    assert_eq!(log.failures(), vec![]);
    let totals = log.totals();
    assert_eq!((totals.alive, totals.lost, totals.refused_for_good), (0, 0, 0));
    assert!(totals.packets > 1000);
    assert!(log.fewest_alive >= Some(14), "{:?}", log.fewest_alive);
    let json = serde_json::to_string(&log).unwrap();
    assert_eq!(serde_json::from_str::<CallLog>(&json).unwrap(), log);
}

#[tokio::test(flavor = "multi_thread")]
async fn caller_that_is_not_heard_is_a_failure_of_all_others() {
    let x = TestNode::start("x").await;
    let one_room = vec![Room { alias: "lobby".to_owned(), seats: 4 }];
    let crowd = start(CrowdSettings { rooms: one_room, ..settings(&[&x], 4) }).await;
    all_have_received(&crowd, 30).await;
    assert_eq!(crowd.log().failures(), vec![]);
    *x.defect.lock().unwrap() = Defect::Mute(1);
    until(&crowd, "the tone is missing", |log| log.missing.len() == 3).await;
    let log = crowd.log();
    let muted = log.calls.keys().nth(1).cloned();
    assert!(log.missing.iter().all(|missing| missing.speaker == muted));
    assert!(log.missing.iter().all(|missing| missing.missing.lasted >= Millis::seconds(2)));
    *x.defect.lock().unwrap() = Defect::None;
    until(&crowd, "the gap has ended", |log| log.missing.iter().all(|missing| missing.missing.over)).await;
    let log = crowd.stop().await;
    assert_eq!((log.totals().tones_missing, log.totals().lost), (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn echo_and_leak_between_rooms_are_failures() {
    let x = TestNode::start("x").await;
    let crowd = start(settings(&[&x], 10)).await;
    all_have_received(&crowd, 30).await;
    assert_eq!(crowd.log().failures(), vec![]);
    *x.defect.lock().unwrap() = Defect::Echo;
    until(&crowd, "all receive their own tone", |log| log.totals().own_tone == 10).await;
    *x.defect.lock().unwrap() = Defect::Leak;
    until(&crowd, "tones of other conferences are received", |log| log.totals().strangers > 0).await;
    let log = crowd.stop().await;
    assert!(log.failures().iter().any(|failure| matches!(failure, Failure::Stranger { .. })));
    assert_eq!(log.totals().lost, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_dial_the_other_node_in_maintenance_mode_and_pinned_calls_last_through_the_drain() {
    let (x, y) = (TestNode::start("x").await, TestNode::start("y").await);
    let crowd = start(CrowdSettings { lengths: brief(), ..settings(&[&x, &y], 12) }).await;
    let name = NodeName("x".to_owned());
    let pin = Pin { node: name.clone(), alias: "board".to_owned(), length: Millis::seconds(600) };
    let (first, second) = (crowd.pin(pin.clone()).await.unwrap(), crowd.pin(pin).await.unwrap());
    let from = crowd.clock().now();
    *x.closed.lock().unwrap() = true;
    let only_pinned = |log: &CallLog| log.by_node()[&name].alive == 2 && log.totals().placed_elsewhere >= 3;
    until(&crowd, "only the pinned calls are left", only_pinned).await;
    let to = crowd.clock().now();
    for id in [&first, &second] {
        assert_eq!(crowd.hang_up(id).await.unwrap().cause, Cause::HungUp);
    }
    let log = crowd.stop().await;
    assert_eq!(log.failures(), vec![]);
    let report = log.drain(&Drain { node: name.clone(), from, to, slack: Millis(0) });
    assert_eq!((report.lived_through, report.lost, report.answered), (2, 0, 0));
    assert!(report.carried > 2 && report.refused >= 3 && report.placed_elsewhere >= 3, "{report:?}");
    assert!(log.moves()[&(name, NodeName("y".to_owned()))] >= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_all_nodes_refuse_are_counted_and_no_call_is_lost() {
    let x = TestNode::start("x").await;
    *x.closed.lock().unwrap() = true;
    let crowd =
        Crowd::start(CrowdSettings { redial_pause: Millis(100), ..settings(&[&x], 3) }).await.unwrap();
    until(&crowd, "callers gave up", |log| log.totals().refused_for_good >= 4).await;
    let log = crowd.stop().await;
    assert!(log.given_up.iter().all(|caller| caller.refusals[0].why == Why::MaintenanceMode));
    assert!(log.failures().is_empty() && log.calls.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_crashes_loses_all_its_calls() {
    let (x, y) = (TestNode::start("x").await, TestNode::start("y").await);
    let crowd =
        start(CrowdSettings { silence: Millis::seconds(2), mode: Mode::Udp, ..settings(&[&x, &y], 10) })
            .await;
    all_have_received(&crowd, 10).await;
    let on_x = crowd.log().by_node()[&x.node.name].alive;
    assert!(on_x > 0);
    x.kill();
    until(&crowd, "the calls are lost", |log| log.by_node()[&x.node.name].lost == on_x).await;
    let log = crowd.stop().await;
    assert_eq!(log.by_node()[&x.node.name].lost, on_x);
    assert_eq!(log.by_node()[&y.node.name].lost, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn call_that_the_node_hangs_up_is_lost_and_its_tone_is_not_missing() {
    let x = TestNode::start("x").await;
    let one_room = vec![Room { alias: "lobby".to_owned(), seats: 6 }];
    let crowd = start(CrowdSettings { rooms: one_room, ..settings(&[&x], 3) }).await;
    let target = crowd.log().calls.keys().next().cloned().unwrap();
    x.hang_up(&target.0).await;
    until(&crowd, "the call is lost", |log| log.totals().lost == 1).await;
    all_have_received(&crowd, 40).await;
    let log = crowd.stop().await;
    let [Failure::Lost { call, ended, .. }] = &log.failures()[..] else { panic!("{:?}", log.failures()) };
    assert_eq!((call, &ended.cause), (&target, &Cause::FarEndBye { reason: None }));
}

#[tokio::test(flavor = "multi_thread")]
async fn crowd_with_too_few_seats_is_rejected() {
    let x = TestNode::start("x").await;
    let refused = Crowd::start(settings(&[&x], 19)).await.err().unwrap();
    assert_eq!(
        refused.to_string(),
        "19 callers do not fit into the 18 seats of all rooms on all nodes: add rooms or seats"
    );
}
