//! The journal: which entries are kept, which limit applies to each kind, and what is removed.
//!
//! It relies on the rows of the nodes and of the platform for the present state, so that an entry that only
//! repeats those rows is not written at all. An entry at a rate that callers or nodes set never displaces one
//! at a rate that the platform sets.

use std::collections::BTreeSet;

use fleet::desired::RunId;
use fleet::fact::{Fact, NodeFact};
use fleet::platform::Event;
use fleet::time::Time;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use tracing::info;

use super::entry::{Entry, Recorded};
use super::{StoreError, signed};

/// How many runs keep their steps: one a month for eight years, one a day for a quarter of a year.
pub const RUNS_WITH_STEPS: i64 = 100;

/// How many steps all runs keep together, in entries of some 700 bytes: 280 MB, which is copied at every
/// upgrade of the Management Node. A run over 10,000 nodes writes about 22,000, so there 18 runs keep their
/// steps, and a platform of 100 nodes never reaches this limit.
const STEPS: i64 = 400_000;

/// How many runs are listed, with their outcome: one a day for 27 years.
pub const RUNS_LISTED: i64 = 10_000;

/// How many entries of each other kind are kept: 35 MB each.
const OTHERS: i64 = 50_000;

/// After how many entries the journal is trimmed, so that this is not done at every commit.
const CUT_EVERY: i64 = 1_000;

/// What determines the rate of an entry, and so which limit applies to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Reported by a node, at a rate of its own: fit, not fit.
    Node,
    /// Found by the platform: contact lost and restored, a start of the Management Node.
    Platform,
    /// Done by the operator.
    Operator,
    /// A step of a run.
    Run,
}

impl Kind {
    /// All kinds under the limit [`OTHERS`].
    const OTHERS: [Self; 3] = [Self::Node, Self::Platform, Self::Operator];

    /// Its identifier in the store.
    fn token(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Platform => "platform",
            Self::Operator => "operator",
            Self::Run => "run",
        }
    }
}

/// The kind of an entry: that of its rarest fact, or of its event. None when the entry adds nothing to the
/// stored state: a report without consequences, such as another number of calls.
pub fn kind_of(recorded: &Recorded) -> Option<Kind> {
    let of_facts = recorded.facts.iter().map(of_fact).max();
    let of_entry = match &recorded.entry {
        Entry::Start { .. } => Some(Kind::Run),
        Entry::Policy { .. } => Some(Kind::Operator),
        Entry::Event { event } => match event {
            Event::NodeAdded { .. }
            | Event::NodeChanged { .. }
            | Event::NodeRemoved { .. }
            | Event::Maintenance { .. }
            | Event::RunPaused { .. }
            | Event::RunResumed { .. }
            | Event::RunStopped { .. } => Some(Kind::Operator),
            Event::ManagerStaged | Event::ManagerRejected { .. } | Event::ManagerStarted { .. } => {
                Some(Kind::Platform)
            }
            Event::Report { .. }
            | Event::LinkDown { .. }
            | Event::NodeEnrolled { .. }
            | Event::ManagerChecked { .. }
            | Event::WallClock { .. }
            | Event::ClockOffset { .. }
            | Event::DeadlinePassed => None,
        },
    };
    of_facts.max(of_entry)
}

fn of_fact(fact: &Fact) -> Kind {
    match fact {
        Fact::RunStarted { .. }
        | Fact::ManagerInstalling { .. }
        | Fact::ManagerUpgraded { .. }
        | Fact::LockLifted { .. }
        | Fact::RunPaused { .. }
        | Fact::RunResumed { .. }
        | Fact::RunEnded { .. }
        | Fact::FailureStopOver { .. } => Kind::Run,
        Fact::EpochRaised { .. }
        | Fact::ManagerStartFault { .. }
        | Fact::ManagerStartFaultOver
        | Fact::ClockStepped { .. }
        | Fact::ClockSteady => Kind::Platform,
        Fact::Node { node: _, name: _, what } => of_node_fact(what),
    }
}

