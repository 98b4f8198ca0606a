//! The media of one call: sends a packet every 20 ms, passes every received packet to the tone monitor, and detects
//! silence.
//!
//! Reads and writes RTP with `rtp-rs` and shares no code with the call engine, so that a fault in the engine's header
//! is not repeated here (`tests/independence.rs`). Ends no call but one that is silent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rtp_rs::{RtpPacketBuilder, RtpReader, Seq};
use tokio::net::UdpSocket;
use tokio::time::Instant;

use crate::live::{Cause, Shared, session_id};
use crate::time::Millis;
use crate::tone::{FRAME, Generator};

/// The time between two packets.
const PACKET_INTERVAL: Duration = Duration::from_millis(20);
/// The largest delay that is caught up by sending late packets. Beyond it, packets are skipped, as a real telephone
/// does.
const LONGEST_CATCH_UP: Duration = Duration::from_millis(100);
/// The largest datagram read; RTP of 20 ms of G.711 has 172 bytes.
const LARGEST_DATAGRAM: usize = 1500;

/// Sends and receives until the call stops.
pub(crate) async fn run(shared: Arc<Shared>, socket: UdpSocket) {
    let mut sender = Sender::new(&shared);
    let mut datagram = [0; LARGEST_DATAGRAM];
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => break,
            () = tokio::time::sleep_until(sender.next) => {
                send(&shared, &socket, &mut sender).await;
                check_silence(&shared);
            }
            received = socket.recv_from(&mut datagram) => {
                if let Ok((length, from)) = received {
                    receive(&shared, from, &datagram[..length]);
                }
            }
        }
    }
}

/// The RTP stream that is sent.
struct Sender {
    generator: Generator,
    payload_type: u8,
    ssrc: u32,
    /// Set on the first packet only.
    marker: bool,
    sequence: Seq,
    timestamp: u32,
    next: Instant,
}

impl Sender {
    fn new(shared: &Shared) -> Sender {
        let settings = &shared.settings;
        Sender {
            generator: Generator::new(settings.tone, settings.amplitude),
            payload_type: settings.codec.payload_type(),
            // The lowest 32 bits of the number made from the Call-ID.
            ssrc: (session_id(&settings.id) & u64::from(u32::MAX)) as u32,
            marker: true,
            sequence: Seq::from(0),
            timestamp: 0,
            next: Instant::now(),
        }
    }

    /// Skips the packets that are too late to be sent, and returns the delay.
    fn catch_up(&mut self, now: Instant) -> Duration {
        let late = now.saturating_duration_since(self.next);
        while now.saturating_duration_since(self.next) > LONGEST_CATCH_UP {
            self.next += PACKET_INTERVAL;
            self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
        }
        late
    }

    /// The next packet of the stream.
    fn packet(&mut self, payload: &[u8]) -> Vec<u8> {
        let packet = RtpPacketBuilder::new()
            .payload_type(self.payload_type)
            .marked(std::mem::take(&mut self.marker))
            .sequence(self.sequence)
            .timestamp(self.timestamp)
            .ssrc(self.ssrc)
            .payload(payload)
            .build();
        self.sequence = self.sequence.next();
        self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
        self.next += PACKET_INTERVAL;
        // Only a payload type above 127 is an error.
        packet.unwrap_or_default()
    }
}

async fn send(shared: &Shared, socket: &UdpSocket, sender: &mut Sender) {
    let late = sender.catch_up(Instant::now());
    let (sends_tone, theirs) = (shared.sends_tone(), note_stall(shared, late));
    while sender.next <= Instant::now() {
        let samples = if sends_tone { sender.generator.frame() } else { [0; FRAME] };
        let datagram = sender.packet(&shared.settings.codec.encode(&samples));
        // A packet that cannot be sent is lost like any other; the other callers report the gap.
        let _ = socket.send_to(&datagram, theirs).await;
    }
}

fn note_stall(shared: &Shared, late: Duration) -> SocketAddr {
    let late = Millis(u64::try_from(late.as_millis()).unwrap_or(u64::MAX));
    let mut state = shared.state();
    state.own_stall = state.own_stall.max(late);
    state.theirs
}

/// Accepts packets from the address in the node's session description only: our port may have belonged to another call
/// shortly before.
fn receive(shared: &Shared, from: SocketAddr, datagram: &[u8]) {
    let now = shared.agent.clock.now();
    let mut state = shared.state();
    match RtpReader::new(datagram) {
        Ok(packet) if from == state.theirs => state.monitor.packet(now, &packet),
        Ok(_) | Err(_) => state.monitor.count_unusable(),
    }
}

fn check_silence(shared: &Shared) {
    let now = shared.agent.clock.now();
    let lasted = {
        let state = shared.state();
        let Some(due_since) = state.due_since else { return };
        let last = state.monitor.last_packet().map_or(due_since, |last| last.max(due_since));
        now.since(last)
    };
    if lasted > shared.settings.silence {
        shared.lose(Cause::Silence { lasted });
    }
}
