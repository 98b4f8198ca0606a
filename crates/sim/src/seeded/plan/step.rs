//! What is done to a world, made concrete: which machine, when, and for how long. A kept file lists such steps as text,
//! one on a line, so that a replay draws none of them. The names and the text are a file format: old files must be
//! read.

use std::fmt;

use fleet::node::{Duty, NodeId};
use fleet::time::{Span, Time};
use fleet::version::Version;

use super::kinds::Kind;

/// One action, and when it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When, by the world's clock.
    pub at: Time,
    /// What.
    pub action: Action,
}

/// Which way a clock is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Forward.
    Ahead,
    /// Back.
    Back,
}

/// A fault that is injected, or something that the operator does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is explained by its kind, and its fields by their names")]
pub enum Action {
    NodeCrash { node: NodeId, away: Span },
    NodeOff { node: NodeId, away: Span },
    ManagerCrash { away: Span },
    MemoryBack { away: Span, before: u64 },
    Cut { node: NodeId, lasts: Span },
    Split { nodes: Vec<NodeId>, lasts: Span },
    Blind { node: NodeId, lasts: Span },
    Unfit { node: NodeId, lasts: Span },
    NodeHang { node: NodeId, lasts: Span },
    ManagerHang { lasts: Span },
    DiskFull { node: NodeId, lasts: Span },
    DiskFails { node: NodeId, lasts: Span },
    ManagerDisk { lasts: Span },
    NodeClock { node: NodeId, way: Way, by: Span },
    ManagerClock { way: Way, by: Span },
    Hold { node: NodeId, reason: u64 },
    LetGo { node: NodeId },
    AddNode { node: NodeId, version: Version, duty: Duty },
    RemoveNode { node: NodeId },
    Rename { node: NodeId, change: u64 },
    MakeDuty { node: NodeId, duty: Duty },
    Start { version: Version },
    Restart { away: Span },
    RestorePoint,
    StartFault { node: NodeId, lasts: Span },
    ManagerStartFault { lasts: Span },
    Clone { node: NodeId, lasts: Span },
    Pause,
    Resume,
    Stop,
}

