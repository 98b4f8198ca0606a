//! The alarms that stand, as a function of the state of the platform. Pure: `driver` compares them with what is stored, and
//! writes the difference.
//!
//! The names are those under which `driver/log.rs` logs that an alarm is raised and lowered (R26).

use std::collections::BTreeMap;

use fleet::node::{Contact, Node, NodeId};
use fleet::platform::{Blocker, Fleet};
use fleet::run::Outcome;

use crate::resources::time;

/// Which alarm it is. There is one of a name for a node, or for the Management Node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AlarmKey {
    /// Its name.
    pub(crate) name: &'static str,
    /// The node that it is about; none for the Management Node.
    pub(crate) node: Option<NodeId>,
}

/// What is said of an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alarm {
    /// How bad it is.
    pub(crate) level: Level,
    /// The name of the node that it is about.
    pub(crate) node: String,
    /// What it is about beside the node.
    pub(crate) instance: String,
    /// What happened and what to do, in sentences.
    pub(crate) details: String,
}

/// How bad an alarm is, in the words of the compatible API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Something may go wrong.
    Warning,
    /// Something does not work.
    Error,
}

impl Level {
    /// Its word.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// The alarms that stand. `manager` is the name of the Management Node.
pub(crate) fn standing(fleet: &Fleet, manager: &str) -> BTreeMap<AlarmKey, Alarm> {
    let of_nodes = fleet.nodes().iter().flat_map(|(id, node)| of_node(fleet, manager, id, node));
    of_manager(fleet, manager).into_iter().chain(of_nodes).collect()
}

fn of_manager(fleet: &Fleet, manager: &str) -> Vec<(AlarmKey, Alarm)> {
    let alarm = |name, level, details| {
        let alarm = Alarm { level, node: manager.into(), instance: String::new(), details };
        (AlarmKey { name, node: None }, alarm)
    };
    let platform = &fleet.platform;
    let stopped = platform.last_run.as_ref().filter(|_| platform.run.is_none());
    let stopped = stopped.filter(|run| matches!(run.outcome, Outcome::TooManyFailures { .. }));
    let all = [
        platform
            .start_fault
            .clone()
            .map(|why| alarm("start_fault", Level::Error, Blocker::ManagerStartFault { why }.to_string())),
        platform.wall.stepped_at().map(|at| {
            let at = time::text(fleet.shown(at));
            alarm(
                "clock_stepped",
                Level::Warning,
                format!("The wall clock was set at {at}; check its time servers."),
            )
        }),
        stopped.map(|run| alarm("upgrade_stopped", Level::Error, format!("The upgrade {}.", run.outcome))),
    ];
    all.into_iter().flatten().collect()
}

fn of_node(fleet: &Fleet, manager: &str, id: NodeId, node: &Node) -> Vec<(AlarmKey, Alarm)> {
    let alarm = |name, level, instance: String, details| {
        let alarm = Alarm { level, node: node.name.clone(), instance, details };
        (AlarmKey { name, node: Some(id) }, alarm)
    };
    let nothing = String::new;
    let lost = match node.contact {
        Contact::Lost { since } => (!node.is_at_rest()).then_some(since),
        Contact::Never | Contact::Heard | Contact::Silent { .. } => None,
    };
    let all = [
        lost.map(|since| {
            let instance = format!("Source={manager}, Destination={}", node.name);
            let details = unreachable(node, &time::text(fleet.shown(since)));
            alarm("connectivity_lost", Level::Warning, instance, details)
        }),
        node.clock_off.map(|ahead| {
            let details = format!("Its clock is {ahead:#} the Management Node's; check its time servers.");
            alarm("clock_offset", Level::Warning, nothing(), details)
        }),
        node.start_fault().map(|why| {
            let fault = Blocker::StartFault { node: node.name.clone(), why: why.into() };
            alarm("start_fault", Level::Error, nothing(), fault.to_string())
        }),
        node.out_of_date.clone().map(|why| alarm("out_of_date", Level::Error, nothing(), why)),
        node.duplicate().map(|two| alarm("duplicate_node", Level::Error, nothing(), two.to_string())),
    ];
    all.into_iter().flatten().collect()
}

/// Why nothing is heard of a node.
fn unreachable(node: &Node, since: &str) -> String {
    if node.restarts() {
        return format!(
            "Not heard since {since}: the node has restarted for an upgrade. This is expected; no action is needed \
             unless it lasts."
        );
    }
    format!("Not heard since {since}; check that the node runs and reaches the Management Node.")
}

#[cfg(test)]
mod tests {
    use fleet::node::Duty;
    use fleet::observed::ReleaseState;
    use fleet::platform::Event;
    use fleet::policy::Policy;
    use fleet::time::{Offset, Time};
    use fleet::version::Release;

