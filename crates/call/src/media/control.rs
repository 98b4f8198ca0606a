//! The RTCP of one leg (RFC 3550 section 6): when it reports, what it reports, and where to. Pure.
//!
//! A leg has one other participant and little bandwidth to save, so the interval is always the shortest one that the
//! RFC allows, and needs no reconsideration.

use std::net::SocketAddr;
use std::time::Duration;

use crate::audio::Codec;
use crate::participants::StreamStatistics;
use crate::rtcp::{Heard, Received, Report, Sent};
use crate::rtp::Header;
use crate::time::Time;

use super::random::Sequence;
use super::reception::Reception;

/// The mean time between two reports before it is randomised; the first one comes after half of it
/// (RFC 3550 section 6.2).
const INTERVAL: Duration = Duration::from_secs(5);

/// The interval varies by this much of itself around its mean, divided by e - 3/2 (RFC 3550 section 6.3.1), in parts
/// of a million.
const SHORTEST: u64 = 410_415;
const SPAN: u64 = 820_830;

/// How many reports after its last packet a leg still reports as a sender (RFC 3550 section 6.3.8).
const SENDER_FOR: u8 = 2;

/// The socket that a datagram comes to or leaves from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// The even port.
    Media,
    /// The odd one above it.
    Control,
}

/// The RTCP of a leg.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    random: Sequence,
    /// When the next report leaves; `None` before the call is confirmed.
    due: Option<Time>,
    reception: Option<Reception>,
    /// Where the far end's RTCP comes from, if that is not the negotiated address.
    source: Option<SocketAddr>,
    sent: Sent,
    sender_for: u8,
    /// How the far end receives our stream, as it has reported last.
    heard: Option<Heard>,
}

impl Control {
    /// A leg that has neither sent nor received. The seed differs from leg to leg, so that they do not report together.
    pub(crate) fn new(seed: u64) -> Control {
        Control {
            random: Sequence::new(seed),
            due: None,
            reception: None,
            source: None,
            sent: Sent::default(),
            sender_for: 0,
            heard: None,
        }
    }

    /// The call is confirmed: reports may leave.
    pub(crate) fn start(&mut self, now: Time) {
        if self.due.is_none() {
            self.due = Some(now + self.interval(INTERVAL / 2));
        }
    }

    /// How many packets, and bytes in them, this node has sent.
    pub(crate) fn sent(&self) -> (u32, u32) {
        (self.sent.packets, self.sent.octets)
    }

    /// Another process has sent so many packets, and bytes in them, of the same stream.
    pub(crate) fn resume(&mut self, packets: u32, octets: u32) {
        self.sent = Sent { packets, octets, ..self.sent };
    }

    /// The far end is at another address.
    pub(crate) fn forget_source(&mut self) {
        self.source = None;
    }

    /// Counts a packet of the far end; see [`Reception::count`].
    pub(crate) fn count_received(&mut self, now: Time, header: &Header, clock_rate: Option<u32>) {
        let same = self.reception.filter(|reception| reception.ssrc() == header.ssrc);
        let mut reception = same.unwrap_or_else(|| Reception::new(header));
        reception.count(now, header, clock_rate);
        self.reception = Some(reception);
    }

    /// Counts a packet of this node.
    pub(crate) fn count_sent(&mut self, payload: &[u8]) {
        self.sent.packets = self.sent.packets.wrapping_add(1);
        self.sent.octets = self.sent.octets.wrapping_add(payload.len() as u32);
        self.sender_for = SENDER_FOR;
    }

    /// What is sent from now on is another stream.
    pub(crate) fn begin_stream(&mut self) {
        self.sent = Sent::default();
        self.heard = None;
    }

    /// Takes in RTCP of the far end. `source` is where its RTCP comes from, if reports are to go there.
    pub(crate) fn receive(&mut self, now: Time, received: &Received, source: Option<SocketAddr>) {
        self.source = source.or(self.source);
        self.heard = received.heard.or(self.heard);
        if let Some(reception) = self.reception.as_mut().filter(|reception| reception.ssrc() == received.ssrc)
        {
            if let Some(ntp) = received.sent_at {
                reception.report(now, ntp);
            }
            if received.ends {
                self.reception = None;
            }
        }
    }

    /// What was counted of the far end's stream, whose packets have this codec.
    pub(crate) fn received(&self, codec: Codec) -> Option<StreamStatistics> {
        let reception = self.reception.as_ref()?;
        Some(StreamStatistics {
            codec,
            packets: reception.packets(),
            lost: Some(reception.lost()),
            jitter: Some(of_samples(reception.jitter(), codec)),
        })
    }

