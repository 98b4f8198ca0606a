use super::*;

const PLAIN: &str = kept!("leaf.key");

fn fault(text: &str, passphrase: &str) -> Fault {
    PrivateKey::read(text, passphrase).unwrap_err()
}

#[test]
fn key_is_read_in_every_form_with_its_passphrase() {
    let plain = PrivateKey::read(PLAIN, "").unwrap();
    assert_eq!(plain.to_pem(), PLAIN);
    assert_eq!(PrivateKey::read(kept!("leaf-sec1.key"), "").unwrap().to_pem(), PLAIN);
    // A passphrase for a key that is not encrypted is passed over.
    assert_eq!(PrivateKey::read(PLAIN, PASSPHRASE).unwrap().to_pem(), PLAIN);
    for encrypted in ENCRYPTED {
        assert_eq!(PrivateKey::read(encrypted, PASSPHRASE).unwrap().to_pem(), PLAIN, "{encrypted}");
        let spaced = encrypted.replace('\n', "\r\n   ");
        assert_eq!(PrivateKey::read(&spaced, PASSPHRASE).unwrap().to_pem(), PLAIN, "{spaced}");
    }
}

/// The forms of an encrypted key: of the older PEM, PBES2 with PBKDF2 and with scrypt, and PKCS#12.
const ENCRYPTED: [&str; 4] =
    [kept!("leaf-legacy.key"), kept!("leaf-pbes2.key"), kept!("leaf-scrypt.key"), kept!("leaf-pbe.key")];

#[test]
fn missing_and_wrong_passphrase_are_told_apart() {
    for encrypted in ENCRYPTED {
        assert_eq!(fault(encrypted, ""), Fault::PassphraseNeeded);
        for wrong in ["grandstand ", "x", "Ä"] {
            assert_eq!(fault(encrypted, wrong), Fault::WrongPassphrase, "{encrypted}");
        }
    }
    assert_eq!(Fault::WrongPassphrase.field(), Field::Passphrase);
    let long = "x".repeat(limits::MAX_PASSPHRASE + 1);
    assert_eq!(fault(ENCRYPTED[0], &long), Fault::PassphraseTooLong);
}

#[test]
fn encryption_that_takes_too_long_or_is_unknown_is_not_tried() {
    assert_eq!(fault(kept!("leaf-slow.key"), PASSPHRASE), Fault::Encryption);
    assert_eq!(fault(kept!("leaf-des.key"), PASSPHRASE), Fault::Encryption);
    assert_eq!(Fault::Encryption.field(), Field::PrivateKey);
}

#[test]
fn text_that_is_no_key_says_what_it_has() {
    assert_eq!(fault("", ""), Fault::NoKey { found: None });
    assert_eq!(fault(kept!("leaf.pem"), ""), Fault::NoKey { found: Some("CERTIFICATE".into()) });
    assert_eq!(fault(&PLAIN.replacen("MIG", "MIH", 1), ""), Fault::NotAKey);
    assert_eq!(fault(&PLAIN.repeat(2), ""), Fault::SeveralKeys { count: 2 });
    let long = " ".repeat(limits::MAX_KEY_TEXT + 1);
    assert!(matches!(fault(&long, ""), Fault::TooLong { field: Field::PrivateKey, .. }));
}

#[test]
fn weak_key_and_key_of_another_curve_are_named() {
    assert_eq!(fault(kept!("v1.key"), ""), Fault::PrivateKeyKind { key: "an RSA key of 1024 bits".into() });
    let key = "a key on another elliptic curve".into();
    assert_eq!(fault(kept!("p224.key"), ""), Fault::PrivateKeyKind { key });
}

#[test]
fn key_is_in_no_debug_form_and_in_no_fault() {
    let key = PrivateKey::read(PLAIN, "").unwrap();
    assert_eq!(format!("{key:?}"), "PrivateKey(…)");
    let middle = PLAIN.lines().nth(1).unwrap();
    for text in [PLAIN.repeat(2), PLAIN.replacen("MIG", "MIH", 1), PLAIN.replacen('M', "*", 1)] {
        let fault = fault(&text, PASSPHRASE);
        let said = format!("{fault} {fault:?}");
        assert!(!said.contains(&middle[8..24]) && !said.contains(PASSPHRASE), "{said}");
    }
}
