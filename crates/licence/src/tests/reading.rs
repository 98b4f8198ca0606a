use super::*;

#[test]
fn signed_licence_is_read_back() {
    let kit = Kit::new();
    let mut all = terms("2026-0042");
    all.not_before = Some(day("2026-11-23"));
    all.expires = Some(day("2027-11-22"));
    all.counts.vmr = Amount::Unlimited;
    for terms in [terms("a"), all] {
        let text = sign(&terms, &kit.key).unwrap();
        let licence = kit.read(&text).unwrap();
        assert_eq!((licence.terms, licence.key, licence.text), (terms, kit.key.id(), text));
    }
}

#[test]
fn form_of_a_licence_stays_as_it_is() {
    let expected = r#"{
  "kind": "pitlane-licence",
  "format": 1,
  "id": "2026-0042",
  "customer": "Example Ltd",
  "counts": {
    "port": 10,
    "vmr": "unlimited"
  },
  "features": [
    "customlayouts"
  ],
  "expires": "2027-11-22",
  "versions": {
    "from": 34
  }
}
untrusted comment: signature of a Pitlane licence
"#;
    let mut terms = terms("2026-0042");
    terms.counts.vmr = Amount::Unlimited;
    terms.expires = Some(day("2027-11-22"));
    terms.versions.to = None;
    let text = sign(&terms, &Kit::new().key).unwrap();
    assert_eq!(text[..expected.len()], *expected);
    assert!(text.contains("\ntrusted comment: 2026-0042\n"), "{text}");
}

#[test]
fn licence_is_read_whatever_mail_has_done_to_its_line_ends() {
    let kit = Kit::new();
    let text = sign(&terms("a"), &kit.key).unwrap();
    for changed in [text.replace('\n', "\r\n"), format!("\n\n  {text} \n\n"), text.trim_end().into()] {
        assert_eq!(kit.read(&changed).unwrap().text, text);
    }
}

#[test]
fn licence_with_any_one_byte_changed_is_refused() {
    let kit = Kit::new();
    let text = sign(&terms("a"), &kit.key).unwrap();
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        let Ok(changed) = String::from_utf8(bytes) else { continue };
        // A line end that becomes another space around the text is passed over.
        if changed.trim() != text.trim() {
            assert!(kit.read(&changed).is_err(), "byte {at}");
        }
    }
}

#[test]
fn each_fault_is_told_apart() {
    let kit = Kit::new();
    let text = sign(&terms("a"), &kit.key).unwrap();
    let refused = |text: &str| kit.read(text).unwrap_err();
    assert!(matches!(refused(""), Refusal::NotALicence));
    assert!(matches!(refused("{}"), Refusal::NotALicence));
    assert!(matches!(refused(&text[..text.find("untrusted").unwrap()]), Refusal::NotALicence));
    assert!(matches!(refused(&" ".repeat(limits::MAX_LICENCE + 1)), Refusal::TooLong { .. }));
    assert!(matches!(refused(&text[..text.len() - 20]), Refusal::SignatureUnreadable));
    assert!(matches!(refused(&text.replace("10", "99")), Refusal::Changed { .. }));
    let other = Kit::new();
    let key = other.key.id();
    let refusal = refused(&sign(&terms("a"), &other.key).unwrap());
    assert!(matches!(refusal, Refusal::UntrustedKey { key: named } if named == key), "{refusal}");
}

#[test]
fn signature_of_a_package_is_none_of_a_licence() {
    let kit = Kit::new();
    let text = sign(&terms("a"), &kit.key).unwrap();
    let (json, _) = text.split_at(text.find("untrusted").unwrap());
    let signature = kit.key.sign_text(package::Signed::Package, json.as_bytes(), "a").unwrap();
    assert!(matches!(kit.read(&format!("{json}{signature}")), Err(Refusal::SignatureUnreadable)));
}

/// What is said of a text that a trusted key has signed.
fn forged(kit: &Kit, json: &str) -> Refusal {
    let signature = kit.key.sign_text(package::Signed::Licence, json.as_bytes(), "a").unwrap();
    kit.read(&format!("{json}{signature}")).unwrap_err()
}

