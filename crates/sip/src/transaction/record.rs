//! What is kept of a transaction beside the state of its machine.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::message::Request;
use crate::time::Time;
use crate::transaction::key::{ClientKey, MergeKey, ServerKey};
use crate::transaction::machine::Machine;
use crate::transaction::outgoing::Branch;
use crate::transport::flow::{Destination, Flow, Peer};

/// A transaction.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    /// `None` when it is over and only something of it is still to be sent.
    pub(crate) machine: Option<Machine>,
    pub(crate) destination: Destination,
    /// What was last sent over.
    pub(crate) over: Option<Flow>,
    /// Whom a connection is being opened to for it.
    pub(crate) awaits: Option<Peer>,
    pub(crate) part: Part,
}

/// Which side of the transaction this is.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// Boxed: there are more of the others in a flood, and this one is large.
    Client(Box<Client>),
    Server(Server),
}

/// A request of ours.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// `None` for an ACK.
    pub(crate) key: Option<ClientKey>,
    pub(crate) request: Request,
    /// The ACK for a final response that is not 2xx.
    pub(crate) ack: Option<Arc<[u8]>>,
    pub(crate) instead: Option<Instead>,
}

/// The datagram that a long request becomes if no connection comes about.
#[derive(Clone, Debug)]
pub(crate) struct Instead {
    /// When the connection is no longer waited for.
    pub(crate) at: Time,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) branch: Branch,
    /// The request without Via of ours.
    pub(crate) bare: Vec<u8>,
}

/// A request of another.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) key: ServerKey,
    pub(crate) merge: Option<MergeKey>,
    /// The bytes of the request's head, which an answer copies at most.
    pub(crate) head: usize,
    /// The last response, or the 100 that is sent if there is none in time.
    pub(crate) response: Option<Arc<[u8]>>,
}

/// What a transaction of another keeps beside its bytes: its record, and its places in the indexes. With 10,000 of
/// them 1,013 bytes were measured.
const RECORD: usize = 1152;

impl Transaction {
    /// What it has sent last, or is to send.
    pub(crate) fn bytes(&self) -> Option<Arc<[u8]>> {
        match &self.part {
            Part::Client(client) => {
                Some(client.ack.clone().unwrap_or_else(|| client.request.headers().bytes.clone()))
            }
            Part::Server(server) => server.response.clone(),
        }
    }

    /// When something is due though nothing happens.
    pub(crate) fn deadline(&self) -> Option<Time> {
        let instead = self.client().and_then(|client| client.instead.as_ref()).map(|instead| instead.at);
        let machine = self.machine.and_then(Machine::deadline);
        instead.into_iter().chain(machine).min()
    }

    /// The bytes that another's request makes us keep.
    pub(crate) fn kept(&self) -> usize {
        match &self.part {
            Part::Client(_) => 0,
            Part::Server(server) => server.kept(),
        }
    }

    pub(crate) fn client(&self) -> Option<&Client> {
        match &self.part {
            Part::Client(client) => Some(client),
            Part::Server(_) => None,
        }
    }

    pub(crate) fn client_mut(&mut self) -> Option<&mut Client> {
        match &mut self.part {
            Part::Client(client) => Some(client),
            Part::Server(_) => None,
        }
    }

    pub(crate) const fn server(&self) -> Option<&Server> {
        match &self.part {
            Part::Server(server) => Some(server),
            Part::Client(_) => None,
        }
    }

    pub(crate) const fn server_mut(&mut self) -> Option<&mut Server> {
        match &mut self.part {
            Part::Server(server) => Some(server),
            Part::Client(_) => None,
        }
    }
}

impl Server {
    /// The bytes that it keeps, with room for a response that copies the whole head: the bound is held when the
    /// request comes, not when it is too late.
    pub(crate) fn kept(&self) -> usize {
        let response = self.response.as_ref().map_or(0, |response| response.len());
        let merge = self.merge.as_ref().map_or(0, MergeKey::length);
        RECORD + self.key.length() + merge + response.max(self.head)
    }
}
