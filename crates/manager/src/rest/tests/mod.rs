//! Tests of the API from outside: requests to the router over a store on the disk.

mod kit;

mod bodies;
mod calls;
mod logins;
mod nodes;
mod rooms;
mod runs;
mod uploads;
