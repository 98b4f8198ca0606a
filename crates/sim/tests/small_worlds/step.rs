//! Everything that can happen in a small world, by name.

use std::fmt;

use fleet::node::NodeId;

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// To a node or by it.
    Node(NodeId, AtNode),
    /// To the Management Node or by it.
    Manager(AtManager),
    /// A message that a newer one has overtaken arrives, by its place among them.
    LateArrives(usize),
    /// Time passes to the next deadline.
    TimePasses,
}

/// What happens to a node or by it.
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

/// What happens to the Management Node or by it.
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
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(id, what) => write!(f, "node{id}: {}", what.words()),
            Self::Manager(what) => write!(f, "Management Node: {}", what.words()),
            Self::LateArrives(which) => write!(f, "overtaken message {which} arrives after all"),
            Self::TimePasses => f.write_str("time passes to the next deadline"),
        }
    }
}

impl AtNode {
    fn words(self) -> &'static str {
        match self {
            Self::ReportArrives => "its newest report arrives at the Management Node",
            Self::DesiredArrives => "the newest of what is wanted of it arrives",
            Self::LinkDown => "the Management Node finds its link down",
            Self::CallBegins => "a call begins",
            Self::CallEnds => "its call ends",
            Self::Staged => "the release lies staged",
            Self::Rejects => "the release cannot be staged or selected",
            Self::Selects => "selects the slot and restarts",
            Self::LosesPower => "loses power",
            Self::Boots => "starts",
            Self::FallsBack => "the release that is tried was started in vain",
            Self::Confirms => "the release confirms itself",
            Self::ConfirmsAndLosesPower => "loses power just after the release has confirmed itself",
            Self::Due => "looks at its deadline",
            Self::OperatorHolds => "the operator puts it into maintenance mode",
            Self::OperatorLetsGo => "the operator takes it out of maintenance mode",
        }
    }
}

impl AtManager {
    fn words(self) -> &'static str {
        match self {
            Self::Staged => "the release lies staged",
            Self::Rejects => "the release cannot be staged or selected",
            Self::Selects => "selects the slot and restarts",
            Self::Stores => "stores what it knows",
            Self::LosesPower => "loses power",
            Self::Boots => "starts",
            Self::FallsBack => "falls back",
            Self::Due => "looks at its deadline",
            Self::OperatorStarts => "the operator starts the package again",
        }
    }
}
