//! The steps of a small world, with their names.

use std::fmt;

use fleet::node::NodeId;

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Of a node, or of its link, calls or operator.
    Node(NodeId, AtNode),
    /// Of the Management Node.
    Manager(AtManager),
    /// An overtaken message arrives, by its index.
    LateArrives(usize),
    /// Time advances to the next deadline.
    TimePasses,
}

/// A step at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtNode {
    ReportArrives,
    DesiredArrives,
    LinkDown,
    CallBegins,
    CallEnds,
    Staged,
    Rejects,
    Selects,
    LosesPower,
    Boots,
    FallsBack,
    Confirms,
    ConfirmsAndLosesPower,
    Due,
    OperatorHolds,
    OperatorLetsGo,
}

/// A step at the Management Node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtManager {
    Staged,
    Rejects,
    Selects,
    Stores,
    LosesPower,
    Boots,
    FallsBack,
    Due,
    OperatorStarts,
    OperatorPauses,
    OperatorResumes,
    OperatorStops,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(id, what) => write!(f, "node{id}: {}", what.text()),
            Self::Manager(what) => write!(f, "Management Node: {}", what.text()),
            Self::LateArrives(which) => write!(f, "overtaken message {which} arrives"),
            Self::TimePasses => f.write_str("time advances to the next deadline"),
        }
    }
}

impl AtNode {
    fn text(self) -> &'static str {
        match self {
            Self::ReportArrives => "its newest report arrives at the Management Node",
            Self::DesiredArrives => "its newest desired state arrives",
            Self::LinkDown => "the Management Node finds its link down",
            Self::CallBegins => "a call begins",
            Self::CallEnds => "its call ends",
            Self::Staged => "the release is staged",
            Self::Rejects => "the release cannot be staged or selected",
            Self::Selects => "selects the slot and restarts",
            Self::LosesPower => "loses power",
            Self::Boots => "starts",
            Self::FallsBack => "the release that is tried has used up its tries",
            Self::Confirms => "the release confirms itself",
            Self::ConfirmsAndLosesPower => "loses power just after the release has confirmed itself",
            Self::Due => "handles its deadline",
            Self::OperatorHolds => "the operator puts it into maintenance mode",
            Self::OperatorLetsGo => "the operator takes it out of maintenance mode",
        }
    }
}

impl AtManager {
    fn text(self) -> &'static str {
        match self {
            Self::Staged => "the release is staged",
            Self::Rejects => "the release cannot be staged or selected",
            Self::Selects => "selects the slot and restarts",
            Self::Stores => "stores what it knows",
            Self::LosesPower => "loses power",
            Self::Boots => "starts",
            Self::FallsBack => "falls back",
            Self::Due => "handles its deadline",
            Self::OperatorStarts => "the operator starts the package again",
            Self::OperatorPauses => "the operator pauses the run",
            Self::OperatorResumes => "the operator resumes the run",
            Self::OperatorStops => "the operator stops the run",
        }
    }
}
