//! A plan and its file: the seed, the promise that it breaks, the steps, and which faults are disabled. A failing seed
//! is kept as such a file, replays on any machine, and a test holds the kept ones. In a file without steps the seed
//! draws them, as `seeds` does. Kept files of every earlier version must be read.

use std::fmt::{self, Write as _};

use fleet::time::Span;

use super::compromised::Compromised;
use super::fault_rates::FaultRates;
use super::step::{Seconds, Step, seconds};
use super::switch::Switch;
use crate::seeded::canary::Canary;

/// The largest number of nodes, as in a seed.
const NODES_AT_MOST: u64 = 40;

/// What happens in a world: a seed, with some faults disabled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// The rule that is broken on purpose, to test the oracle.
    pub canary: Option<Canary>,
    /// The kinds of faults that are disabled.
    pub without: Vec<Switch>,
    /// The number of nodes, instead of the one that the seed draws.
    pub nodes: Option<u64>,
    /// The time of faults, instead of the one that the seed draws.
    pub faults_for: Option<Span>,
    /// The compromised node, where the steps are written down; otherwise the seed draws it.
    pub compromised: Option<Compromised>,
    /// What is done to the world; `None` if the seed draws it.
    pub steps: Option<Vec<Step>>,
}

/// Why a text is not a plan. Lines are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// It names no seed.
    NoSeed,
    /// A line is none of a plan.
    NotUnderstood {
        /// Which line.
        line: usize,
        /// Its text.
        text: String,
    },
    /// A line repeats what may stand once only.
    Repeated {
        /// Which line.
        line: usize,
        /// Its text.
        text: String,
    },
    /// A kind of fault is disabled whose steps are written down.
    StepsAndKinds {
        /// The kind.
        switch: Switch,
    },
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSeed => f.write_str("there is no seed; a line such as `seed 42` is missing"),
            Self::NotUnderstood { line, text } => write!(
                f,
                "line {line} is not understood: `{text}`; a step reads like `at 3725.400s NodeCrash node3 for \
                 42.100s`"
            ),
            Self::Repeated { line, text } => {
                write!(f, "line {line} repeats what may stand once only: `{text}`")
            }
            Self::StepsAndKinds { switch } => {
                write!(f, "`without {switch:?}` has no effect on steps; remove the lines of those steps")
            }
        }
    }
}

impl std::error::Error for PlanError {}

impl Plan {
    /// A seed with everything as it is drawn.
    pub fn of(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    pub(crate) fn alter(&self, rates: &mut FaultRates) {
        self.without.iter().for_each(|switch| switch.off(rates));
        rates.nodes = self.nodes.unwrap_or(rates.nodes);
        rates.bursting = rates.bursting.min(rates.nodes);
        rates.faults_for = self.faults_for.unwrap_or(rates.faults_for);
        if self.steps.is_some() {
            rates.compromised = self.compromised;
        }
        rates.leave_another_place();
    }

    /// The text of its file.
    pub fn to_text(&self, promise: &str) -> String {
        let mut text = format!("promise {promise}\nseed {}\n", self.seed);
        if let Some(canary) = self.canary {
            let _ = writeln!(text, "canary {canary:?}");
        }
        for switch in &self.without {
            let _ = writeln!(text, "without {switch:?}");
        }
        if let Some(nodes) = self.nodes {
            let _ = writeln!(text, "nodes {nodes}");
        }
        if let Some(span) = self.faults_for {
            let _ = writeln!(text, "troubled-for {}", Seconds(span));
        }
        if let Some(Compromised { node, every }) = self.compromised {
            let _ = writeln!(text, "compromised node{node} every {}", Seconds(every));
        }
        for step in self.steps.iter().flatten() {
            let _ = writeln!(text, "{step}");
        }
        if self.steps.as_ref().is_some_and(Vec::is_empty) {
            text.push_str("no steps\n");
        }
        text
    }

    /// Parses a file; a line that begins with `#` is a comment.
    ///
    /// # Errors
    /// The text is not a plan.
    pub fn from_text(text: &str) -> Result<Self, PlanError> {
        let (mut plan, mut seed) = (Self::default(), None);
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.starts_with('#') || line.is_empty() {
                continue;
            }
            let not_understood = || PlanError::NotUnderstood { line: number, text: line.into() };
            let once = |repeated: bool| match repeated {
                true => Err(PlanError::Repeated { line: number, text: line.into() }),
                false => Ok(()),
            };
            match line.split_once(' ').unwrap_or((line, "")) {
                ("promise", _) => {}
                ("seed", rest) => {
                    once(seed.replace(rest.parse().map_err(|_| not_understood())?).is_some())?;
                }
                ("canary", rest) => {
                    let canary = Canary::named(rest).ok_or_else(not_understood)?;
                    once(plan.canary.replace(canary).is_some())?;
                }
                ("without", rest) => plan.without.push(Switch::named(rest).ok_or_else(not_understood)?),
                ("nodes", rest) => {
                    let nodes = rest.parse().ok().filter(|nodes| (1..=NODES_AT_MOST).contains(nodes));
                    once(plan.nodes.replace(nodes.ok_or_else(not_understood)?).is_some())?;
                }
                ("troubled-for", rest) => {
                    let span = seconds(rest).ok_or_else(not_understood)?;
                    once(plan.faults_for.replace(span).is_some())?;
                }
                ("compromised", rest) => {
                    let compromised = Compromised::read(rest).ok_or_else(not_understood)?;
                    once(plan.compromised.replace(compromised).is_some())?;
                }
                ("no", "steps") => once(plan.steps.replace(Vec::new()).is_some())?,
                ("at", _) => {
                    let step = Step::read(line).ok_or_else(not_understood)?;
                    plan.steps.get_or_insert_default().push(step);
                }
                _ => return Err(not_understood()),
            }
        }
        plan.seed = seed.ok_or(PlanError::NoSeed)?;
        plan.consistent()
    }

