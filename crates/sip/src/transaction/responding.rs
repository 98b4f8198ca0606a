//! Responses: those that the user gives to the requests of others.

use alloc::vec::Vec;
use core::fmt;

use crate::message::{self, Message, Response};
use crate::method::Method;
use crate::time::Time;
use crate::transaction::TransactionId;
use crate::transaction::effect::Effect;
use crate::transaction::key::ServerKey;
use crate::transaction::layer::Layer;
use crate::transaction::machine::Machine;

/// Why a response is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswerable {
    /// There is no such transaction of another: it is over.
    Over,
    /// It has a final response.
    Answered,
    /// The bytes are no response, or that to another request.
    NotItsResponse,
}

impl fmt::Display for Unanswerable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Over => "the transaction is over, and nobody waits for a response",
            Self::Answered => "the request has a final response",
            Self::NotItsResponse => {
                "the bytes are no response to this request; write them with Arrival::reply"
            }
        })
    }
}

impl core::error::Error for Unanswerable {}

impl Layer {
    /// Forgets a request of another without a response: what its sender gets when it sends more than it may. If it
    /// comes again it is a new one.
    pub fn abandon(&mut self, id: TransactionId) {
        let Some(transaction) = self.table.get_mut(id) else { return };
        if transaction.server().is_some() {
            transaction.machine = None;
            self.stop_waiting(id);
            self.table.settle(id);
        }
    }

    /// Responds to a request of another with a response as bytes. See [`Self::respond_with`].
    ///
    /// # Errors
    /// Nothing is sent.
    pub fn respond(
        &mut self,
        now: Time,
        id: TransactionId,
        bytes: &[u8],
    ) -> Result<Vec<Effect>, Unanswerable> {
        match message::datagram(bytes) {
            Ok(Message::Response(response)) => self.respond_with(now, id, &response),
            Ok(Message::Request(_)) | Err(_) => Err(Unanswerable::NotItsResponse),
        }
    }

    /// Responds to a request of another. A 2xx to an INVITE may be given again and again, until its ACK comes:
    /// repeating it is up to the user (RFC 6026 section 7.1).
    ///
    /// # Errors
    /// Nothing is sent.
    pub fn respond_with(
        &mut self,
        now: Time,
        id: TransactionId,
        response: &Response,
    ) -> Result<Vec<Effect>, Unanswerable> {
        let transaction = self.table.get(id).ok_or(Unanswerable::Over)?;
        let (Some(server), Some(machine)) = (transaction.server(), transaction.machine) else {
            return Err(Unanswerable::Over);
        };
        if !is_to(response, &server.key, machine) {
            return Err(Unanswerable::NotItsResponse);
        }
        let conditions = self.conditions(&transaction.destination);
        let step = machine.respond(now, response.status(), &conditions).ok_or(Unanswerable::Answered)?;
        if let Some(server) = self.table.get_mut(id).and_then(|transaction| transaction.server_mut()) {
            server.response = Some(response.headers().bytes.clone());
        }
        self.take_step(now, id, None, step);
        Ok(self.take_effects())
    }
}

/// Whether a response is to the request with this key.
fn is_to(response: &Response, key: &ServerKey, machine: Machine) -> bool {
    match ServerKey::of_response(response) {
        Some(found) => found == *key,
        None => {
            let is_invite = matches!(machine, Machine::InviteServer(_));
            is_invite == (response.headers().cseq().method == Method::Invite)
        }
    }
}
