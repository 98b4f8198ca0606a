//! Licences, end to end on files and at the Management Node.

use std::fs;

use serde_json::{Value, json};

use crate::Home;
use crate::answers::{about, list, ok};
use crate::server::{Reply, Server};

const SPEC: &str = r#"
id = "2026-0042"
customer = "Example Ltd"
features = ["customlayouts"]
expires = "2027-11-22"
counts = { port = 100, vmr = "unlimited" }
versions = { from = 34, to = 36 }
"#;

/// A home with a key for licences and a specification.
fn home(spec: &str) -> Home {
    let home = Home::new();
    fs::create_dir(home.path().join("trust")).unwrap();
    fs::write(home.path().join("licence.toml"), spec).unwrap();
    home.run_ok(&["package", "keygen", "--no-passphrase", "--out", "licences"]);
    fs::copy(home.path().join("licences.pub"), home.path().join("trust/licences.pub")).unwrap();
    home
}

const SIGN: [&str; 8] =
    ["licence", "sign", "--spec", "licence.toml", "--key", "licences.key", "--out", "2026-0042.licence"];

#[test]
fn licence_is_signed_and_verified() {
    let home = home(SPEC);
    home.run_ok(&SIGN);
    let shown = home.run_ok(&["licence", "verify", "2026-0042.licence", "--trust", "trust"]).out;
    let (first, rest) = shown.split_once('\n').unwrap();
    assert!(first.starts_with("2026-0042.licence is verified: signed with key "), "{shown}");
    let expected = "  licence   2026-0042, for Example Ltd\n  calls     100\n  rooms     unlimited\n  \
                    features  customlayouts\n  valid     from the start to the end of 2027-11-22\n  \
                    versions  34 to 36\n";
    assert_eq!(rest, expected);
    let json = home.run_ok(&["--json", "licence", "verify", "2026-0042.licence", "--trust", "trust"]).out;
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["counts"]["port"], 100);
    assert_eq!(home.run(&SIGN).code, 1, "a licence was replaced");
}

#[test]
fn licence_that_was_changed_is_refused() {
    let home = home(SPEC);
    home.run_ok(&SIGN);
    let file = home.path().join("2026-0042.licence");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("100", "900")).unwrap();
    let refused = home.run(&["licence", "verify", "2026-0042.licence", "--trust", "trust"]);
    assert_eq!(refused.code, 3);
    assert!(refused.err.contains("2026-0042.licence is refused\n"), "{}", refused.err);
    assert!(refused.err.contains("the licence was changed after it was signed"), "{}", refused.err);
}

#[test]
fn misspelt_term_is_named_and_nothing_is_signed() {
    let expected = [("expires", "expire"), ("vmr", "vmrs"), ("from", "since")];
    for (right, misspelt) in expected {
        let home = home(&SPEC.replace(right, misspelt));
        let refused = home.run(&SIGN);
        assert_ne!(refused.code, 0, "{misspelt}");
        assert!(refused.err.contains(misspelt) || refused.err.contains(right), "{}", refused.err);
        assert!(!home.path().join("2026-0042.licence").exists());
    }
}

#[test]
fn licences_are_installed_listed_and_deleted_by_their_id() {
    let of = |id: u64, name: &str, concurrent: u64, last: &str, status: &str| {
        json!({"id": id, "entitlement_id": name, "concurrent": concurrent, "expiration_date": last,
            "versions": "34 to 36", "status": status})
    };
    let all = json!([
        of(1, "2026-0042", 100, "2027-11-22", "valid"),
        of(7, "2025-0001", 2_147_483_647, "", "expired: its last day was 2026-01-31"),
    ]);
    let server = Server::start(vec![
        about(),
        ("GET /api/admin/configuration/v1/licence/", ok(list(all))),
        ("POST /api/admin/configuration/v1/licence/", vec![Reply::Created("/x/1/".into(), String::new())]),
        ("DELETE /api/admin/configuration/v1/licence/7/", vec![Reply::Json(204, Value::Null)]),
    ]);
    let home = server.home();
    fs::write(home.path().join("new.licence"), "{}\nsigned\n").unwrap();
    home.run_ok(&["licence", "add", "new.licence"]);
    assert_eq!(server.received("POST")[0].json(), json!({"text": "{}\nsigned\n"}));
    let expected = "\
LICENCE    CALLS      LAST DAY    VERSIONS  STATUS
2026-0042  100        2027-11-22  34 to 36  valid
2025-0001  unlimited  never       34 to 36  expired: its last day was 2026-01-31
";
    assert_eq!(home.run_ok(&["licence", "list"]).out, expected);
    home.run_ok(&["licence", "delete", "2025-0001"]);
    assert_eq!(server.received("DELETE").len(), 1);
    assert!(home.run(&["licence", "delete", "2024-0001"]).err.contains("no licence 2024-0001 is installed"));
}

#[test]
fn use_of_the_licences_is_shown() {
    let used =
        json!([{"id": 1, "port_count": 3, "port_total": 12, "vmr_count": 2, "vmr_total": 2_147_483_647}]);
    let server = Server::start(vec![about(), ("GET /api/admin/status/v1/licensing/", ok(list(used)))]);
    let home = server.home();
    assert_eq!(home.run_ok(&["licence", "usage"]).out, "Calls  3 of 12\nRooms  2 without a limit\n");
}