    use super::*;
    use crate::testing::observed;

    const NODE: NodeId = NodeId(1);

    fn fleet() -> Fleet {
        let mut fleet = Fleet::new(Release::PRESENT, Policy::standard());
        fleet.apply(Time(0), Event::NodeAdded { id: NODE, name: "oslo-1".into(), duty: Duty::AlwaysOn });
        fleet
    }

    fn report(fleet: &mut Fleet, at: u64, release_state: ReleaseState) {
        let observed = fleet::observed::Observed { release_state, ..observed(at) };
        fleet.apply(Time(at), Event::Report { id: NODE, observed });
    }

    fn lose(fleet: &mut Fleet, at: u64) {
        fleet.apply(Time(at), Event::LinkDown { id: NODE });
        let lost_at = fleet.next_deadline().unwrap();
        fleet.apply(lost_at, Event::DeadlinePassed);
    }

    fn names(fleet: &Fleet) -> Vec<&'static str> {
        standing(fleet, "manager.example").into_keys().map(|key| key.name).collect()
    }

    #[test]
    fn node_that_cannot_be_contacted_is_an_alarm_until_it_is_heard_r26() {
        let mut fleet = fleet();
        assert_eq!(names(&fleet), [""; 0], "it was never heard: there is nothing to lose");
        report(&mut fleet, 1, ReleaseState::Confirmed);
        lose(&mut fleet, 2);
        let alarms = standing(&fleet, "manager.example");
        let (key, alarm) = alarms.first_key_value().unwrap();
        assert_eq!((key.name, key.node, alarm.level), ("connectivity_lost", Some(NODE), Level::Warning));
        assert_eq!(alarm.instance, "Source=manager.example, Destination=oslo-1");
        assert!(alarm.details.ends_with("check that the node runs and reaches the Management Node."));
        report(&mut fleet, 3_600_000, ReleaseState::Confirmed);
        assert_eq!(names(&fleet), [""; 0]);
    }

    #[test]
    fn lost_contact_that_an_upgrade_causes_is_said_to_be_expected() {
        let mut fleet = fleet();
        report(&mut fleet, 1, ReleaseState::Leaving);
        lose(&mut fleet, 2);
        let alarms = standing(&fleet, "manager.example");
        assert!(alarms.values().all(|alarm| alarm.details.contains("This is expected")), "{alarms:?}");
        assert_eq!(alarms.len(), 1);
    }

    #[test]
    fn clocks_and_start_faults_are_alarms_of_their_machine() {
        let mut fleet = fleet();
        report(&mut fleet, 1, ReleaseState::Confirmed);
        fleet.apply(Time(2), Event::ClockOffset { id: NODE, ahead: Offset(-7_200_000) });
        fleet.apply(Time(3), Event::ManagerChecked { fault: Some("no settings".into()) });
        let alarms = standing(&fleet, "manager.example");
        let of = |name, node| &alarms[&AlarmKey { name, node }];
        assert_eq!(
            of("clock_offset", Some(NODE)).details,
            "Its clock is 2 h behind the Management Node's; check its time servers."
        );
        let fault = of("start_fault", None);
        assert_eq!(
            (fault.node.as_str(), fault.details.as_str()),
            (
                "manager.example",
                "a restart of the Management Node would fail: no settings; it is checked again every minute"
            )
        );
    }
}
