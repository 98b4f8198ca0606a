//! A program's time: what was stored last, plus what has passed since. It never goes back and never jumps,
//! whatever is done to the wall clock, so that no limit does.
//!
//! What passes while the program runs, and while it is down on a machine that stays up, is counted by the
//! machine's uptime, which nobody can set. What passes while the machine is off is known from the wall
//! clock alone, and is believed only as far as [`believed`] says. Decides nothing else; what is shown to
//! people is the wall clock's business ([`fleet::wall`]).

mod machine;
mod set;

use std::sync::Arc;

use fleet::time::{Offset, Span, Time, Wall};
pub use fleet::wall::BELIEVED;
use fleet::wall::{Gap, STEP};
use serde::{Deserialize, Serialize};

pub use machine::Machine;
pub use set::SetByHand;

/// Whether a wall clock is known to be right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// A time daemon has set it since the machine started.
    Synchronised,
    /// Nobody says so.
    #[default]
    Unknown,
}

/// What a machine's clocks say at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readings {
    /// The wall clock, which may jump.
    pub wall: Wall,
    /// Names the machine's present start; empty when it is not known.
    pub boot: String,
    /// What has passed since the machine started, the time that it was suspended included.
    pub uptime: Span,
    /// Whether the wall clock is known to be right.
    #[serde(default)]
    pub trust: Trust,
}

/// Where a machine's clocks are read.
pub trait Source: std::fmt::Debug + Send + Sync {
    /// The wall clock.
    fn wall(&self) -> Wall;
    /// What has passed since the machine started. It never goes back.
    fn uptime(&self) -> Span;
    /// The name of the machine's present start; empty when it is not known.
    fn boot(&self) -> String;
    /// Whether the wall clock is known to be right.
    fn trust(&self) -> Trust;
}

/// A moment of the program's time together with what the machine's clocks said then: all that is needed to
/// go on from it after a restart.
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
    /// Goes on from the last stamp, or begins with the wall clock.
    pub fn start(last: Option<&Stamp>) -> Self {
        Self::start_on(Arc::new(Machine), last)
    }

    /// The same by other clocks than this machine's.
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

    /// How the time went on from the stamp that it was started with.
    pub fn gap(&self) -> Gap {
        self.gap
    }

    /// What to store, so that the next start goes on from here.
    pub fn stamp(&self) -> Stamp {
        let readings = readings(&*self.source, self.since.boot.clone());
        Stamp { now: self.at(readings.uptime), readings }
    }

    /// When the program started, by the wall clock as it goes now.
    pub fn started_at(&self) -> Wall {
        let ahead = self.wall().ahead_of_time(self.now());
        let stepped = ahead.since(self.since.wall.ahead_of_time(self.base));
        // In whole seconds, for two clocks are not read at the same moment.
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

/// The program's time at a start, and how it came to that.
fn resumed(last: &Stamp, readings: &Readings) -> (Time, Gap) {
    let Stamp { now, readings: then } = last;
    let same_boot = !then.boot.is_empty() && then.boot == readings.boot && readings.uptime >= then.uptime;
    if same_boot {
        return (*now + (readings.uptime - then.uptime), Gap::Counted);
    }
    let off = readings.wall.since(then.wall);
    (*now + believed(off, [then.trust, readings.trust]), Gap::Estimated)
}

/// How long a machine was off when the wall clocks before and after say `off`: all of it when both are known
/// to be right, else no more than [`BELIEVED`].
pub fn believed(off: Span, trust: [Trust; 2]) -> Span {
    match trust {
        [Trust::Synchronised, Trust::Synchronised] => off,
        [Trust::Unknown, _] | [_, Trust::Unknown] => off.min(BELIEVED),
    }
}

#[cfg(test)]
mod tests {
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
    fn the_first_start_begins_with_the_wall_clock() {
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
    fn a_restart_of_the_machine_is_believed_up_to_a_limit_and_never_backwards() {
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
    fn a_night_without_power_counts_when_both_clocks_are_known_to_be_right() {
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
    fn a_machine_that_does_not_name_its_starts_is_believed_no_more_than_one_that_was_off() {
        let (machine, clock) = machine();
        let mut stamp = clock.stamp();
        stamp.readings.boot.clear();
        machine.pass(Span::hours(3));
        assert_eq!(restarted(&machine, &stamp).now(), stamp.now + BELIEVED);
    }

    #[test]
    fn when_a_program_started_is_said_by_the_clock_as_it_goes_now() {
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
    fn a_stamp_of_the_release_before_is_read() {
        let text = r#"{"now":5,"readings":{"wall":7,"boot":"x","uptime":9}}"#;
        let stamp: Stamp = serde_json::from_str(text).unwrap();
        assert_eq!((stamp.readings.trust, stamp.readings.uptime), (Trust::Unknown, Span(9)));
    }

    #[test]
    fn this_machine_names_its_start_and_its_uptime_grows() {
        let (first, second) = (Machine.uptime(), Machine.uptime());
        assert!(first <= second && first > Span::ZERO);
        assert_eq!(Machine.boot(), Machine.boot());
    }
}
