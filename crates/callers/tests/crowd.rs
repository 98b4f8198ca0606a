//! A crowd over small test nodes that do right, and over ones that do wrong: the ledger must fail
//! when it should, and only then.

mod support;

use std::time::Duration;

use callers::ledger::{Drain, Failure, Why};
use callers::time::Millis;
use callers::{Cause, Crowd, CrowdSettings, Ledger, Lengths, Mode, NodeName, Pin, Room};
use support::{LOOPBACK, TestNode, Wrong};

/// Far longer than anything here takes on an idle machine.
const PATIENCE: Duration = Duration::from_secs(40);

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

async fn until(crowd: &Crowd, what: &str, condition: impl Fn(&Ledger) -> bool) {
    let wait = async {
        while !condition(&crowd.ledger()) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let come = tokio::time::timeout(PATIENCE, wait).await;
    assert!(come.is_ok(), "waited in vain: {what}; {:#?}", crowd.ledger().totals());
}

async fn start(settings: CrowdSettings) -> Crowd {
    let crowd = Crowd::start(settings).await.unwrap();
    tokio::time::timeout(PATIENCE, crowd.populated()).await.expect("the crowd is complete in time");
    crowd
}

/// Waits until every call alive has listened for so many windows of 100 ms.
async fn all_have_listened(crowd: &Crowd, windows: u64) {
    until(crowd, "all calls have listened", |ledger| {
        ledger.calls.values().filter(|call| call.ended.is_none()).all(|call| call.sound.windows > windows)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_over_good_nodes_has_nothing_to_complain_of() {
    let (x, y) = (TestNode::start("x").await, TestNode::start("y").await);
    let crowd = start(CrowdSettings { lengths: brief(), spare: 2, ..settings(&[&x, &y], 16) }).await;
    until(&crowd, "calls have come and gone", |ledger| ledger.totals().ended_by_caller >= 30).await;
    let ledger = crowd.stop().await;
    assert_eq!(ledger.failures(), vec![]);
    let totals = ledger.totals();
    assert_eq!((totals.alive, totals.lost, totals.refused_for_good), (0, 0, 0));
    assert!(totals.packets > 1000);
    assert!(ledger.fewest_alive >= Some(14), "{:?}", ledger.fewest_alive);
    let words = serde_json::to_string(&ledger).unwrap();
    assert_eq!(serde_json::from_str::<Ledger>(&words).unwrap(), ledger);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_whom_nobody_hears_is_a_failure_of_all_the_others() {
    let x = TestNode::start("x").await;
    let one_room = vec![Room { alias: "lobby".to_owned(), seats: 4 }];
    let crowd = start(CrowdSettings { rooms: one_room, ..settings(&[&x], 4) }).await;
    all_have_listened(&crowd, 30).await;
    assert_eq!(crowd.ledger().failures(), vec![]);
    *x.wrong.lock().unwrap() = Wrong::Mute(1);
    until(&crowd, "the tone is missed", |ledger| ledger.missing.len() == 3).await;
    let ledger = crowd.ledger();
    let muted = ledger.calls.keys().nth(1).cloned();
    assert!(ledger.missing.iter().all(|missing| missing.speaker == muted));
    assert!(ledger.missing.iter().all(|missing| missing.missing.lasted >= Millis::seconds(2)));
    *x.wrong.lock().unwrap() = Wrong::Nothing;
    until(&crowd, "it is over", |ledger| ledger.missing.iter().all(|missing| missing.missing.over)).await;
    let ledger = crowd.stop().await;
    assert_eq!((ledger.totals().tones_missing, ledger.totals().lost), (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_and_a_leak_between_rooms_are_failures() {
    let x = TestNode::start("x").await;
    let crowd = start(settings(&[&x], 10)).await;
    all_have_listened(&crowd, 30).await;
    assert_eq!(crowd.ledger().failures(), vec![]);
    *x.wrong.lock().unwrap() = Wrong::Echo;
    until(&crowd, "all hear themselves", |ledger| ledger.totals().own_tone == 10).await;
    *x.wrong.lock().unwrap() = Wrong::Leak;
    until(&crowd, "strangers are heard", |ledger| ledger.totals().strangers > 0).await;
    let ledger = crowd.stop().await;
    assert!(ledger.failures().iter().any(|failure| matches!(failure, Failure::Stranger { .. })));
    assert_eq!(ledger.totals().lost, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_maintenance_mode_callers_go_elsewhere_and_pinned_calls_live_through_the_drain() {
    let (x, y) = (TestNode::start("x").await, TestNode::start("y").await);
    let crowd = start(CrowdSettings { lengths: brief(), ..settings(&[&x, &y], 12) }).await;
    let name = NodeName("x".to_owned());
    let pin = Pin { node: name.clone(), alias: "board".to_owned(), length: Millis::seconds(600) };
    let (first, second) = (crowd.pin(pin.clone()).await.unwrap(), crowd.pin(pin).await.unwrap());
    let from = crowd.clock().now();
    *x.closed.lock().unwrap() = true;
    let only_pinned =
        |ledger: &Ledger| ledger.by_node()[&name].alive == 2 && ledger.totals().placed_elsewhere >= 3;
    until(&crowd, "only the pinned calls are left", only_pinned).await;
    let to = crowd.clock().now();
    for id in [&first, &second] {
        assert_eq!(crowd.hang_up(id).await.unwrap().cause, Cause::HungUp);
    }
    let ledger = crowd.stop().await;
    assert_eq!(ledger.failures(), vec![]);
    let report = ledger.drain(&Drain { node: name.clone(), from, to, slack: Millis(0) });
    assert_eq!((report.lived_through, report.lost, report.answered), (2, 0, 0));
    assert!(report.carried > 2 && report.refused >= 3 && report.placed_elsewhere >= 3, "{report:?}");
    assert!(ledger.moves()[&(name, NodeName("y".to_owned()))] >= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_whom_all_nodes_refuse_are_counted_and_nobody_is_lost() {
    let x = TestNode::start("x").await;
    *x.closed.lock().unwrap() = true;
    let crowd =
        Crowd::start(CrowdSettings { redial_pause: Millis(100), ..settings(&[&x], 3) }).await.unwrap();
    until(&crowd, "callers gave up", |ledger| ledger.totals().refused_for_good >= 4).await;
    let ledger = crowd.stop().await;
    assert!(ledger.given_up.iter().all(|caller| caller.refusals[0].why == Why::MaintenanceMode));
    assert!(ledger.failures().is_empty() && ledger.calls.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dies_loses_every_call_it_had() {
    let (x, y) = (TestNode::start("x").await, TestNode::start("y").await);
    let crowd =
        start(CrowdSettings { silence: Millis::seconds(2), mode: Mode::Udp, ..settings(&[&x, &y], 10) })
            .await;
    all_have_listened(&crowd, 10).await;
    let on_x = crowd.ledger().by_node()[&x.node.name].alive;
    assert!(on_x > 0);
    x.kill();
    until(&crowd, "the calls are lost", |ledger| ledger.by_node()[&x.node.name].lost == on_x).await;
    let ledger = crowd.stop().await;
    assert_eq!(ledger.by_node()[&x.node.name].lost, on_x);
    assert_eq!(ledger.by_node()[&y.node.name].lost, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_the_node_hangs_up_is_lost_and_nobody_misses_it() {
    let x = TestNode::start("x").await;
    let one_room = vec![Room { alias: "lobby".to_owned(), seats: 6 }];
    let crowd = start(CrowdSettings { rooms: one_room, ..settings(&[&x], 3) }).await;
    let victim = crowd.ledger().calls.keys().next().cloned().unwrap();
    x.hang_up(&victim.0).await;
    until(&crowd, "the call is lost", |ledger| ledger.totals().lost == 1).await;
    all_have_listened(&crowd, 40).await;
    let ledger = crowd.stop().await;
    let [Failure::Lost { call, ended, .. }] = &ledger.failures()[..] else {
        panic!("{:?}", ledger.failures())
    };
    assert_eq!((call, &ended.cause), (&victim, &Cause::FarEndBye { reason: None }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_that_cannot_sit_is_refused() {
    let x = TestNode::start("x").await;
    let refused = Crowd::start(settings(&[&x], 19)).await.err().unwrap();
    assert_eq!(
        refused.to_string(),
        "19 callers want to talk, but all rooms on all nodes have only 18 seats: add rooms or seats"
    );
}
