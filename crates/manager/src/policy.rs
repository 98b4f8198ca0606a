//! The table of the numbers of a policy, with their names and bounds: the settings of the machine and the
//! requests that start a run read the same one.

use fleet::platform::NODES_AT_MOST;
use fleet::policy::Policy;
use fleet::time::Span;

/// The longest span that a policy may name, in seconds: a week. Nothing in a run is meant to take longer.
const LONGEST_SECONDS: u64 = 7 * 24 * 60 * 60;

/// What is appended to the name of a policy with overridden numbers.
const ADAPTED: &str = ", adapted";

/// The field of a number, with its unit.
#[derive(Clone, Copy)]
enum Part {
    Nodes(fn(&mut Policy) -> &mut u32),
    Percent(fn(&mut Policy) -> &mut u32),
    Seconds(fn(&mut Policy) -> &mut Span),
}

/// A number of a policy.
#[derive(Clone, Copy)]
pub(crate) struct Number {
    /// Its name, with its unit.
    pub(crate) name: &'static str,
    /// Its least value.
    pub(crate) least: u64,
    part: Part,
}

/// Every number of a policy.
pub(crate) const NUMBERS: [Number; 12] = [
    Number { name: "nodes_at_once", least: 1, part: Part::Nodes(|policy| &mut policy.nodes_at_once) },
    seconds("drain_limit_seconds", 1, |policy| &mut policy.drain_limit),
    seconds("run_limit_seconds", 1, |policy| &mut policy.run_limit),
    seconds("rest_seconds", 0, |policy| &mut policy.rest),
    seconds("silent_after_seconds", 1, |policy| &mut policy.silent_after),
    seconds("reboot_silent_after_seconds", 1, |policy| &mut policy.reboot_silent_after),
    seconds("stuck_after_seconds", 1, |policy| &mut policy.stuck_after),
    seconds("absent_grace_seconds", 0, |policy| &mut policy.absent_grace),
    seconds("start_limit_seconds", 1, |policy| &mut policy.start_limit),
    Number { name: "stop_at_failures", least: 0, part: Part::Nodes(|policy| &mut policy.stop_at_failures) },
    Number {
        name: "stop_at_failure_percent",
        least: 1,
        part: Part::Percent(|policy| &mut policy.stop_at_failure_percent),
    },
    Number { name: "first_nodes", least: 0, part: Part::Nodes(|policy| &mut policy.first_nodes) },
];

const fn seconds(name: &'static str, least: u64, span: fn(&mut Policy) -> &mut Span) -> Number {
    Number { name, least, part: Part::Seconds(span) }
}

impl Number {
    /// Its greatest value: the size of the largest platform, 100 percent, or a week.
    pub(crate) fn most(self) -> u64 {
        match self.part {
            Part::Nodes(_) => NODES_AT_MOST as u64,
            Part::Percent(_) => 100,
            Part::Seconds(_) => LONGEST_SECONDS,
        }
    }

    /// Overrides it, unless the value is out of bounds.
    pub(crate) fn set(self, policy: &mut Policy, value: u64) -> Result<(), NotAllowed> {
        if !(self.least..=self.most()).contains(&value) {
            return Err(NotAllowed);
        }
        match self.part {
            Part::Nodes(number) | Part::Percent(number) => {
                *number(policy) = u32::try_from(value).map_err(|_| NotAllowed)?;
            }
            Part::Seconds(span) => *span(policy) = Span::seconds(value),
        }
        Ok(())
    }

    /// Its value in this policy.
    pub(crate) fn get(self, policy: &Policy) -> u64 {
        let mut policy = policy.clone();
        match self.part {
            Part::Nodes(number) | Part::Percent(number) => u64::from(*number(&mut policy)),
            Part::Seconds(span) => span(&mut policy).0 / 1_000,
        }
    }
}

/// The value is not from `least` to `most`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAllowed;

/// The policy with a name that says whether it differs from `base`.
pub(crate) fn named_after(base: &Policy, mut policy: Policy) -> Policy {
    if policy != *base && !policy.name.ends_with(ADAPTED) {
        policy.name.push_str(ADAPTED);
    }
    policy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_a_policy_is_in_the_table_once() {
        let policy = serde_json::to_value(Policy::standard()).unwrap();
        assert_eq!(policy.as_object().unwrap().len(), NUMBERS.len() + 1, "beside the name");
        for (n, number) in (71..).zip(NUMBERS) {
            let mut policy = Policy::standard();
            number.set(&mut policy, n).unwrap();
            assert_eq!(number.get(&policy), n, "{}", number.name);
            let others = NUMBERS.iter().filter(|other| other.name != number.name);
            for other in others {
                assert_eq!(other.get(&policy), other.get(&Policy::standard()), "{}", other.name);
            }
        }
    }

    #[test]
    fn number_keeps_to_its_bounds() {
        for number in NUMBERS {
            let mut policy = Policy::standard();
            assert_eq!(number.set(&mut policy, number.most()), Ok(()));
            assert_eq!(number.set(&mut policy, number.most() + 1), Err(NotAllowed));
            assert_eq!(number.set(&mut policy, number.least), Ok(()));
            if let Some(less) = number.least.checked_sub(1) {
                assert_eq!(number.set(&mut policy, less), Err(NotAllowed));
            }
        }
    }

    #[test]
    fn policy_says_once_that_it_was_adapted() {
        let standard = Policy::standard();
        assert_eq!(named_after(&standard, standard.clone()).name, "standard");
        let adapted = named_after(&standard, Policy { nodes_at_once: 2, ..standard.clone() });
        assert_eq!(adapted.name, "standard, adapted");
        let again = named_after(&adapted, Policy { nodes_at_once: 3, ..adapted.clone() });
        assert_eq!(again.name, "standard, adapted");
    }
}
