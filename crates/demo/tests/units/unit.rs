//! A shipped unit on its machine: reads its state and its processes, crashes them, and checks its restrictions.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

use demo::Role;
use rustix::process::{Pid, Signal, kill_process};

use crate::container::Container;
use crate::wait::wait_for;

/// The one capability of a release: to listen on privileged ports (`CAP_NET_BIND_SERVICE`).
const BIND: &str = "0000000000000400";

/// The two processes of an active unit, by their numbers in the test's namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Processes {
    pub(crate) boot: Pid,
    pub(crate) release: Pid,
}

/// The unit of a machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unit<'a> {
    pub(crate) machine: &'a Container,
    pub(crate) role: Role,
}

impl Unit<'_> {
    /// Its processes; panics if it is not active.
    #[track_caller]
    pub(crate) fn processes(&self) -> Processes {
        self.up().unwrap_or_else(|seen| panic!("{}: {seen}\n{}", self.machine, self.machine.journal()))
    }

    /// Waits until the unit is active with both of its processes.
    pub(crate) fn wait_until_up(&self) -> Processes {
        wait_for("an active unit", || {
            self.up().map_err(|seen| format!("{}: {seen}\n{}", self.machine, self.machine.journal()))
        })
    }

    /// How often systemd has restarted it.
    pub(crate) fn restarts(&self) -> u32 {
        self.shown("NRestarts").parse().expect("systemd counts in numbers")
    }

    /// systemd accepts every line of the unit without a warning.
    pub(crate) fn assert_valid(&self) {
        let verify = format!("systemd-analyze verify --man=no {}.service 2>&1", self.name());
        assert_eq!(self.machine.run(&verify), "", "{}", self.machine);
    }

    /// Kills the release: boot restarts it, and systemd restarts nothing.
    pub(crate) fn crash_release(&self) {
        let before = self.processes();
        kill(before.release);
        let after = wait_for("a new process of the release", || match self.up() {
            Ok(after) if after.release != before.release => Ok(after),
            other => Err(format!("{other:?}")),
        });
        assert_eq!(after.boot, before.boot, "{}: boot was restarted too", self.machine);
        assert_eq!(self.restarts(), 0, "{}: systemd restarted the unit", self.machine);
    }

    /// Kills boot: systemd restarts it after the old release has ended.
    pub(crate) fn crash_boot(&self) {
        let (before, restarts) = (self.processes(), self.restarts());
        kill(before.boot);
        let after = wait_for("a new process of boot", || match self.up() {
            Ok(after) if after.boot != before.boot => Ok(after),
            other => Err(format!("{other:?}")),
        });
        assert_ne!(after.release, before.release, "{}: a new process", self.machine);
        assert!(!lives(before.release), "{}: the old release still runs", self.machine);
        assert_eq!(self.restarts(), restarts + 1, "{}: systemd restarted it once", self.machine);
    }

    /// Stops the unit, and starts it while the lock of a running program is held: it becomes active only when boot
    /// reports that it is ready.
    pub(crate) fn stop_and_start_while_a_program_is_left(&self) {
        let name = self.name();
        let before = self.processes();
        self.machine.run(&format!("systemctl stop {name}"));
        assert_eq!(self.shown("Result"), "success", "{}: it ended by itself", self.machine);
        assert_eq!(self.shown("ActiveState"), "inactive", "{}", self.machine);
        assert!(self.all().is_empty(), "{}: {:?} still run", self.machine, self.all());
        assert!(!lives(before.boot) && !lives(before.release), "{}: a process still runs", self.machine);

        let lock =
            File::open(self.machine.file("var/lib/pitlane/running.lock")).expect("boot has created its lock");
        lock.try_lock().expect("no program runs");
        self.machine.run(&format!("systemctl start --no-block {name}"));
        wait_for("boot's message that it waits", || {
            let journal = self.machine.run(&format!("journalctl --quiet --no-pager --lines=3 --unit={name}"));
            if journal.contains("still runs; waiting") { Ok(()) } else { Err(journal) }
        });
        assert_eq!(self.shown("ActiveState"), "activating", "{}: it is not ready yet", self.machine);
        drop(lock);
        self.wait_until_up();
    }

    /// The release has the unit's one capability, and cannot change programs, keys and settings.
    pub(crate) fn assert_confined(&self, processes: Processes) {
        let release = processes.release.as_raw_nonzero();
        let status = fs::read_to_string(format!("/proc/{release}/status")).expect("the release runs");
        let limits = fs::read_to_string(format!("/proc/{release}/limits")).expect("the release runs");
        let no_core = limits.lines().find(|line| line.starts_with("Max core file size"));
        assert!(no_core.is_some_and(|line| line.matches(" 0 ").count() == 2), "{}: {limits}", self.machine);
        for line in [format!("CapBnd:\t{BIND}"), format!("CapEff:\t{BIND}"), "Seccomp:\t2".into()] {
            assert!(
                status.lines().any(|found| found == line),
                "{}: {line} is not in\n{status}",
                self.machine
            );
        }
        let seen_by_release = Path::new("/proc").join(release.to_string()).join("root");
        let change = |path: &str| File::create(seen_by_release.join(path).join("change")).map(drop);
        for path in ["usr/lib/pitlane", "etc", "var/lib/pitlane/trust"] {
            let refused = change(path).map_err(|error| error.kind());
            assert_eq!(refused, Err(ErrorKind::ReadOnlyFilesystem), "{}: /{path}", self.machine);
        }
        change("var/lib/pitlane/state").expect("the release's own folder can be written");
        self.assert_out_of_reach();
    }

    /// The release's user, outside of the unit, can neither change nor replace files of root.
    fn assert_out_of_reach(&self) {
        let as_pitlane = "setpriv --reuid pitlane --regid pitlane --clear-groups";
        for change in ["mv trust moved", "rm machine.toml", "touch trust/other.pub", "mv machine.toml moved"]
        {
            let refused = self.machine.try_run(&format!("cd /var/lib/pitlane && {as_pitlane} {change}"));
            let output = refused.expect_err("only root may do that");
            assert!(
                output.contains("Operation not permitted") || output.contains("Permission denied"),
                "{}: {change}: {output}",
                self.machine
            );
        }
    }

    /// Boot does not start a program that differs from the signed one, and starts it again once it is restored.
    pub(crate) fn reject_unsigned_program(&self) {
        let name = self.name();
        let program = format!("/var/lib/pitlane/slots/a/bin/{name}");
        let before = self.processes();
        self.machine.run(&format!("cp -p {program} /root/kept && systemctl stop {name}"));
        self.machine.run(&format!("printf '#!/bin/sh\ntouch /tmp/evil\nsleep 1000\n' > {program}"));
        self.machine.run(&format!("systemctl start --no-block {name}"));
        wait_for("boot's refusal", || {
            let journal = self.machine.run(&format!("journalctl --quiet --no-pager --lines=9 --unit={name}"));
            if journal.contains("cannot be started, for its verification failed") {
                Ok(())
            } else {
                Err(journal)
            }
        });
        assert!(!lives(before.release), "{}: the old release still runs", self.machine);
        self.machine
            .run(&format!("systemctl stop {name}; cp -p /root/kept {program}; systemctl start {name}"));
        self.wait_until_up();
    }

    fn up(&self) -> Result<Processes, String> {
        let state = self.shown("ActiveState");
        let all = self.all();
        let of = |program: &str| all.iter().find(|(_, name)| name == program).map(|(process, _)| *process);
        match (state.as_str(), of("pitlane-boot"), of(&self.name())) {
            ("active", Some(boot), Some(release)) => Ok(Processes { boot, release }),
            _ => Err(format!("{} is {state} with {all:?}", self.name())),
        }
    }

    /// All processes in the unit's control group, with their names.
    fn all(&self) -> Vec<(Pid, String)> {
        let group = self.machine.groups().join(format!("system.slice/{}.service", self.name()));
        let processes = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
        let named = |process: &str| {
            let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
            Some((Pid::from_raw(process.parse().ok()?)?, name.trim().to_owned()))
        };
        processes.lines().filter_map(named).collect()
    }

    fn shown(&self, property: &str) -> String {
        self.machine.run(&format!("systemctl show --property={property} --value {}", self.name()))
    }

    /// The name of the unit and of the release's program.
    fn name(&self) -> String {
        format!("pitlane-{}", self.role.name())
    }
}

fn kill(process: Pid) {
    kill_process(process, Signal::KILL).expect("the process lives");
}

fn lives(process: Pid) -> bool {
    Path::new("/proc").join(process.as_raw_nonzero().to_string()).exists()
}
