//! The operator's own account: warnings of a login, and changing the password.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use crate::answers::{about, ok};
use crate::server::{Reply, Server, password_file};
use crate::{Home, outcome};

const PASSWORD: &str = "POST /api/admin/command/v1/account/password/";
const ABOUT: &str = "GET /api/admin/status/v1/about/";
const NEW: &str = "correct horse battery";

fn changed() -> (&'static str, Vec<Reply>) {
    let answer = json!({"status": "success", "data": {"account": "admin"},
        "remark": "/var/lib/pitlane/state/admin-password with the first password was removed on the Management Node"});
    (PASSWORD, vec![Reply::Cookie(answer, "pitlane-device=0a.2c; Path=/api/admin/; Secure".into())])
}

#[test]
fn login_warns_about_the_first_password() {
    let mut answer = json!({"version": "34.1", "build": 34100, "release_text": "34.1 (34100)"});
    let text =
        "the first password of admin lies in /var/lib/pitlane/state/admin-password on the Management Node";
    answer["warnings"] = json!([{"text": text}]);
    let server = Server::start(vec![(ABOUT, ok(answer))]);
    let home = Home::new();
    let (url, authority, password) = (server.url(), server.authority_file(&home), password_file(&home));
    let outcome = home.run_ok(&[
        "login",
        "--manager",
        &url,
        "--authority",
        authority.to_str().unwrap(),
        "--password-file",
        password.to_str().unwrap(),
    ]);
    assert!(outcome.err.ends_with(&format!("warning: {text}\n")), "{}", outcome.err);
}

#[test]
fn password_is_changed_from_a_file_together_with_the_profile() {
    let server = Server::start(vec![about(), changed()]);
    let home = server.home();
    std::fs::write(home.path().join("new"), format!("{NEW}\n")).unwrap();
    let outcome = home.run_ok(&["account", "password", "--new-password-file", "new"]);
    assert_eq!(outcome.out, "The password of admin is changed.\nThe saved profile contains the new one.\n");
    assert!(outcome.err.contains("was removed on the Management Node"), "{}", outcome.err);
    assert_eq!(server.received(PASSWORD)[0].json(), json!({"old_password": "s3cret", "new_password": NEW}));
    assert!(!format!("{outcome:?}").contains(NEW), "the password is shown");
    home.run(&["upgrade", "status"]);
    let next = server.received("GET /api/admin/status/v1/upgrade/");
    assert_eq!(next[0].headers["authorization"], "Basic YWRtaW46Y29ycmVjdCBob3JzZSBiYXR0ZXJ5");
    assert_eq!(next[0].headers["cookie"], "pitlane-device=0a.2c");
}

#[test]
fn password_is_changed_from_standard_input() {
    let server = Server::start(vec![about(), changed()]);
    let home = server.home();
    let mut command = home.command(&["account", "password", "--new-password-file", "-", "--json"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{NEW}\n").as_bytes()).unwrap();
    let outcome = outcome(&child.wait_with_output().unwrap());
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.out.contains("\"account\": \"admin\""), "{}", outcome.out);
}

#[test]
fn password_that_is_refused_changes_nothing_here() {
    let refusal = json!({"password": {"new_password": ["Choose a password of 12 characters or more."]},
        "error": "new_password: Choose a password of 12 characters or more.", "kind": "invalid",
        "hint": "correct the named fields and send the request again; nothing was changed"});
    let server = Server::start(vec![about(), (PASSWORD, vec![Reply::Json(400, refusal)])]);
    let home = server.home();
    let profile = home.path().join(".config/pitlane/config.toml");
    let before = std::fs::read(&profile).unwrap();
    std::fs::write(home.path().join("new"), "short\n").unwrap();
    let outcome = home.run(&["account", "password", "--new-password-file", "new"]);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    assert!(outcome.err.contains("Choose a password of 12 characters or more."), "{}", outcome.err);
    assert_eq!(std::fs::read(&profile).unwrap(), before);
    let unasked = home.run(&["account", "password"]);
    assert_eq!(unasked.code, 2);
    assert!(
        unasked.err.contains("give --new-password-file FILE, or - for standard input"),
        "{}",
        unasked.err
    );
}

#[test]
fn change_without_an_answer_is_reported_as_unknown() {
    let server = Server::start(vec![about(), (PASSWORD, vec![Reply::BreakOff])]);
    let home = server.home();
    std::fs::write(home.path().join("new"), format!("{NEW}\n")).unwrap();
    let outcome = home.run(&["account", "password", "--new-password-file", "new"]);
    assert_eq!(outcome.code, 5, "{outcome:?}");
    assert!(
        outcome.err.starts_with("It is not known whether the password of admin was changed; try"),
        "{}",
        outcome.err
    );
}

#[test]
fn login_saves_the_device_token_and_later_commands_send_it() {
    let token = "pitlane-device=0a.1b; Path=/api/admin/; Max-Age=1; Secure; HttpOnly; SameSite=Strict";
    let object = json!({"version": "34.1", "build": 34100, "release_text": "34.1 (34100)"});
    let server = Server::start(vec![(ABOUT, vec![Reply::Cookie(object, token.into())])]);
    let home = server.home();
    home.run(&["upgrade", "status"]);
    let requests = server.received("GET /api/admin/status/v1/");
    assert_eq!(requests[0].headers.get("cookie"), None);
    assert_eq!(requests[1].headers["cookie"], "pitlane-device=0a.1b");
    // Another user's requests do not carry it.
    home.run(&["upgrade", "status", "--user", "eve", "--password-file", "password"]);
    assert_eq!(server.received("GET /api/admin/status/v1/")[2].headers.get("cookie"), None);
}
