//! Checks documents and shipped files against the tree: the files that ARCHITECTURE.md names exist, each rule has a
//! scenario, and the systemd units differ only in their role. Pure: takes texts and names, returns faults.

use std::collections::BTreeSet;

/// The folder of the scenarios.
const SCENARIOS: &str = "crates/sim/tests/scenarios/";

/// The rules that a scenario shows. The others concern more than the core, and are tested elsewhere.
const RULES_WITH_SCENARIO: [u8; 17] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 17, 23, 24, 27];

/// Settings of a unit that are the role's own; all others are the same for both.
const OF_THE_ROLE: [&str; 3] = ["Description=", "Conflicts=", "LimitNOFILE="];

/// Paths in the tables of `architecture` that do not exist among `files`.
pub(super) fn path_faults(architecture: &str, files: &BTreeSet<String>) -> Vec<String> {
    let rows: Vec<&str> = architecture.lines().filter(|line| line.starts_with('|')).collect();
    let paths: Vec<&str> = rows.iter().flat_map(|row| quoted(row)).filter(|word| is_path(word)).collect();
    if paths.is_empty() {
        return vec!["ARCHITECTURE.md has no table that names the files that hold its invariants".into()];
    }
    let missing = paths.iter().filter(|path| !leads_somewhere(path, files));
    missing.map(|path| format!("ARCHITECTURE.md names {path}, which is not there")).collect()
}

/// The parts between back quotes.
fn quoted(row: &str) -> impl Iterator<Item = &str> {
    row.split('`').skip(1).step_by(2)
}

fn is_path(word: &str) -> bool {
    let file = [".rs", ".txt", ".toml", ".md"].iter().any(|end| word.ends_with(end));
    !word.contains(' ') && (file || word.contains('/'))
}

/// Paths are given from the workspace or from `crates/` on, those of scenarios by their name alone; `*`
/// stands for anything in a name.
fn leads_somewhere(path: &str, files: &BTreeSet<String>) -> bool {
    let whole = match path.contains('/') {
        true => vec![path.to_string(), format!("crates/{path}")],
        false => vec![format!("{SCENARIOS}{path}")],
    };
    whole.iter().any(|path| match path.split_once('*') {
        Some((begin, end)) => files.iter().any(|file| {
            file.strip_prefix(begin).is_some_and(|rest| rest.ends_with(end) && !rest.contains('/'))
        }),
        None if path.ends_with('/') => files.iter().any(|file| file.starts_with(path)),
        None => files.contains(path),
    })
}

/// Rules without a scenario.
pub(super) fn scenario_faults(files: &BTreeSet<String>) -> Vec<String> {
    let shown = |rule: &u8| leads_somewhere(&format!("r{rule:02}_*.txt"), files);
    let missing = RULES_WITH_SCENARIO.iter().filter(|rule| !shown(rule));
    missing.map(|rule| format!("no scenario r{rule:02}_*.txt in {SCENARIOS} shows rule R{rule}")).collect()
}

/// Settings in which the two units differ, except those of the role. Comments are ignored.
pub(super) fn unit_faults(manager: &str, node: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (unit, text) in [("manager", manager), ("node", node)] {
        let missing = OF_THE_ROLE.iter().filter(|own| !text.lines().any(|line| line.starts_with(**own)));
        faults.extend(missing.map(|own| format!("the systemd unit of the {unit} has no {own}")));
    }
    let (of_manager, of_node) = (common(manager), common(node));
    let apart = of_manager.iter().zip(&of_node).find(|(one, other)| one != other);
    match apart {
        Some((one, other)) => faults.push(format!(
            "the systemd units differ in more than their role: {one:?} of the manager stands where the node \
             has {other:?}"
        )),
        None if of_manager.len() != of_node.len() => {
            faults.push("one of the two systemd units ends before the other".into());
        }
        None => {}
    }
    faults
}

/// Settings that confine a node's release and not its enrolment, which runs the same program as the same user
/// with no port to listen on.
pub(super) fn confinement_faults(node: &str, enrolment: &str) -> Vec<String> {
    const FIRST: &str = "NoNewPrivileges=";
    let begins = node.lines().position(|line| line.starts_with(FIRST));
    let Some(begins) = begins else {
        return vec![format!("the systemd unit of the node has no {FIRST}")];
    };
    let says = |line: &&str| line.contains('=') && !line.starts_with('#') && !line.contains("Capabilit");
    let confines = node.lines().skip(begins).take_while(|line| !line.starts_with('[')).filter(says);
    let missing = confines.filter(|line| !enrolment.lines().any(|other| other == *line));
    missing.map(|line| format!("the systemd unit of a node's enrolment has no {line}")).collect()
}

