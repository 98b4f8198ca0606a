//! Transactions and transport rules: the four machines transition by transition, what is answered without state,
//! where messages go, what is bounded, and a simulation of two layers with a network between them.

mod kit;
#[path = "../support/mod.rs"]
#[allow(dead_code)] // The other tests need more of it.
mod support;

mod invite_client;
mod invite_server;
mod other_client;
mod other_server;

mod any_bytes;
mod bounds;
mod matching;
mod routing;
mod sending;
mod stateless;

mod simulation;
