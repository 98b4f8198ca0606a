//! The connections that are open, and those that are being opened with the transactions that wait for them.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::transaction::TransactionId;
use crate::transport::flow::{Connection, Destination, Flow, Link, Peer};

/// An open connection, and under whom it is found for a request of ours.
#[derive(Clone, Debug)]
struct Open {
    flow: Flow,
    peer: Peer,
}

/// No more connections are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Whether a transaction is the first to wait for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    First,
    Later,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    open: BTreeMap<Connection, Open>,
    by_peer: BTreeMap<Peer, Connection>,
    opening: BTreeMap<Peer, BTreeSet<TransactionId>>,
}

impl Links {
    /// The flow of a connection that is open.
    pub(crate) fn flow(&self, connection: Connection) -> Option<Flow> {
        self.open.get(&connection).map(|open| open.flow)
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.open.len()
    }

    /// How many are being opened.
    pub(crate) fn opening(&self) -> usize {
        self.opening.len()
    }

    /// A connection is open: `peer` is who it was opened to, `None` when the other side has opened it.
    pub(crate) fn opened(&mut self, flow: Flow, peer: Option<Peer>, limit: usize) -> Result<(), Full> {
        let Link::Connection(stream, connection) = flow.link else { return Ok(()) };
        if self.open.len() >= limit {
            return Err(Full);
        }
        let peer = peer.unwrap_or(Peer { stream, remote: flow.remote, name: None });
        self.by_peer.entry(peer.clone()).or_insert(connection);
        self.open.insert(connection, Open { flow, peer });
        Ok(())
    }

    /// A connection is closed. Returns what its flow was.
    pub(crate) fn closed(&mut self, connection: Connection) -> Option<Flow> {
        let open = self.open.remove(&connection)?;
        if self.by_peer.get(&open.peer) == Some(&connection) {
            self.by_peer.remove(&open.peer);
        }
        Some(open.flow)
    }

    /// The flow to a destination that can be used now: the datagrams, its own connection, or another one to the same peer.
    pub(crate) fn toward(&self, destination: &Destination) -> Option<Flow> {
        match destination {
            Destination::Datagrams { local, remote } => Some(Flow::datagrams(*local, *remote)),
            Destination::Stream { connection, peer, .. } => connection
                .and_then(|connection| self.flow(connection))
                .or_else(|| self.flow(*self.by_peer.get(peer)?)),
        }
    }

    /// Whether a connection to this peer is being opened, or one more may be.
    pub(crate) fn may_wait(&self, peer: &Peer, limit: usize) -> bool {
        self.opening.contains_key(peer) || self.open.len() + self.opening.len() < limit
    }

    /// A transaction waits for a connection.
    pub(crate) fn wait(&mut self, peer: &Peer, id: TransactionId) -> Turn {
        if let Some(waiting) = self.opening.get_mut(peer) {
            waiting.insert(id);
            return Turn::Later;
        }
        self.opening.insert(peer.clone(), BTreeSet::from([id]));
        Turn::First
    }

    /// A transaction no longer waits. The connection stays awaited: the shell is opening it.
    pub(crate) fn forget(&mut self, peer: &Peer, id: TransactionId) {
        if let Some(waiting) = self.opening.get_mut(peer) {
            waiting.remove(&id);
        }
    }

    /// The connection is open or cannot be opened. Returns who has waited for it.
    pub(crate) fn waited(&mut self, peer: &Peer) -> BTreeSet<TransactionId> {
        self.opening.remove(peer).unwrap_or_default()
    }
}
