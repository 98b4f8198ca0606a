//! Keys: which signatures are accepted, and how key files are read and written.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::*;

use super::*;

#[test]
fn package_signed_with_another_key_is_refused_and_both_keys_are_named() {
    let (kit, other_kit) = (Kit::small(), Kit::small());
    let said = refused(verify(other_kit.bytes().as_slice(), &kit.trusted));
    assert!(
        said.contains(&format!("key {}, which this machine does not trust", other_kit.key.id())),
        "{said}"
    );
    assert!(said.contains(&format!("it trusts {}", kit.key.id())), "{said}");
}

#[test]
fn key_with_the_number_of_a_trusted_one_is_refused() {
    let (kit, other_kit) = (Kit::small(), Kit::small());
    let public = fs::read_to_string(other_kit.at("trust/test.pub")).unwrap();
    let mut key = STANDARD.decode(public.lines().nth(1).unwrap()).unwrap();
    let own = fs::read_to_string(kit.at("trust/test.pub")).unwrap();
    key[2..10].copy_from_slice(&STANDARD.decode(own.lines().nth(1).unwrap()).unwrap()[2..10]);
    fs::write(kit.at("trust/test.pub"), format!("untrusted comment: x\n{}\n", STANDARD.encode(key))).unwrap();
    let borrowed = TrustedKeys::load(&kit.at("trust")).unwrap();
    let refusal = verify(kit.bytes().as_slice(), &borrowed);
    assert!(matches!(refusal, Err(Refusal::SignatureWrong { key }) if key == kit.key.id()), "{refusal:?}");
}

#[test]
fn any_of_several_trusted_keys_suffices() {
    let (kit, other_kit) = (Kit::small(), Kit::small());
    fs::copy(other_kit.at("trust/test.pub"), kit.at("trust/another.pub")).unwrap();
    let both = TrustedKeys::load(&kit.at("trust")).unwrap();
    assert_eq!(both.ids(), [other_kit.key.id(), kit.key.id()]);
    for package in [kit.bytes(), other_kit.bytes()] {
        verify(package.as_slice(), &both).unwrap();
    }
}

#[test]
fn directory_without_a_public_key_trusts_nothing_and_is_reported() {
    let kit = Kit::small();
    fs::rename(kit.at("trust/test.pub"), kit.at("trust/test.txt")).unwrap();
    let said = TrustedKeys::load(&kit.at("trust")).unwrap_err().to_string();
    assert!(said.contains("holds no public key, so no package can be trusted"), "{said}");
    assert!(TrustedKeys::load(&kit.at("nowhere")).is_err());
}

#[test]
fn up_to_64_public_keys_are_trusted_and_more_are_refused() {
    let kit = Kit::small();
    for n in 1..limits::MAX_KEYS {
        fs::copy(kit.at("trust/test.pub"), kit.at(&format!("trust/{n}.pub"))).unwrap();
    }
    assert_eq!(TrustedKeys::load(&kit.at("trust")).unwrap().ids().len(), 64);
    fs::copy(kit.at("trust/test.pub"), kit.at("trust/one-more.pub")).unwrap();
    assert!(matches!(TrustedKeys::load(&kit.at("trust")), Err(KeyError::TooMany { .. })));
}

#[test]
fn damaged_public_key_is_named() {
    let kit = Kit::small();
    for text in ["", "untrusted comment: x\n", "x\nAAAA\n", "x\nnot base64!\n"] {
        fs::write(kit.at("trust/bad.pub"), text).unwrap();
        let said = TrustedKeys::load(&kit.at("trust")).unwrap_err().to_string();
        assert!(said.contains("bad.pub is not a minisign public key"), "{said}");
    }
}

