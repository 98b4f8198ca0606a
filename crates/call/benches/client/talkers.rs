//! Callers that talk all the time, in G.711 with 20 ms in a packet.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const PACKET_TIME: Duration = Duration::from_millis(20);
/// The samples of a packet.
const SAMPLES: usize = 160;
/// PCMA (RFC 3551).
const PAYLOAD_TYPE: u8 = 8;

/// Calls that were answered. Their signalling is over.
pub(crate) struct Talkers {
    /// Whoever hears that it is closed could end the calls.
    pub(super) _sip: UdpSocket,
    pub(super) sound: UdpSocket,
    /// Where the sound of each goes.
    pub(super) media: Vec<SocketAddr>,
}

impl Talkers {
    /// Lets everybody talk for so many packets, and takes what they hear. Returns how many packets that is.
    pub(crate) fn talk(&self, packets: u16) -> u64 {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let hearing = scope.spawn(|| self.hear(&is_over));
            let began = Instant::now();
            for packet in 0..packets {
                thread::sleep(
                    (began + PACKET_TIME * packet.into()).saturating_duration_since(Instant::now()),
                );
                self.say(packet);
            }
            is_over.store(true, Ordering::Relaxed);
            hearing.join().expect("it does not panic")
        })
    }

    fn say(&self, packet: u16) {
        for (caller, media) in self.media.iter().enumerate() {
            let source = u32::try_from(caller).expect("a few hundred callers");
            let mut bytes = vec![0x80, PAYLOAD_TYPE];
            bytes.extend(packet.to_be_bytes());
            bytes.extend((u32::from(packet) * SAMPLES as u32).to_be_bytes());
            bytes.extend(source.to_be_bytes());
            // Neither silence nor the same in two packets.
            bytes.extend((0..SAMPLES).map(|n| (n * 37 + caller * 11 + usize::from(packet)).to_le_bytes()[0]));
            self.sound.send_to(&bytes, media).expect("a datagram");
        }
    }

    fn hear(&self, is_over: &AtomicBool) -> u64 {
        self.sound.set_read_timeout(Some(PACKET_TIME)).expect("it is not zero");
        let mut heard = 0;
        while !is_over.load(Ordering::Relaxed) {
            heard += u64::from(self.sound.recv(&mut [0; 2048]).is_ok());
        }
        heard
    }
}
