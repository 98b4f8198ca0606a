//! SRTP and SRTCP (RFC 3711) with the suites of RFC 4568 and RFC 7714: packets are encrypted and authenticated on their
//! way out, checked and decrypted on their way in.
//!
//! [`Sender`] and [`Receiver`] are one direction each under one master key. Their state is plain data ([`Sent`],
//! [`Received`]): another process makes the same sender or receiver of it. Relies on `aws-lc-rs` for AES, GCM and
//! HMAC. Knows neither addresses nor legs nor who agreed on the keys, draws no random number, and reads no clock.
//!
//! Reading order: `key` (suites and master keys), `window` (which packet of a stream it is, and whether it has come
//! before), `cipher` (one packet under the session keys, by `derivation`, `counter` and `galois`), `sender`, `receiver`.

mod cipher;
mod counter;
mod derivation;
mod galois;
mod key;
mod receiver;
mod sender;
mod window;

pub use key::{MasterKey, Suite};
pub use receiver::{MAX_STREAMS, Received, Receiver, Stream};
pub use sender::{Sender, Sent};
pub use window::Window;

#[cfg(test)]
mod tests;
