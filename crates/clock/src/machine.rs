//! The real clocks of this machine: wall clock, CLOCK_BOOTTIME, boot id, and whether a time daemon has set it.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use fleet::time::{Span, Wall};
use rustix::time::{ClockId, clock_gettime};

use crate::source::{Source, Trust};

/// The file in which Linux gives its boot id.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The file that systemd-timesyncd creates when it has set the clock. It is removed when the machine starts.
/// Other time daemons set a flag of the kernel only, and no maintained crate reads that without unsafe code of
/// ours (`adjtimex(2)`). With them the clock counts as not known to be correct, which is the safe side.
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";

/// The clocks of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Machine;

impl Source for Machine {
    fn wall(&self) -> Wall {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Wall(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// Includes suspended time.
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
