//! A new call, already admitted: the checks that can still refuse it, and its answer.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, PoisonError};

use rsipstack::sip::Request;
use rsipstack::transaction::Transaction;

use crate::media::leg::Outgoing;
use crate::media::ports::{MediaPort, PortError};
use crate::registry::{Purpose, Stats, Ticket};
use crate::rooms::RoomName;
use crate::sdp::{Local, Negotiation, Offer};
use crate::session_timer::{Policy, SessionTimer};

use super::call::Call;
use super::dialog::{Dialog, Flow};
use super::exchange::ServerInvite;
use super::message;
use super::negotiate;
use super::probe;
use super::uas::{Refused, Uas, out_of_resource};

/// Answers a call and lives it to its end. The ticket is held until both its signalling and its media
/// are gone.
pub(super) async fn take(uas: Arc<Uas>, ticket: Arc<Ticket>, tx: Transaction, flow: Flow) {
    match prepare(&uas, &ticket, &tx.original, flow) {
        Err(refused) => uas.refuse(&ticket, tx, refused),
        Ok(prepared) => {
            uas.ports.wait_for_probe().await;
            begin_and_live(&uas, ticket, prepared, tx).await;
        }
    }
}

async fn begin_and_live(uas: &Arc<Uas>, ticket: Arc<Ticket>, prepared: Prepared, tx: Transaction) {
    match begin(uas, &ticket, prepared, tx) {
        Ok((call, invite)) => {
            // Nothing but the call and its leg holds it from now on.
            drop(ticket);
            call.live(invite).await;
        }
        Err((tx, refused)) => uas.refuse(&ticket, *tx, refused),
    }
}

/// What the INVITE agreed to before anything was opened for it.
struct Prepared {
    room: RoomName,
    dialog: Dialog,
    offer: Option<Offer>,
    timer: SessionTimer,
}

fn prepare(uas: &Uas, ticket: &Ticket, invite: &Request, flow: Flow) -> Result<Prepared, Refused> {
    let not_acceptable: fn(&mut Stats) = |stats| stats.not_acceptable += 1;
    let refused = |status, headers| Refused { status, headers, count: not_acceptable };
    if let Some(lacking) = message::lacking(invite) {
        return Err(refused(420, vec![message::header("Unsupported", lacking)]));
    }
    let room = find_room(uas, ticket, invite).ok_or(Refused {
        status: 404,
        headers: Vec::new(),
        count: |stats| stats.not_found += 1,
    })?;
    let dialog = Dialog::begin(invite, flow, uas.address).ok_or_else(|| refused(400, Vec::new()))?;
    let offer = negotiate::read_body(invite).map_err(|(status, headers)| refused(status, headers))?;
    let timer = negotiate::agree_timer(uas, invite).map_err(|(status, headers)| refused(status, headers))?;
    Ok(Prepared { room, dialog, offer, timer })
}

/// The room that a call goes to. A probe is alone in a room whose name, its alias, no other has.
fn find_room(uas: &Uas, ticket: &Ticket, invite: &Request) -> Option<RoomName> {
    let user = invite.uri.user().unwrap_or_default();
    match ticket.purpose {
        Purpose::Probe(_) => Some(user.into()),
        Purpose::Call => {
            let rooms = uas.rooms.read().unwrap_or_else(PoisonError::into_inner);
            rooms.find(user, &invite.uri.host().to_string()).cloned()
        }
    }
}

/// A media port for a call. The answer to a caller says no more than that there is none; that to a probe says why.
fn open_port(uas: &Uas, ticket: &Ticket) -> Result<MediaPort, Refused> {
    let opened = match ticket.purpose {
        Purpose::Call => uas.ports.open(),
        Purpose::Probe(_) => uas.ports.open_spare(),
    };
    opened.map_err(|error| {
        let count: fn(&mut Stats) = match &error {
            PortError::Exhausted(..) => |stats| stats.refused_limit += 1,
            PortError::Refused { .. } => |stats| stats.refused_resource += 1,
        };
        let (status, headers) = match (&ticket.purpose, &error) {
            (Purpose::Probe(_), PortError::Exhausted(..)) => (probe::FULL, Vec::new()),
            (Purpose::Probe(_), PortError::Refused { .. }) => {
                (503, vec![message::reason(503, &error.to_string())])
            }
            (Purpose::Call, PortError::Exhausted(..) | PortError::Refused { .. }) => {
                tracing::warn!(%error, "a call is refused");
                (503, out_of_resource())
            }
        };
        Refused { status, headers, count }
    })
}

type Failed = (Box<Transaction>, Refused);

fn begin(
    uas: &Arc<Uas>,
    ticket: &Arc<Ticket>,
    prepared: Prepared,
    tx: Transaction,
) -> Result<(Call, ServerInvite), Failed> {
    let Prepared { room, dialog, offer, timer } = prepared;
    let port = match open_port(uas, ticket) {
        Ok(port) => port,
        Err(refused) => return Err((Box::new(tx), refused)),
    };
    let Some((sender, events)) = uas.dialogs.register(&dialog.key) else {
        let count: fn(&mut Stats) = |stats| stats.not_acceptable += 1;
        return Err((Box::new(tx), Refused { status: 482, headers: Vec::new(), count }));
    };
    let limit = uas.settings.ring_time + uas.settings.ack_timeout() * 2;
    let invite = ServerInvite::drive(tx, sender.clone(), limit);
    let negotiation = Negotiation::new(Local { address: port.address, session: random() >> 1 });
    let hold = uas.connections.hold(dialog.flow().connection());
    let leg = uas.next_leg();
    let call = Call::new(
        Arc::clone(uas),
        Arc::clone(ticket),
        dialog,
        (sender, events),
        leg,
        negotiation,
        timer,
        hold,
    );
    Ok((call.with_room(room, port, offer), invite))
}

/// Where a new outgoing stream starts. Sequence numbers start low, so that they do not wrap early.
pub(crate) fn new_stream() -> Outgoing {
    let random = random();
    Outgoing { ssrc: (random >> 32) as u32, sequence: (random & 0x3fff) as u16, timestamp: random as u32 }
}

/// Sixty-four bits nobody can guess in advance; not for keys.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// What we want of session timers.
pub(super) fn policy(uas: &Uas) -> Policy {
    Policy { interval: uas.settings.session_interval, shortest: uas.settings.min_session_interval }
}
