//! The progress of a stage of the gate: a line on standard error every half minute, also where there is no
//! terminal, with the number of tests done while the test runner reports it. Prints only; decides nothing.

use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::run::{Failed, describe};

/// How often a stage reports that it goes on: often enough to see that it does, seldom enough for a log.
const EVERY: Duration = Duration::from_secs(30);

/// How many tests of a run are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tests {
    done: usize,
    total: usize,
}

/// What a stage that runs has done so far.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    tests: Mutex<Option<Tests>>,
}

impl Progress {
    fn tests(&self) -> Option<Tests> {
        *self.tests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, tests: Tests) {
        *self.tests.lock().unwrap_or_else(PoisonError::into_inner) = Some(tests);
    }
}

/// Runs a stage and reports every half minute that it goes on.
pub(crate) fn reported<T>(stage: &str, run: impl FnOnce(&Progress) -> T) -> T {
    let (progress, began) = (Progress::default(), Instant::now());
    let (end, ended) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(|| {
            let ended = ended;
            while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                eprintln!("gate: {stage}: {}", line(began.elapsed(), progress.tests()));
            }
        });
        let result = run(&progress);
        drop(end);
        result
    })
}

fn line(running: Duration, tests: Option<Tests>) -> String {
    let seconds = running.as_secs();
    match tests {
        Some(Tests { done, total }) => format!("{done} of {total} tests done, running for {seconds} s"),
        None => format!("running for {seconds} s"),
    }
}

/// Runs cargo-nextest. On a terminal it has a progress bar of its own. Elsewhere its lines are read: those of
/// tests that pass are counted and not printed.
///
/// # Errors
/// It could not be started, or a test failed.
pub(crate) fn nextest(command: &mut Command, progress: &Progress) -> Result<(), Failed> {
    if std::io::stderr().is_terminal() {
        return crate::run::run(command);
    }
    let name = describe(command);
    command.args(["--show-progress=counter", "--status-level=pass"]).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| Failed::NotStarted(name.clone(), error))?;
    if let Some(stderr) = child.stderr.take() {
        count(stderr, progress);
    }
    let status = child.wait().map_err(|error| Failed::NotStarted(name.clone(), error))?;
    if status.success() { Ok(()) } else { Err(Failed::Command(name, status)) }
}

/// Counts the tests that are done, and prints all lines but those of tests that pass.
fn count(output: impl Read, progress: &Progress) {
    let mut output = BufReader::new(output);
    let mut bytes = Vec::new();
    while output.read_until(b'\n', &mut bytes).is_ok_and(|length| length > 0) {
        let line = String::from_utf8_lossy(&bytes);
        if let Some(tests) = tests_done(&line) {
            progress.set(tests);
        }
        if !line.trim_start().starts_with("PASS [") {
            eprint!("{line}");
        }
        bytes.clear();
    }
}

/// The counter in a line of the test runner, such as `PASS [   0.022s] ( 1/23) faultfs::cut name`.
fn tests_done(line: &str) -> Option<Tests> {
    let line = line.trim_start();
    let ended =
        ["PASS [", "FAIL [", "TIMEOUT [", "ABORT [", "LEAK ["].iter().any(|word| line.starts_with(word));
    let (_, rest) = line.split_once("] (").filter(|_| ended)?;
    let (done, total) = rest.split_once(')')?.0.split_once('/')?;
    Some(Tests { done: done.trim().parse().ok()?, total: total.trim().parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counter_of_a_finished_test_is_read_and_other_lines_have_none() {
        let check = |line: &str, expected: Option<(usize, usize)>| {
            assert_eq!(tests_done(line), expected.map(|(done, total)| Tests { done, total }), "{line}");
        };
        check("        PASS [   0.022s] ( 1/23) faultfs::cut a_test", Some((1, 23)));
        check("        FAIL [   0.188s] (1204/1204) slots::power_cut b", Some((1204, 1204)));
        check("        SLOW [> 60.000s] (-----) sim::seeds c", None);
        check("     Summary [   1.418s] 23 tests run: 19 passed (2 slow), 4 failed", None);
        check("   Compiling fleet v34.1.0 (/x)", None);
    }

    #[test]
    fn passed_tests_are_counted_and_not_printed() {
        let progress = Progress::default();
        count(&b"  PASS [ 0.1s] (3/9) a\n  PASS [ 0.1s] (4/9) b"[..], &progress);
        assert_eq!(progress.tests(), Some(Tests { done: 4, total: 9 }));
        assert_eq!(line(EVERY, progress.tests()), "4 of 9 tests done, running for 30 s");
    }
}
