//! The layer: every transaction and every connection. Its inputs are the shell's events, the user's requests and
//! responses, and time.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use crate::framer::Frame;
use crate::message::Message;
use crate::time::Time;
use crate::transaction::TransactionId;
use crate::transaction::effect::{Effect, Event};
use crate::transaction::input::Input;
use crate::transaction::machine::{Act, Conditions, Machine, Step};
use crate::transaction::settings::Settings;
use crate::transaction::table::Table;
use crate::transport::flow::{Destination, Flow};
use crate::transport::links::Links;

/// The transaction layer. See [`crate::transaction`] for what it does and what it relies on.
///
/// Every function that changes it returns what is to be done then. Between two calls, [`Self::pass_time`] is owed at
/// [`Self::next_deadline`].
#[derive(Clone, Debug)]
pub struct Layer {
    pub(super) settings: Settings,
    /// What the tags of answers without a transaction are made from.
    pub(super) seed: u64,
    pub(super) table: Table,
    pub(super) links: Links,
    pub(super) effects: Vec<Effect>,
}

/// How much a layer holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Transactions that we began.
    pub ours: usize,
    /// Transactions that others began.
    pub of_others: usize,
    /// The bytes that those of others keep.
    pub kept: usize,
    /// Connections that are open.
    pub connections: usize,
    /// Connections that are being opened.
    pub opening: usize,
    /// The entries of all maps of transactions: zero when there are none.
    pub entries: usize,
    /// The transaction that began first.
    pub oldest: Option<TransactionId>,
}

impl Layer {
    /// A layer without transactions. `seed` is any number that differs from that of other processes.
    pub fn new(settings: Settings, seed: u64) -> Self {
        Self { settings, seed, table: Table::default(), links: Links::default(), effects: Vec::new() }
    }

    /// The settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How much it holds.
    pub fn load(&self) -> Load {
        Load {
            ours: self.table.ours(),
            of_others: self.table.of_others(),
            kept: self.table.kept(),
            connections: self.links.count(),
            opening: self.links.opening(),
            entries: self.table.entries(),
            oldest: self.table.oldest(),
        }
    }

    /// When [`Self::pass_time`] is to be called if nothing happens before.
    pub fn next_deadline(&self) -> Option<Time> {
        self.table.next_deadline().map(|(at, _)| at)
    }

    /// Does what is due.
    pub fn pass_time(&mut self, now: Time) -> Vec<Effect> {
        while let Some((_, id)) = self.table.next_deadline().filter(|(at, _)| *at <= now) {
            if self.is_tired_of_waiting(now, id) {
                self.fall_back(now, id);
            } else {
                self.advance(now, id, None, |machine, conditions| machine.pass_time(now, conditions));
            }
        }
        self.take_effects()
    }

    /// Takes what has happened on a socket.
    pub fn apply(&mut self, now: Time, input: Input) -> Vec<Effect> {
        match input {
            Input::Datagram { local, remote, read: Ok(message) } => {
                self.message(now, Flow::datagrams(local, remote), message);
            }
            Input::Datagram { local, remote, read: Err(refused) } => {
                self.refused(Flow::datagrams(local, remote), &refused);
            }
            Input::Frame { connection, frame } => {
                if let Some(flow) = self.links.flow(connection) {
                    self.frame(now, flow, frame);
                }
            }
            Input::Accepted(flow) => self.accepted(flow),
            Input::Opened { peer, flow } => self.opened(now, peer, flow),
            Input::NotOpened(peer) => self.not_opened(now, &peer),
            Input::Closed(connection) => self.closed(now, connection),
            Input::Unreachable { local, remote } => self.unreachable(now, Flow::datagrams(local, remote)),
        }
        self.take_effects()
    }

    fn frame(&mut self, now: Time, flow: Flow, frame: Frame) {
        match frame {
            Frame::Message(message) => self.message(now, flow, message),
            Frame::Refused(refused) => self.refused(flow, &refused),
            Frame::Lost(refused) => {
                self.refused(flow, &refused);
                self.close(flow);
            }
            Frame::Ping => self.put(flow, b"\r\n".as_slice().into()),
            // This engine sends no pings, so that it waits for no answer to one.
            Frame::Pong => {}
        }
    }

    fn message(&mut self, now: Time, flow: Flow, message: Message) {
        match message {
            Message::Request(request) => self.request_came(now, flow, request),
            Message::Response(response) => self.response_came(now, flow, response),
        }
    }

    pub(super) fn notify(&mut self, event: Event) {
        self.effects.push(Effect::Notify(Box::new(event)));
    }

    pub(super) fn take_effects(&mut self) -> Vec<Effect> {
        mem::take(&mut self.effects)
    }

    /// What the machine of a transaction depends on that sends there.
    pub(super) fn conditions(&self, destination: &Destination) -> Conditions {
        Conditions {
            timers: self.settings.timers,
            answer_limit: self.settings.answer_limit,
            reliability: destination.protocol().reliability(),
        }
    }

    /// Has the machine of a transaction take a step. `came` is the event of which the user is notified if the step delivers.
    pub(super) fn advance(
        &mut self,
        now: Time,
        id: TransactionId,
        came: Option<Event>,
        by: impl FnOnce(Machine, &Conditions) -> Step<Machine>,
    ) {
        let Some(transaction) = self.table.get(id) else { return };
        let Some(machine) = transaction.machine else { return };
        let step = by(machine, &self.conditions(&transaction.destination));
        self.take_step(now, id, came, step);
    }

    pub(super) fn take_step(
        &mut self,
        now: Time,
        id: TransactionId,
        mut came: Option<Event>,
        step: Step<Machine>,
    ) {
        let (next, acts) = step;
        if let Some(transaction) = self.table.get_mut(id) {
            transaction.machine = next;
        }
        for act in acts {
            match act {
                Act::Send => self.send(now, id),
                Act::Acknowledge => {
                    self.acknowledge(id, came.as_ref());
                    self.send(now, id);
                }
                Act::Deliver => came.take().into_iter().for_each(|event| self.notify(event)),
                Act::Timeout => self.gave_up(id, Event::Timeout { transaction: id }),
                Act::Fail => self.gave_up(id, Event::Failed { transaction: id }),
            }
        }
        self.table.settle(id);
    }

    /// What is over and has failed has nothing left to send.
    fn gave_up(&mut self, id: TransactionId, event: Event) {
        if self.table.get(id).is_some_and(|transaction| transaction.machine.is_none()) {
            self.stop_waiting(id);
        }
        self.notify(event);
    }
}
