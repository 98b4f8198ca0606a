//! Which machines may join (R29), and which nodes take no calls before they are upgraded: those whose machine was
//! brought back on another version, by a new enrolment or from a restore point with its identity (R20). Relies on
//! the shell to have authenticated who enrols; never takes a node into a run.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Fleet;
use crate::fact::{Fact, NodeFact};
use crate::node::NodeId;
use crate::observed::{Observed, ReleaseState};
use crate::time::Time;
use crate::version::{Release, Version};

/// The result of an enrolment as a registered node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining {
    /// It joins.
    Joins,
    /// The node has reported before and is brought back on another version than the Management Node's, perhaps from
    /// its restore point (R20): it joins and takes no calls until it is upgraded.
    OutOfService,
    /// A new node must have the version of the Management Node (R29).
    OtherVersion,
}

impl Fleet {
    /// The result of an enrolment as this node; none if there is no such node. A machine of release 34 does not send
    /// its release.
    pub fn joining(&self, id: NodeId, release: Option<Release>) -> Option<Joining> {
        let node = self.nodes.get(id)?;
        Some(match (self.is_current(release), &node.observed) {
            (true, _) => Joining::Joins,
            (false, Some(_)) => Joining::OutOfService,
            (false, None) => Joining::OtherVersion,
        })
    }

    /// A machine has enrolled as this node.
    pub(super) fn node_enrolled(&mut self, id: NodeId, release: Option<Release>, facts: &mut Vec<Fact>) {
        let out_of_date = match self.joining(id, release) {
            Some(Joining::Joins) => None,
            Some(Joining::OutOfService) => Some(self.out_of_date(release)),
            Some(Joining::OtherVersion) | None => return,
        };
        self.forget_processes(id, facts);
        self.keep_out_of_service(id, out_of_date, facts);
    }

    /// Compares the version that a node reports, confirmed, with that of the Management Node and with what the node
    /// has reached. One that goes on to report an earlier version was restored: it takes no calls until it runs
    /// the version of the Management Node.
    pub(super) fn compare_version(&mut self, now: Time, id: NodeId, said: &Observed, facts: &mut Vec<Fact>) {
        let Some(node) = self.nodes.get(id) else { return };
        let (one, confirmed) = (node.duplicate().is_none(), said.release_state == ReleaseState::Confirmed);
        let current = confirmed && self.is_current(Some(said.release));
        let is_earlier = node.reached.is_some_and(|reached| said.release.version < reached);
        let went_back = one && confirmed && !current && is_earlier;
        let out_of_date = match went_back {
            true if node.has_gone_back(now) => Some(self.out_of_date(Some(said.release))),
            false if current => None,
            true | false => node.out_of_date.clone(),
        };
        let reached = (current || (confirmed && !is_earlier)).then_some(said.release.version);
        self.nodes.edit(id, |node| {
            node.reached = reached.or(node.reached);
            node.went_back_at = went_back.then(|| node.went_back_at.unwrap_or(now));
        });
        self.keep_out_of_service(id, out_of_date, facts);
    }

    /// Of two machines under one identity nobody can say which is the node: neither is kept out of service.
    pub(super) fn take_nothing_from_two(&mut self, id: NodeId, facts: &mut Vec<Fact>) {
        self.nodes.edit(id, |node| node.went_back_at = None);
        self.keep_out_of_service(id, None, facts);
    }

    /// A report that was made before the last one shows that the node had not gone back then.
    pub(super) fn note_late_version(&mut self, id: NodeId, said: &Observed) {
        if self.is_current(Some(said.release)) {
            self.nodes.edit(id, |node| node.went_back_at = None);
        }
    }

    fn keep_out_of_service(&mut self, id: NodeId, why: Option<String>, facts: &mut Vec<Fact>) {
        if self.nodes.get(id).is_none_or(|node| node.out_of_date == why) {
            return;
        }
        let what = why.clone().map_or(NodeFact::OutOfDateOver, |why| NodeFact::OutOfDate { why });
        self.node_fact(id, what, facts);
        self.nodes.edit(id, |node| node.out_of_date = why);
    }

    fn is_current(&self, release: Option<Release>) -> bool {
        release.is_some_and(|release| release.version == self.platform.release.version)
    }

    fn out_of_date(&self, release: Option<Release>) -> String {
        let runs = release.map_or(UNSAID, |release| release.version);
        format!(
            "it was brought back with {runs}, and the Management Node has {}; start the installed package again to \
             upgrade it",
            self.platform.release.version
        )
    }
}

/// The version of a machine that does not send it.
const UNSAID: Version = Version::new(34, 0);
