//! A row of `status/v1/participant/<id>/media_stream/`: the sound of a participant, as it was counted last.

use serde::Serialize;
use wire::live::{MediaStatistics, Stream};

use super::Place;
use crate::calls::LiveParticipant;
use crate::resources::time::text as time_text;

/// A media stream in both directions, seen from the node: it receives what the participant says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct MediaStreamRow<'a> {
    /// The only one of its participant.
    pub(crate) id: &'static str,
    /// It goes on.
    pub(crate) end_time: Option<String>,
    /// The address of the node.
    pub(crate) node: &'a str,
    /// The codec of what is received; empty before the first packet.
    pub(crate) rx_codec: &'a str,
    /// The jitter of that, in milliseconds.
    pub(crate) rx_jitter: Option<f64>,
    /// The share of its packets that was lost, in percent.
    pub(crate) rx_packet_loss: Option<f64>,
    /// How many were lost.
    pub(crate) rx_packets_lost: Option<u32>,
    /// How many have come.
    pub(crate) rx_packets_received: u32,
    /// Since when the participant takes part.
    pub(crate) start_time: Option<String>,
    /// The codec of what is sent.
    pub(crate) tx_codec: &'a str,
    /// The jitter of that at the participant, in milliseconds, if it reports it.
    pub(crate) tx_jitter: Option<f64>,
    /// The share of its packets that was lost, in percent, if the participant reports it.
    pub(crate) tx_packet_loss: Option<f64>,
    /// How many were lost, if the participant reports it.
    pub(crate) tx_packets_lost: Option<u32>,
    /// How many were sent.
    pub(crate) tx_packets_sent: u32,
    /// `audio`.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
}

impl<'a> MediaStreamRow<'a> {
    /// The row of a participant at a node, when its sound was counted.
    pub(crate) fn new(participant: &'a LiveParticipant, place: &'a Place) -> Option<Self> {
        let MediaStatistics { participant: _, received, sent } = participant.statistics.as_ref()?;
        let received = received.as_ref();
        Some(Self {
            id: "0",
            end_time: None,
            node: &place.address,
            rx_codec: received.map_or("", |stream| &stream.codec),
            rx_jitter: received.and_then(jitter),
            rx_packet_loss: received.and_then(|stream| loss(stream, stream.packets + stream.lost?)),
            rx_packets_lost: received.and_then(|stream| stream.lost),
            rx_packets_received: received.map_or(0, |stream| stream.packets),
            start_time: participant.joined_at.map(time_text),
            tx_codec: &sent.codec,
            tx_jitter: jitter(sent),
            tx_packet_loss: loss(sent, sent.packets),
            tx_packets_lost: sent.lost,
            tx_packets_sent: sent.packets,
            kind: "audio",
        })
    }
}

fn jitter(stream: &Stream) -> Option<f64> {
    stream.jitter_us.map(|microseconds| microseconds as f64 / 1000.0)
}

/// What was lost of so many packets, in percent with two decimals.
fn loss(stream: &Stream, of: u32) -> Option<f64> {
    let lost = f64::from(stream.lost?);
    (of > 0).then(|| (lost / f64::from(of) * 10_000.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use fleet::time::Wall;
    use uuid::Uuid;

    use super::*;
    use crate::calls::participant_for_tests;

    #[test]
    fn loss_is_a_share_of_what_was_sent_whoever_has_sent_it() {
        let stream = |packets, lost| Stream { codec: "opus".into(), packets, lost, jitter_us: Some(1_250) };
        let mut live = LiveParticipant {
            reported: participant_for_tests(1),
            joined_at: Some(Wall(0)),
            conference_began: Wall(0),
            statistics: None,
        };
        let place = Place::default();
        assert_eq!(MediaStreamRow::new(&live, &place), None);
        let participant = Uuid::from_u128(1);
        let received = Some(stream(90, Some(10)));
        live.statistics = Some(MediaStatistics { participant, received, sent: stream(100, Some(10)) });
        let row = MediaStreamRow::new(&live, &place).unwrap();
        assert_eq!(
            (row.rx_packet_loss, row.tx_packet_loss, row.rx_jitter),
            (Some(10.0), Some(10.0), Some(1.25))
        );
        live.statistics = Some(MediaStatistics { participant, received: None, sent: stream(0, None) });
        let row = MediaStreamRow::new(&live, &place).unwrap();
        assert_eq!((row.rx_packet_loss, row.tx_packet_loss, row.rx_codec), (None, None, ""));
    }
}