fn of_node_fact(what: &NodeFact) -> Kind {
    match what {
        NodeFact::Added
        | NodeFact::Removed
        | NodeFact::Renamed { .. }
        | NodeFact::DutyChanged(_)
        | NodeFact::OperatorMaintenanceOn { .. }
        | NodeFact::OperatorMaintenanceOff => Kind::Operator,
        NodeFact::Unfit { .. }
        | NodeFact::Fit
        | NodeFact::StartFault { .. }
        | NodeFact::StartFaultOver
        | NodeFact::ClockOff { .. }
        | NodeFact::ClockRight => Kind::Node,
        NodeFact::OutOfDate { .. }
        | NodeFact::OutOfDateOver
        | NodeFact::Duplicated(_)
        | NodeFact::DuplicateOver => Kind::Platform,
        NodeFact::ContactMade { .. } | NodeFact::ContactLost | NodeFact::ContactRestored { .. } => {
            Kind::Platform
        }
        NodeFact::Power(_)
        | NodeFact::Queued
        | NodeFact::Staged { .. }
        | NodeFact::Preparing
        | NodeFact::Draining { .. }
        | NodeFact::DrainTimedOut { .. }
        | NodeFact::Installing
        | NodeFact::Rebooting
        | NodeFact::Upgraded { .. }
        | NodeFact::Returned
        | NodeFact::GivenUp { .. }
        | NodeFact::Failed { .. } => Kind::Run,
    }
}