fn common(unit: &str) -> Vec<&str> {
    let says = |line: &&str| {
        !line.is_empty() && !line.starts_with('#') && !OF_THE_ROLE.iter().any(|own| line.starts_with(own))
    };
    unit.lines().map(str::trim).filter(says).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn path_of_a_missing_file_is_found() {
        let there = files(&[
            "crates/fleet/src/check.rs",
            "crates/sim/tests/scenarios/r01_manager_first.txt",
            "crates/demo/tests/platform/faults.rs",
        ]);
        let check = |row: &str, missing: &[&str]| {
            let faults = path_faults(&format!("| `fleet/src/check.rs` |\n{row}"), &there);
            let expected: Vec<String> = missing
                .iter()
                .map(|path| format!("ARCHITECTURE.md names {path}, which is not there"))
                .collect();
            assert_eq!(faults, expected, "{row}");
        };
        check("| it holds (R1) | `r01_*.txt`; `sim/tests/scenarios/r01_*.txt` |", &[]);
        check("| it holds | `r01_manager_first.txt`; `demo/tests/platform/`; the demo |", &[]);
        check("| it holds | `crates/fleet/src/check.rs`, `crates/demo/tests/` |", &[]);
        check("| it holds | `unsafe_code = \"forbid\"`, `edit`, tests of `slots` |", &[]);
        check("| it holds | `r02_*.txt`; `r01_manager_last.txt` |", &["r02_*.txt", "r01_manager_last.txt"]);
        check("| it holds | `fleet/src/gone.rs`; `fleet/tests/` |", &["fleet/src/gone.rs", "fleet/tests/"]);
        check("not in a table: `fleet/src/gone.rs`", &[]);
    }

    #[test]
    fn architecture_without_its_table_is_a_fault() {
        assert_eq!(path_faults("# Architecture\n\n`fleet/src/check.rs`\n", &files(&[])).len(), 1);
    }

    #[test]
    fn rule_without_a_scenario_is_found() {
        let all: Vec<String> =
            RULES_WITH_SCENARIO.iter().map(|rule| format!("{SCENARIOS}r{rule:02}_x.txt")).collect();
        let mut there: BTreeSet<String> = all.into_iter().collect();
        assert!(scenario_faults(&there).is_empty());
        there.remove(&format!("{SCENARIOS}r07_x.txt"));
        let faults = scenario_faults(&there);
        assert!(faults.len() == 1 && faults[0].contains("R7"), "{faults:?}");
    }

    #[test]
    fn enrolment_is_confined_as_the_node_is() {
        let node = "User=x\nNoNewPrivileges=yes\n# Why.\nAmbientCapabilities=CAP_X\nPrivateTmp=yes\n[Install]\nA=b\n";
        assert!(confinement_faults(node, "NoNewPrivileges=yes\nPrivateTmp=yes\n").is_empty());
        assert_eq!(confinement_faults(node, "NoNewPrivileges=yes\nPrivateTmp=no\n").len(), 1);
        assert_eq!(confinement_faults("User=x\n", "").len(), 1);
    }

    #[test]
    fn units_may_differ_in_their_role_and_in_nothing_else() {
        let unit = |role: &str, rest: &str| {
            format!("# {role}\nDescription={role}\nConflicts=not {role}\nLimitNOFILE={}\n{rest}", role.len())
        };
        let rest = "UMask=0027\nPrivateTmp=yes\n";
        let check = |other: &str, expected: usize| {
            let faults = unit_faults(&unit("manager", rest), &unit("node", other));
            assert_eq!(faults.len(), expected, "{other:?}: {faults:?}");
        };
        check(rest, 0);
        check("# Said otherwise.\nUMask=0027\nPrivateTmp=yes\n", 0);
        check("UMask=0022\nPrivateTmp=yes\n", 1);
        check("UMask=0027\n", 1);
        check("PrivateTmp=yes\nUMask=0027\n", 1);
        assert_eq!(unit_faults(&unit("manager", rest), rest).len(), 3);
    }
}
