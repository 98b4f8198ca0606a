//! Tests a node whose Management Node cannot be reached, and one whose identity is replaced.

mod support;

use std::sync::Arc;

use node::identity::Identity;
use slots::Slot;
use tokio::net::TcpListener;
use wire::EnrolmentFile;

use support::machine::TestMachine;
use support::{Authority, Manager, Syncs, until};

const NO_SYNC: &str = "no conversation with the Management Node: ";

#[tokio::test(flavor = "multi_thread")]
async fn each_new_reason_is_one_line_of_the_log_that_says_what_to_do() {
    let (machine, known) = (TestMachine::installed(), Manager::start().await);
    assert!(machine.enrol(&known).await.status.success());
    let place = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = place.local_addr().unwrap();
    drop(place);
    let mut identity = Identity::load(machine.path()).unwrap();
    identity.manager = vec![address.to_string()];
    identity.store(machine.path()).unwrap();
    let _node = machine.start_logged(Slot::A);
    let lines = || machine.logged(NO_SYNC);
    until("nobody is there", || lines().len() == 1).await;
    assert!(lines()[0].contains("nothing listens at its address; check that"), "{:?}", lines());

    let impostor = TcpListener::bind(address).await.unwrap();
    let other = Manager::on(impostor, Arc::new(Authority::new()));
    until("it is another platform's", || lines().len() == 2).await;
    assert!(lines()[1].contains("its certificate is not of this node's platform"), "{:?}", lines());
    until("it has tried often", || other.connections() >= 6).await;
    assert_eq!(lines().len(), 2, "once for each reason: {:?}", lines());
}

#[tokio::test(flavor = "multi_thread")]
async fn refusal_is_logged_anew_after_a_conversation() {
    let (machine, manager) = (TestMachine::installed(), Manager::start().await);
    assert!(machine.enrol(&manager).await.status.success());
    let _node = machine.start_logged(Slot::A);
    until("it syncs", || manager.last().is_some()).await;
    for times in 1..=2 {
        manager.with(|fake| fake.syncs = Syncs::Refuse(403));
        until("it is logged", || machine.logged("check that the node is registered there").len() == times)
            .await;
        manager.with(|fake| fake.syncs = Syncs::Answer);
        until("it goes on", || machine.logged("answers again").len() == times).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn running_node_takes_over_the_identity_that_replaces_its_own() {
    let (machine, before) = (TestMachine::installed(), Manager::start().await);
    assert!(machine.enrol(&before).await.status.success());
    let mut node = machine.start_logged(Slot::A);
    until("it syncs", || before.last().is_some()).await;
    before.with(|fake| fake.syncs = Syncs::Refuse(403));

    let after = Manager::start().await;
    let file: EnrolmentFile = after.enrolment_file();
    let path = machine.path().join("again.toml");
    std::fs::write(&path, file.to_text()).unwrap();
    let release = fleet::version::Release::PRESENT;
    node::enrol::enrol(machine.path(), &path, node::enrol::Existing::Replace, release).await.unwrap();
    until("it speaks with the other Management Node", || after.last().is_some()).await;
    assert_eq!(machine.logged("the identity was replaced: from now on this is \"node1\"").len(), 1);
    assert!(node.is_running());
    machine.until_web_says(200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_that_looks_due_again_at_once_is_not_renewed_again_and_the_clock_is_named() {
    let (machine, manager) = (TestMachine::installed(), Manager::start().await);
    // As the Management Node's certificates look to a machine whose clock is 65 days ahead.
    manager.with(|fake| (fake.renew_at, fake.renewed_until) = (1, 1));
    assert!(machine.enrol(&manager).await.status.success());
    let _node = machine.start_logged(Slot::A);
    until("the clock is named", || machine.logged("is ahead of the Management Node's").len() == 1).await;
    let syncs = manager.with(|fake| fake.seen.len());
    until("it goes on", || manager.with(|fake| fake.seen.len() > syncs)).await;
    assert_eq!(manager.with(|fake| fake.renewals), 1);
}
