//! Runs a check: of this program in this process, or of the program in the other slot by starting it with `check`. It
//! relies on a time limit, since a disk may hang, and does not judge the outcome.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use call::Calls;
use fleet::version::Release;
use slots::{Held, Machine, Slot, faults_in_one};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long a check may take. It reads a few small files and the program in its slot and opens a few sockets,
/// which takes well under a second; a disk that needs longer than this would fail the start as well.
const WITHIN: Duration = Duration::from_secs(20);

/// What a check needs to know of the process that asks.
#[derive(Clone, Debug)]
pub struct Asker {
    /// The machine's slots.
    pub machine: Machine,
    /// The slot that this program runs in.
    pub slot: Slot,
    /// The release of this program.
    pub release: Release,
    /// The addresses that this process listens on.
    pub addresses: Vec<SocketAddr>,
    /// Its calls, each of which has a port for sound open.
    pub calls: watch::Receiver<Calls>,
    /// Held by the running check of this program, so that none is added to one that hangs.
    pub turn: Arc<Mutex<()>>,
}

impl Asker {
    fn held(&self) -> Held {
        let calls = match *self.calls.borrow() {
            Calls::Known { count, .. } => count,
            // Unknown: an upgrade waits until it is known, so the calls need not be checked.
            Calls::Unknown => u32::MAX,
        };
        Held { addresses: self.addresses.clone(), calls }
    }

    /// Why a restart of this machine would fail, if it would.
    pub async fn own(&self) -> Option<String> {
        let late =
            || format!("the check did not end in {} s; look at the disk of the machine", WITHIN.as_secs());
        let Ok(turn) = Arc::clone(&self.turn).try_lock_owned() else { return Some(late()) };
        let (root, slot, held) = (self.machine.root().to_path_buf(), self.slot, self.held());
        let release = self.release;
        let runtime = Handle::current();
        let work = spawn_blocking(move || {
            let faults = runtime.block_on(super::check(&root, Some(slot), &held, release));
            drop(turn);
            faults
        });
        match timeout(WITHIN, work).await {
            Ok(Ok(faults)) => faults_in_one(&faults),
            Ok(Err(broken)) => Some(format!("the check broke off: {broken}")),
            Err(_) => Some(late()),
        }
    }

    /// Lets the program in the other slot check whether it would start.
    ///
    /// # Errors
    /// Why it would not, in a sentence or a few.
    pub async fn release(&self) -> Result<(), String> {
        let (machine, slot, held) = (self.machine.clone(), self.slot.other(), self.held());
        let work = spawn_blocking(move || machine.check_release(slot, &held, WITHIN));
        let checked = work.await.map_err(|broken| format!("the check broke off: {broken}"))?;
        checked.map_err(|failed| crate::files::chain(&failed))
    }
}
