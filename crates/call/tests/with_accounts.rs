//! Devices of accounts, of baresip, Linphone, sipp and sipsak: they register, and call a room that takes accounts alone.

mod common;

use call::{Account, Accounts, Algorithm, CallEngine, Secret, Settings, Stats};
use common::baresip::Baresip;
use common::linphone::Linphone;
use common::{address, count, engine, settings, sipp, wait_for_calls};
use tokio::process::Command;

/// An engine with the accounts ann and bob, whose passwords are their names backwards.
async fn engine_with_accounts(settings: Settings) -> CallEngine {
    let engine = engine(settings).await;
    let account = |username: &str| Account {
        username: username.into(),
        secret: Secret::Password(username.chars().rev().collect()),
        aliases: vec![username.into()],
    };
    engine.set_accounts(Accounts::new(["ann", "bob"].map(account)).expect("accounts"));
    engine
}

fn room(engine: &CallEngine, transport: &str) -> String {
    format!("sip:board@{};transport={transport}", engine.sip_address())
}

fn node(engine: &CallEngine, transport: &str) -> String {
    format!("{};transport={transport}", engine.sip_address())
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_register_and_call_a_room_that_takes_accounts_alone() {
    let mut settings = settings(140);
    // This baresip knows nothing else, and fails at a challenge with another algorithm beside it.
    settings.authentication.algorithms = vec![Algorithm::Md5];
    let engine = engine_with_accounts(settings).await;
    let mut low = Baresip::registered(400, &node(&engine, "udp"), "ann", "nna");
    low.is_registered().await;
    low.call(&room(&engine, "udp")).await;
    low.established().await;
    let mut high = Linphone::registered(address(140, 3), 1000, &node(&engine, "udp"), "bob", "bob").await;
    high.call(&room(&engine, "udp")).await;
    low.hears(1000).await;
    high.hears(400).await;
    assert_eq!(engine.stats().carried, 2);
    assert_eq!(engine.stats().wrong_credentials, 0);
    low.hang_up().await;
    high.hang_up().await;
    wait_for_calls(&engine, 0).await;
    engine.shut_down().await;
}

/// This Linphone answers the first challenge, and fails if that is SHA-512-256.
async fn linphone_registers_and_calls(test: u8, transport: &str, algorithms: &[Algorithm]) {
    let mut settings = settings(test);
    settings.authentication.algorithms = algorithms.to_vec();
    let engine = engine_with_accounts(settings).await;
    let mut phone =
        Linphone::registered(address(test, 3), 400, &node(&engine, transport), "ann", "nna").await;
    phone.call(&room(&engine, transport)).await;
    assert_eq!((engine.stats().carried, engine.stats().wrong_credentials), (1, 0));
    phone.hang_up().await;
    wait_for_calls(&engine, 0).await;
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn linphone_answers_by_sha_256_over_tcp() {
    linphone_registers_and_calls(141, "tcp", &[Algorithm::Sha256]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn linphone_is_given_the_choice_of_two_algorithms() {
    linphone_registers_and_calls(142, "udp", &[Algorithm::Sha256, Algorithm::Md5]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sipp_registers_and_removes_its_contact_over_udp_and_tcp() {
    let mut settings = settings(143);
    settings.authentication.algorithms = vec![Algorithm::Md5];
    let engine = engine_with_accounts(settings).await;
    for transport in ["u1", "t1"] {
        let run = ["-sf", "register.xml", "-t", transport, "-m", "1"];
        sipp(&engine, address(143, 2), &run).await;
    }
    assert_eq!((engine.stats(), count(&engine)), (Stats::default(), 0));
    engine.shut_down().await;
}

/// The exit code of a registration by sipsak, which removes its contact again.
async fn sipsak(engine: &CallEngine, password: &str) -> Option<i32> {
    let caller = address(144, 2);
    Command::new("sipsak")
        .args(["-U", "-x", "300", "-s", &format!("sip:ann@{}", engine.sip_address())])
        .args(["-u", "ann", "-a", password, "-C", &format!("sip:ann@{caller}:5070")])
        .args([format!("--hostname={caller}"), format!("--local-ip={caller}")])
        .kill_on_drop(true)
        .status()
        .await
        .expect("sipsak is installed")
        .code()
}

#[tokio::test(flavor = "multi_thread")]
async fn sipsak_registers_with_the_right_password_alone() {
    let mut settings = settings(144);
    settings.authentication.algorithms = vec![Algorithm::Md5];
    let engine = engine_with_accounts(settings).await;
    assert_eq!(sipsak(&engine, "nna").await, Some(0));
    assert_eq!(engine.stats(), Stats::default());
    assert_eq!(sipsak(&engine, "guess").await, Some(2));
    assert_eq!(engine.stats().wrong_credentials, 1);
    engine.shut_down().await;
}
