//! Tests of two processes under one certificate: they are noticed, one of them is shown, and the certificate
//! is not renewed.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use fleet::starts::StartId;
use fleet::time::{Offset, Span, Time};
use wire::report::{Calls, Process};

use super::*;

/// The report of a process of a node: its number, the other one that its last answer named, and its calls.
fn of_process(start: u64, answer: Option<&SyncAnswer>, at: u64) -> Sync {
    let mut sync = first_report();
    let beside = answer.and_then(|answer| answer.beside);
    sync.observed.at = Time(at);
    sync.observed.calls = Calls::Known { count: u32::try_from(start).unwrap(), oldest: None };
    sync.observed.process = Some(Process { start: StartId(start), beside, address: None });
    sync.started_at = Some(start);
    sync.tally.carried = start;
    sync
}

#[tokio::test]
async fn two_processes_under_one_certificate_are_noticed_and_it_is_not_renewed() {
    let server = Server::start(TIMING).await;
    let client = server.enrolled(1).await;
    let mut answers: [Option<SyncAnswer>; 2] = [None, None];
    let mut shown = BTreeSet::new();
    for turn in 0..20 {
        let who = usize::try_from(turn % 2).unwrap();
        let sync = of_process(1 + turn % 2, answers[who].as_ref(), 10 + turn);
        answers[who] = Some(server.sync(&client, &sync).await.json().await.unwrap());
        let node = server.committer.read(|fleet, _| fleet.nodes().get(NodeId(1)).cloned()).unwrap();
        if node.duplicate().is_some() && turn > 6 {
            let started_at = |connection: &rusqlite::Connection| {
                crate::store::node_boot::started_at(connection, NodeId(1))
            };
            let started_at = server.committer.store().read(started_at).await.unwrap();
            shown.insert((format!("{:?}", node.observed.unwrap().calls), started_at));
            shown.insert((String::new(), server.committer.tally(NodeId(1)).map(|tally| tally.carried)));
        }
    }
    assert_eq!(shown.len(), 2, "one process is shown, and not both in turn: {shown:?}");
    let two =
        server.committer.read(|fleet, _| fleet.nodes().get(NodeId(1)).unwrap().duplicate().copied()).unwrap();
    assert_eq!(two.other.address, Some(Ipv4Addr::LOCALHOST.into()));

    let key = KeyPair::generate().unwrap();
    let body = EnrolmentRequest { token: None, request: request(&key), release: None };
    let answer = client.post(format!("{}/renew", server.base)).json(&body).send().await.unwrap();
    assert_eq!(kind(answer, StatusCode::CONFLICT).await, "duplicate");
}

#[tokio::test]
async fn process_that_starts_again_and_again_is_one_process() {
    let server = Server::start(TIMING).await;
    let client = server.enrolled(1).await;
    for start in 1..6 {
        let mut answer: Option<SyncAnswer> = None;
        for turn in 0..3 {
            let sync = of_process(start, answer.as_ref(), start * 10 + turn);
            answer = Some(server.sync(&client, &sync).await.json().await.unwrap());
        }
    }
    let two = server.committer.read(|fleet, _| fleet.nodes().get(NodeId(1)).unwrap().duplicate().copied());
    assert_eq!(two, None);
}

#[tokio::test]
async fn clock_of_the_process_that_is_not_believed_is_not_taken() {
    let server = Server::start(TIMING).await;
    let client = server.enrolled(1).await;
    let mut answers: [Option<SyncAnswer>; 2] = [None, None];
    let mut seen = BTreeSet::new();
    for turn in 0..20 {
        let who = usize::try_from(turn % 2).unwrap();
        let mut sync = of_process(1 + turn % 2, answers[who].as_ref(), 10 + turn);
        let ahead = if who == 0 { Offset(0) } else { Offset(-7_200_000) };
        sync.wall = Some(server.committer.wall() + ahead);
        answers[who] = Some(server.sync(&client, &sync).await.json().await.unwrap());
        let node = server.committer.read(|fleet, _| fleet.nodes().get(NodeId(1)).cloned()).unwrap();
        if node.duplicate().is_some() && turn > 8 {
            let shown = server.committer.node_runtime(NodeId(1)).unwrap().clock_ahead.unwrap();
            seen.insert((node.clock_off.is_some(), shown.size() > Span::hours(1)));
        }
    }
    assert_eq!(seen.len(), 1, "the clock of one process is shown, and not that of both in turn: {seen:?}");
}
