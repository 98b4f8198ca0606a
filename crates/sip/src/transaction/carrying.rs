//! How what a transaction sends gets on a flow: at once, or when a connection is open; and what becomes of it when
//! there is none.

use alloc::sync::Arc;
use core::net::IpAddr;

use crate::time::Time;
use crate::transaction::TransactionId;
use crate::transaction::effect::{Effect, Event};
use crate::transaction::layer::Layer;
use crate::transaction::machine::{Failure, Machine};
use crate::transport::flow::{Connection, Destination, Flow, Link, Peer};
use crate::transport::links::Turn;

impl Layer {
    /// Sends bytes over a flow.
    pub(super) fn put(&mut self, flow: Flow, bytes: Arc<[u8]>) {
        self.effects.push(Effect::Send { flow, bytes });
    }

    /// Sends what a transaction has to send, or has it wait for a connection.
    pub(super) fn send(&mut self, now: Time, id: TransactionId) {
        let Some(transaction) = self.table.get(id) else { return };
        let Some(bytes) = transaction.bytes() else { return };
        if transaction.awaits.is_some() {
            return;
        }
        match (self.links.toward(&transaction.destination), &transaction.destination) {
            (Some(flow), _) => {
                self.put(flow, bytes);
                self.sent(id, flow);
            }
            (None, Destination::Stream { local, peer, .. }) => {
                let (local, peer) = (*local, peer.clone());
                self.wait(now, id, local, peer);
            }
            // Datagrams always lead somewhere.
            (None, Destination::Datagrams { .. }) => {}
        }
    }

    fn sent(&mut self, id: TransactionId, flow: Flow) {
        self.table.sent(id, flow);
        let Some(transaction) = self.table.get_mut(id) else { return };
        if transaction.machine == Some(Machine::Ack) {
            transaction.machine = None;
        }
        if let Some(client) = transaction.client_mut() {
            client.instead = None;
        }
    }

    fn wait(&mut self, now: Time, id: TransactionId, local: IpAddr, peer: Peer) {
        if !self.links.may_wait(&peer, self.settings.connections) {
            return self.unsendable(now, id);
        }
        if let Some(transaction) = self.table.get_mut(id) {
            transaction.awaits = Some(peer.clone());
        }
        if self.links.wait(&peer, id) == Turn::First {
            self.effects.push(Effect::Open { peer, local });
        }
    }

    /// A transaction no longer waits for a connection.
    pub(super) fn stop_waiting(&mut self, id: TransactionId) {
        let Some(transaction) = self.table.get_mut(id) else { return };
        if let Some(peer) = transaction.awaits.take() {
            self.links.forget(&peer, id);
        }
    }

    /// Requests that a connection is closed. The shell reports when it is.
    pub(super) fn close(&mut self, flow: Flow) {
        if let Link::Connection(_, connection) = flow.link {
            self.effects.push(Effect::Close(connection));
        }
    }

    /// Another side has opened a connection. One too many is closed.
    pub(super) fn accepted(&mut self, flow: Flow) {
        if self.links.opened(flow, None, self.settings.connections).is_err() {
            self.close(flow);
        }
    }

    /// A connection is open that was asked for: whatever waits for it is sent.
    pub(super) fn opened(&mut self, now: Time, peer: Peer, flow: Flow) {
        if self.links.opened(flow, Some(peer.clone()), self.settings.connections).is_err() {
            self.close(flow);
            return self.not_opened(now, &peer);
        }
        for id in self.links.waited(&peer) {
            if let Some(transaction) = self.table.get_mut(id) {
                transaction.awaits = None;
            }
            self.send(now, id);
            self.table.settle(id);
        }
    }

    /// A connection cannot be opened.
    pub(super) fn not_opened(&mut self, now: Time, peer: &Peer) {
        for id in self.links.waited(peer) {
            if let Some(transaction) = self.table.get_mut(id) {
                transaction.awaits = None;
            }
            self.unsendable(now, id);
        }
    }

    /// There is no connection for a transaction: what it sends goes as a datagram if it may, and has failed
    /// otherwise.
    fn unsendable(&mut self, now: Time, id: TransactionId) {
        let Some(transaction) = self.table.get(id) else { return };
        let may_fall_back = transaction.client().is_some_and(|client| client.instead.is_some());
        if may_fall_back {
            self.fall_back(now, id);
        } else if transaction.machine.is_none() {
            self.notify(Event::Failed { transaction: id });
            self.table.settle(id);
        } else {
            self.advance(now, id, None, |machine, _| machine.failed(Failure::Unsent));
        }
    }

    /// A connection is closed. What it carried last may not have arrived.
    pub(super) fn closed(&mut self, now: Time, connection: Connection) {
        let Some(flow) = self.links.closed(connection) else { return };
        for id in self.table.over(flow) {
            self.advance(now, id, None, |machine, _| machine.failed(Failure::Closed));
        }
    }

    /// Datagrams do not arrive.
    pub(super) fn unreachable(&mut self, now: Time, flow: Flow) {
        for id in self.table.over(flow) {
            self.advance(now, id, None, |machine, _| machine.failed(Failure::Unsent));
        }
    }
}
