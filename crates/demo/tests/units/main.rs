//! The shipped systemd units under a running systemd: a Management Node and a Conferencing Node in a container each,
//! installed as the README describes.

mod container;
mod conversation;
mod fixture;
mod isolated;
mod unit;
mod wait;

use demo::Built;

use crate::fixture::Fixture;
use crate::isolated::isolated;

#[test]
fn platform_under_systemd_is_upgraded() {
    isolated("platform_under_systemd_is_upgraded", || {
        let fixture = Fixture::new();
        let before = [&fixture.manager, &fixture.node].map(|machine| machine.unit().processes());
        fixture.upgrade();
        for (machine, before) in [&fixture.manager, &fixture.node].into_iter().zip(before) {
            let unit = machine.unit();
            let after = unit.wait_until_up();
            assert_eq!(after.boot, before.boot, "{machine}: pitlane-boot keeps running during an upgrade");
            assert_ne!(after.release, before.release, "{machine}: the new release is a process of its own");
            assert_eq!(unit.restarts(), 0, "{machine}: systemd restarted the unit");
            unit.assert_valid();
            unit.assert_confined(after);
        }
    });
}

#[test]
fn unit_restarts_whatever_ends_it() {
    isolated("unit_restarts_whatever_ends_it", || {
        let mut fixture = Fixture::new();
        for machine in [&fixture.manager, &fixture.node] {
            let unit = machine.unit();
            unit.crash_release();
            unit.crash_boot();
            unit.stop_and_start_while_a_program_is_left();
            unit.reject_unsigned_program();
        }
        fixture.wait_until_all_have_reported(Built::PRESENT);
        fixture.node.reboot();
        fixture.manager.reboot();
        for machine in [&fixture.manager, &fixture.node] {
            machine.unit().wait_until_up();
            assert_eq!(machine.unit().restarts(), 0, "{machine}: it started at the first attempt");
        }
        fixture.wait_until_all_have_reported(Built::PRESENT);
    });
}
