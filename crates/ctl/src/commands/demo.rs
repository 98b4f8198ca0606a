//! `pitlane demo`: replaces this process by `pitlane-demo` in the same directory. Knows none of its arguments.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::exit::Exit;
use crate::failure::Failure;

/// The demonstration's program.
const PROGRAM: &str = "pitlane-demo";

/// Replaces this process by the demonstration; returns only when that fails.
pub(crate) fn run(arguments: &[OsString]) -> Result<Exit, Failure> {
    let own = std::env::current_exe().map_err(Failure::io("find the path of this program"))?;
    let program = own.with_file_name(PROGRAM);
    if !program.is_file() {
        return Err(Failure::NotFound {
            what: format!("there is no demonstration at {}", program.display()),
            hint: format!(
                "build or install {PROGRAM} into the directory of pitlane; it is not part of every installation"
            ),
        });
    }
    let error = Command::new(&program).args(arguments).exec();
    Err(Failure::io(format!("run {}", program.display()))(error))
}
