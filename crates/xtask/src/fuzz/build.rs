//! Builds the fuzz targets with the coverage instrumentation of libFuzzer, in a target folder of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Failed, cargo, output, run, workspace};

/// What makes the compiler count edges and comparisons: all of it stable. `--cfg fuzzing` is left out on
/// purpose, for some libraries are laxer with it. No sanitizer: no line of ours is unsafe.
const COVERAGE: [&str; 7] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Ccodegen-units=1",
];

/// The program with all targets.
pub(super) struct Built {
    pub(super) program: PathBuf,
    pub(super) folder: PathBuf,
}

/// Builds it, with the checks of daily work: overflow and debug assertions, in the libraries as well.
pub(super) fn build() -> Result<Built, Failed> {
    let folder = workspace().join("target/fuzz");
    // With an explicit target, build scripts and macros are built without coverage.
    let machine = machine()?;
    let what = ["build", "-p", "fuzz", "--features", "fuzz/libfuzzer", "--target", &machine];
    run(cargo(&what).env("CARGO_TARGET_DIR", &folder).env("RUSTFLAGS", COVERAGE.join(" ")))?;
    Ok(Built { program: folder.join(machine).join("debug/pitlane-fuzz"), folder })
}

fn machine() -> Result<String, Failed> {
    let said = output(Command::new("rustc").arg("-vV"))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_string).ok_or_else(|| Failed::Tool("rustc -vV names no host".into()))
}

/// The program where there is only a loopback: an input may name any address to send to.
pub(super) fn isolated(program: &Path) -> Command {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--net", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""]).arg(program);
    command
}
