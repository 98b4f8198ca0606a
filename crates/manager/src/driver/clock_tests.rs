//! Tests of the limits of a run, and of the times that are shown, when the wall clock is wrong and is
//! corrected.

use clock::{BELIEVED, SetByHand, Trust};
use fleet::fact::Fact;
use fleet::node::{Duty, NodeId};
use fleet::platform::{Event, Fleet};
use fleet::policy::Policy;
use fleet::time::{Offset, Span, Time, Wall};
use fleet::wall::{Gap, STEADY_AFTER, STEP};

use super::*;
use crate::packages;
use crate::store::Recorded;
use crate::testing::Bench;

/// The true time of the tests.
const NOW: Wall = Wall(1_800_000_000_000);

const DAYS_400: i64 = 400 * 24 * 3_600_000;
const HOURS_2: i64 = 2 * 3_600_000;

/// A machine whose wall clock is this wrong.
fn wrong_by(wrong: i64) -> SetByHand {
    SetByHand::new(NOW + Offset(wrong))
}

async fn start_run(bench: &Bench, committer: &Committer) {
    let added = Event::NodeAdded { id: NodeId(1), name: "node1".into(), duty: Duty::Bursting };
    committer.apply(added).await.unwrap();
    let held = packages::admit(&bench.layout(), &bench.upload()).unwrap();
    committer.start(held.for_run(), Policy::standard()).await.unwrap().unwrap();
}

/// What the driver does in each iteration.
async fn look(committer: &Committer) {
    committer.check_wall_clock().await.unwrap();
    committer.apply(Event::DeadlinePassed).await.unwrap();
}

/// How long the run may still take.
fn left(committer: &Committer) -> Span {
    committer.read(|fleet, now| now.until(fleet.platform.run.as_ref().expect("the run has ended").limit()))
}

/// The shown times of the run's start, and of now.
fn shown(committer: &Committer) -> (Wall, Wall) {
    committer.read(|fleet, now| {
        let began = fleet.platform.run.as_ref().unwrap().started_at;
        (fleet.shown(began), fleet.shown(now))
    })
}

fn assert_close(one: Wall, other: Wall) {
    assert!(one.ahead_of(other).size() < STEP, "{one:?} and not {other:?}");
}

/// The entries of the journal as they are shown.
async fn journal(committer: &Committer) -> Vec<(Wall, Recorded)> {
    let wall = committer.read(|fleet, _| fleet.platform.wall.clone());
    let read = move |connection: &rusqlite::Connection| {
        let mut statement = connection.prepare("SELECT at, body FROM journal ORDER BY seq")?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        let entry = |(at, body): (i64, String)| {
            Ok((wall.shown(Time(u64::try_from(at).unwrap())), serde_json::from_str(&body)?))
        };
        rows.into_iter().map(entry).collect::<Result<Vec<_>, crate::store::StoreError>>()
    };
    committer.store().read(read).await.unwrap()
}

/// The Management Node starts with a wrong clock, which is then corrected while it runs.
#[tokio::test]
async fn run_keeps_the_time_it_has_left_when_a_wrong_clock_is_set_right_r08() {
    for wrong in [HOURS_2, -HOURS_2, DAYS_400, -DAYS_400] {
        let (bench, machine) = (Bench::new(), wrong_by(wrong));
        let committer = bench.committer_on(&machine).await;
        start_run(&bench, &committer).await;
        machine.pass(Span::hours(1));
        look(&committer).await;
        assert_eq!(left(&committer), Span::hours(23), "{wrong}");
        machine.set(Offset(-wrong));
        look(&committer).await;
        assert_eq!(left(&committer), Span::hours(23), "{wrong}");
        let (began, now) = shown(&committer);
        assert_close(began, NOW);
        assert_close(now, NOW + Span::hours(1));
        let shown = journal(&committer).await;
        assert!(shown.is_sorted_by_key(|(at, _)| *at), "the history goes back: {shown:?}");
        assert!(shown.iter().all(|(at, _)| NOW <= *at && *at <= now), "{shown:?}");
        machine.pass(Span::hours(23));
        look(&committer).await;
        committer
            .read(|fleet, _| assert!(fleet.platform.run.is_none(), "it ends when its time is over (R8)"));
    }
}

