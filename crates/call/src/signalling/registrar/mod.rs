//! The registrar (RFC 3261 section 10): where the devices of accounts are reached.
//!
//! [`Bindings`] holds the contacts of each alias with what their REGISTER came over, so that a call to a device goes
//! there: a device behind address translation, or one that has opened a connection, is not reached otherwise. A
//! registration is no call: no drain waits for it, and it ends with the process.
//!
//! A REGISTER with a Path is refused (RFC 3327): a binding without it would lead past the proxies that wrote it.
//!
//! Not there: `reg-id` and `+sip.instance` (RFC 5626), so that each contact is a device of its own, and subscriptions
//! to registrations (RFC 3680).

mod asked;
mod bindings;
mod register;

pub(super) use bindings::{Binding, Bindings};
