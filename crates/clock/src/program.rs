//! The program's clock: continues a stored time by the machine's uptime, and by the wall clock only as far as
//! [`believed`] allows.

use std::sync::Arc;

use fleet::time::{Offset, Span, Time, Wall};
use fleet::wall::{BELIEVED, Gap, STEP};
use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::source::{Readings, Source, Trust};

/// The program's time together with the clock readings at that moment: all that is needed to continue it after a
/// restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The program's time.
    pub now: Time,
    /// The machine's clocks.
    pub readings: Readings,
}

/// The program's clock.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Arc<dyn Source>,
    base: Time,
    since: Readings,
    gap: Gap,
}

impl Clock {
    /// Continues from the last stamp, or begins with the wall clock.
    pub fn start(last: Option<&Stamp>) -> Self {
        Self::start_on(Arc::new(Machine), last)
    }

    /// The same with another source of readings.
    pub fn start_on(source: Arc<dyn Source>, last: Option<&Stamp>) -> Self {
        let since = readings(&*source, source.boot());
        let (base, gap) = last.map_or((Time(since.wall.0), Gap::Counted), |last| resumed(last, &since));
        Self { source, base, since, gap }
    }

    /// The program's time.
    pub fn now(&self) -> Time {
        self.at(self.source.uptime())
    }

    /// The wall clock.
    pub fn wall(&self) -> Wall {
        self.source.wall()
    }

    /// How the time between the stamp and this start was determined.
    pub fn gap(&self) -> Gap {
        self.gap
    }

    /// The stamp to store, from which the next start continues.
    pub fn stamp(&self) -> Stamp {
        let readings = readings(&*self.source, self.since.boot.clone());
        Stamp { now: self.at(readings.uptime), readings }
    }

    /// When the program started, by the present wall clock: corrected by steps of it since then.
    pub fn started_at(&self) -> Wall {
        let ahead = self.wall().ahead_of_time(self.now());
        let stepped = ahead.since(self.since.wall.ahead_of_time(self.base));
        // In whole seconds, because the two clocks are not read at the same moment.
        let stepped = if stepped.size() >= STEP { stepped.0 / 1_000 * 1_000 } else { 0 };
        self.since.wall + Offset(stepped)
    }

    fn at(&self, uptime: Span) -> Time {
        self.base + (uptime - self.since.uptime)
    }
}

fn readings(source: &dyn Source, boot: String) -> Readings {
    Readings { wall: source.wall(), boot, uptime: source.uptime(), trust: source.trust() }
}

/// The program's time at a start, and how it was determined.
fn resumed(last: &Stamp, readings: &Readings) -> (Time, Gap) {
    let Stamp { now, readings: then } = last;
    let same_boot = !then.boot.is_empty() && then.boot == readings.boot && readings.uptime >= then.uptime;
    if same_boot {
        return (*now + (readings.uptime - then.uptime), Gap::Counted);
    }
    let off = readings.wall.since(then.wall);
    (*now + believed(off, [then.trust, readings.trust]), Gap::Estimated)
}

/// How much of the downtime `off`, the difference of the wall clocks before and after, is counted: all of it when
/// both clocks are known to be correct, else no more than [`BELIEVED`].
pub fn believed(off: Span, trust: [Trust; 2]) -> Span {
    match trust {
        [Trust::Synchronised, Trust::Synchronised] => off,
        [Trust::Unknown, _] | [_, Trust::Unknown] => off.min(BELIEVED),
    }
}

#[cfg(test)]
mod tests {
    use crate::SetByHand;

    use super::*;

    const DAYS_400: Span = Span::hours(400 * 24);

    fn machine() -> (SetByHand, Clock) {
        let machine = SetByHand::new(Wall(1_800_000_000_000));
        let clock = Clock::start_on(Arc::new(machine.clone()), None);
        (machine, clock)
    }

    fn restarted(machine: &SetByHand, stamp: &Stamp) -> Clock {
        Clock::start_on(Arc::new(machine.clone()), Some(stamp))
    }

