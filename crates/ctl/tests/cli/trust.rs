//! Whom the command line believes, and what it saves.

use std::os::unix::fs::PermissionsExt as _;

use crate::Home;
use crate::answers::about;
use crate::server::{Server, password_file};

fn login(home: &Home, server: &Server, how: &[&str]) -> crate::Came {
    let (url, password) = (server.url(), password_file(home));
    let line = ["login", "--manager", &url, "--password-file", password.to_str().unwrap()];
    home.run(&[&line[..], how].concat())
}

#[test]
fn each_way_to_trust_the_platform_logs_in() {
    let server = Server::start(vec![about()]);
    let home = Home::new();
    let authority = server.authority_file(&home);
    let ways = [
        ["--authority", authority.to_str().unwrap()],
        ["--fingerprint", &server.authority_fingerprint],
        ["--fingerprint", &server.own_fingerprint],
    ];
    for way in ways {
        let came = login(&home, &server, &way);
        assert_eq!(came.code, 0, "{way:?}: {came:#?}");
        assert!(came.out.contains("as admin; it runs 34 (34000)."), "{came:?}");
    }
    let profile = home.path().join(".config/pitlane/config.toml");
    assert_eq!(profile.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn whoever_is_not_the_pinned_one_gets_no_password() {
    let (server, other) = (Server::start(vec![about()]), Server::start(vec![about()]));
    let home = Home::new();
    let authority = other.authority_file(&home);
    for way in [["--authority", authority.to_str().unwrap()], ["--fingerprint", &other.authority_fingerprint]]
    {
        let came = login(&home, &server, &way);
        assert_eq!(came.code, 5, "{came:#?}");
        assert!(came.err.contains("is not trusted as the Management Node"), "{}", came.err);
    }
    assert!(server.asked("").is_empty(), "a request was sent to somebody who is not trusted");
    assert!(!home.path().join(".config").exists(), "a failed login was saved");
}

#[test]
fn a_pinned_authority_still_checks_the_name() {
    let server = Server::start(vec![about()]);
    let home = Home::new();
    let url = server.url().replace("127.0.0.1", "localhost");
    let password = password_file(&home);
    let line = ["login", "--manager", &url, "--password-file", password.to_str().unwrap(), "--fingerprint"];
    let came = home.run(&[&line[..], &[&server.authority_fingerprint]].concat());
    assert_eq!(came.code, 5, "{came:#?}");
    assert!(came.err.contains("is not trusted"), "{}", came.err);
}

#[test]
fn there_is_no_insecure_default() {
    let server = Server::start(vec![about()]);
    let home = Home::new();
    let came = login(&home, &server, &[]);
    assert_eq!(came.code, 2, "{came:#?}");
    assert!(came.err.contains("--fingerprint sha256:"), "{}", came.err);
    assert_eq!(home.run(&["upgrade", "status"]).code, 2);
}

#[test]
fn a_wrong_password_and_an_absent_management_node_have_their_exit_code() {
    let server = Server::start(vec![about()]);
    let home = server.home();
    let wrong = home.command(&["upgrade", "status"]).env("PITLANE_PASSWORD", "wrong").output().unwrap();
    assert_eq!(wrong.status.code(), Some(5));
    let stderr = String::from_utf8(wrong.stderr).unwrap();
    assert!(stderr.contains("does not accept the user admin"), "{stderr}");
    drop(server);
    let gone = home.run(&["upgrade", "status"]);
    assert_eq!(gone.code, 5, "{gone:#?}");
    assert!(gone.err.contains("cannot reach the Management Node at https://127.0.0.1:"), "{}", gone.err);
}
