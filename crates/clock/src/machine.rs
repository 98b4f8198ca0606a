//! The clocks of the machine that this runs on.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use fleet::time::{Span, Wall};
use rustix::time::{ClockId, clock_gettime};

use crate::{Source, Trust};

/// Where the kernel names its present start.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The file that systemd-timesyncd makes when it has set the clock. It does not outlive the machine's start.
/// Other time daemons say so to the kernel alone, and no crate that is kept asks the kernel for that without
/// unsafe code of ours; with them a clock counts as not known to be right, which is the careful side.
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";

/// The clocks of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Machine;

impl Source for Machine {
    fn wall(&self) -> Wall {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Wall(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// Counts on while the machine is suspended.
    fn uptime(&self) -> Span {
        let time = clock_gettime(ClockId::Boottime);
        let millis = time.tv_sec.saturating_mul(1_000).saturating_add(time.tv_nsec / 1_000_000);
        Span(u64::try_from(millis).unwrap_or_default())
    }

    fn boot(&self) -> String {
        std::fs::read_to_string(BOOT_ID).unwrap_or_default().trim().into()
    }

    fn trust(&self) -> Trust {
        if Path::new(SYNCHRONISED).exists() { Trust::Synchronised } else { Trust::Unknown }
    }
}
