//! Reads once what the machine is, for the pages of the operator. What cannot be read is not said.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::thread::available_parallelism;

use wire::machine::Machine;

/// How much of a file of the kernel is read: the first processor of the longest list, and its flags.
const FILE_BYTES: u64 = 64 << 10;

/// The machine of a node that may have so many calls.
pub fn read(call_limit: u32) -> Machine {
    let processors = text(Path::new("/proc/cpuinfo"));
    let memory = text(Path::new("/proc/meminfo"));
    let vendor = text(Path::new("/sys/class/dmi/id/sys_vendor"));
    let cpu_count = available_parallelism().ok().and_then(|count| u32::try_from(count.get()).ok());
    Machine {
        cpu_count,
        cpu_model: processors.as_deref().and_then(model).map(Into::into),
        total_ram: memory.as_deref().and_then(total_ram),
        hypervisor: processors.zip(vendor).and_then(|(processors, vendor)| hypervisor(&processors, &vendor)),
        call_limit: Some(call_limit),
    }
    .cut()
}

fn text(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(FILE_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The value of the first line of this name, in the form `name : value`.
fn value<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    let found = pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim());
    found.filter(|value| !value.is_empty())
}

fn model(processors: &str) -> Option<&str> {
    value(processors, "model name")
}

/// `MemTotal` has the unit kB, by which the kernel means 1024 bytes.
fn total_ram(memory: &str) -> Option<u64> {
    value(memory, "MemTotal")?.strip_suffix("kB")?.trim().parse().ok()
}

/// The vendor of a virtual machine, whose processors say that there is a hypervisor.
fn hypervisor(processors: &str, vendor: &str) -> Option<String> {
    let is_virtual = value(processors, "flags")?.split_ascii_whitespace().any(|flag| flag == "hypervisor");
    let vendor = vendor.trim();
    (is_virtual && !vendor.is_empty()).then(|| vendor.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIRTUAL: &str = "processor\t: 0\nmodel name\t: EPYC 9654: 96 cores\nflags\t\t: fpu hypervisor avx2\n\n\
                           processor\t: 1\nmodel name\t: other\n";

    #[test]
    fn machine_is_read_as_the_kernel_writes_it() {
        assert_eq!(model(VIRTUAL), Some("EPYC 9654: 96 cores"));
        assert_eq!(total_ram("MemTotal:       16314368 kB\nMemFree:  1 kB\n"), Some(16_314_368));
        assert_eq!(hypervisor(VIRTUAL, "VMware, Inc.\n").as_deref(), Some("VMware, Inc."));
    }

    #[test]
    fn what_the_kernel_does_not_say_is_not_said() {
        assert_eq!((model("processor : 0\nmodel name :\n"), total_ram("MemTotal: many\n")), (None, None));
        let metal = VIRTUAL.replace("hypervisor", "x");
        assert_eq!((hypervisor(&metal, "Dell Inc."), hypervisor(VIRTUAL, "\n")), (None, None));
    }

    #[test]
    fn this_machine_has_processors_and_memory() {
        let machine = read(7);
        assert!(machine.cpu_count > Some(0) && machine.total_ram > Some(0), "{machine:?}");
        assert_eq!(machine.call_limit, Some(7));
    }
}