#[test]
fn secret_key_is_readable_by_its_owner_alone_and_never_replaced() {
    let kit = Kit::small();
    let secret = kit.at("trust/test.key");
    assert_eq!(secret.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    let before = fs::read(&secret).unwrap();
    let again = generate_key("another").unwrap().write(&kit.at("trust"), "test");
    assert!(matches!(again, Err(KeyError::Exists { .. })));
    fs::remove_file(kit.at("trust/test.pub")).unwrap();
    assert!(generate_key("another").unwrap().write(&kit.at("trust"), "test").is_err());
    assert_eq!(fs::read(&secret).unwrap(), before);
    assert!(!kit.at("trust/test.pub").exists());
}

#[test]
fn secret_key_reads_back_as_the_same_key() {
    let kit = Kit::small();
    let loaded = SigningKey::load(&kit.at("trust/test.key")).unwrap();
    assert_eq!(loaded.id(), kit.key.id());
    build(&kit.recipe, &loaded, &kit.at("loaded.pkg")).unwrap();
    verify_file(&kit.at("loaded.pkg"), &kit.trusted).unwrap();
    let public = SigningKey::load(&kit.at("trust/test.pub"));
    assert!(matches!(public, Err(KeyError::NotAKey { .. })), "{public:?}");
}

#[test]
fn secret_key_under_a_passphrase_signs_with_it_and_not_without() {
    let kit = Kit::small();
    let passphrase = Passphrase::new("correct horse").unwrap();
    let kept = generate_kept_key("kept", &Protection::Passphrase(passphrase.clone())).unwrap();
    let (secret, _) = kept.write(&kit.at("trust"), "kept").unwrap();
    assert!(SigningKey::is_protected(&secret).unwrap());
    assert!(!SigningKey::is_protected(&kit.at("trust/test.key")).unwrap());
    let bare = SigningKey::load(&secret);
    assert!(matches!(bare, Err(KeyError::PassphraseNeeded { .. })), "{bare:?}");
    let wrong = SigningKey::load_protected(&secret, &Passphrase::new("wrong horse").unwrap());
    assert!(matches!(wrong, Err(KeyError::WrongPassphrase { .. })), "{wrong:?}");
    let loaded = SigningKey::load_protected(&secret, &passphrase).unwrap();
    assert_eq!(loaded.id(), kept.signing.id());
    let trusted = TrustedKeys::load(&kit.at("trust")).unwrap();
    build(&kit.recipe, &loaded, &kit.at("kept.pkg")).unwrap();
    build(&kit.recipe, &kept.signing, &kit.at("at-once.pkg")).unwrap();
    assert_eq!(verify_file(&kit.at("kept.pkg"), &trusted).unwrap().key(), kept.signing.id());
    assert_eq!(format!("{passphrase:?}"), "Passphrase(…)");
    assert!(!format!("{kept:?}").contains("untrusted comment"));
}

#[test]
fn passphrase_that_is_too_short_is_refused() {
    assert!(matches!(Passphrase::new("short"), Err(KeyError::Passphrase)));
    assert!(matches!(Passphrase::new("x".repeat(1025)), Err(KeyError::Passphrase)));
}

#[test]
fn comment_of_two_lines_is_refused() {
    assert!(matches!(generate_key("two\nlines"), Err(KeyError::Comment)));
}

#[test]
fn secret_key_is_never_printed() {
    let kit = Kit::small();
    assert_eq!(format!("{:?}", kit.key), format!("SigningKey({})", kit.key.id()));
}

#[test]
fn signature_written_in_any_other_way_is_refused() {
    let kit = Kit::small();
    let (_, built) = kit.build();
    let good = built.signature_text();
    let check = |signature: &str| {
        let refusal = verify_manifest(built.manifest_bytes(), signature.as_bytes(), &kit.trusted);
        assert!(matches!(refusal, Err(Refusal::SignatureUnreadable)), "{signature:?}: {refusal:?}");
    };
    check("");
    check(good.trim_end());
    check(&format!("{good}\n"));
    check(&format!("{good}more\n"));
    check(&good.replace('\n', "\r\n"));
    check(&good.replacen("signature of", "signature  of", 1));
    check(&good.replacen("=\n", "\n", 1));
    check(&good.replacen("trusted comment: ", "trusted comment:", 2));
    check(&good.replacen("\ntrusted comment: ", "\ntrusted comment:", 1));
    check(&good.replacen("pitlane 34.1", "pitlane\u{7}34.1", 1));
}

#[test]
fn tab_in_the_signed_comment_is_accepted() {
    let kit = Kit::small();
    let (_, built) = kit.build();
    let signature = kit.key.sign_text(Signed::Package, built.manifest_bytes(), "pitlane\t34.1").unwrap();
    verify_manifest(built.manifest_bytes(), signature.as_bytes(), &kit.trusted).unwrap();
}

#[test]
fn signature_is_of_one_kind_of_text_and_its_comment_is_one_line() {
    let kit = Kit::small();
    let signature = kit.key.sign_text(Signed::Licence, b"text", "id").unwrap();
    assert_eq!(kit.trusted.verify(Signed::Licence, b"text", &signature), Ok(kit.key.id()));
    assert_eq!(kit.trusted.verify(Signed::Package, b"text", &signature), Err(NotSigned::Unreadable));
    let key = kit.key.id();
    assert_eq!(kit.trusted.verify(Signed::Licence, b"other", &signature), Err(NotSigned::Wrong { key }));
    assert!(matches!(kit.key.sign_text(Signed::Licence, b"text", "a\nb"), Err(KeyError::Comment)));
}
