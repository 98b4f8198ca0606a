//! How one received stream arrives: what is lost and how unevenly it comes (RFC 3550 appendices A.1, A.3, A.8). Pure.
//!
//! Packets are read once in a tick, so the jitter has that resolution: it is too large or too small by up to a tick.

use crate::rtcp::Block;
use crate::rtp::Header;
use crate::time::Time;

/// A sequence number that is further ahead than this is a jump, not a loss.
const MAX_DROPOUT: u16 = 3000;
/// A sequence number that is less than this behind is late, not a jump.
const MAX_MISORDER: u16 = 100;

/// Statistics of one stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reception {
    ssrc: u32,
    /// The first sequence number.
    base: u32,
    /// The highest one, with its wraps above it.
    highest: u32,
    /// The number that would follow a jump.
    after_jump: Option<u16>,
    received: u32,
    reported: Reported,
    /// Sixteen times the jitter.
    jitter: u32,
    transit: Option<u32>,
    /// The last sender report and when it came.
    report: Option<(u32, Time)>,
}

/// What the last report said.
#[derive(Clone, Copy, Debug, Default)]
struct Reported {
    expected: u32,
    received: u32,
}

impl Reception {
    /// The statistics of a stream before its first packet `header`.
    pub(crate) fn new(header: &Header) -> Reception {
        let first = u32::from(header.sequence);
        Reception {
            ssrc: header.ssrc,
            base: first,
            highest: first,
            after_jump: None,
            received: 0,
            reported: Reported::default(),
            jitter: 0,
            transit: None,
            report: None,
        }
    }

    /// The stream.
    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Counts a packet. `clock_rate` is that of its timestamp, in ticks a second, if that is of the moment it was sent:
    /// the timestamp of an event is not.
    pub(crate) fn count(&mut self, now: Time, header: &Header, clock_rate: Option<u32>) {
        if !self.advance(header.sequence) {
            return;
        }
        self.received = self.received.wrapping_add(1);
        if let Some(clock_rate) = clock_rate {
            self.measure(now, header.timestamp, clock_rate);
        }
    }

    /// Takes in a sequence number; false for one that is far from the others, unless its successor came before.
    fn advance(&mut self, sequence: u16) -> bool {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead < MAX_DROPOUT {
            self.highest = self.highest.wrapping_add(u32::from(ahead));
        } else if ahead <= u16::MAX - MAX_MISORDER {
            if self.after_jump != Some(sequence) {
                self.after_jump = Some(sequence.wrapping_add(1));
                return false;
            }
            // The far end began anew.
            self.base = u32::from(sequence);
            self.highest = self.base;
            (self.received, self.reported, self.transit) = (0, Reported::default(), None);
        }
        self.after_jump = None;
        true
    }

    fn measure(&mut self, now: Time, timestamp: u32, clock_rate: u32) {
        let arrived = now.0.wrapping_mul(u64::from(clock_rate / 1000)) as u32;
        let transit = arrived.wrapping_sub(timestamp);
        if let Some(last) = self.transit.replace(transit) {
            let change = (transit.wrapping_sub(last) as i32).unsigned_abs();
            // A jump of the timestamps is no jitter.
            if change < clock_rate {
                self.jitter = self.jitter.wrapping_add(change).wrapping_sub((self.jitter + 8) >> 4);
            }
        }
    }

    /// How many packets have come, those that came twice included.
    pub(crate) fn packets(&self) -> u32 {
        self.received
    }

    /// How many have not come; duplicates count against them.
    pub(crate) fn lost(&self) -> u32 {
        u32::try_from(self.expected().wrapping_sub(self.received) as i32).unwrap_or(0)
    }

    /// The jitter, in units of the clock of the stream.
    pub(crate) fn jitter(&self) -> u32 {
        self.jitter >> 4
    }

    fn expected(&self) -> u32 {
        self.highest.wrapping_sub(self.base).wrapping_add(1)
    }

    /// The far end's sender report of NTP time `ntp` came.
    pub(crate) fn report(&mut self, now: Time, ntp: u64) {
        self.report = Some(((ntp >> 16) as u32, now));
    }

