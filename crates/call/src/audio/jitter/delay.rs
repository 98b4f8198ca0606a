//! How long packets are under way, measured against the ticks in which they are played, and how far behind its
//! timestamps a stream must be played so that nearly all packets come in time.
//!
//! The lateness of a packet is the time of its arrival, counted in ticks played, less its timestamp. Only differences of
//! it mean anything. Packets are read once a tick, so lateness changes in steps of a tick.

use super::distance;

/// Packets of a window: 1.3 s of the usual length.
const WINDOW: u32 = 64;

/// Windows that are remembered, the present one included: after 5 s the buffer becomes shorter.
const WINDOWS: usize = 4;

/// Packets after which one late packet alone is an exception, for which the delay does not rise.
const KNOWN: u32 = 16;

/// The most that a stream is played behind its earliest packet, in ticks: 200 ms.
const MAX_TICKS: u32 = 10;

/// With this many ticks from one packet to the next (500 ms) it is no delay but another beginning of the timestamps.
const JUMP_TICKS: u32 = 25;

/// The lateness of the last packets of one stream. All values are in units of its timestamps.
#[derive(Clone, Debug)]
pub(super) struct Delay {
    tick: u32,
    /// The lateness of the first packet: all others are measured from it.
    origin: u32,
    last: i32,
    packets: u32,
    windows: [Window; WINDOWS],
    present: usize,
    target: u32,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    least: i32,
    most: [i32; 2],
}

const EMPTY: Window = Window { least: i32::MAX, most: [i32::MIN; 2] };

impl Delay {
    /// For a stream whose timestamps advance by `tick` in a tick.
    pub(super) fn new(tick: u32) -> Delay {
        Delay { tick, origin: 0, last: 0, packets: 0, windows: [EMPTY; WINDOWS], present: 0, target: 0 }
    }

    /// Whether a packet with this lateness begins the timestamps anew.
    pub(super) fn is_jump(&self, lateness: u32) -> bool {
        let from_last = distance(self.origin, lateness).wrapping_sub(self.last).unsigned_abs();
        self.packets > 0 && from_last > JUMP_TICKS * self.tick
    }

    /// Takes the lateness of a packet.
    pub(super) fn add(&mut self, lateness: u32) {
        if self.packets == 0 {
            self.origin = lateness;
        } else if self.packets.is_multiple_of(WINDOW) {
            self.present = (self.present + 1) % WINDOWS;
            self.windows[self.present] = EMPTY;
        }
        self.packets = self.packets.wrapping_add(1).max(1);
        self.last = distance(self.origin, lateness);
        self.windows[self.present].add(self.last);
        let all = self.windows.iter().fold(EMPTY, |all, window| all.with(*window));
        let late = if self.packets < KNOWN { all.most[0] } else { all.most[1] };
        let bound = all.least.saturating_add_unsigned(MAX_TICKS * self.tick);
        let target = late.saturating_add_unsigned(self.margin()).min(bound);
        self.target = self.origin.wrapping_add_signed(target);
    }

    /// Forgets the lateness of all packets so far, for they were read late or early themselves. The target stays until
    /// the next one.
    pub(super) fn forget(&mut self) {
        self.packets = 0;
        self.windows = [EMPTY; WINDOWS];
    }

    /// The lateness with which the stream should be played.
    pub(super) fn target(&self) -> u32 {
        self.target
    }

    /// Half a tick: a packet that misses its tick for the first time leaves a gap of the other half only.
    fn margin(&self) -> u32 {
        self.tick / 2
    }
}

impl Window {
    fn add(&mut self, lateness: i32) {
        self.least = self.least.min(lateness);
        if lateness > self.most[0] {
            self.most = [lateness, self.most[0]];
        } else {
            self.most[1] = self.most[1].max(lateness);
        }
    }

    fn with(mut self, other: Window) -> Window {
        self.least = self.least.min(other.least);
        other.most.into_iter().for_each(|late| {
            if late > self.most[0] {
                self.most = [late, self.most[0]];
            } else {
                self.most[1] = self.most[1].max(late);
            }
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: u32 = 160;

    fn target(latenesses: impl Iterator<Item = u32>) -> u32 {
        let mut delay = Delay::new(TICK);
        latenesses.for_each(|lateness| delay.add(lateness));
        delay.target()
    }

    #[test]
    fn steady_stream_is_played_half_a_tick_after_its_packets() {
        assert_eq!(target((0..100).map(|_| 5000)), 5080);
        assert_eq!(target((0..100).map(|_| u32::MAX)), 79);
    }

    #[test]
    fn delay_covers_all_late_packets_but_one() {
        assert_eq!(target((0..100).map(|n| if n == 50 { 5480 } else { 5000 })), 5080);
        assert_eq!(target((0..100).map(|n| if n % 50 == 0 { 5480 } else { 5000 })), 5560);
    }

    #[test]
    fn delay_is_forgotten_after_some_windows() {
        assert_eq!(target((0..600).map(|n| if n % 50 == 0 && n < 300 { 5480 } else { 5000 })), 5080);
    }

    #[test]
    fn delay_has_a_bound() {
        assert_eq!(target((0..100).map(|n| if n % 2 == 0 { 8000 } else { 5000 })), 6600);
    }

    #[test]
    fn only_a_large_step_of_the_lateness_is_a_jump() {
        let mut delay = Delay::new(TICK);
        assert!(!delay.is_jump(77));
        delay.add(u32::MAX - 100);
        assert!(!delay.is_jump(3800) && delay.is_jump(4000) && !delay.is_jump(u32::MAX - 4000));
        assert!(delay.is_jump(u32::MAX / 2));
    }
}
