//! The settings of the layer: timers, and a bound for everything that a sender could make grow.

use crate::time::Millis;
use crate::transport::listeners::Listeners;

/// The base values of all timers (RFC 3261 section 17.1.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// The round trip time that is assumed: 500 ms.
    pub t1: Millis,
    /// The longest pause between two retransmissions, of an INVITE's excepted: 4 s.
    pub t2: Millis,
    /// How long a message may stay in the network: 5 s.
    pub t4: Millis,
}

impl Timers {
    /// How long a transaction is tried, and kept for retransmissions that come late: timers B, D, F, H, J, L and M.
    pub(crate) fn limit(self) -> Millis {
        self.t1 * 64
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self { t1: Millis(500), t2: Millis(4_000), t4: Millis(5_000) }
    }
}

/// The settings of the layer.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The timers.
    pub timers: Timers,
    /// How long the user of the layer has for the first answer to an INVITE before the layer sends 100. The default
    /// is 200 ms, as section 17.2.1 says; 0 sends it at once.
    pub trying_after: Millis,
    /// How long an INVITE of ours waits for a final answer after a provisional one. A server repeats a provisional
    /// answer every 60 s (section 13.3.1.1); the default, 200 s, lets three of them get lost.
    pub answer_limit: Millis,
    /// The longest request that is sent as a datagram, in bytes: 1,300 (section 18.1.1), which fits an Ethernet
    /// frame behind a tunnel or two.
    pub datagram: usize,
    /// How long a connection is tried for a request that is too long for a datagram, before it goes as a datagram
    /// all the same. A refusal comes within a round trip; a firewall never answers. The default is 2 s: less than a
    /// caller waits, and enough for a lost SYN.
    pub connection_attempt: Millis,
    /// The transactions that others begin. The default is 16,384: each is kept for 32 s over UDP, so that 512
    /// requests a second fit, more than the 200 calls a second of the largest node with their INVITE and BYE.
    pub server_transactions: usize,
    /// As many more for requests inside of a dialog, and CANCEL: a flood of new requests must not keep a call from
    /// being ended. The default is 4,096, a quarter.
    pub reserved_for_dialogs: usize,
    /// The transactions of ours. The default is 16,384: two for each of the 2,000 calls of the largest node, with
    /// room for all of them to end within 32 s.
    pub client_transactions: usize,
    /// The bytes that the transactions of others may keep: keys, answers, and room for an answer before there is
    /// one. The default is 64 MiB: 3 KiB for each transaction, twice what a usual INVITE needs.
    pub kept: usize,
    /// As many more for requests inside of a dialog, and CANCEL. The default is 16 MiB, a quarter.
    pub kept_for_dialogs: usize,
    /// The connections that are open or being opened. The default is 8,192: four for each of 2,000 calls, and a
    /// quarter of the descriptors that a service usually has.
    pub connections: usize,
    /// What `Retry-After` says when a request is refused because of a bound above, in seconds. The default is 32:
    /// by then every transaction of this moment is over.
    pub retry_after: u32,
    /// Every address that the shell listens on.
    pub listeners: Listeners,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timers: Timers::default(),
            trying_after: Millis(200),
            answer_limit: Millis(200_000),
            datagram: 1_300,
            connection_attempt: Millis(2_000),
            server_transactions: 16_384,
            reserved_for_dialogs: 4_096,
            client_transactions: 16_384,
            kept: 64 * 1024 * 1024,
            kept_for_dialogs: 16 * 1024 * 1024,
            connections: 8_192,
            retry_after: 32,
            listeners: Listeners::default(),
        }
    }
}