/// The clock is set wrong while it runs, it restarts while the clock is wrong, and the clock is corrected.
#[tokio::test]
async fn run_keeps_the_time_it_has_left_over_a_restart_with_a_wrong_clock_r08() {
    for wrong in [HOURS_2, -HOURS_2, DAYS_400, -DAYS_400] {
        let (bench, machine) = (Bench::new(), wrong_by(0));
        let committer = bench.committer_on(&machine).await;
        start_run(&bench, &committer).await;
        machine.pass(Span::hours(1));
        machine.set(Offset(wrong));
        committer.store().close().await;
        let committer = bench.committer_on(&machine).await;
        look(&committer).await;
        machine.pass(Span::hours(1));
        machine.set(Offset(-wrong));
        look(&committer).await;
        assert_eq!(left(&committer), Span::hours(22), "{wrong}");
        let (began, now) = shown(&committer);
        assert_close(began, NOW);
        assert_close(now, NOW + Span::hours(2));
    }
}

#[tokio::test]
async fn machine_that_was_off_is_believed_only_so_far_about_how_long_r08() {
    const SECOND: Span = Span::seconds(1);
    let check = async |off: Span, wrong: i64, trust: Trust, passed: Span| {
        let (bench, machine) = (Bench::new(), wrong_by(0));
        machine.trust(trust);
        let committer = bench.committer_on(&machine).await;
        start_run(&bench, &committer).await;
        machine.pass(SECOND);
        committer.store_time().await.unwrap();
        committer.store().close().await;
        machine.off(off);
        machine.trust(trust);
        machine.set(Offset(wrong));
        let committer = bench.committer_on(&machine).await;
        look(&committer).await;
        assert_eq!(left(&committer), Span::hours(24) - SECOND - passed);
        machine.set(Offset(-wrong));
        look(&committer).await;
        assert_eq!(left(&committer), Span::hours(24) - SECOND - passed);
        let (began, now) = shown(&committer);
        assert_close(began, NOW);
        assert_close(now, NOW + off);
    };
    check(Span::minutes(2), 0, Trust::Unknown, Span::minutes(2)).await;
    check(Span::hours(9), 0, Trust::Unknown, BELIEVED).await;
    check(Span::hours(9), 0, Trust::Synchronised, Span::hours(9)).await;
    check(Span::minutes(2), DAYS_400, Trust::Unknown, BELIEVED).await;
    check(Span::hours(1), -DAYS_400, Trust::Unknown, Span::ZERO).await;
}

#[tokio::test]
async fn time_that_was_stored_before_a_power_cut_counts_for_the_run_r08() {
    let (bench, machine) = (Bench::new(), wrong_by(0));
    let committer = bench.committer_on(&machine).await;
    start_run(&bench, &committer).await;
    machine.pass(Span::hours(3));
    committer.store_time().await.unwrap();
    committer.store().close().await;
    machine.off(Span::minutes(2));
    let committer = bench.committer_on(&machine).await;
    assert_eq!(left(&committer), Span::hours(21) - Span::minutes(2));
}

#[tokio::test]
async fn clock_step_is_reported_once_and_the_clock_is_steady_an_hour_later() {
    let (bench, machine) = (Bench::new(), wrong_by(HOURS_2));
    let committer = bench.committer_on(&machine).await;
    let stepped = |fleet: &Fleet| fleet.platform.wall.stepped_at().is_some();
    assert!(!committer.read(|fleet, _| stepped(fleet)), "the first start begins with the clock as it is");
    machine.set(Offset(-HOURS_2));
    look(&committer).await;
    look(&committer).await;
    assert!(committer.read(|fleet, _| stepped(fleet)));
    machine.pass(STEADY_AFTER);
    look(&committer).await;
    assert!(!committer.read(|fleet, _| stepped(fleet)));
    let facts: Vec<Fact> = journal(&committer).await.into_iter().flat_map(|(_, entry)| entry.facts).collect();
    let step = Fact::ClockStepped { by: Offset(-HOURS_2), gap: Gap::Counted };
    assert_eq!(facts, [step, Fact::ClockSteady]);
}