#[test]
fn signed_text_that_is_no_licence_or_of_another_format_is_refused() {
    let kit = Kit::new();
    let text = terms("a").to_text();
    let check = |json: String, expected: &str| {
        let refusal = forged(&kit, &json);
        assert!(matches!(&refusal, Refusal::Wrong { why } if why.contains(expected)), "{json}: {refusal}");
    };
    check("{}\n".into(), "missing field");
    check("x\n".into(), "expected value");
    check(text.replace("pitlane-licence", "manifest"), "another kind");
    check(text.replace("\"from\": 34", "\"from\": 340000"), "invalid value");
    check(text.replace("10", "-1"), "an amount is");
    check(text.replace("10", "\"many\""), "an amount is");
    check(text.replace("10", "4294967296"), "an amount is");
    let refusal = forged(&kit, &text.replace("\"format\": 1", "\"format\": 2"));
    assert!(matches!(refusal, Refusal::OtherFormat { format: 2 }), "{refusal}");
}

#[test]
fn terms_that_break_a_rule_are_neither_signed_nor_read() {
    let kit = Kit::new();
    let check = |change: &dyn Fn(&mut Terms), expected: &str| {
        let mut terms = terms("a");
        change(&mut terms);
        for refusal in [sign(&terms, &kit.key).unwrap_err(), forged(&kit, &terms.to_text())] {
            let said = refusal.to_string();
            assert!(matches!(refusal, Refusal::Wrong { .. }) && said.contains(expected), "{said}");
        }
    };
    check(&|terms| terms.id = String::new(), "its id");
    check(&|terms| terms.id = "a b".into(), "its id");
    check(&|terms| terms.id = "a".repeat(limits::MAX_ID + 1), "its id");
    check(&|terms| terms.customer = "a\nb".into(), "its customer");
    check(&|terms| terms.customer = "a".repeat(limits::MAX_CUSTOMER + 1), "its customer");
    check(&|terms| terms.features = ["a b".to_string()].into(), "features");
    check(&|terms| terms.features = ["a".repeat(limits::MAX_FEATURE + 1)].into(), "features");
    check(&|terms| terms.features = (0..=limits::MAX_FEATURES).map(|n| n.to_string()).collect(), "features");
    check(&|terms| terms.versions = Versions { from: 35, to: Some(34) }, "its last version");
    let days = |terms: &mut Terms| {
        (terms.not_before, terms.expires) = (Some(day("2026-11-23")), Some(day("2026-11-22")));
    };
    check(&days, "its last day");
}

#[test]
fn largest_licence_fits_the_limit_of_its_text() {
    let kit = Kit::new();
    let mut terms = terms(&"i".repeat(limits::MAX_ID));
    terms.customer = "\"".repeat(limits::MAX_CUSTOMER);
    terms.features =
        (0..limits::MAX_FEATURES).map(|n| format!("{n:0>width$}", width = limits::MAX_FEATURE)).collect();
    (terms.not_before, terms.expires) = (Some(day("2026-11-23")), Some(day("2026-11-23")));
    kit.read(&sign(&terms, &kit.key).unwrap()).unwrap();
}

#[test]
fn fields_of_a_later_release_are_passed_over() {
    let kit = Kit::new();
    let json = terms("a").to_text().replace("\"vmr\": 5", "\"vmr\": 5,\n    \"audio\": 7");
    let json = json.replacen("{\n", "{\n  \"later\": true,\n", 1);
    let signature = kit.key.sign_text(package::Signed::Licence, json.as_bytes(), "a").unwrap();
    assert_eq!(kit.read(&format!("{json}{signature}")).unwrap().terms, terms("a"));
}

#[test]
fn stock_minisign_verifies_a_licence_that_is_split_at_its_signature() {
    let kit = Kit::new();
    let text = sign(&terms("a"), &kit.key).unwrap();
    let (json, signature) = text.split_at(text.find("untrusted").unwrap());
    let at = |name: &str| kit.dir.path().join(name);
    fs::write(at("licence.json"), json).unwrap();
    fs::write(at("licence.json.minisig"), signature).unwrap();
    let mut verify = std::process::Command::new("minisign");
    verify.arg("-V").arg("-p").arg(at("licences.pub")).arg("-m").arg(at("licence.json"));
    let output = verify.output().unwrap_or_else(|error| panic!("minisign must be installed: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
