//! Which machines may join (R29), and which of them take no calls yet. Relies on the shell to have checked who
//! enrols; never takes a node into a run.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Fleet;
use crate::fact::{Fact, NodeFact};
use crate::node::{Node, NodeId};
use crate::observed::Footing;
use crate::version::{Release, Version};

/// What becomes of a machine that enrols as a registered node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining {
    /// It joins.
    Joins,
    /// The node was heard before and is brought back on another version than the Management Node's, perhaps from
    /// its restore point (R20): it joins and takes no calls until it is upgraded.
    OutOfService,
    /// A new node must have the version of the Management Node (R29).
    OtherVersion,
}

impl Fleet {
    /// What becomes of a machine that enrols as this node; none when there is no such node. A machine of
    /// release 34 does not say what it runs.
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

    /// A node that runs the version of the Management Node, confirmed, takes calls again.
    pub(super) fn release_when_current(&mut self, id: NodeId, facts: &mut Vec<Fact>) {
        let Some(Node { out_of_date: Some(_), observed: Some(observed), .. }) = self.nodes.get(id) else {
            return;
        };
        if observed.footing == Footing::Confirmed && self.is_current(Some(observed.release)) {
            self.keep_out_of_service(id, None, facts);
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

/// What a machine runs that does not say so.
const UNSAID: Version = Version::new(34, 0);
