//! The operator's own account: what a login warns of, and changing the password.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use crate::answers::{about, ok};
use crate::server::{Reply, Server, password_file};
use crate::{Home, came};

const PASSWORD: &str = "POST /api/admin/command/v1/account/password/";
const ABOUT: &str = "GET /api/admin/status/v1/about/";
const NEW: &str = "correct horse battery";

fn changed() -> (&'static str, Vec<Reply>) {
    let answer = json!({"status": "success", "data": {"account": "admin"},
        "remark": "/var/lib/pitlane/state/admin-password with the first password was removed on the Management Node"});
    (PASSWORD, vec![Reply::Cookie(answer, "pitlane-device=0a.2c; Path=/api/admin/; Secure".into())])
}

#[test]
fn a_login_warns_of_the_first_password() {
    let mut answer = json!({"version": "34.1", "build": 34100, "release_text": "34.1 (34100)"});
    let text =
        "the first password of admin lies in /var/lib/pitlane/state/admin-password on the Management Node";
    answer["warnings"] = json!([{"text": text}]);
    let server = Server::start(vec![(ABOUT, ok(answer))]);
    let home = Home::new();
    let (url, authority, password) = (server.url(), server.authority_file(&home), password_file(&home));
    let came = home.good(&[
        "login",
        "--manager",
        &url,
        "--authority",
        authority.to_str().unwrap(),
        "--password-file",
        password.to_str().unwrap(),
    ]);
    assert!(came.err.ends_with(&format!("warning: {text}\n")), "{}", came.err);
}

#[test]
fn a_password_is_changed_from_a_file_and_the_profile_goes_along() {
    let server = Server::start(vec![about(), changed()]);
    let home = server.home();
    std::fs::write(home.path().join("new"), format!("{NEW}\n")).unwrap();
    let came = home.good(&["account", "password", "--new-password-file", "new"]);
    assert_eq!(came.out, "The password of admin is changed.\nThe saved profile has the new one.\n");
    assert!(came.err.contains("was removed on the Management Node"), "{}", came.err);
    assert_eq!(server.asked(PASSWORD)[0].json(), json!({"old_password": "s3cret", "new_password": NEW}));
    assert!(!format!("{came:?}").contains(NEW), "the password is shown");
    home.run(&["upgrade", "status"]);
    let next = server.asked("GET /api/admin/status/v1/upgrade/");
    assert_eq!(next[0].headers["authorization"], "Basic YWRtaW46Y29ycmVjdCBob3JzZSBiYXR0ZXJ5");
    assert_eq!(next[0].headers["cookie"], "pitlane-device=0a.2c");
}

#[test]
fn a_password_is_changed_from_standard_input() {
    let server = Server::start(vec![about(), changed()]);
    let home = server.home();
    let mut command = home.command(&["account", "password", "--new-password-file", "-", "--json"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{NEW}\n").as_bytes()).unwrap();
    let came = came(&child.wait_with_output().unwrap());
    assert_eq!(came.code, 0, "{came:?}");
    assert!(came.out.contains("\"account\": \"admin\""), "{}", came.out);
}

#[test]
fn a_password_that_is_refused_changes_nothing_here() {
    let refusal = json!({"password": {"new_password": ["Choose a password of 12 characters or more."]},
        "error": "new_password: Choose a password of 12 characters or more.", "kind": "invalid",
        "hint": "correct the named fields and send the request again; nothing was changed"});
    let server = Server::start(vec![about(), (PASSWORD, vec![Reply::Json(400, refusal)])]);
    let home = server.home();
    let profile = home.path().join(".config/pitlane/config.toml");
    let before = std::fs::read(&profile).unwrap();
    std::fs::write(home.path().join("new"), "short\n").unwrap();
    let came = home.run(&["account", "password", "--new-password-file", "new"]);
    assert_eq!(came.code, 3, "{came:?}");
    assert!(came.err.contains("Choose a password of 12 characters or more."), "{}", came.err);
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
fn a_change_without_an_answer_says_that_it_is_not_known() {
    let server = Server::start(vec![about(), (PASSWORD, vec![Reply::BreakOff])]);
    let home = server.home();
    std::fs::write(home.path().join("new"), format!("{NEW}\n")).unwrap();
    let came = home.run(&["account", "password", "--new-password-file", "new"]);
    assert_eq!(came.code, 5, "{came:?}");
    assert!(
        came.err.starts_with("It is not known whether the password of admin was changed; try"),
        "{}",
        came.err
    );
}

#[test]
fn a_login_keeps_the_token_of_the_device_and_later_commands_show_it() {
    let token = "pitlane-device=0a.1b; Path=/api/admin/; Max-Age=1; Secure; HttpOnly; SameSite=Strict";
    let object = json!({"version": "34.1", "build": 34100, "release_text": "34.1 (34100)"});
    let server = Server::start(vec![(ABOUT, vec![Reply::Cookie(object, token.into())])]);
    let home = server.home();
    home.run(&["upgrade", "status"]);
    let asked = server.asked("GET /api/admin/status/v1/");
    assert_eq!(asked[0].headers.get("cookie"), None);
    assert_eq!(asked[1].headers["cookie"], "pitlane-device=0a.1b");
    // Another user's requests do not carry it.
    home.run(&["upgrade", "status", "--user", "eve", "--password-file", "password"]);
    assert_eq!(server.asked("GET /api/admin/status/v1/")[2].headers.get("cookie"), None);
}
