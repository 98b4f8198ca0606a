//! The `minisign` tool and `tar` of the distribution agree with what is built here.

use std::fs;
use std::process::{Command, Output};

use crate::*;

use super::*;

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} must be installed: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn stock_tools_unpack_the_package_and_verify_its_signature() {
    let kit = Kit::small();
    let (package, built) = kit.build();
    let listed = run(Command::new("tar").arg("-tf").arg(&package));
    let names = "manifest.json\nmanifest.json.minisig\npayload-manager.tar.zst\npayload-node.tar.zst\n";
    assert_eq!(String::from_utf8_lossy(&listed.stdout), names);
    run(Command::new("tar").arg("-xf").arg(&package).arg("-C").arg(kit.dir.path()));
    assert_eq!(fs::read(kit.at("manifest.json")).unwrap(), built.manifest_bytes());
    let mut verify = Command::new("minisign");
    verify.arg("-V").arg("-p").arg(kit.at("trust/test.pub")).arg("-m").arg(kit.at("manifest.json"));
    let said = run(&mut verify);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("pitlane 34.1 (34100), released 2026-11-23"), "{said}");
    fs::write(kit.at("manifest.json"), b"{}").unwrap();
    assert!(!verify.output().unwrap().status.success(), "minisign accepts anything");
}

/// Signs the manifest with the stock tool and our key, and verifies that.
fn stock_signature(options: &[&str]) -> Result<Verified, Refusal> {
    let kit = Kit::small();
    let (_, built) = kit.build();
    fs::write(kit.at("manifest.json"), built.manifest_bytes()).unwrap();
    let mut sign = Command::new("minisign");
    sign.arg("-S").arg("-W").arg("-s").arg(kit.at("trust/test.key")).arg("-m").arg(kit.at("manifest.json"));
    run(sign.args(options));
    let signature = fs::read(kit.at("manifest.json.minisig")).unwrap();
    verify_manifest(built.manifest_bytes(), &signature, &kit.trusted)
}

#[test]
fn signature_by_the_stock_tool_is_accepted_in_our_form_only() {
    let comment = ["-c", "signature of a Pitlane upgrade package"];
    stock_signature(&comment).unwrap();
    assert!(matches!(stock_signature(&[]), Err(Refusal::SignatureUnreadable)));
    // The old way of signing, without hashing first.
    let legacy = stock_signature(&[comment[0], comment[1], "-l"]);
    assert!(matches!(legacy, Err(Refusal::SignatureWrong { .. })), "{legacy:?}");
}
