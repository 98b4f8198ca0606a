//! The manager's side of a sequence of events: a platform of three nodes.

use fleet::desired::{Desired, Generation};
use fleet::node::{Duty, NodeId};
use fleet::observed::{Admission, Calls, Observed, ReleaseState, Staging};
use fleet::path::{Path, Step};
use fleet::platform::{Event, Fleet};
use fleet::policy::Policy;
use fleet::run::{Outcome, Package};
use fleet::time::{Span, Time};
use fleet::version::{Build, Release, Sha256, Version};
use wire::{PROTOCOL, Sync};

pub(super) const OLD: Release = Release { version: Version::new(34, 1), build: Build(34_100) };
pub(super) const NEW: Release = Release { version: Version::new(34, 2), build: Build(34_200) };
pub(super) const PACKAGE: Sha256 = Sha256([7; 32]);

/// The report of a node that takes calls and has accepted no desired state.
fn healthy() -> Observed {
    Observed {
        at: Time(1),
        generation: Generation::default(),
        release: OLD,
        release_state: ReleaseState::Confirmed,
        admission: Admission::Admitting,
        calls: Calls::NONE,
        staging: Staging::Nothing,
        unfit: None,
        start_fault: None,
        process: None,
    }
}

/// A platform and its clock.
pub(super) struct Platform {
    fleet: Fleet,
    now: Time,
}

impl Platform {
    pub(super) fn new() -> Self {
        let mut fleet = Fleet::new(OLD, Policy::standard());
        let now = Time(1_700_000_000_000);
        for (id, duty) in [(1, Duty::AlwaysOn), (2, Duty::AlwaysOn), (3, Duty::Bursting)] {
            fleet.apply(now, Event::NodeAdded { id: NodeId(id), name: format!("node{id}"), duty });
        }
        // The first node reports by the input; without a report of the second no run could start.
        fleet.apply(now, Event::Report { id: NodeId(2), observed: healthy() });
        Self { fleet, now }
    }

    /// Whether a run is in progress.
    pub(super) fn runs(&self) -> bool {
        self.fleet.platform.run.is_some()
    }

    fn apply(&mut self, event: Event) {
        self.now = self.now + Span(1_000);
        let applied = self.fleet.apply(self.now, event);
        applied.facts.iter().for_each(|fact| assert!(!fact.to_string().is_empty()));
    }

    /// Handles a message as the link does, from a node with a certificate.
    pub(super) fn report(&mut self, node: u32, sync: Sync) {
        if PROTOCOL.shared_with(sync.protocols).is_some() {
            self.apply(Event::Report { id: NodeId(node), observed: sync.observed.into() });
        }
    }

    /// Applies the real report of the node.
    pub(super) fn observed(&mut self, observed: Observed) {
        self.apply(Event::Report { id: NodeId(1), observed });
    }

    pub(super) fn wanted_of_first(&self) -> Option<Desired> {
        self.fleet.wanted(NodeId(1))
    }

    /// Applies an event that is not a message.
    pub(super) fn apply_event(&mut self, what: u8, rest: &[u8]) {
        let text = std::str::from_utf8(rest).unwrap_or_default();
        let id = NodeId(text.parse().unwrap_or(1));
        let event = match what {
            b'S' => return self.start(),
            b's' => Event::ManagerStaged,
            b'M' => Event::ManagerStarted { release: NEW, fell_back: None, wall: None },
            b'm' => Event::ManagerStarted { release: OLD, fell_back: None, wall: None },
            b'F' => Event::ManagerStarted {
                release: OLD,
                fell_back: Some((PACKAGE, "it hung".into())),
                wall: None,
            },
            b'x' => Event::ManagerRejected { why: text.into() },
            b'l' => Event::LinkDown { id },
            b'-' => Event::NodeRemoved { id },
            b'+' => Event::NodeAdded { id, name: format!("node{id}"), duty: Duty::AlwaysOn },
            b'o' => Event::Maintenance { id, operator: Some("a new fan".into()) },
            b'O' => Event::Maintenance { id, operator: None },
            b't' => {
                // No more than a year, as between two events of a platform that runs.
                let span: u64 = text.parse().unwrap_or(0);
                self.now = self.now + Span(span.min(Span::hours(24 * 365).0));
                Event::DeadlinePassed
            }
            b'd' => {
                self.now = self.fleet.next_deadline().unwrap_or(self.now).max(self.now);
                Event::DeadlinePassed
            }
            _ => return,
        };
        self.apply(event);
    }

    fn start(&mut self) {
        let step = Step { to: NEW.version, from: OLD.version, reason: "the store changed".into() };
        let package = Package { release: NEW, manifest: PACKAGE, path: Path(vec![step]) };
        self.now = self.now + Span(1_000);
        match self.fleet.start(package, Policy::standard(), self.now) {
            Ok(_) => {}
            Err(blockers) => assert!(!blockers.is_empty(), "refused without a reason"),
        }
    }

    /// The progress of the first node, as it is stored.
    #[cfg(test)]
    pub(super) fn record_of_first(&self) -> String {
        let node = self.fleet.nodes().get(NodeId(1)).expect("the first node");
        serde_json::to_string(&node.progress).expect("plain data")
    }

    /// The row of the platform and that of its first node.
    pub(super) fn stored(&self) -> (String, String) {
        let text = |value: serde_json::Result<String>| value.expect("a row is plain data");
        let node = self.fleet.nodes().get(NodeId(1)).expect("the first node");
        (text(serde_json::to_string(&self.fleet.platform)), text(serde_json::to_string(node)))
    }

    /// Checks what must hold after every event.
    pub(super) fn check(&self) {
        assert_eq!(self.fleet.check(), []);
        let ended = self.fleet.platform.last_run.as_ref().map(|run| &run.outcome);
        assert!(!matches!(ended, Some(Outcome::Halted { .. })), "{ended:?}");
        for id in self.fleet.nodes().ids() {
            let status = self.fleet.status(id).expect("the status of a node");
            assert!(!status.to_string().is_empty());
            let _ = (self.fleet.wanted(id), self.fleet.waits(id, self.now));
        }
        let _ = (self.fleet.manager_status(), self.fleet.manager_wants());
    }
}