    /// What was counted of our stream, whose packets have this codec.
    pub(crate) fn sent_statistics(&self, codec: Codec) -> StreamStatistics {
        StreamStatistics {
            codec,
            packets: self.sent.packets,
            lost: self.heard.map(|heard| heard.lost),
            jitter: self.heard.map(|heard| of_samples(heard.jitter, codec)),
        }
    }

    /// Where the far end's RTCP comes from, if that is not the negotiated address.
    pub(crate) fn source(&self) -> Option<SocketAddr> {
        self.source
    }

    /// The report of this moment, if one is due. The stream of this node is `ssrc` and has come to `timestamp`.
    pub(crate) fn report<'a>(
        &mut self,
        now: Time,
        ssrc: u32,
        timestamp: u32,
        cname: &'a str,
    ) -> Option<Report<'a>> {
        self.due.filter(|due| now >= *due)?;
        self.due = Some(now + self.interval(INTERVAL));
        let sent = (self.sender_for > 0).then_some(Sent { ntp: ntp(now), timestamp, ..self.sent });
        self.sender_for = self.sender_for.saturating_sub(1);
        let reception = self.reception.as_mut().map(|reception| reception.block(now));
        Some(Report { ssrc, cname, sent, reception })
    }

    fn interval(&mut self, mean: Duration) -> Duration {
        let millionths = SHORTEST + self.random.next() % SPAN;
        Duration::from_micros(mean.as_millis() as u64 * millionths / 1000)
    }
}

/// How long so many units of the clock of a codec last.
fn of_samples(samples: u32, codec: Codec) -> Duration {
    Duration::from_micros(u64::from(samples) * 1_000_000 / u64::from(codec.clock_rate()))
}

/// The time in units of 2^-32 seconds. It counts from the start of the engine: the far end needs differences only
/// (RFC 3550 section 4), and the wall clock may be changed while calls go on.
fn ntp(now: Time) -> u64 {
    let (seconds, ms) = (now.0 / 1000, now.0 % 1000);
    (seconds << 32) | ((ms << 32) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_leave_at_random_intervals_of_five_seconds_in_the_mean_of_the_rfc() {
        let mut control = Control::new(9);
        assert_eq!(control.report(Time(0), 1, 0, "n"), None, "before the call is confirmed");
        control.start(Time(0));
        control.start(Time(1000));
        let mut times = vec![0];
        for ms in (0..10_000_000).step_by(20) {
            if control.report(Time(ms), 1, 0, "n").is_some() {
                times.push(ms);
            }
        }
        let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!((1020..=3100).contains(&gaps[0]), "{}", gaps[0]);
        assert!(gaps[1..].iter().all(|gap| (2040..=6180).contains(gap)), "{gaps:?}");
        // 5 s / 1.21828.
        let mean = gaps.iter().sum::<u64>() / gaps.len() as u64;
        assert!((3900..4300).contains(&mean), "{mean}");
    }

    #[test]
    fn leg_reports_as_a_sender_until_two_reports_after_its_last_packet() {
        let mut control = Control::new(1);
        control.start(Time(0));
        let mut report = |sends: bool, now: u64| {
            if sends {
                control.count_sent(&[0; 160]);
            }
            control.report(Time(now * 10_000), 7, 99, "n").expect("due").sent
        };
        assert_eq!(report(false, 1), None);
        let sent = Sent { ntp: 20 << 32, timestamp: 99, packets: 1, octets: 160 };
        assert_eq!(report(true, 2), Some(sent));
        assert_eq!(report(false, 3), Some(Sent { ntp: 30 << 32, ..sent }));
        assert_eq!(report(false, 4), None);
    }

    #[test]
    fn stream_that_said_goodbye_is_reported_again_when_it_goes_on() {
        let mut control = Control::new(1);
        control.start(Time(0));
        let header = Header { payload_type: 0, marker: false, sequence: 1, timestamp: 0, ssrc: 5 };
        let mut reported = |now: u64, goodbye: Option<u32>, comes: bool| {
            if comes {
                control.count_received(Time(now), &header, Some(8000));
            }
            if let Some(ssrc) = goodbye {
                control.receive(Time(now), &Received { ssrc, sent_at: None, ends: true, heard: None }, None);
            }
            control.report(Time(now), 7, 0, "n").expect("due").reception.map(|block| block.ssrc)
        };
        assert_eq!(reported(10_000, None, true), Some(5));
        assert_eq!(reported(20_000, Some(6), false), Some(5), "of another");
        assert_eq!(reported(30_000, Some(5), false), None);
        assert_eq!(reported(40_000, None, true), Some(5));
    }
}
