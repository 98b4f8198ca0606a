//! RTCP packets (RFC 3550 section 6): what a leg needs of those it receives, and the reports it sends.
//!
//! Knows nothing of intervals, addresses or sockets. Relies on `rtcp_types` for the syntax.

use rtcp_types::prelude::{RtcpPacketParserExt as _, RtcpPacketWriter, RtcpPacketWriterExt as _};
use rtcp_types::{
    Compound, CompoundBuilder, Packet, ReceiverReport, ReportBlock, Sdes, SdesChunk, SdesItem, SenderReport,
};

/// The most packets of one datagram that are read; usual are three.
const MAX_PACKETS: usize = 16;

/// Whether a datagram that came to a port for both RTP and RTCP is RTCP (RFC 5761 section 4): by its second byte, which
/// in RTP would be a payload type from 64 to 95 with a marker or without.
#[must_use]
pub fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.get(1).is_some_and(|kind| (192..=223).contains(kind))
}

/// What of a received datagram matters to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The stream of the sender.
    pub ssrc: u32,
    /// The NTP time of its sender report, if it is one; any clock, in units of 2^-32 seconds.
    pub sent_at: Option<u64>,
    /// Whether the stream ends (BYE).
    pub ends: bool,
    /// How the sender receives this node's stream, if its report says so.
    pub heard: Option<Heard>,
}

/// How a far end receives a stream of this node, by its report (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// How many packets it has not received; 0 when duplicates outweigh them.
    pub lost: u32,
    /// The mean deviation of the packets' spacing, in units of the clock of the stream.
    pub jitter: u32,
}

impl Heard {
    fn new(block: &ReportBlock<'_>) -> Self {
        // Twenty-four bits with a sign.
        let lost = block.cumulative_lost();
        let lost = if lost & 0x0080_0000 == 0 { lost } else { 0 };
        Self { lost, jitter: block.interarrival_jitter() }
    }
}

/// Reads a datagram that came to this node, whose stream is `own`. `None` if it is not a compound of packets that begins with a report (RFC 3550 appendix A.2).
#[must_use]
pub fn read(datagram: &[u8], own: u32) -> Option<Received> {
    let mut packets = Compound::parse(datagram).ok()?.take(MAX_PACKETS).map_while(Result::ok);
    let of_own = |block: &ReportBlock<'_>| block.ssrc() == own;
    let (ssrc, sent_at, block) = match packets.next()? {
        Packet::Sr(report) => {
            (report.ssrc(), Some(report.ntp_timestamp()), report.report_blocks().find(of_own))
        }
        Packet::Rr(report) => (report.ssrc(), None, report.report_blocks().find(of_own)),
        Packet::App(_)
        | Packet::Bye(_)
        | Packet::Sdes(_)
        | Packet::TransportFeedback(_)
        | Packet::PayloadFeedback(_)
        | Packet::Xr(_)
        | Packet::Unknown(_) => return None,
    };
    let ends = packets.any(|packet| match packet {
        Packet::Bye(bye) => bye.count() > 0 && bye.ssrcs().any(|ended| ended == ssrc),
        Packet::App(_)
        | Packet::Rr(_)
        | Packet::Sdes(_)
        | Packet::Sr(_)
        | Packet::TransportFeedback(_)
        | Packet::PayloadFeedback(_)
        | Packet::Xr(_)
        | Packet::Unknown(_) => false,
    });
    Some(Received { ssrc, sent_at, ends, heard: block.as_ref().map(Heard::new) })
}

/// A report of this node: what it has sent, and how it has received the far end's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// This node's stream.
    pub ssrc: u32,
    /// This node's name, the same in all its streams (RFC 7022); at most 255 bytes.
    pub cname: &'a str,
    /// What was sent; `None` if nothing was lately.
    pub sent: Option<Sent>,
    /// How the far end's stream arrives, if there is one.
    pub reception: Option<Block>,
}