    /// What this node reports; the share of losses is that since the last time.
    pub(crate) fn block(&mut self, now: Time) -> Block {
        let expected = self.expected();
        let since = (
            expected.wrapping_sub(self.reported.expected),
            self.received.wrapping_sub(self.reported.received),
        );
        self.reported = Reported { expected, received: self.received };
        let (last_report, delay) = self.report.map_or((0, 0), |(middle, at)| {
            (middle, (now.since(at).as_millis() as u64 * 65_536 / 1000).min(u64::from(u32::MAX)) as u32)
        });
        Block {
            ssrc: self.ssrc,
            fraction_lost: fraction(since),
            lost: expected.wrapping_sub(self.received) as i32,
            highest: self.highest,
            jitter: self.jitter(),
            last_report,
            delay,
        }
    }
}

/// The share that is missing of what was expected, in units of 1/256.
fn fraction((expected, received): (u32, u32)) -> u8 {
    let lost = u64::from(expected.saturating_sub(received));
    lost.checked_mul(256).and_then(|lost| lost.checked_div(u64::from(expected))).unwrap_or(0).min(255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sequence: u16, timestamp: u32) -> Header {
        Header { payload_type: 0, marker: false, sequence, timestamp, ssrc: 5 }
    }

    /// The statistics after packets with these numbers, one every 20 ms.
    fn after(sequences: &[u16]) -> Reception {
        let mut reception = Reception::new(&header(sequences[0], 0));
        for (n, sequence) in (0..).zip(sequences) {
            reception.count(Time(20 * n), &header(*sequence, 160 * n as u32), Some(8000));
        }
        reception
    }

    #[test]
    fn losses_are_counted_over_the_wrap_and_duplicates_against_them() {
        let block = after(&[65_534, 65_535, 1, 2, 2, 3]).block(Time(0));
        assert_eq!((block.lost, block.highest, block.fraction_lost), (0, 0x1_0003, 0), "one lost, one twice");
        let block = after(&[10, 11, 15, 13, 16]).block(Time(0));
        assert_eq!((block.lost, block.highest, block.fraction_lost), (2, 16, 73));
        assert_eq!(after(&[10, 10, 10]).block(Time(0)).lost, -2);
    }

    #[test]
    fn share_of_losses_is_that_since_the_last_report() {
        let mut reception = after(&[1, 3]);
        assert_eq!(reception.block(Time(0)).fraction_lost, 85);
        [4, 5, 6].iter().for_each(|n| reception.count(Time(0), &header(*n, 0), None));
        let block = reception.block(Time(0));
        assert_eq!((block.fraction_lost, block.lost), (0, 1));
        assert_eq!(reception.block(Time(0)).fraction_lost, 0, "nothing came");
    }

    #[test]
    fn single_number_far_away_is_not_counted_and_two_in_a_row_begin_anew() {
        let block = after(&[1, 2, 30_000, 3]).block(Time(0));
        assert_eq!((block.lost, block.highest), (0, 3));
        let block = after(&[1, 2, 30_000, 30_001, 30_002]).block(Time(0));
        assert_eq!((block.lost, block.highest), (0, 30_002));
    }

    #[test]
    fn jitter_is_the_mean_deviation_of_the_spacing() {
        assert_eq!(after(&[1, 2, 3, 4]).block(Time(0)).jitter, 0);
        let mut reception = Reception::new(&header(0, 0));
        for n in 0..2000 {
            let late = if n % 2 == 0 { 0 } else { 10 };
            reception.count(Time(20 * n + late), &header(n as u16, 160 * n as u32), Some(8000));
        }
        // Each spacing is off by 10 ms, which are 80 samples.
        assert!((78..=80).contains(&reception.block(Time(0)).jitter), "{reception:?}");
        reception.count(Time(40_000), &header(2000, 3_000_000_000), Some(8000));
        assert!(reception.block(Time(0)).jitter <= 80, "a jump is no jitter");
    }

    #[test]
    fn last_sender_report_and_its_age_are_repeated() {
        let mut reception = after(&[1]);
        assert_eq!((reception.block(Time(9)).last_report, reception.block(Time(9)).delay), (0, 0));
        reception.report(Time(1000), 0x1122_3344_5566_7788);
        let block = reception.block(Time(1500));
        assert_eq!((block.last_report, block.delay), (0x3344_5566, 0x8000));
    }

    #[test]
    fn no_stream_of_numbers_causes_a_panic() {
        let mut reception = after(&[1]);
        let mut random = super::super::random::Sequence::new(5);
        for _ in 0..200_000 {
            let number = random.next();
            let header = header((number >> 48) as u16, number as u32);
            reception.count(Time(number >> 20), &header, (number & 1 == 0).then_some(8000));
            if number & 0xf0 == 0 {
                reception.report(Time(number >> 10), number);
                reception.block(Time(number >> 30));
            }
        }
    }
}