impl Action {
    /// The kind under which it is counted.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NodeCrash { .. } => Kind::NodeCrash,
            Self::NodeOff { .. } => Kind::NodeOff,
            Self::ManagerCrash { .. } => Kind::ManagerCrash,
            Self::MemoryBack { .. } => Kind::MemoryBack,
            Self::Cut { .. } => Kind::Cut,
            Self::Split { .. } => Kind::Split,
            Self::Blind { .. } => Kind::Blind,
            Self::Unfit { .. } => Kind::Unfit,
            Self::NodeHang { .. } => Kind::NodeHang,
            Self::ManagerHang { .. } => Kind::ManagerHang,
            Self::DiskFull { .. } => Kind::DiskFull,
            Self::DiskFails { .. } => Kind::DiskFails,
            Self::ManagerDisk { .. } => Kind::ManagerDisk,
            Self::NodeClock { .. } => Kind::NodeClock,
            Self::ManagerClock { .. } => Kind::ManagerClock,
            Self::Hold { .. } | Self::LetGo { .. } => Kind::Maintenance,
            Self::AddNode { .. } | Self::RemoveNode { .. } => Kind::Nodes,
            Self::Rename { .. } | Self::MakeDuty { .. } => Kind::Change,
            Self::Start { .. } => Kind::Start,
            Self::Restart { .. } => Kind::Restart,
            Self::RestorePoint => Kind::RestorePoint,
            Self::StartFault { .. } => Kind::StartFault,
            Self::ManagerStartFault { .. } => Kind::ManagerStartFault,
            Self::Clone { .. } => Kind::Clone,
            Self::Pause | Self::Resume | Self::Stop => Kind::Order,
        }
    }

    fn read(fields: &[&str]) -> Option<Self> {
        Some(match *fields {
            ["NodeCrash", id, "for", span] => Self::NodeCrash { node: node(id)?, away: seconds(span)? },
            ["NodeOff", id, "for", span] => Self::NodeOff { node: node(id)?, away: seconds(span)? },
            ["ManagerCrash", "for", span] => Self::ManagerCrash { away: seconds(span)? },
            ["MemoryBack", "for", span] => Self::MemoryBack { away: seconds(span)?, before: 0 },
            ["MemoryBack", before, "before", "for", span] => {
                Self::MemoryBack { away: seconds(span)?, before: before.parse().ok()? }
            }
            ["Cut", id, "for", span] => Self::Cut { node: node(id)?, lasts: seconds(span)? },
            ["Split", ref ids @ .., "for", span] => Self::Split {
                nodes: ids.iter().map(|id| node(id)).collect::<Option<_>>()?,
                lasts: seconds(span)?,
            },
            ["Blind", id, "for", span] => Self::Blind { node: node(id)?, lasts: seconds(span)? },
            ["Unfit", id, "for", span] => Self::Unfit { node: node(id)?, lasts: seconds(span)? },
            ["NodeHang", id, "for", span] => Self::NodeHang { node: node(id)?, lasts: seconds(span)? },
            ["ManagerHang", "for", span] => Self::ManagerHang { lasts: seconds(span)? },
            ["DiskFull", id, "for", span] => Self::DiskFull { node: node(id)?, lasts: seconds(span)? },
            ["DiskFails", id, "for", span] => Self::DiskFails { node: node(id)?, lasts: seconds(span)? },
            ["ManagerDisk", "for", span] => Self::ManagerDisk { lasts: seconds(span)? },
            ["NodeClock", id, to, "by", span] => {
                Self::NodeClock { node: node(id)?, way: way(to)?, by: seconds(span)? }
            }
            ["ManagerClock", to, "by", span] => Self::ManagerClock { way: way(to)?, by: seconds(span)? },
            ["Hold", id, "reason", number] => Self::Hold { node: node(id)?, reason: number.parse().ok()? },
            ["LetGo", id] => Self::LetGo { node: node(id)? },
            ["AddNode", id, version, kind] => {
                Self::AddNode { node: node(id)?, version: version.parse().ok()?, duty: duty(kind)? }
            }
            ["RemoveNode", id] => Self::RemoveNode { node: node(id)? },
            ["Rename", id, "change", number] => {
                Self::Rename { node: node(id)?, change: number.parse().ok()? }
            }
            ["MakeDuty", id, kind] => Self::MakeDuty { node: node(id)?, duty: duty(kind)? },
            ["Start", version] => Self::Start { version: version.parse().ok()? },
            ["Restart", "for", span] => Self::Restart { away: seconds(span)? },
            ["RestorePoint"] => Self::RestorePoint,
            ["StartFault", id, "for", span] => Self::StartFault { node: node(id)?, lasts: seconds(span)? },
            ["ManagerStartFault", "for", span] => Self::ManagerStartFault { lasts: seconds(span)? },
            ["Clone", id, "for", span] => Self::Clone { node: node(id)?, lasts: seconds(span)? },
            ["Pause"] => Self::Pause,
            ["Resume"] => Self::Resume,
            ["Stop"] => Self::Stop,
            _ => return None,
        })
    }
}

