//! Logs one line for every fact. A fact that raises or lowers an alarm is logged a second time, under the
//! names that the operators' tools look for (R26): these names never change.

use fleet::fact::{Fact, NodeFact};
use fleet::run::Outcome;
use tracing::{error, info, warn};

/// The effect of a fact on an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alarm {
    /// It is raised.
    Raised(&'static str),
    /// It is lowered.
    Lowered(&'static str),
}

/// Logs a fact.
pub(crate) fn fact(fact: &Fact) {
    info!(target: "pitlane::platform", "{fact}");
    if let Fact::Node { node, name, what: NodeFact::ContactLost } = fact {
        error!(target: "administrator.system.connectivity", node = node.0, name, "Unable to contact node.");
    }
    let Some(alarm) = alarm_of(fact) else { return };
    match (alarm, subject(fact)) {
        (Alarm::Raised(alarm), Some((node, name))) => {
            warn!(target: "administrator.alarm", Alarm = alarm, node, name, "Alarm raised");
        }
        (Alarm::Raised(alarm), None) => {
            warn!(target: "administrator.alarm", Alarm = alarm, "Alarm raised");
        }
        (Alarm::Lowered(alarm), Some((node, name))) => {
            warn!(target: "administrator.alarm", Alarm = alarm, node, name, "Alarm lowered");
        }
        (Alarm::Lowered(alarm), None) => {
            warn!(target: "administrator.alarm", Alarm = alarm, "Alarm lowered");
        }
    }
}

/// The alarm that a fact raises or lowers.
fn alarm_of(fact: &Fact) -> Option<Alarm> {
    match fact {
        Fact::ManagerStartFault { .. } => return Some(Alarm::Raised("start_fault")),
        Fact::ManagerStartFaultOver => return Some(Alarm::Lowered("start_fault")),
        Fact::ClockStepped { .. } => return Some(Alarm::Raised("clock_stepped")),
        Fact::ClockSteady => return Some(Alarm::Lowered("clock_stepped")),
        Fact::RunEnded { outcome: Outcome::TooManyFailures { .. }, .. } => {
            return Some(Alarm::Raised("upgrade_stopped"));
        }
        Fact::FailureStopOver { .. } => return Some(Alarm::Lowered("upgrade_stopped")),
        Fact::Node { .. }
        | Fact::RunStarted { .. }
        | Fact::ManagerInstalling { .. }
        | Fact::ManagerUpgraded { .. }
        | Fact::LockLifted { .. }
        | Fact::RunPaused { .. }
        | Fact::RunResumed { .. }
        | Fact::RunEnded { .. }
        | Fact::EpochRaised { .. } => {}
    }
    match fact.of_node()?.1 {
        NodeFact::ClockOff { .. } => Some(Alarm::Raised("clock_offset")),
        NodeFact::ClockRight => Some(Alarm::Lowered("clock_offset")),
        NodeFact::ContactLost => Some(Alarm::Raised("connectivity_lost")),
        NodeFact::ContactRestored { .. } => Some(Alarm::Lowered("connectivity_lost")),
        NodeFact::StartFault { .. } => Some(Alarm::Raised("start_fault")),
        NodeFact::StartFaultOver => Some(Alarm::Lowered("start_fault")),
        NodeFact::OutOfDate { .. } => Some(Alarm::Raised("out_of_date")),
        NodeFact::OutOfDateOver => Some(Alarm::Lowered("out_of_date")),
        NodeFact::Duplicated(_) => Some(Alarm::Raised("duplicate_node")),
        NodeFact::DuplicateOver => Some(Alarm::Lowered("duplicate_node")),
        NodeFact::Added
        | NodeFact::Removed
        | NodeFact::Renamed { .. }
        | NodeFact::DutyChanged(_)
        | NodeFact::OperatorMaintenanceOn { .. }
        | NodeFact::OperatorMaintenanceOff
        | NodeFact::Unfit { .. }
        | NodeFact::Fit
        | NodeFact::ContactMade { .. }
        | NodeFact::Power(_)
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
        | NodeFact::Failed { .. } => None,
    }
}

/// The node that a fact is about.
fn subject(fact: &Fact) -> Option<(u32, &str)> {
    match fact {
        Fact::Node { node, name, what: _ } => Some((node.0, name)),
        Fact::RunStarted { .. }
        | Fact::ManagerInstalling { .. }
        | Fact::ManagerUpgraded { .. }
        | Fact::LockLifted { .. }
        | Fact::RunPaused { .. }
        | Fact::RunResumed { .. }
        | Fact::RunEnded { .. }
        | Fact::FailureStopOver { .. }
        | Fact::EpochRaised { .. }
        | Fact::ManagerStartFault { .. }
        | Fact::ManagerStartFaultOver
        | Fact::ClockStepped { .. }
        | Fact::ClockSteady => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use fleet::desired::RunId;
    use fleet::node::NodeId;
    use fleet::time::Offset;
    use fleet::wall::Gap;

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines of the log that facts make.
    fn lines(facts: &[NodeFact]) -> Vec<String> {
        let of_node =
            |what: &NodeFact| Fact::Node { node: NodeId(7), name: "oslo-1".into(), what: what.clone() };
        lines_of(&facts.iter().map(of_node).collect::<Vec<_>>())
    }

    fn lines_of(facts: &[Fact]) -> Vec<String> {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).without_time();
        let subscriber = subscriber.fmt_fields(edge::log::VisibleFields);
        let subscriber = subscriber.with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            facts.iter().for_each(fact);
        });
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| line.trim_start().to_string()).collect()
    }

    #[test]
    fn lost_contact_is_logged_under_the_names_that_alarms_look_for_r26() {
        let lines = lines(&[NodeFact::ContactLost]);
        assert_eq!(
            lines[1..],
            [
                "ERROR administrator.system.connectivity: Unable to contact node. node=7 name=\"oslo-1\"",
                "WARN administrator.alarm: Alarm raised Alarm=\"connectivity_lost\" node=7 name=\"oslo-1\"",
            ]
        );
        assert!(lines[0].starts_with("INFO pitlane::platform: "), "{}", lines[0]);
    }

    #[test]
    fn alarm_is_lowered_under_the_name_that_it_was_raised_under() {
        let why = String::from("no such address");
        let lines = lines(&[NodeFact::StartFault { why }, NodeFact::StartFaultOver]);
        assert_eq!(
            [&lines[1], &lines[3]],
            [
                "WARN administrator.alarm: Alarm raised Alarm=\"start_fault\" node=7 name=\"oslo-1\"",
                "WARN administrator.alarm: Alarm lowered Alarm=\"start_fault\" node=7 name=\"oslo-1\"",
            ]
        );
    }

    #[test]
    fn clock_that_is_off_raises_an_alarm_and_one_that_is_right_lowers_it() {
        let lines = lines(&[NodeFact::ClockOff { ahead: Offset(-7_200_000) }, NodeFact::ClockRight]);
        assert!(lines[0].contains("oslo-1: its clock is 2 h behind the Management Node's"), "{lines:?}");
        let alarm = |what| {
            format!("WARN administrator.alarm: Alarm {what} Alarm=\"clock_offset\" node=7 name=\"oslo-1\"")
        };
        assert_eq!((&lines[1], &lines[3]), (&alarm("raised"), &alarm("lowered")));
    }

    #[test]
    fn step_of_the_managers_clock_is_an_alarm_of_no_node() {
        let check =
            |fact: Fact, expected| assert_eq!((alarm_of(&fact), subject(&fact)), (Some(expected), None));
        let by = Offset(7_200_000);
        check(Fact::ClockStepped { by, gap: Gap::Counted }, Alarm::Raised("clock_stepped"));
        check(Fact::ClockSteady, Alarm::Lowered("clock_stepped"));
    }

    #[test]
    fn run_that_stops_by_itself_raises_an_alarm_until_another_is_started() {
        let (run, outcome) = (RunId(1), Outcome::TooManyFailures { failed: 3, ended: 4 });
        let lines = lines_of(&[Fact::RunEnded { run, outcome }, Fact::FailureStopOver { run }]);
        assert_eq!(
            [&lines[1], &lines[3]],
            [
                "WARN administrator.alarm: Alarm raised Alarm=\"upgrade_stopped\"",
                "WARN administrator.alarm: Alarm lowered Alarm=\"upgrade_stopped\"",
            ]
        );
        let ended = lines_of(&[Fact::RunEnded { run, outcome: Outcome::Incomplete }]);
        assert_eq!(ended.len(), 1, "{ended:?}");
    }

    #[test]
    fn text_of_a_node_begins_no_line_of_its_own() {
        let why = String::from("full\n2026-11-29 WARN administrator.alarm: Alarm lowered\u{2028}");
        let lines = lines(&[NodeFact::Unfit { why: why.clone() }, NodeFact::StartFault { why }]);
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines.iter().all(|line| !line.contains(edge::text::is_hidden)), "{lines:?}");
    }

    #[test]
    fn another_fact_raises_no_alarm() {
        let lines = lines(&[NodeFact::Fit]);
        assert_eq!(lines.len(), 1, "{lines:?}");
    }
}
