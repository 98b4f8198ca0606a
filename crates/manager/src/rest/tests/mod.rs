//! Tests of the API from outside: requests to the router over a store on the disk.

mod kit;
mod licences;

mod accounts;
mod authentication;
mod authorities;
mod backups;
mod bodies;
mod calls;
mod certificates;
mod companions;
mod declared;
mod engine;
mod logins;
mod nodes;
mod package_rules;
mod past_calls;
mod rooms;
mod runs;
mod sessions;
mod tokens;
mod uploads;
