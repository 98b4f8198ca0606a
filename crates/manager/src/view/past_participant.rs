//! What the store keeps of a past participant, with the names of `history/v1/participant/`.

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;
use wire::live::Departure;

use super::{MediaStreamRow, ParticipantRow, Place};
use crate::calls::PastParticipant;
use crate::resources::time::text as time_text;

/// The fields of a past participant that have no column of their own.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct PastParticipantBody<'a> {
    /// `in` or `out`.
    pub(crate) call_direction: &'static str,
    /// The name of its call, which is its own.
    pub(crate) call_uuid: Uuid,
    /// The Call-ID of its dialog.
    pub(crate) conversation_id: &'a str,
    /// Why its call ended, in the words of the compatible API.
    pub(crate) disconnect_reason: &'static str,
    /// What it was shown as.
    pub(crate) display_name: &'a str,
    /// `On`, `Off`, or `Unknown`.
    pub(crate) encryption: &'static str,
    /// Whether its call was answered.
    pub(crate) has_media: bool,
    /// The alias at this platform.
    pub(crate) local_alias: &'a str,
    /// The address of the node with its sound.
    pub(crate) media_node: &'a str,
    /// What was counted of its sound.
    pub(crate) media_streams: Vec<Value>,
    /// Where its signalling came from.
    pub(crate) remote_address: String,
    /// The alias of its far end.
    pub(crate) remote_alias: &'a str,
    /// The port of its signalling.
    pub(crate) remote_port: u16,
    /// The address of the node with its signalling.
    pub(crate) signalling_node: &'a str,
    /// The system location of its node.
    pub(crate) system_location: &'a str,
    /// The product of its far end.
    pub(crate) vendor: &'a str,
}

impl<'a> PastParticipantBody<'a> {
    /// The fields of a participant whose node was there.
    pub(crate) fn new(past: &'a PastParticipant, place: &'a Place) -> Self {
        let row = ParticipantRow::new(&past.last, place);
        let aliases = (row.destination_alias, row.source_alias);
        let (local_alias, remote_alias) =
            if past.last.reported.dialled { (aliases.1, aliases.0) } else { aliases };
        Self {
            call_direction: row.call_direction,
            call_uuid: row.call_uuid,
            conversation_id: row.conversation_id,
            disconnect_reason: reason(past.why),
            display_name: row.display_name,
            encryption: row.encryption,
            has_media: row.has_media,
            local_alias,
            media_node: row.media_node,
            media_streams: MediaStreamRow::new(&past.last, place)
                .iter()
                .map(|row| stream(past, row))
                .collect(),
            remote_address: row.remote_address,
            remote_alias,
            remote_port: row.remote_port,
            signalling_node: row.signalling_node,
            system_location: row.system_location,
            vendor: row.vendor,
        }
    }
}

/// A stream in the form of the history: it has ended, and is named by its own number.
fn stream(past: &PastParticipant, row: &MediaStreamRow<'_>) -> Value {
    json!({
        "stream_id": row.id,
        "stream_type": row.kind,
        "node": row.node,
        "start_time": time_text(past.start),
        "end_time": time_text(past.end),
        "rx_codec": row.rx_codec,
        "rx_jitter": row.rx_jitter,
        "rx_packet_loss": row.rx_packet_loss,
        "rx_packets_lost": row.rx_packets_lost,
        "rx_packets_received": row.rx_packets_received,
        "tx_codec": row.tx_codec,
        "tx_jitter": row.tx_jitter,
        "tx_packet_loss": row.tx_packet_loss,
        "tx_packets_lost": row.tx_packets_lost,
        "tx_packets_sent": row.tx_packets_sent,
    })
}

/// The words of the compatible API for the end of a call.
fn reason(why: Option<Departure>) -> &'static str {
    match why {
        Some(Departure::HungUp) => "Call disconnected",
        Some(Departure::Disconnected) => "Participant disconnected",
        Some(Departure::ConferenceEnded) => "Conference terminated",
        Some(Departure::Rejected) => "Call rejected",
        Some(Departure::NotAuthenticated) => "Authentication failed",
        Some(Departure::Failed) => "Call failed",
        Some(Departure::TimedOut) => "Connection timed out",
        Some(Departure::ShutDown) => "Conferencing Node stopped",
        Some(Departure::Moved | Departure::Unknown) | None => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use fleet::node::NodeId;
    use fleet::time::Wall;
    use wire::live::{MediaStatistics, Stream};

    use super::*;
    use crate::calls::{ConferenceKey, LiveParticipant, participant_for_tests};

    #[test]
    fn alias_of_the_platform_is_the_local_one_whoever_has_called_and_streams_are_those_that_were_counted() {
        let stream = Stream { codec: "opus".into(), packets: 90, lost: Some(10), jitter_us: None };
        let last = LiveParticipant {
            reported: participant_for_tests(1),
            joined_at: Some(Wall(60_000)),
            conference_began: Wall(0),
            statistics: None,
        };
        let conference = ConferenceKey { id: Uuid::from_u128(9), began: Wall(0) };
        let why = Some(Departure::TimedOut);
        let mut past = PastParticipant {
            last,
            node: NodeId(1),
            conference,
            start: Wall(60_000),
            end: Wall(90_000),
            why,
        };
        let place = Place { address: "192.0.2.1".into(), location: "Oslo".into() };
        let body = PastParticipantBody::new(&past, &place);
        assert_eq!((body.local_alias, body.remote_alias), ("standup", "ann@example.com"));
        assert_eq!((body.media_streams.len(), body.disconnect_reason), (0, "Connection timed out"));
        past.last.reported.dialled = true;
        let participant = past.last.reported.id;
        past.last.statistics =
            Some(MediaStatistics { participant, received: Some(stream.clone()), sent: stream });
        let body = PastParticipantBody::new(&past, &place);
        assert_eq!((body.local_alias, body.remote_alias), ("ann@example.com", "standup"));
        assert_eq!(body.media_streams[0]["rx_packet_loss"], 10.0);
        assert_eq!(body.media_streams[0]["end_time"], "1970-01-01T00:01:30.000000");
    }
}
