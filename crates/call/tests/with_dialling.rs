//! Phones of baresip and Linphone that the node dials, and a provider of sipp that asks who calls.

mod common;

use std::time::Duration;

use call::{
    Account, Accounts, Algorithm, CallEngine, DialError, DialOptions, DialTarget, Login, Logins,
    OutgoingCall, Secret,
};
use common::baresip::Baresip;
use common::linphone::Linphone;
use common::program::free_port;
use common::{address, check_sipp, engine, settings, start_sipp, wait_for_calls};

fn dial(engine: &CallEngine, target: DialTarget) -> OutgoingCall {
    engine.dial(&"Meeting".into(), target, DialOptions::default()).expect("it can be dialled")
}

async fn dialled(engine: &CallEngine, target: DialTarget) -> OutgoingCall {
    let mut call = dial(engine, target);
    assert_eq!(call.answered().await, Ok(()));
    call
}

fn uri(uri: String) -> DialTarget {
    DialTarget::Uri(uri)
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_that_are_dialled_by_their_uris_hear_each_other() {
    let engine = engine(settings(145)).await;
    let mut low = Baresip::answering(400);
    low.is_ready().await;
    let mut high = Linphone::start(address(145, 3), 1000).await;
    let first = dialled(&engine, uri(format!("sip:tone400@{}", low.sip()))).await;
    let second = dialled(&engine, uri(format!("sip:linphone@{};transport=tcp", high.sip()))).await;
    low.established().await;
    high.established().await;
    low.hears(1000).await;
    high.hears(400).await;

    high.hold().await;
    high.resume().await;
    high.hears(400).await;
    low.hears(1000).await;

    first.hang_up();
    low.wait_for_hang_up().await;
    wait_for_calls(&engine, 1).await;
    high.hang_up().await;
    wait_for_calls(&engine, 0).await;
    second.hang_up();
    let stats = engine.stats();
    assert_eq!((stats.dialled, stats.carried, stats.not_answered), (2, 2, 0));
    assert_eq!((stats.hung_up, stats.ended_by_far_end), (1, 1));
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registered_phones_are_dialled_by_their_aliases_over_what_they_have_registered_over() {
    let mut settings = settings(146);
    // baresip knows nothing else.
    settings.authentication.algorithms = vec![Algorithm::Md5];
    settings.session_interval = Duration::from_secs(4);
    let engine = engine(settings).await;
    let account = |username: &str| Account {
        username: username.into(),
        secret: Secret::Password("geheim".into()),
        aliases: vec![username.into()],
    };
    engine.set_accounts(Accounts::new(["ann", "bob"].map(account)).expect("accounts"));
    let node = |transport: &str| format!("{};transport={transport}", engine.sip_address());
    let mut low = Baresip::registered(400, &node("tcp"), "ann", "geheim");
    low.is_registered().await;
    let mut high = Linphone::registered(address(146, 3), 1000, &node("udp"), "bob", "geheim").await;
    let _first = dialled(&engine, DialTarget::Device("ann".into())).await;
    let second = dialled(&engine, DialTarget::Device("bob".into())).await;
    low.hears(1000).await;
    high.hears(400).await;
    // Neither asks for a session timer, so the node refreshes the sessions.
    low.is_refreshed().await;
    high.is_refreshed().await;
    high.hears(400).await;
    second.hang_up();
    high.wait_for_hang_up().await;
    low.hang_up().await;
    wait_for_calls(&engine, 0).await;
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn phone_that_is_given_up_stops_ringing() {
    let engine = engine(settings(147)).await;
    let mut phone = Baresip::ringing(400);
    phone.is_ready().await;
    let mut call = dial(&engine, uri(format!("sip:tone400@{}", phone.sip())));
    phone.rings().await;
    assert_eq!(common::count(&engine), 1);
    call.hang_up();
    assert_eq!(call.answered().await, Err(DialError::HungUp));
    phone.wait_for_hang_up().await;
    wait_for_calls(&engine, 0).await;
    assert_eq!((engine.stats().dialled, engine.stats().not_answered), (1, 1));
    engine.shut_down().await;
}

/// Dials a provider of sipp with this password. What became of the call, and whether sipp is content.
async fn provider(test: u8, transport: &str, password: &str) -> Result<(), DialError> {
    let engine = engine(settings(test)).await;
    let login = Login {
        realm: "provider".into(),
        username: "trunk".into(),
        secret: Secret::Password(password.into()),
    };
    engine.set_logins(Logins::new([login]));
    let host = address(test, 2);
    let port = free_port(host);
    let flag = if transport == "udp" { "u1" } else { "t1" };
    let sipp = start_sipp(host, port, &["-sf", "challenge.xml", "-t", flag, "-m", "1"]);
    // Datagrams are sent again until somebody listens.
    if transport == "tcp" {
        common::wait_until_listening(host, port).await;
    }
    let mut call = dial(&engine, uri(format!("sip:+493012@{host}:{port};transport={transport}")));
    let outcome = call.answered().await;
    call.hang_up();
    wait_for_calls(&engine, 0).await;
    let reported = sipp.await.expect("a task").expect("sipp is installed");
    check_sipp(&reported, &format!("{outcome:?} {:?}", engine.stats()));
    engine.shut_down().await;
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn provider_takes_the_right_login_with_the_call_and_its_end() {
    assert_eq!(provider(148, "udp", "geheim").await, Ok(()));
    assert_eq!(provider(149, "tcp", "geheim").await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn provider_that_does_not_take_the_login_refuses_the_call() {
    let refused = DialError::Refused { status: 403, reason: "Forbidden".into() };
    assert_eq!(provider(148, "tcp", "guess").await, Err(refused));
}
