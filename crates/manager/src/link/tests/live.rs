//! Participants and commands over the link.

use std::collections::BTreeSet;

use fleet::starts::StartId;
use uuid::Uuid;
use wire::live::{Action, Outcome, ParticipantChanges};
use wire::machine::Machine;
use wire::report::Process;

use super::*;
use crate::calls::participant_for_tests;

const NODE: NodeId = NodeId(1);
const START: StartId = StartId(7);

/// A report of this process of a node.
fn of_process(start: StartId) -> Sync {
    let mut sync = first_report();
    sync.observed.process = Some(Process { start, beside: None, address: None });
    sync
}

fn shown(server: &Server) -> BTreeSet<u128> {
    let ids = |nodes: &[crate::calls::NodeParticipants<'_>]| {
        nodes.iter().flat_map(|node| node.participants.keys()).map(|id| id.as_u128()).collect()
    };
    server.committer.calls().read(server.committer.now(), ids)
}

#[tokio::test]
async fn participants_are_asked_for_by_their_revision_and_taken_over() {
    let server = Server::start(TIMING).await;
    let client = server.enrolled(1).await;
    let answer = async |sync: &Sync| server.sync(&client, sync).await.json::<SyncAnswer>().await.unwrap();
    assert_eq!(answer(&first_report()).await.participants, None, "a process without a number has none");
    assert_eq!(answer(&of_process(START)).await.participants, Some(0));
    let with = |since, to, ids: &[u128]| {
        let changed = ids.iter().map(|id| participant_for_tests(*id)).collect();
        Sync {
            participants: Some(ParticipantChanges { since, to, changed, ..ParticipantChanges::default() }),
            ..of_process(START)
        }
    };
    assert_eq!(answer(&with(0, 5, &[1, 2])).await.participants, Some(5));
    assert_eq!(answer(&with(3, 9, &[3])).await.participants, Some(5), "it follows another revision");
    assert_eq!(answer(&with(5, 9, &[3])).await.participants, Some(9));
    assert_eq!(shown(&server), [1, 2, 3].into());
    assert_eq!(answer(&of_process(StartId(8))).await.participants, Some(0), "the node has restarted");
    assert_eq!(shown(&server), [].into());
}

#[tokio::test]
async fn command_is_the_answer_to_a_held_request_and_its_outcome_comes_with_the_next() {
    let server = Server::start(TIMING).await;
    let client = server.enrolled(1).await;
    let first: SyncAnswer = server.sync(&client, &of_process(START)).await.json().await.unwrap();
    let mut held = content(&first, server.committer.rooms().revision);
    held.observed.process = of_process(START).observed.process;
    let action = Action::Disconnect { participant: Uuid::from_u128(1) };
    let calls = server.committer.calls();
    let given = async {
        while server.committer.read(|fleet, _| {
            fleet.nodes().get(NODE).and_then(|node| node.observed.clone()).map(|it| it.generation)
        }) != Some(held.observed.generation)
        {
            tokio::task::yield_now().await;
        }
        let given = calls.enqueue(NODE, START, action.clone()).unwrap();
        server.committer.changes_of(NODE).notify_waiters();
        given
    };
    let (answer, given) = tokio::join!(server.sync(&client, &held), given);
    let answer: SyncAnswer = answer.json().await.unwrap();
    let [command] = &answer.commands[..] else { panic!("{:?}", answer.commands) };
    assert_eq!((command.id, command.start, &command.action), (given.id, START, &action));
    let reported = Outcome { command: given.id, participant: None, failure: None };
    let sync = Sync { outcomes: vec![reported], ..of_process(START) };
    let answer: SyncAnswer = server.sync(&client, &sync).await.json().await.unwrap();
    assert_eq!((given.outcome.await, answer.commands.len()), (Ok(Ok(None)), 0));
}

#[tokio::test]
async fn machine_of_a_node_is_noted_with_what_can_be_seen_of_its_texts() {
    let server = Server::start(TIMING).await;
    let client = server.enrolled(1).await;
    let said = |cpu_model: &str| Machine { cpu_model: Some(cpu_model.into()), ..Machine::default() };
    let model = || server.committer.machines().get(&NODE).and_then(|machine| machine.cpu_model.clone());
    for (text, noted) in [("EPYC\nroot", "EPYC\\nroot"), ("Xeon", "Xeon")] {
        let sync = Sync { machine: Some(said(text)), ..of_process(START) };
        server.sync(&client, &sync).await;
        assert_eq!(model().as_deref(), Some(noted));
    }
    server.sync(&client, &of_process(START)).await;
    assert_eq!(model().as_deref(), Some("Xeon"), "it is not said in every request");
}
