//! What comes in from outside: new calls to the admission, requests within calls to their call, the
//! rest answered on the spot.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use rsipstack::sip::{Header, Method};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::{Transaction, TransactionReceiver};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::admission::{Admission, Refusal};
use crate::media::ports::PortPool;
use crate::media::shard::LegId;
use crate::media::thread::MediaHandle;
use crate::registry::{CallRegistry, Entry, Stats, Ticket};
use crate::rooms::Rooms;
use crate::settings::Settings;
use crate::time::Clock;

use super::answer;
use super::call::Event;
use super::dialog::{DialogKey, Flow};
use super::message::{self, ALLOW, SDP};
use super::probe::Expected;
use super::reply::Replies;
use super::transport::Connections;

/// The most events that wait for one call; the far end repeats what is dropped above it.
const MAX_WAITING: usize = 32;
/// When a caller may try again after maintenance mode refused it, in seconds. A drain takes minutes to
/// an hour; callers that know another node go there at once.
const RETRY_AFTER_MAINTENANCE: u32 = 120;
/// When a caller may try again after a limit refused it, in seconds.
const RETRY_AFTER_LIMIT: u32 = 10;

/// Everything a call needs of its node.
pub(crate) struct Uas {
    pub(crate) endpoint: EndpointInnerRef,
    pub(crate) registry: Arc<CallRegistry>,
    pub(crate) rooms: RwLock<Rooms>,
    pub(crate) media: MediaHandle,
    pub(crate) ports: Arc<PortPool>,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) connections: Arc<Connections>,
    pub(crate) address: SocketAddr,
    pub(crate) stopping: CancellationToken,
    pub(crate) dialogs: Dialogs,
    pub(crate) replies: Replies,
    pub(crate) expected: Arc<Expected>,
    pub(crate) legs: AtomicU64,
}

/// The calls by their dialog.
#[derive(Default)]
pub(crate) struct Dialogs(Mutex<HashMap<(String, String), Registered>>);

struct Registered {
    local_tag: String,
    events: mpsc::Sender<Event>,
}

/// A refusal of a request: the status, its headers, and what it counts as.
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) headers: Vec<Header>,
    pub(super) count: fn(&mut Stats),
}

impl Dialogs {
    /// Enters a call. `None` when the same INVITE came over another path already (RFC 3261 section 8.2.2.2).
    pub(super) fn register(&self, key: &DialogKey) -> Option<(mpsc::Sender<Event>, mpsc::Receiver<Event>)> {
        let (events, receiver) = mpsc::channel(MAX_WAITING);
        let place = (key.call_id.clone(), key.remote_tag.clone());
        let mut table = self.lock();
        if table.contains_key(&place) {
            return None;
        }
        table.insert(place, Registered { local_tag: key.local_tag.clone(), events: events.clone() });
        Some((events, receiver))
    }

    /// Takes a call out; one that has taken its place meanwhile stays.
    pub(super) fn remove(&self, key: &DialogKey) {
        let place = (key.call_id.clone(), key.remote_tag.clone());
        let mut table = self.lock();
        if table.get(&place).is_some_and(|registered| registered.local_tag == key.local_tag) {
            table.remove(&place);
        }
    }

    fn find(&self, key: &DialogKey) -> Option<mpsc::Sender<Event>> {
        let table = self.lock();
        let found = table.get(&(key.call_id.clone(), key.remote_tag.clone()))?;
        (found.local_tag == key.local_tag).then(|| found.events.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Registered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Uas {
    pub(super) fn next_leg(&self) -> LegId {
        LegId(self.legs.fetch_add(1, Ordering::Relaxed))
    }

    /// Takes in what the stack passes up, until the stack is gone.
    pub(crate) async fn serve(self: Arc<Uas>, mut incoming: TransactionReceiver) {
        while let Some(tx) = incoming.recv().await {
            let Some(flow) = Flow::of(&tx) else { continue };
            let key = DialogKey::of(&tx.original).filter(|key| !key.local_tag.is_empty());
            match key {
                Some(key) => self.within_dialog(&key, tx, &flow),
                None if tx.original.method == Method::Invite => self.new_call(tx, flow),
                None => self.outside_dialog(tx, &flow),
            }
        }
    }

    fn new_call(self: &Arc<Uas>, tx: Transaction, flow: Flow) {
        if let Some(turn) = self.expected.admit(tx.original.uri.user(), flow.source()) {
            let ticket = Arc::new(self.registry.probe(turn));
            tokio::spawn(answer::take(Arc::clone(self), ticket, tx, flow));
            return;
        }
        match self.registry.admit(flow.source().ip()) {
            Entry::Admitted(ticket) => {
                tokio::spawn(answer::take(Arc::clone(self), Arc::new(ticket), tx, flow));
            }
            Entry::Refused(refusal) => self.reply(tx, 503, refusal_headers(&refusal)),
            Entry::Dropped => {}
        }
    }

    fn within_dialog(self: &Arc<Uas>, key: &DialogKey, tx: Transaction, flow: &Flow) {
        match self.dialogs.find(key) {
            // A full queue drops the request; the far end repeats it.
            Some(events) => drop(events.try_send(Event::Request(Box::new(tx)))),
            None if self.registry.answer(flow.source().ip()) => self.reply(tx, 481, Vec::new()),
            None => {}
        }
    }

    fn outside_dialog(self: &Arc<Uas>, tx: Transaction, flow: &Flow) {
        if !self.registry.answer(flow.source().ip()) {
            return;
        }
        let method = tx.original.method;
        if method == Method::Options {
            let (status, headers) = self.options();
            self.reply(tx, status, headers);
        } else if [Method::Bye, Method::Update, Method::Info, Method::PRack].contains(&method) {
            self.reply(tx, 481, Vec::new());
        } else {
            self.reply(tx, 405, vec![message::header("Allow", ALLOW)]);
        }
    }

    /// The answer to OPTIONS: what this node can do, or that it is in maintenance mode.
    fn options(&self) -> (u16, Vec<Header>) {
        match self.registry.admission() {
            Admission::Open => (200, abilities()),
            Admission::Closed(closed) => (503, refusal_headers(&Refusal::Closed(closed))),
        }
    }

    /// Refuses a call that was admitted.
    pub(super) fn refuse(self: &Arc<Uas>, ticket: &Ticket, tx: Transaction, refused: Refused) {
        ticket.count(refused.count);
        self.reply(tx, refused.status, refused.headers);
    }
}

/// What this node can do, for OPTIONS.
pub(super) fn abilities() -> Vec<Header> {
    vec![
        message::header("Allow", ALLOW),
        message::header("Accept", SDP),
        message::header("Supported", "timer"),
    ]
}

fn refusal_headers(refusal: &Refusal) -> Vec<Header> {
    let (text, seconds) = match refusal {
        Refusal::Closed(closed) => (closed.reason.as_str(), RETRY_AFTER_MAINTENANCE),
        Refusal::CallLimit => ("Out of resource", RETRY_AFTER_LIMIT),
        Refusal::SourceRate => ("Too many calls from this address", RETRY_AFTER_LIMIT),
    };
    vec![message::header("Retry-After", seconds.to_string()), message::reason(503, text)]
}

/// The headers of a refusal for want of ports or other resources.
pub(super) fn out_of_resource() -> Vec<Header> {
    refusal_headers(&Refusal::CallLimit)
}
