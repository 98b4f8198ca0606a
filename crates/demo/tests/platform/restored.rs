//! The machine of the Management Node is lost, and a fresh one is restored from a backup (R19, R20).

use std::fs;

use demo::Built;

use crate::fixture::{Fixture, LONG_LIMITS, node, version};

#[test]
fn nodes_go_on_with_a_fresh_machine_that_was_restored_from_a_backup_r20() {
    let mut fixture = Fixture::new(2);
    let mut calls = fixture.callers();
    fixture.call(&mut calls, 1);
    let known = fixture.platform.pitlane.clone();
    let folder = tempfile::tempdir().unwrap();
    let [passphrase, file] =
        ["passphrase", "backup"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    fs::write(&passphrase, "correct horse battery\n").unwrap();
    known.run(&["backup", "create", "--passphrase-file", &passphrase]).unwrap();
    known.run(&["backup", "download", "--out", &file]).unwrap();

    fixture.platform.redeploy_manager().unwrap();
    let fresh = fixture.platform.pitlane.clone();
    fresh.run(&["backup", "restore", &file, "--passphrase-file", &passphrase, "--yes"]).unwrap();
    fixture.platform.pitlane = known;
    fixture.wait_for("both nodes report to the restored Management Node", |status| {
        let heard = |number| node(status, number)["contact"] == "heard";
        heard(1) && heard(2) && node(status, 1)["calls"] == 1
    });
    let first_password = fixture.platform.manager.root.join("state/admin-password");
    assert!(!first_password.exists(), "it is of an account that is gone");

    fixture.start(&LONG_LIMITS);
    fixture.hang_up(&mut calls, 1);
    let status = fixture.wait_until_ended_with("complete");
    assert_eq!((version(&status, 1), version(&status, 2)), (Built::NEXT.version, Built::NEXT.version));
    fixture.assert_no_call_failed(calls);
}
