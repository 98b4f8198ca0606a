//! How the command line verifies the Management Node, and what it saves.

use std::os::unix::fs::PermissionsExt as _;

use crate::Home;
use crate::answers::about;
use crate::server::{Server, password_file};

fn login(home: &Home, server: &Server, how: &[&str]) -> crate::Outcome {
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
        let outcome = login(&home, &server, &way);
        assert_eq!(outcome.code, 0, "{way:?}: {outcome:#?}");
        assert!(outcome.out.contains("as admin; it runs 34 (34000)."), "{outcome:?}");
    }
    let profile = home.path().join(".config/pitlane/config.toml");
    assert_eq!(profile.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn server_without_the_pinned_certificate_gets_no_password() {
    let (server, other) = (Server::start(vec![about()]), Server::start(vec![about()]));
    let home = Home::new();
    let authority = other.authority_file(&home);
    for way in [["--authority", authority.to_str().unwrap()], ["--fingerprint", &other.authority_fingerprint]]
    {
        let outcome = login(&home, &server, &way);
        assert_eq!(outcome.code, 5, "{outcome:#?}");
        assert!(outcome.err.contains("is not trusted as the Management Node"), "{}", outcome.err);
    }
    assert!(server.received("").is_empty(), "a request was sent to somebody who is not trusted");
    assert!(!home.path().join(".config").exists(), "a failed login was saved");
}

#[test]
fn pinned_authority_still_checks_the_name() {
    let server = Server::start(vec![about()]);
    let home = Home::new();
    let url = server.url().replace("127.0.0.1", "localhost");
    let password = password_file(&home);
    let line = ["login", "--manager", &url, "--password-file", password.to_str().unwrap(), "--fingerprint"];
    let outcome = home.run(&[&line[..], &[&server.authority_fingerprint]].concat());
    assert_eq!(outcome.code, 5, "{outcome:#?}");
    assert!(outcome.err.contains("is not trusted"), "{}", outcome.err);
}

#[test]
fn there_is_no_insecure_default() {
    let server = Server::start(vec![about()]);
    let home = Home::new();
    let outcome = login(&home, &server, &[]);
    assert_eq!(outcome.code, 2, "{outcome:#?}");
    assert!(outcome.err.contains("--fingerprint sha256:"), "{}", outcome.err);
    assert_eq!(home.run(&["upgrade", "status"]).code, 2);
}

#[test]
fn wrong_password_and_an_absent_management_node_have_their_exit_code() {
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
