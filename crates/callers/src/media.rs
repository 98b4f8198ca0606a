//! The sound of one call: a packet out every 20 ms, every packet in to the ear, and the watch over
//! silence.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use call::rtp::Header;
use tokio::net::UdpSocket;
use tokio::time::Instant;

use crate::live::{Cause, Shared, session_id};
use crate::time::Millis;
use crate::tone::{FRAME, Generator};

/// One packet carries so much.
const PACE: Duration = Duration::from_millis(20);
/// Packets in arrears that are still sent late; beyond, the sound jumps ahead as a real telephone's
/// would.
const MOST_ARREARS: Duration = Duration::from_millis(100);
/// The largest datagram read; RTP of 20 ms of G.711 has 172 bytes.
const LARGEST_DATAGRAM: usize = 1500;

/// Sends and listens until the call stops.
pub(crate) async fn run(shared: Arc<Shared>, socket: UdpSocket) {
    let mut voice = Voice::new(&shared);
    let mut datagram = [0; LARGEST_DATAGRAM];
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => break,
            () = tokio::time::sleep_until(voice.next) => {
                speak(&shared, &socket, &mut voice).await;
                watch_silence(&shared);
            }
            received = socket.recv_from(&mut datagram) => {
                if let Ok((length, from)) = received {
                    listen(&shared, from, &datagram[..length]);
                }
            }
        }
    }
}

struct Voice {
    generator: Generator,
    header: Header,
    next: Instant,
}

impl Voice {
    fn new(shared: &Shared) -> Voice {
        let settings = &shared.settings;
        let header = Header {
            payload_type: settings.codec.payload_type(),
            marker: true,
            sequence: 0,
            timestamp: 0,
            // The lowest 32 bits of the number made from the Call-ID.
            ssrc: (session_id(&settings.id) & u64::from(u32::MAX)) as u32,
        };
        Voice { generator: Generator::new(settings.tone, settings.amplitude), header, next: Instant::now() }
    }

    /// Skips what is too late to be sent and says how late we were.
    fn catch_up(&mut self, now: Instant) -> Duration {
        let late = now.saturating_duration_since(self.next);
        while now.saturating_duration_since(self.next) > MOST_ARREARS {
            self.next += PACE;
            self.header.timestamp = self.header.timestamp.wrapping_add(FRAME as u32);
        }
        late
    }
}

async fn speak(shared: &Shared, socket: &UdpSocket, voice: &mut Voice) {
    let late = voice.catch_up(Instant::now());
    let (speaks, theirs) = (shared.speaks(), note_stall(shared, late));
    let mut datagram = Vec::with_capacity(LARGEST_DATAGRAM);
    while voice.next <= Instant::now() {
        let samples = if speaks { voice.generator.frame() } else { [0; FRAME] };
        voice.header.write(&shared.settings.codec.encode(&samples), &mut datagram);
        // What cannot be sent is lost like any other packet: the far end's ears will tell.
        let _ = socket.send_to(&datagram, theirs).await;
        voice.header.marker = false;
        voice.header.sequence = voice.header.sequence.wrapping_add(1);
        voice.header.timestamp = voice.header.timestamp.wrapping_add(FRAME as u32);
        voice.next += PACE;
    }
}

fn note_stall(shared: &Shared, late: Duration) -> SocketAddr {
    let late = Millis(u64::try_from(late.as_millis()).unwrap_or(u64::MAX));
    let mut state = shared.state();
    state.own_stall = state.own_stall.max(late);
    state.theirs
}

/// Only what comes from the address the node named is heard: our port may have belonged to another
/// call a moment ago.
fn listen(shared: &Shared, from: SocketAddr, datagram: &[u8]) {
    let now = shared.agent.clock.now();
    let mut state = shared.state();
    match Header::parse(datagram) {
        Some((header, payload)) if from == state.theirs => state.ear.packet(now, &header, payload),
        Some(_) | None => state.ear.noise(),
    }
}

fn watch_silence(shared: &Shared) {
    let now = shared.agent.clock.now();
    let lasted = {
        let state = shared.state();
        let Some(due_since) = state.due_since else { return };
        let last = state.ear.last_packet().map_or(due_since, |last| last.max(due_since));
        now.since(last)
    };
    if lasted > shared.settings.silence {
        shared.lose(Cause::Silence { lasted });
    }
}
