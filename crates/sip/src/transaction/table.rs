//! All transactions, with what they are found by: key, deadline, flow. The indexes agree with the transactions when
//! [`Table::settle`] has been called after a change.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::message::{Request, Response};
use crate::time::Time;
use crate::transaction::TransactionId;
use crate::transaction::key::{ClientKey, MergeKey, ServerKey};
use crate::transaction::record::{Part, Transaction};
use crate::transport::flow::{Destination, Flow};

/// A transaction and where it stands in the indexes.
#[derive(Clone, Debug)]
struct Row {
    transaction: Transaction,
    deadline: Option<Time>,
    kept: usize,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    last: u64,
    rows: BTreeMap<TransactionId, Row>,
    clients: BTreeMap<ClientKey, TransactionId>,
    servers: BTreeMap<ServerKey, TransactionId>,
    merges: BTreeMap<MergeKey, TransactionId>,
    deadlines: BTreeSet<(Time, TransactionId)>,
    over: BTreeSet<(Flow, TransactionId)>,
    /// Those of others; the other rows are ours.
    of_others: usize,
    kept: usize,
}

impl Table {
    /// Takes a transaction. Its key is not taken: the caller has looked.
    pub(crate) fn insert(&mut self, transaction: Transaction) -> TransactionId {
        self.last += 1;
        let id = TransactionId(self.last);
        match &transaction.part {
            Part::Client(client) => {
                if let Some(key) = client.key.clone() {
                    self.clients.insert(key, id);
                }
            }
            Part::Server(server) => {
                self.of_others += 1;
                self.servers.insert(server.key.clone(), id);
                if let Some(merge) = server.merge.clone() {
                    self.merges.insert(merge, id);
                }
            }
        }
        self.rows.insert(id, Row { transaction, deadline: None, kept: 0 });
        self.settle(id);
        id
    }

    pub(crate) fn get(&self, id: TransactionId) -> Option<&Transaction> {
        self.rows.get(&id).map(|row| &row.transaction)
    }

    pub(crate) fn get_mut(&mut self, id: TransactionId) -> Option<&mut Transaction> {
        self.rows.get_mut(&id).map(|row| &mut row.transaction)
    }

    /// Brings the indexes up to date after a change of a transaction, and removes it when it is over and all of it
    /// is sent.
    pub(crate) fn settle(&mut self, id: TransactionId) {
        let Some(row) = self.rows.get_mut(&id) else { return };
        let over = row.transaction.machine.is_none() && row.transaction.awaits.is_none();
        let deadline = row.transaction.deadline().filter(|_| !over);
        let kept = if over { 0 } else { row.transaction.kept() };
        self.kept = self.kept - row.kept + kept;
        row.kept = kept;
        if row.deadline != deadline {
            row.deadline.map(|at| self.deadlines.remove(&(at, id)));
            deadline.map(|at| self.deadlines.insert((at, id)));
            row.deadline = deadline;
        }
        if over {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: TransactionId) {
        let Some(Row { transaction, .. }) = self.rows.remove(&id) else { return };
        transaction.over.map(|flow| self.over.remove(&(flow, id)));
        match transaction.part {
            Part::Client(client) => {
                client.key.map(|key| self.clients.remove(&key));
            }
            Part::Server(server) => {
                self.of_others -= 1;
                self.servers.remove(&server.key);
                server.merge.map(|merge| self.merges.remove(&merge));
            }
        }
    }

    /// Has a transaction send to another destination from now on.
    pub(crate) fn redirect(&mut self, id: TransactionId, destination: Destination) {
        if let Some(row) = self.rows.get_mut(&id) {
            row.transaction.destination = destination;
        }
    }

    /// Something of a transaction is sent over a flow.
    pub(crate) fn sent(&mut self, id: TransactionId, flow: Flow) {
        let Some(row) = self.rows.get_mut(&id) else { return };
        if let Some(before) = row.transaction.over.replace(flow) {
            self.over.remove(&(before, id));
        }
        self.over.insert((flow, id));
    }

    /// The transactions that sent over a flow last.
    pub(crate) fn over(&self, flow: Flow) -> Vec<TransactionId> {
        let all = (flow, TransactionId(0))..=(flow, TransactionId(u64::MAX));
        self.over.range(all).map(|(_, id)| *id).collect()
    }

    /// The next deadline, and whose it is.
    pub(crate) fn next_deadline(&self) -> Option<(Time, TransactionId)> {
        self.deadlines.first().copied()
    }

    /// The transaction of a request that has come before.
    pub(crate) fn by_server_key(&self, key: &ServerKey) -> Option<TransactionId> {
        self.servers.get(key).copied()
    }

    /// Whether a request has come over another path.
    pub(crate) fn is_merged(&self, key: &MergeKey) -> bool {
        self.merges.contains_key(key)
    }

    /// The transaction that a response belongs to.
    pub(crate) fn by_response(&self, response: &Response) -> Option<TransactionId> {
        self.clients.get(&ClientKey::of_response(response)?).copied()
    }

    /// Whether a request of ours has the branch of another one.
    pub(crate) fn has_branch_of(&self, request: &Request) -> bool {
        ClientKey::of(request).is_some_and(|key| self.clients.contains_key(&key))
    }

    /// How many are ours.
    pub(crate) fn ours(&self) -> usize {
        self.rows.len() - self.of_others
    }

    /// How many are of others.
    pub(crate) const fn of_others(&self) -> usize {
        self.of_others
    }

    /// The bytes that those of others keep.
    pub(crate) const fn kept(&self) -> usize {
        self.kept
    }

    /// The one that began first.
    pub(crate) fn oldest(&self) -> Option<TransactionId> {
        self.rows.first_key_value().map(|(id, _)| *id)
    }

    /// The entries of all maps.
    pub(crate) fn entries(&self) -> usize {
        self.rows.len()
            + self.clients.len()
            + self.servers.len()
            + self.merges.len()
            + self.deadlines.len()
            + self.over.len()
    }
}