impl Step {
    /// Parses `at 3725.400s NodeCrash node3 for 42.100s`. None if the text is no step.
    pub fn read(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        match *fields {
            ["at", at, ref action @ ..] => {
                Some(Self { at: Time(seconds(at)?.0), action: Action::read(action)? })
            }
            _ => None,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {} {}", Seconds(Span(self.at.0)), self.action)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NodeCrash { node, away } => write!(f, "NodeCrash node{node} for {}", Seconds(*away)),
            Self::NodeOff { node, away } => write!(f, "NodeOff node{node} for {}", Seconds(*away)),
            Self::ManagerCrash { away } => write!(f, "ManagerCrash for {}", Seconds(*away)),
            Self::MemoryBack { away, before: 0 } => write!(f, "MemoryBack for {}", Seconds(*away)),
            Self::MemoryBack { away, before } => {
                write!(f, "MemoryBack {before} before for {}", Seconds(*away))
            }
            Self::Cut { node, lasts } => write!(f, "Cut node{node} for {}", Seconds(*lasts)),
            Self::Split { nodes, lasts } => {
                f.write_str("Split")?;
                nodes.iter().try_for_each(|node| write!(f, " node{node}"))?;
                write!(f, " for {}", Seconds(*lasts))
            }
            Self::Blind { node, lasts } => write!(f, "Blind node{node} for {}", Seconds(*lasts)),
            Self::Unfit { node, lasts } => write!(f, "Unfit node{node} for {}", Seconds(*lasts)),
            Self::NodeHang { node, lasts } => write!(f, "NodeHang node{node} for {}", Seconds(*lasts)),
            Self::ManagerHang { lasts } => write!(f, "ManagerHang for {}", Seconds(*lasts)),
            Self::DiskFull { node, lasts } => write!(f, "DiskFull node{node} for {}", Seconds(*lasts)),
            Self::DiskFails { node, lasts } => write!(f, "DiskFails node{node} for {}", Seconds(*lasts)),
            Self::ManagerDisk { lasts } => write!(f, "ManagerDisk for {}", Seconds(*lasts)),
            Self::NodeClock { node, way, by } => write!(f, "NodeClock node{node} {way} by {}", Seconds(*by)),
            Self::ManagerClock { way, by } => write!(f, "ManagerClock {way} by {}", Seconds(*by)),
            Self::Hold { node, reason } => write!(f, "Hold node{node} reason {reason}"),
            Self::LetGo { node } => write!(f, "LetGo node{node}"),
            Self::AddNode { node, version, duty } => {
                write!(f, "AddNode node{node} {version} {}", duty_name(*duty))
            }
            Self::RemoveNode { node } => write!(f, "RemoveNode node{node}"),
            Self::Rename { node, change } => write!(f, "Rename node{node} change {change}"),
            Self::MakeDuty { node, duty } => write!(f, "MakeDuty node{node} {}", duty_name(*duty)),
            Self::Start { version } => write!(f, "Start {version}"),
            Self::Restart { away } => write!(f, "Restart for {}", Seconds(*away)),
            Self::RestorePoint => f.write_str("RestorePoint"),
            Self::StartFault { node, lasts } => write!(f, "StartFault node{node} for {}", Seconds(*lasts)),
            Self::ManagerStartFault { lasts } => write!(f, "ManagerStartFault for {}", Seconds(*lasts)),
            Self::Clone { node, lasts } => write!(f, "Clone node{node} for {}", Seconds(*lasts)),
            Self::Pause => f.write_str("Pause"),
            Self::Resume => f.write_str("Resume"),
            Self::Stop => f.write_str("Stop"),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ahead => "ahead",
            Self::Back => "back",
        })
    }
}

/// A span in milliseconds, as kept files print it: `42.100s`.
pub(crate) struct Seconds(pub(crate) Span);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}s", self.0.0 / 1_000, self.0.0 % 1_000)
    }
}

/// Parses `42.100s`. None for anything else, and for what no clock could count.
pub(crate) fn seconds(text: &str) -> Option<Span> {
    let (whole, millis) = text.strip_suffix('s')?.split_once('.')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if millis.len() != 3 || !digits(millis) || !digits(whole) {
        return None;
    }
    // A hundred years in seconds: no world lasts as long, and nothing overflows.
    let whole = whole.parse::<u64>().ok().filter(|whole| *whole < 100 * 366 * 86_400)?;
    Some(Span(whole * 1_000 + millis.parse::<u64>().ok()?))
}

fn node(text: &str) -> Option<NodeId> {
    text.strip_prefix("node")?.parse().ok().map(NodeId)
}

fn way(text: &str) -> Option<Way> {
    [Way::Ahead, Way::Back].into_iter().find(|way| way.to_string() == text)
}

fn duty(text: &str) -> Option<Duty> {
    [Duty::AlwaysOn, Duty::Bursting].into_iter().find(|duty| duty_name(*duty) == text)
}

fn duty_name(duty: Duty) -> &'static str {
    match duty {
        Duty::AlwaysOn => "always-on",
        Duty::Bursting => "bursting",
    }
}
