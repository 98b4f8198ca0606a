//! The systemd units as they are shipped, under a systemd that runs: a Management Node and a Conferencing
//! Node in a container each, installed as the README tells an operator to.

mod apart;
mod container;
mod people;
mod unit;
mod wait;
mod world;

use demo::Built;

use crate::apart::apart;
use crate::world::World;

#[test]
fn a_platform_under_systemd_goes_through_an_upgrade() {
    apart("a_platform_under_systemd_goes_through_an_upgrade", || {
        let world = World::new();
        let before = [&world.manager, &world.node].map(|machine| machine.unit().processes());
        world.upgrade();
        for (machine, before) in [&world.manager, &world.node].into_iter().zip(before) {
            let unit = machine.unit();
            let after = unit.wait_until_up();
            assert_eq!(after.boot, before.boot, "{machine}: pitlane-boot lives through an upgrade");
            assert_ne!(after.release, before.release, "{machine}: the new release is a process of its own");
            assert_eq!(unit.restarts(), 0, "{machine}: systemd had nothing to mend");
            unit.assert_understood();
            unit.assert_confined(after);
        }
    });
}

#[test]
fn a_unit_comes_back_from_whatever_ends_it() {
    apart("a_unit_comes_back_from_whatever_ends_it", || {
        let mut world = World::new();
        for machine in [&world.manager, &world.node] {
            let unit = machine.unit();
            unit.crash_release();
            unit.crash_boot();
            unit.stop_and_start_while_a_program_is_left();
            unit.refuse_what_was_not_signed();
        }
        world.wait_until_in_touch(Built::PRESENT);
        world.node.reboot();
        world.manager.reboot();
        for machine in [&world.manager, &world.node] {
            machine.unit().wait_until_up();
            assert_eq!(machine.unit().restarts(), 0, "{machine}: it came up at the first try");
        }
        world.wait_until_in_touch(Built::PRESENT);
    });
}
