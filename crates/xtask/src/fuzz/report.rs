//! The result of a run of a fuzz target, read from the log of libFuzzer.

use std::fmt::Write as _;
use std::path::PathBuf;

/// One target's run.
pub(super) struct Report {
    target: String,
    executions: u64,
    each_second: u64,
    edges: u64,
    inputs: u64,
    found: Vec<PathBuf>,
    /// The panic, or the summary of libFuzzer.
    last_words: String,
    log: PathBuf,
}

impl Report {
    /// Reads the log of a run. A run that was cut short by what it found has no final figures: then the
    /// last line of progress counts.
    pub(super) fn read(target: &str, log: &str, found: Vec<PathBuf>, path: PathBuf) -> Self {
        let stat = |name: &str| {
            let line = log.lines().rev().find(|line| line.contains(name))?;
            line.rsplit(':').next()?.trim().parse().ok()
        };
        let progress = log.lines().rev().find(|line| line.starts_with('#') && line.contains(" cov: "));
        let after = |word: &str| {
            let mut words = progress.unwrap_or_default().split_whitespace();
            words.find(|found| *found == word)?;
            words.next()?.parse().ok()
        };
        let last = || progress?.split_whitespace().next()?.trim_start_matches('#').parse().ok();
        Self {
            target: target.into(),
            executions: stat("stat::number_of_executed_units").or_else(last).unwrap_or(0),
            each_second: stat("stat::average_exec_per_sec").or_else(|| after("exec/s:")).unwrap_or(0),
            edges: after("cov:").unwrap_or(0),
            inputs: stat("stat::new_units_added").unwrap_or(0),
            found,
            last_words: last_words(log),
            log: path,
        }
    }
}

/// The last output of a target: the lines of a panic, or the summary of libFuzzer.
fn last_words(log: &str) -> String {
    let panic = log.lines().skip_while(|line| !line.contains("panicked at")).take_while(|line| {
        let backtrace = line.starts_with("stack backtrace:") || line.starts_with("note:");
        !backtrace && !line.starts_with("==")
    });
    let panic: Vec<&str> = panic.collect();
    let summary = || log.lines().rev().find(|line| line.starts_with("SUMMARY:")).unwrap_or("nothing");
    if panic.is_empty() { summary().into() } else { panic.join("\n") }
}

/// All runs as a table.
pub(super) fn table(reports: &[Report]) -> String {
    let mut text = String::from("target       executions  each second   edges  new inputs  findings\n");
    for report in reports {
        let Report { target, executions, each_second, edges, inputs, found, .. } = report;
        let found = found.len();
        let _ = writeln!(
            text,
            "{target:<12} {executions:>10}  {each_second:>11}  {edges:>6}  {inputs:>10}  {found:>8}"
        );
    }
    text
}

/// The findings with what to do about them, if there are any.
pub(super) fn findings(reports: &[Report]) -> Option<String> {
    let mut text = String::new();
    for report in reports.iter().filter(|report| !report.found.is_empty()) {
        for found in &report.found {
            let _ = writeln!(text, "{}: {}, log in {}", report.target, found.display(), report.log.display());
        }
        let _ = writeln!(text, "last lines: {}", report.last_words);
    }
    (!text.is_empty()).then(|| {
        format!(
            "fuzzing found inputs that break a promise:\n{text}the inputs are kept as regressions; replay them with \
             `cargo nextest run -p fuzz`, and commit them with the correction"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "#2\tINITED cov: 10 ft: 11 corp: 1/1b exec/s: 0 rss: 30Mb\n\
                       #4096\tpulse  cov: 120 ft: 300 corp: 9/99b lim: 4 exec/s: 2048 rss: 31Mb\n";
    const END: &str = "stat::number_of_executed_units: 5000\nstat::average_exec_per_sec:     1000\n\
                       stat::new_units_added:          7\n";

    #[test]
    fn figures_of_a_run_are_those_at_its_end_or_else_the_last_ones() {
        let check = |log: &str, expected: [u64; 4]| {
            let Report { executions, each_second, edges, inputs, .. } =
                Report::read("sip", log, Vec::new(), PathBuf::new());
            assert_eq!([executions, each_second, edges, inputs], expected);
        };
        check(&format!("{LOG}{END}"), [5000, 1000, 120, 7]);
        check(LOG, [4096, 2048, 120, 0]);
        check("", [0; 4]);
    }

    #[test]
    fn panic_is_quoted_and_otherwise_the_summary() {
        let panic = "thread '<unnamed>' panicked at src/a.rs:1:1:\nno such thing\n";
        let rest = "note: run with `RUST_BACKTRACE=1`\n==7== ERROR: libFuzzer: deadly signal\n";
        let summary = "SUMMARY: libFuzzer: deadly signal\n";
        assert_eq!(last_words(&format!("{LOG}{panic}{rest}{summary}")), panic.trim_end());
        assert_eq!(last_words(&format!("{LOG}{summary}")), summary.trim_end());
    }

    #[test]
    fn findings_are_named_with_what_to_do() {
        let report = |found: &[&str]| {
            let found = found.iter().map(PathBuf::from).collect();
            Report::read("rest", LOG, found, "target/fuzz/log".into())
        };
        assert_eq!(findings(&[report(&[])]), None);
        let said = findings(&[report(&[]), report(&["regressions/rest/crash-1"])]).unwrap();
        assert!(
            said.contains("rest: regressions/rest/crash-1") && said.contains("cargo nextest run -p fuzz")
        );
    }
}