    fn consistent(self) -> Result<Self, PlanError> {
        let without_effect =
            self.without.iter().find(|switch| self.steps.is_some() && switch.is_interference());
        match without_effect {
            Some(switch) => Err(PlanError::StepsAndKinds { switch: *switch }),
            None => Ok(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_read_as_it_is_written() {
        let text = "promise none\n\
                    seed 7\n\
                    without Lost\n\
                    nodes 3\n\
                    troubled-for 3600.001s\n\
                    compromised node2 every 61.000s\n\
                    at 1.000s NodeCrash node3 for 42.100s\n\
                    at 2.000s NodeOff node3 for 4200.000s\n\
                    at 3.000s ManagerCrash for 5.001s\n\
                    at 4.000s MemoryBack for 20.000s\n\
                    at 5.000s Cut node1 for 0.000s\n\
                    at 6.000s Split node1 node2 for 9.000s\n\
                    at 7.000s Split for 9.000s\n\
                    at 8.000s Blind node1 for 9.000s\n\
                    at 9.000s Unfit node1 for 9.000s\n\
                    at 10.000s NodeHang node1 for 9.000s\n\
                    at 11.000s ManagerHang for 9.000s\n\
                    at 12.000s DiskFull node1 for 9.000s\n\
                    at 13.000s DiskFails node1 for 9.000s\n\
                    at 14.000s ManagerDisk for 9.000s\n\
                    at 15.000s NodeClock node1 ahead by 9.000s\n\
                    at 16.000s ManagerClock back by 630000000.000s\n\
                    at 17.000s Hold node1 reason 1\n\
                    at 18.000s LetGo node1\n\
                    at 19.000s AddNode node4 34.1 bursting\n\
                    at 20.000s RemoveNode node4\n\
                    at 21.000s Rename node1 change 2\n\
                    at 22.000s MakeDuty node1 always-on\n\
                    at 23.000s Start 34.2\n\
                    at 24.000s Restart for 2.000s\n\
                    at 25.000s RestorePoint\n\
                    at 26.000s StartFault node1 for 9.000s\n\
                    at 27.000s ManagerStartFault for 9.000s\n\
                    at 28.000s MemoryBack 2 before for 20.000s\n\
                    at 29.000s Clone node1 for 9.000s\n";
        let plan = Plan::from_text(text).expect("every line is a plan's");
        assert_eq!(plan.to_text("none"), text);
        let kinds: std::collections::BTreeSet<_> =
            plan.steps.iter().flatten().map(|step| step.action.kind() as usize).collect();
        assert_eq!(kinds.len(), 24, "every kind of action is shown above");
    }

    #[test]
    fn empty_list_of_steps_is_not_a_list_that_is_drawn() {
        let none = Plan { steps: Some(Vec::new()), ..Plan::of(7) };
        assert_eq!(Plan::from_text(&none.to_text("none")), Ok(none));
        assert_eq!(Plan::from_text("seed 7"), Ok(Plan::of(7)));
    }

    #[test]
    fn malformed_files_are_refused_with_a_reason() {
        let check = |text: &str, why: &str| {
            let reason = Plan::from_text(text).expect_err(text).to_string();
            assert!(reason.contains(why), "{text}: {reason}");
        };
        check("", "there is no seed");
        check("# only a comment\nnodes 3\n", "there is no seed");
        check("seed 7\nseed 8\n", "line 2 repeats what may stand once only: `seed 8`");
        check("seed 7\nno steps\nno steps\n", "line 3 repeats");
        for line in [
            "seed x",
            "seed",
            "hello",
            "nodes 0",
            "nodes 1000000",
            "canary Parrot",
            "compromised node1",
            "compromised node1 every 0.000s",
            "without Rain",
            "troubled-for 3600",
            "no",
            "at",
            "at 1.000s",
            "at 1s NodeCrash node3 for 42.100s",
            "at 1.000s NodeCrush node3 for 42.100s",
            "at 1.000s NodeCrash 3 for 42.100s",
            "at 1.000s NodeCrash node3 for 42.100s today",
            "at 99999999999999999.000s RestorePoint",
            "at -1.000s RestorePoint",
            "at 1.000s Start newest",
            "at 1.000s MakeDuty node1 sometimes",
        ] {
            check(&format!("# a comment\n{line}\nseed 7\n"), &format!("line 2 is not understood: `{line}`"));
        }
        check("seed 7\nwithout Cuts\nat 1.000s RestorePoint\n", "`without Cuts` has no effect on steps");
    }
}
