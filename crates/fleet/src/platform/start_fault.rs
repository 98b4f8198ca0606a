//! Machines that would not start again, by their own check: they block the start of a run, which restarts every one
//! of them. Such a fault does not change what a machine does now.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Blocker, Fleet, StartCheck, Warning};
use crate::fact::Fact;
use crate::node::{Duty, Node};
use crate::observed::Observed;
use crate::run::Package;

impl Fleet {
    /// The Management Node has checked whether its own machine would start again.
    pub(super) fn manager_checked(&mut self, fault: Option<String>, facts: &mut Vec<Fact>) {
        if self.platform.start_fault != fault {
            facts.push(match &fault {
                Some(why) => Fact::ManagerStartFault { why: why.clone() },
                None => Fact::ManagerStartFaultOver,
            });
            self.platform.start_fault = fault;
        }
    }

    /// Names every machine that the run would restart and that would not start again. A repeat takes the nodes that
    /// are left (R9, R24), so it goes on without such nodes as long as there is another one to take; they stay in
    /// service as they are.
    pub(super) fn check_restarts(&self, package: &Package, check: &mut StartCheck) {
        if let Some(why) = &self.platform.start_fault
            && self.platform.release != package.release
        {
            check.blockers.push(Blocker::ManagerStartFault { why: why.clone() });
        }
        let restarted = |node: &&Node| !node.contact.is_lost() && !node.runs(package.release);
        let to_take: Vec<&Node> = self.nodes.iter().map(|(_, node)| node).filter(restarted).collect();
        let others = to_take.iter().any(|node| node.start_fault().is_none());
        let passed_over = self.repeats(package) && others;
        for node in to_take {
            let Some(why) = node.start_fault() else { continue };
            let (node, why, duty) = (node.name.clone(), String::from(why), node.duty);
            match (duty, passed_over) {
                (Duty::AlwaysOn, false) => check.blockers.push(Blocker::StartFault { node, why }),
                (Duty::AlwaysOn, true) | (Duty::Bursting, _) => {
                    check.warnings.push(Warning::StartFault { node, why });
                }
            }
        }
    }
}

impl Node {
    /// Why a restart of its machine would fail, as it has reported.
    pub fn start_fault(&self) -> Option<&str> {
        self.observed.as_ref().and_then(|Observed { start_fault, .. }| start_fault.as_deref())
    }
}
