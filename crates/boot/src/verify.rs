//! Verifies a slot against the signed manifest in it, and keeps the verified bytes of its program.
//!
//! A slot belongs to the user that the release runs as, so a verified file may be replaced at any moment.
//! The program is therefore copied into memory while it is hashed, the memory is sealed against changes,
//! and the copy is started. Trusted keys are read again for each start; they and the settings belong to root.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use package::{Installed, Payload, Refusal, TRUST_DIR, TrustedKeys, copy_program, verify_slot_but_program};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use slots::{MACHINE_FILE, SlotIdentity};

use crate::report::{Failure, chain, log};

/// Where a process finds its own open files, and starts a program that has no other name.
const OWN_FILES: &str = "/proc/self/fd";
/// How a program begins that an interpreter reads.
const INTERPRETED: &[u8; 2] = b"#!";

/// The program of a release, in memory that nobody can change any more.
#[derive(Debug)]
pub(crate) struct Sealed {
    memory: File,
}

/// A program that was verified before it is needed, and the manifest that it was verified by.
#[derive(Debug)]
struct Ready {
    manifest: String,
    program: Sealed,
}

/// Verifies the slots of one machine.
#[derive(Debug)]
pub(crate) struct Verifier {
    root: PathBuf,
    ready: Option<Ready>,
}

impl Sealed {
    /// The program as a command of this process, named after the file that it was copied from. That file is
    /// not read again.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(crate) fn command(&self, program: &Path) -> io::Result<Command> {
        let mut begin = [0; INTERPRETED.len()];
        let is_script = self.memory.read_exact_at(&mut begin, 0).is_ok() && &begin == INTERPRETED;
        if is_script {
            // Its interpreter opens it anew. Any other program goes without a handle of the memory it runs from.
            fcntl_setfd(&self.memory, FdFlags::empty())?;
        }
        let mut command = Command::new(format!("{OWN_FILES}/{}", self.memory.as_raw_fd()));
        command.arg0(program);
        Ok(command)
    }
}

impl Verifier {
    /// A verifier for the machine with this root. Logs a warning when the trusted keys could be replaced.
    ///
    /// # Errors
    /// This machine executes nothing from memory. That is found here and not at a start, where it would count
    /// as a fault of the release.
    pub(crate) fn of(root: &Path) -> Result<Self, Failure> {
        fs::metadata(OWN_FILES).map_err(|source| Failure::NoProc { source })?;
        memory("probe").map_err(|error| Failure::NoMemory { source: error.into() })?;
        for name in [TRUST_DIR, MACHINE_FILE] {
            warn_unless_protected(&root.join(name));
        }
        Ok(Self { root: root.into(), ready: None })
    }

    /// The keys that this machine trusts now.
    ///
    /// # Errors
    /// There is none, or one is damaged. That is no fault of a slot: nothing is started and nothing falls back.
    pub(crate) fn keys(&self) -> Result<TrustedKeys, Failure> {
        Ok(TrustedKeys::of_machine(&self.root)?)
    }

    /// Verifies the slot in `dir`, which says that it holds `identity`, and returns its program.
    ///
    /// # Errors
    /// Why it is not what was signed.
    pub(crate) fn verify(
        &mut self,
        dir: &Path,
        identity: &SlotIdentity,
        keys: &TrustedKeys,
    ) -> Result<Sealed, String> {
        let ready = self.ready.take_if(|ready| ready.manifest == identity.manifest);
        verify(dir, identity, keys, ready.map(|ready| ready.program)).map_err(|refusal| chain(&refusal))
    }

    /// Verifies a slot that was filled just now, and keeps its program until it is started: copying and
    /// hashing are done while the release before it still runs. A fault is only logged; it is found again
    /// when the slot is to be started.
    pub(crate) fn prepare(&mut self, dir: &Path, identity: &SlotIdentity) {
        self.ready = None;
        let keys = match self.keys() {
            Ok(keys) => keys,
            Err(failure) => return log(&chain(&failure)),
        };
        match verify(dir, identity, &keys, None) {
            Ok(program) => self.ready = Some(Ready { manifest: identity.manifest.clone(), program }),
            Err(refusal) => log(&format!("{}: not what was signed: {}", dir.display(), chain(&refusal))),
        }
    }
}

fn verify(
    dir: &Path,
    identity: &SlotIdentity,
    keys: &TrustedKeys,
    ready: Option<Sealed>,
) -> Result<Sealed, Refusal> {
    let SlotIdentity { format: _, manifest, version, build, program } = identity.clone();
    let payload = verify_slot_but_program(dir, &Installed { manifest, version, build, program }, keys)?;
    match ready {
        Some(program) => Ok(program),
        None => seal(dir, &payload),
    }
}

/// Copies the program into memory, hashes the copy on its way, and seals it.
fn seal(dir: &Path, payload: &Payload) -> Result<Sealed, Refusal> {
    let name = payload.program.as_str();
    let io = |source| Refusal::Io { doing: format!("keep {name} in memory"), source };
    let mut memory = memory(name).map_err(|error| io(error.into()))?;
    copy_program(dir, payload, &mut memory)?;
    sealed(memory).map_err(|error| io(error.into()))
}

fn sealed(memory: File) -> Result<Sealed, Errno> {
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&memory, seals)?;
    Ok(Sealed { memory })
}

/// Memory that can be executed. Kernels before 6.3 do not know the flag, and need none.
fn memory(name: &str) -> Result<File, Errno> {
    let name = CString::new(name).unwrap_or_default();
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let memory = match memfd_create(name.as_c_str(), flags | MemfdFlags::EXEC) {
        Err(Errno::INVAL) => memfd_create(name.as_c_str(), flags),
        answer => answer,
    };
    memory.map(File::from)
}

/// An attacker who controls the release can replace whatever its user owns. This is logged only: machines that
/// were installed so keep starting.
fn warn_unless_protected(path: &Path) {
    const ANYBODY_ELSE_MAY_WRITE: u32 = 0o022;
    const ONLY_OWNERS_MAY_RENAME: u32 = 0o1000;
    let own = rustix::process::geteuid();
    let root = path.parent().unwrap_or(Path::new("/"));
    let loose = |path: &Path| {
        fs::metadata(path).is_ok_and(|found| {
            let mode = found.mode() & (ANYBODY_ELSE_MAY_WRITE | ONLY_OWNERS_MAY_RENAME);
            found.uid() == own.as_raw() || (mode & ANYBODY_ELSE_MAY_WRITE == mode && mode != 0)
        })
    };
    if !own.is_root() && (loose(path) || loose(root)) {
        log(&format!(
            "WARNING: {} can be replaced by the user that the release runs as, and with it the trusted keys or settings \
             of this machine; as root, run `pitlane machine protect --root {} --run-as` with the name of that user",
            path.display(),
            root.display()
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use super::*;

    #[test]
    fn sealed_memory_cannot_be_changed_through_any_handle() {
        let mut memory = memory("program").unwrap();
        memory.write_all(b"verified").unwrap();
        let mut other = memory.try_clone().unwrap();
        let sealed = sealed(memory).unwrap();
        for mut handle in [&sealed.memory, &other] {
            assert!(handle.write_all(b"more").is_err());
            assert!(handle.set_len(0).is_err());
        }
        let path = format!("{OWN_FILES}/{}", sealed.memory.as_raw_fd());
        let again = fs::OpenOptions::new().write(true).open(path);
        assert!(again.is_err() || again.unwrap().write_all(b"more").is_err());
        other.rewind().unwrap();
        assert_eq!(io::read_to_string(other).unwrap(), "verified");
    }
}
