//! The entry point of libFuzzer. `PITLANE_FUZZ_TARGET` names the target; `list` prints all targets with their longest
//! inputs instead. Before the target runs, its seeds and its dictionary are written into the folder that
//! `PITLANE_FUZZ_START` names.

#![no_main]

use std::io;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::OnceLock;
use std::{env, fs};

use fuzz::target::{TARGETS, Target, named};

static TARGET: OnceLock<Target> = OnceLock::new();

libfuzzer_sys::fuzz_target!(init: prepare(), |data: &[u8]| {
    if let Some(target) = TARGET.get() {
        (target.run)(data);
    }
});

fn prepare() {
    let name = env::var("PITLANE_FUZZ_TARGET").unwrap_or_default();
    if name == "list" {
        TARGETS.iter().for_each(|target| println!("{} {}", target.name, target.longest));
        exit(0);
    }
    let Some(target) = named(&name) else {
        eprintln!(
            "pitlane-fuzz: there is no target {name:?}; set PITLANE_FUZZ_TARGET, `list` names them all"
        );
        exit(2);
    };
    if let Some(folder) = env::var_os("PITLANE_FUZZ_START").map(PathBuf::from)
        && let Err(error) = write_start(&target, &folder)
    {
        eprintln!("pitlane-fuzz: {}: {error}", folder.display());
        exit(2);
    }
    let _ = TARGET.set(target);
}

/// Writes the seeds and the dictionary of a target. `cargo xtask fuzz` knows the file by the name `words`.
fn write_start(target: &Target, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder.join("seeds"))?;
    for (n, seed) in (target.seeds)().iter().enumerate() {
        fs::write(folder.join(format!("seeds/{n:03}")), seed)?;
    }
    let quoted = |word: &&str| {
        let bytes: String = word.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
        format!("\"{bytes}\"\n")
    };
    fs::write(folder.join("words"), target.dictionary.iter().map(quoted).collect::<String>())
}