    #[test]
    fn first_start_begins_with_the_wall_clock() {
        let (machine, clock) = machine();
        machine.pass(Span(700));
        assert_eq!((clock.now(), clock.gap()), (Time(1_800_000_000_700), Gap::Counted));
    }

    #[test]
    fn no_setting_of_the_wall_clock_moves_the_time_of_a_machine_that_stays_up() {
        for step in [Span::hours(2), DAYS_400] {
            for sign in [1, -1] {
                let (machine, clock) = machine();
                let (began, stamp) = (clock.now(), clock.stamp());
                machine.set(Offset(sign * step.0 as i64));
                machine.pass(Span::minutes(1));
                assert_eq!(clock.now(), began + Span::minutes(1));
                let again = restarted(&machine, &stamp);
                assert_eq!((again.now(), again.gap()), (clock.now(), Gap::Counted));
                machine.set(Offset(-sign * step.0 as i64));
                assert_eq!(again.now(), clock.now());
            }
        }
    }

    #[test]
    fn downtime_of_the_machine_is_counted_up_to_a_limit_and_never_negative() {
        let check = |off: Span, set: i64, expected: Span| {
            let (machine, clock) = machine();
            let stamp = clock.stamp();
            machine.off(off);
            machine.set(Offset(set));
            let again = restarted(&machine, &stamp);
            assert_eq!((again.now(), again.gap()), (stamp.now + expected, Gap::Estimated));
        };
        let days = DAYS_400.0 as i64;
        check(Span::minutes(2), 0, Span::minutes(2));
        check(Span::hours(6), 0, BELIEVED);
        check(Span::minutes(2), days, BELIEVED);
        check(Span::minutes(2), -days, Span::ZERO);
    }

    #[test]
    fn long_downtime_is_counted_when_both_clocks_were_synchronised() {
        let check = |before: Trust, after: Trust, expected: Span| {
            let (machine, clock) = machine();
            machine.trust(before);
            let stamp = clock.stamp();
            machine.off(Span::hours(9));
            machine.trust(after);
            assert_eq!(restarted(&machine, &stamp).now(), stamp.now + expected);
        };
        check(Trust::Synchronised, Trust::Synchronised, Span::hours(9));
        check(Trust::Unknown, Trust::Synchronised, BELIEVED);
        check(Trust::Synchronised, Trust::Unknown, BELIEVED);
    }

    #[test]
    fn machine_without_a_boot_id_is_treated_as_one_that_was_off() {
        let (machine, clock) = machine();
        let mut stamp = clock.stamp();
        stamp.readings.boot.clear();
        machine.pass(Span::hours(3));
        assert_eq!(restarted(&machine, &stamp).now(), stamp.now + BELIEVED);
    }

    #[test]
    fn start_time_of_a_program_is_reported_by_the_present_wall_clock() {
        let (machine, clock) = machine();
        let began = clock.started_at();
        machine.pass(Span::hours(1));
        assert_eq!(clock.started_at(), began);
        machine.set(Offset(-7_200_000));
        assert_eq!(clock.started_at(), began + Offset(-7_200_000));
        machine.pass(Span::hours(1));
        assert_eq!(clock.started_at(), began + Offset(-7_200_000));
    }

    #[test]
    fn stamp_of_the_release_before_is_read() {
        let text = r#"{"now":5,"readings":{"wall":7,"boot":"x","uptime":9}}"#;
        let stamp: Stamp = serde_json::from_str(text).unwrap();
        assert_eq!((stamp.readings.trust, stamp.readings.uptime), (Trust::Unknown, Span(9)));
    }

    #[test]
    fn real_machine_has_a_constant_boot_id_and_a_growing_uptime() {
        let (first, second) = (Machine.uptime(), Machine.uptime());
        assert!(first <= second && first > Span::ZERO);
        assert_eq!(Machine.boot(), Machine.boot());
    }
}
