//! Manifests that are signed by a trusted key and break a rule.

use serde_json::{Value, json};

use crate::*;

use super::*;

/// Verifies the manifest of a good package after a change, signed with the trusted key.
fn forge(change: &dyn Fn(&mut Value)) -> Result<Verified, Refusal> {
    let kit = Kit::small();
    let mut manifest: Value = serde_json::from_slice(kit.build().1.manifest_bytes()).unwrap();
    change(&mut manifest);
    let bytes = serde_json::to_vec_pretty(&manifest).unwrap();
    let signature = kit.key.sign_text(Signed::Package, &bytes, "forged").unwrap();
    verify_manifest(&bytes, signature.as_bytes(), &kit.trusted)
}

fn check(change: &dyn Fn(&mut Value), expected: &str) {
    let said = refused(forge(change));
    assert!(said.contains(expected), "{said:?} does not say {expected:?}");
}

#[test]
fn field_that_a_later_release_added_is_ignored() {
    forge(&|manifest| manifest["payloads"]["node"]["later"] = json!({"x": 1})).unwrap();
    forge(&|manifest| manifest["later"] = json!(1)).unwrap();
}

#[test]
fn protocol_may_have_one_version_alone() {
    forge(&|manifest| manifest["protocols"]["wire"] = json!({"min": 2, "max": 2})).unwrap();
}

#[test]
fn another_format_or_product_is_refused_before_the_rest_is_read() {
    let other = |format: u32| {
        move |manifest: &mut Value| {
            *manifest = json!({"format": format, "product": "pitlane", "strange": true})
        }
    };
    check(&other(2), "the package has format 2, and this software reads format 1");
    check(&other(0), "the package has format 0");
    check(&|manifest| manifest["product"] = json!("other"), "the package is for \"other\"");
}

#[test]
fn manifest_with_a_wrong_field_is_refused() {
    check(&|manifest| *manifest = json!([]), "the manifest of the package is wrong");
    check(&|manifest| manifest["version"] = json!("v34"), "is not a version");
    check(&|manifest| manifest["released"] = json!("20261123"), "a day must read like 2026-11-23");
    check(&|manifest| manifest["released"] = json!("2026-02-30"), "a day must read like 2026-11-23");
    check(&|manifest| manifest["protocols"]["wire"]["min"] = json!(3), "min is above its max");
    check(&|manifest| _ = manifest.as_object_mut().unwrap().remove("notes"), "missing field `notes`");
    check(&|manifest| manifest["path"] = json!([]), "does not lead to its own version");
    check(&|manifest| manifest["version"] = json!("34"), "does not lead to its own version 34;");
}

#[test]
fn refusal_is_one_printable_line_of_bounded_length_whatever_the_manifest_says() {
    for strange in ["man\u{7}ager", "\u{85}", "two\nlines", "\u{202e}reganam", &"x".repeat(10_000)] {
        for field in ["role", "program", "size", "pieces"] {
            let said = refused(forge(&|manifest| manifest["payloads"]["manager"][field] = json!(strange)));
            assert!(said.len() < 1_000, "{field}: {} bytes", said.len());
            assert!(!said.contains(['\u{202e}', '\u{85}', '\n', '\u{7}']), "{field}: {said:?}");
        }
    }
}

/// A change of the node payload.
fn node(change: &'static dyn Fn(&mut Value)) -> impl Fn(&mut Value) {
    move |manifest| change(&mut manifest["payloads"]["node"])
}

#[test]
fn payload_that_contradicts_itself_is_refused() {
    check(&node(&|p| p["role"] = json!("manager")), "the role is another one");
    check(&node(&|p| p["unpacked_size"] = json!(1)), "is not the sum of the files' sizes");
    check(&node(&|p| p["size"] = json!(0)), "the number of pieces does not match");
    check(&node(&|p| p["size"] = json!(PIECE_SIZE + 1)), "the number of pieces does not match");
    check(&node(&|p| p["pieces"] = json!([])), "the number of pieces does not match");
    let nothing = node(&|p| (p["size"], p["pieces"]) = (json!(0), json!([])));
    check(&nothing, "the number of pieces does not match");
    check(&node(&|p| p["pieces"][0] = json!("abc")), "64 hexadecimal digits");
    check(&node(&|p| p["program"] = json!("share/doc/readme")), "contains no executable file");
    check(&node(&|p| p["program"] = json!("../../bin/sh")), "is no path for a file in a slot");
    check(&node(&|p| p["files"] = json!([])), "is not the sum");
    check(&node(&|p| p["files"][0]["mode"] = json!("setuid")), "unknown variant `setuid`");
}

#[test]
fn files_outside_the_slot_duplicate_or_conflicting_are_refused() {
    for path in ["../evil", "/etc/passwd", "a/../../evil", "slot.json", "manifest.json"] {
        let change = |manifest: &mut Value| manifest["payloads"]["node"]["files"][1]["path"] = json!(path);
        check(&change, "is no path for a file in a slot");
    }
    check(&node(&|p| p["files"][1]["path"] = json!("bin/pitlane-node")), "listed twice or out of order");
    check(&node(&|p| p["files"].as_array_mut().unwrap().reverse()), "listed twice or out of order");
    check(&node(&|p| p["files"][1]["path"] = json!("bin/pitlane-node/x")), "where another needs a directory");
}

#[test]
fn limits_hold_whatever_is_signed() {
    check(
        &node(&|p| p["size"] = json!(limits::MAX_PAYLOAD + 1)),
        "the compressed size of a payload in bytes is",
    );
    check(&node(&|p| p["files"][0]["size"] = json!(u64::MAX)), "the unpacked size of a payload in bytes is");
    let many = |p: &mut Value| {
        let file = p["files"][0].clone();
        let named = |n: usize| {
            let mut file = file.clone();
            file["path"] = json!(format!("f{n:04}"));
            file
        };
        p["files"] = (0..=limits::MAX_FILES).map(named).collect();
    };
    let said = refused(forge(&|manifest| many(&mut manifest["payloads"]["node"])));
    assert!(said.starts_with("the number of files in a payload is 1501, and at most 1500"), "{said}");
}

#[test]
fn largest_file_list_fits_the_manifest() {
    let kit = Kit::small();
    let mut manifest = kit.build().1.manifest().clone();
    let mut payload = manifest.payloads.node.clone();
    let path = |n: usize| format!("{n:04}{}", "x".repeat(limits::MAX_PATH - 4)).parse().unwrap();
    let file = payload.files[0].clone();
    payload.files = (0..limits::MAX_FILES).map(|n| File { path: path(n), ..file.clone() }).collect();
    payload.pieces = vec![payload.pieces[0]; limits::MAX_PAYLOAD.div_ceil(PIECE_SIZE) as usize];
    manifest.payloads.node = payload;
    // Two such payloads: twice what this one adds to a small manifest.
    assert!(manifest.to_bytes().len() as u64 * 2 <= limits::MAX_MANIFEST, "{}", manifest.to_bytes().len());
}