/// The sender's part of a report (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// The time of the report, in units of 2^-32 seconds.
    pub ntp: u64,
    /// The same moment in the clock of the stream.
    pub timestamp: u32,
    /// Packets since the start; wraps.
    pub packets: u32,
    /// Bytes of their payloads; wraps.
    pub octets: u32,
}

/// The receiver's part of a report (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The stream that was received.
    pub ssrc: u32,
    /// The share of packets lost since the last report, in units of 1/256.
    pub fraction_lost: u8,
    /// All packets lost; negative with duplicates. Twenty-four bits are sent.
    pub lost: i32,
    /// The highest sequence number, with the count of its wraps above it.
    pub highest: u32,
    /// The mean deviation of the packets' spacing, in samples.
    pub jitter: u32,
    /// The middle of the NTP time of the last sender report; 0 if there was none.
    pub last_report: u32,
    /// How long ago that was received, in units of 2^-16 seconds.
    pub delay: u32,
}

impl Report<'_> {
    /// Replaces the contents of `datagram` by this report with a description of its source. Nothing is written if the
    /// CNAME is too long.
    pub fn write(&self, datagram: &mut Vec<u8>) {
        datagram.clear();
        let compound = self.compound();
        let Ok(size) = compound.calculate_size() else { return };
        datagram.resize(size, 0);
        if compound.write_into(datagram).is_err() {
            datagram.clear();
        }
    }

    fn compound(&self) -> CompoundBuilder<'_> {
        let block = self.reception.map(|block| {
            ReportBlock::builder(block.ssrc)
                .fraction_lost(block.fraction_lost)
                .cumulative_lost(block.lost.clamp(-(1 << 23), (1 << 23) - 1) as u32 & 0x00ff_ffff)
                .extended_sequence_number(block.highest)
                .interarrival_jitter(block.jitter)
                .last_sender_report_timestamp(block.last_report)
                .delay_since_last_sender_report_timestamp(block.delay)
        });
        let item = SdesItem::builder(SdesItem::CNAME, self.cname);
        let source = Sdes::builder().add_chunk(SdesChunk::builder(self.ssrc).add_item(item));
        let compound = match self.sent {
            Some(sent) => {
                let report = SenderReport::builder(self.ssrc)
                    .ntp_timestamp(sent.ntp)
                    .rtp_timestamp(sent.timestamp)
                    .packet_count(sent.packets)
                    .octet_count(sent.octets);
                Compound::builder().add_packet(
                    block.into_iter().fold(report, |report, block| report.add_report_block(block)),
                )
            }
            None => {
                let report = ReceiverReport::builder(self.ssrc);
                Compound::builder().add_packet(
                    block.into_iter().fold(report, |report, block| report.add_report_block(block)),
                )
            }
        };
        compound.add_packet(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stream of this node that the block is about.
    const OWN: u32 = 6;

    /// A sender report with a block, a description and a BYE of stream 1, byte by byte.
    const COMPOUND: [u8; 72] = [
        0x81, 200, 0, 12, 0, 0, 0, 1, // SR of stream 1
        0, 0, 0, 2, 0x80, 0, 0, 0, // 2.5 seconds
        0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, // timestamp, packets, octets
        0, 0, 0, 6, 7, 0xff, 0xff, 0xff, 0, 1, 0, 8, 0, 0, 0, 9, 0, 0, 0, 10, 0, 0, 0, 11, // a block
        0x81, 202, 0, 2, 0, 0, 0, 1, 1, 1, b'n', 0, // CNAME "n"
        0x81, 203, 0, 1, 0, 0, 0, 1, // BYE of stream 1
    ];

    #[test]
    fn report_is_written_as_the_rfc_says_and_read_back() {
        let sent = Sent { ntp: 5 << 31, timestamp: 3, packets: 4, octets: 5 };
        let block = Block {
            ssrc: 6,
            fraction_lost: 7,
            lost: -1,
            highest: 0x1_0008,
            jitter: 9,
            last_report: 10,
            delay: 11,
        };
        let report = Report { ssrc: 1, cname: "n", sent: Some(sent), reception: Some(block) };
        let mut datagram = vec![1; 3];
        report.write(&mut datagram);
        assert_eq!(datagram, COMPOUND[..64]);
        assert_eq!(
            read(&datagram, OWN),
            Some(Received {
                ssrc: 1,
                sent_at: Some(5 << 31),
                ends: false,
                heard: Some(Heard { lost: 0, jitter: 9 })
            })
        );
        Report { sent: None, reception: None, ..report }.write(&mut datagram);
        assert_eq!(datagram[..8], [0x80, 201, 0, 1, 0, 0, 0, 1]);
        assert_eq!(read(&datagram, OWN), Some(Received { ssrc: 1, sent_at: None, ends: false, heard: None }));
    }

    #[test]
    fn block_counts_for_the_stream_that_it_is_about() {
        let mut lossy = COMPOUND;
        lossy[33..36].copy_from_slice(&[0, 1, 2]);
        let heard = |own| read(&lossy, own).map(|received| received.heard);
        assert_eq!(heard(OWN), Some(Some(Heard { lost: 258, jitter: 9 })));
        assert_eq!(heard(OWN + 1), Some(None));
    }

    #[test]
    fn goodbye_counts_for_the_stream_that_it_names() {
        assert_eq!(read(&COMPOUND, OWN).map(|received| received.ends), Some(true));
        let mut other = COMPOUND;
        other[71] = 2;
        assert_eq!(read(&other, OWN).map(|received| received.ends), Some(false));
    }

    #[test]
    fn what_does_not_begin_with_a_report_or_is_cut_off_is_not_read() {
        assert_eq!(read(&COMPOUND[52..], OWN), None, "a description alone");
        assert_eq!(read(&[], OWN), None);
        for length in (1..COMPOUND.len()).filter(|length| ![52, 64].contains(length)) {
            assert_eq!(read(&COMPOUND[..length], OWN), None, "{length} bytes");
        }
        let mut version = COMPOUND;
        version[0] = 0x41;
        assert_eq!(read(&version, OWN), None);
    }

    #[test]
    fn cname_that_is_too_long_writes_nothing() {
        let mut datagram = vec![1; 3];
        Report { ssrc: 1, cname: &"n".repeat(256), sent: None, reception: None }.write(&mut datagram);
        assert_eq!(datagram, [0_u8; 0]);
    }

    #[test]
    fn rtp_and_rtcp_are_told_apart_by_the_second_byte() {
        assert!(is_rtcp(&COMPOUND));
        for (kind, expected) in
            [(0, false), (8, false), (0x80 | 101, false), (191, false), (192, true), (223, true)]
        {
            assert_eq!(is_rtcp(&[0x80, kind]), expected, "{kind}");
        }
        assert!(!is_rtcp(&[0x80]));
    }

    /// Packets of every type, any bytes in them, cut off anywhere.
    #[test]
    fn no_datagram_causes_a_panic() {
        let mut seed = 3_u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        let mut read_well = 0;
        for _ in 0..200_000 {
            let mut datagram = COMPOUND.to_vec();
            for _ in 0..random(4) {
                let words = random(12);
                datagram.extend([0x80 | random(64) as u8, 192 + random(32) as u8, 0, words as u8]);
                datagram.extend((0..4 * words).map(|_| random(256) as u8));
            }
            for _ in 0..random(4) {
                let place = random(datagram.len());
                datagram[place] = random(256) as u8;
            }
            if random(4) == 0 {
                datagram.truncate(random(datagram.len() + 1));
            }
            read_well += u32::from(read(&datagram, OWN).is_some());
        }
        assert!(read_well > 10_000, "{read_well}");
    }
}