/// Writes an entry, unless it adds nothing. `run` is the run in progress, in whose history it is shown.
pub(super) fn append(
    tx: &Transaction<'_>,
    now: Time,
    run: Option<RunId>,
    recorded: &Recorded,
) -> Result<(), StoreError> {
    let Some(kind) = kind_of(recorded) else { return Ok(()) };
    let body = serde_json::to_string(recorded)?;
    // Times are far below the largest number that the database holds.
    let at = signed(now.0);
    tx.prepare_cached("INSERT INTO journal (at, run, kind, body) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![at, run.map(|run| run.0), kind.token(), body])?;
    if tx.last_insert_rowid() % CUT_EVERY == 0 {
        cut(tx, Limits::STANDARD)?;
    }
    Ok(())
}

/// A run begins: the steps of the oldest runs are removed for it.
pub(super) fn run_begins(tx: &Transaction<'_>, run: RunId) -> Result<(), StoreError> {
    let newest = i64::from(run.0);
    for old in runs_with_steps(tx, newest.saturating_sub(RUNS_WITH_STEPS))? {
        remove_steps(tx, old, i64::MAX)?;
    }
    let forgotten = newest.saturating_sub(RUNS_LISTED);
    tx.prepare_cached("DELETE FROM run WHERE id <= ?1")?.execute([forgotten])?;
    cut(tx, Limits::STANDARD)
}

/// How many entries are kept.
#[derive(Clone, Copy, Debug)]
struct Limits {
    steps: i64,
    others: i64,
}

impl Limits {
    const STANDARD: Self = Self { steps: STEPS, others: OTHERS };
}

/// Trims the journal to its limits.
fn cut(tx: &Transaction<'_>, limits: Limits) -> Result<(), StoreError> {
    for kind in Kind::OTHERS {
        cut_kind(tx, kind, limits.others)?;
    }
    cut_steps(tx, limits.steps)
}

/// Keeps the newest entries of a kind.
fn cut_kind(tx: &Transaction<'_>, kind: Kind, most: i64) -> Result<(), StoreError> {
    let sql = "SELECT seq FROM journal WHERE kind = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2";
    let last: Option<i64> =
        tx.prepare_cached(sql)?.query_row(params![kind.token(), most], |row| row.get(0)).optional()?;
    let Some(last) = last else { return Ok(()) };
    let sql = "UPDATE run SET evicted = evicted + gone.count
               FROM (SELECT run, count(*) AS count FROM journal
                     WHERE kind = ?1 AND seq <= ?2 AND run IS NOT NULL GROUP BY run) AS gone
               WHERE gone.run = run.id";
    tx.prepare_cached(sql)?.execute(params![kind.token(), last])?;
    tx.prepare_cached("DELETE FROM journal WHERE kind = ?1 AND seq <= ?2")?
        .execute(params![kind.token(), last])?;
    Ok(())
}

/// Removes the steps of whole runs, the oldest first, until the others fit. The newest run loses its oldest
/// steps only when it does not fit alone.
fn cut_steps(tx: &Transaction<'_>, most: i64) -> Result<(), StoreError> {
    let mut count: i64 =
        tx.query_row("SELECT count(*) FROM journal WHERE kind = 'run'", [], |row| row.get(0))?;
    if count <= most {
        return Ok(());
    }
    let mut runs = runs_with_steps(tx, i64::MAX)?;
    let newest = runs.pop_last();
    for run in runs {
        if count <= most {
            return Ok(());
        }
        count -= remove_steps(tx, run, i64::MAX)?;
    }
    match newest {
        Some(newest) if count > most => remove_steps(tx, newest, count - most).map(|_| ()),
        Some(_) | None => Ok(()),
    }
}

/// The runs up to this one that have steps in the history.
fn runs_with_steps(tx: &Transaction<'_>, up_to: i64) -> Result<BTreeSet<i64>, StoreError> {
    let sql = "SELECT DISTINCT run FROM journal WHERE run IS NOT NULL AND run <= ?1";
    let mut statement = tx.prepare_cached(sql)?;
    let runs = statement.query_map([up_to], |row| row.get(0))?;
    Ok(runs.collect::<Result<_, _>>()?)
}

/// Removes the oldest entries of a run, and notes in its row how many; returns how many of them were steps.
fn remove_steps(tx: &Transaction<'_>, run: i64, most: i64) -> Result<i64, StoreError> {
    let steps: i64 = tx
        .prepare_cached(
            "SELECT count(*) FROM (SELECT kind FROM journal WHERE run = ?1 ORDER BY seq LIMIT ?2)
             WHERE kind = 'run'",
        )?
        .query_row(params![run, most], |row| row.get(0))?;
    let gone = tx
        .prepare_cached(
            "DELETE FROM journal WHERE seq IN (SELECT seq FROM journal WHERE run = ?1 ORDER BY seq LIMIT ?2)",
        )?
        .execute(params![run, most])?;
    let gone = signed(gone);
    tx.prepare_cached("UPDATE run SET evicted = evicted + ?2 WHERE id = ?1")?.execute(params![run, gone])?;
    info!(run, entries = gone, "the oldest entries of the history were removed to make room");
    Ok(steps)
}

/// How many entries of a run's history are known to have been removed.
///
/// # Errors
/// The database reports an error.
pub fn evicted(connection: &Connection, run: RunId) -> Result<u64, StoreError> {
    let sql = "SELECT evicted FROM run WHERE id = ?1";
    let count: Option<i64> =
        connection.prepare_cached(sql)?.query_row([run.0], |row| row.get(0)).optional()?;
    Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use fleet::node::NodeId;
    use fleet::platform::Fleet;
    use fleet::policy::Policy;
    use fleet::run::{EndedRun, Outcome};
    use fleet::version::Release;

    use super::super::rows::StoredRun;
    use super::super::{initialise, open};
    use super::*;
    use crate::testing::observed;

    const LIMITS: Limits = Limits { steps: 6, others: 3 };

    fn store() -> (tempfile::TempDir, Connection) {
        let dir = tempfile::tempdir().unwrap();
        let mut connection = open(&dir.path().join("store.db"), &mut || {}).unwrap();
        initialise(&mut connection, &Fleet::new(Release::PRESENT, Policy::standard())).unwrap();
        (dir, connection)
    }

    fn node(what: NodeFact) -> Recorded {
        let event = Event::Report { id: NodeId(1), observed: observed(1) };
        let fact = Fact::Node { node: NodeId(1), name: "lon-1".into(), what };
        Recorded { entry: Entry::Event { event }, facts: vec![fact] }
    }

    fn put(tx: &Transaction<'_>, run: u32, recorded: &Recorded) {
        append(tx, Time(1), (run > 0).then_some(RunId(run)), recorded).unwrap();
    }

    fn begin(tx: &Transaction<'_>, run: u32) {
        let ended = EndedRun {
            id: RunId(run),
            source: Release::PRESENT,
            package: fleet::run::Package {
                release: Release::PRESENT,
                manifest: fleet::version::Sha256([7; 32]),
                path: fleet::path::Path(Vec::new()),
            },
            started_at: Time(0),
            ended_at: Time(1),
            outcome: Outcome::Complete,
            tag: None,
            sources: BTreeSet::new(),
        };
        let body = serde_json::to_string(&StoredRun::Ended(ended)).unwrap();
        tx.execute("INSERT INTO run (id, body) VALUES (?1, ?2)", params![run, body]).unwrap();
    }

    fn kept(tx: &Transaction<'_>, run: u32) -> Vec<String> {
        let mut statement = tx.prepare("SELECT kind FROM journal WHERE run = ?1 ORDER BY seq").unwrap();
        let kinds = statement.query_map([run], |row| row.get(0)).unwrap();
        kinds.map(Result::unwrap).collect()
    }

    #[test]
    fn report_from_which_nothing_follows_is_no_entry() {
        let event = |event| Recorded { entry: Entry::Event { event }, facts: Vec::new() };
        assert_eq!(kind_of(&event(Event::Report { id: NodeId(1), observed: observed(1) })), None);
        assert_eq!(kind_of(&event(Event::LinkDown { id: NodeId(1) })), None);
        assert_eq!(kind_of(&event(Event::DeadlinePassed)), None);
        assert_eq!(kind_of(&event(Event::NodeRemoved { id: NodeId(1) })), Some(Kind::Operator));
        assert_eq!(kind_of(&node(NodeFact::Fit)), Some(Kind::Node));
        assert_eq!(kind_of(&node(NodeFact::ContactLost)), Some(Kind::Platform));
        assert_eq!(kind_of(&node(NodeFact::Preparing)), Some(Kind::Run));
    }

    #[test]
    fn entry_has_the_kind_of_its_rarest_fact() {
        let mut recorded = node(NodeFact::Fit);
        recorded.facts.push(Fact::RunEnded { run: RunId(1), outcome: Outcome::Complete });
        assert_eq!(kind_of(&recorded), Some(Kind::Run));
    }

    #[test]
    fn entries_of_nodes_displace_neither_alarms_nor_acts_nor_steps() {
        let (_dir, mut connection) = store();
        let tx = connection.transaction().unwrap();
        begin(&tx, 1);
        put(&tx, 1, &node(NodeFact::Preparing));
        put(&tx, 1, &node(NodeFact::ContactLost));
        put(&tx, 1, &node(NodeFact::OperatorMaintenanceOff));
        (0..10).for_each(|_| put(&tx, 1, &node(NodeFact::Fit)));
        cut(&tx, LIMITS).unwrap();
        assert_eq!(kept(&tx, 1), ["run", "platform", "operator", "node", "node", "node"]);
        assert_eq!(evicted(&tx, RunId(1)).unwrap(), 7);
    }

    #[test]
    fn steps_of_whole_runs_are_removed_from_the_oldest_on() {
        let (_dir, mut connection) = store();
        let tx = connection.transaction().unwrap();
        for run in 1..=3 {
            begin(&tx, run);
            (0..3).for_each(|_| put(&tx, run, &node(NodeFact::Preparing)));
        }
        cut(&tx, LIMITS).unwrap();
        assert_eq!([1, 2, 3].map(|run| kept(&tx, run).len()), [0, 3, 3]);
        assert_eq!([1, 2, 3].map(|run| evicted(&tx, RunId(run)).unwrap()), [3, 0, 0]);
        (0..5).for_each(|_| put(&tx, 3, &node(NodeFact::Preparing)));
        cut(&tx, LIMITS).unwrap();
        assert_eq!([1, 2, 3].map(|run| kept(&tx, run).len()), [0, 0, 6]);
        assert_eq!([1, 2, 3].map(|run| evicted(&tx, RunId(run)).unwrap()), [3, 3, 2]);
    }

    #[test]
    fn hundred_runs_keep_their_steps_and_ten_thousand_are_listed() {
        let (_dir, mut connection) = store();
        let tx = connection.transaction().unwrap();
        for run in [1, 2, 103] {
            begin(&tx, run);
            put(&tx, run, &node(NodeFact::Preparing));
        }
        run_begins(&tx, RunId(102)).unwrap();
        assert_eq!([1, 2, 103].map(|run| kept(&tx, run).len()), [0, 0, 1]);
        run_begins(&tx, RunId(10_001)).unwrap();
        let listed: i64 = tx.query_row("SELECT count(*) FROM run", [], |row| row.get(0)).unwrap();
        assert_eq!(listed, 2, "run 1 is listed for ever");
    }
}
