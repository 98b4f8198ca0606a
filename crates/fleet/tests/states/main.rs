//! Rules as tables: the platform is built in a state, and one event or one question shows what the rule says of it.
//! States that a run reaches only after hours stand beside each other here.

mod attempt;
mod clock;
mod failures;
mod kit;
mod manager;
mod mixture;
mod nodes;
mod queue;
mod run_end;
mod start;
mod status;
