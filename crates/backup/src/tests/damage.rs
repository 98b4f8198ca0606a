use std::fs;

use super::*;

/// Where the header of age ends.
fn header(backup: &[u8]) -> usize {
    let lines = backup.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    lines.map(|(at, _)| at + 1).nth(3).unwrap()
}

#[test]
fn wrong_passphrase_is_told_from_damage() {
    let backup = made(&sources(9));
    for wrong in ["grandstand ", "Grandstand", "x"] {
        let wrong = Passphrase::new(wrong).unwrap();
        assert!(matches!(Backup::open(&backup[..], &wrong), Err(Refusal::WrongPassphrase)));
    }
}

#[test]
fn backup_with_any_one_byte_changed_is_refused() {
    let backup = made(&sources(9));
    for at in 0..backup.len() {
        for change in [1, 0x80] {
            let mut changed = backup.clone();
            changed[at] ^= change;
            let refusal = check(&changed).expect_err("a byte was changed");
            let in_header = matches!(
                refusal,
                Refusal::NotABackup
                    | Refusal::OtherRecipient
                    | Refusal::TooMuchWork { .. }
                    | Refusal::WrongPassphrase
                    | Refusal::Damaged { .. }
            );
            let fits = if at < header(&backup) { in_header } else { matches!(refusal, Refusal::Cut { .. }) };
            assert!(fits, "byte {at}: {refusal}");
        }
    }
}

#[test]
fn backup_that_was_cut_anywhere_is_refused_as_such() {
    let backup = made(&sources(200_000));
    let near = (0..400).chain((1..4).flat_map(|chunk| {
        let end = header(&backup) + 16 + chunk * 65_552;
        end - 3..end + 3
    }));
    for length in near.chain([backup.len() - 17, backup.len() - 1]) {
        let refusal = check(&backup[..length]).expect_err("it was cut");
        let at = if let Refusal::Cut { at } = refusal { Some(at) } else { None };
        assert!(at == Some(length as u64) || length == 0, "after {length} bytes: {refusal}");
    }
}

#[test]
fn damage_within_is_reported_with_its_place() {
    let backup = made(&sources(300_000));
    let payload = header(&backup) + 16;
    let mut changed = backup.clone();
    changed[payload + 65_552 + 7] ^= 1;
    let refusal = check(&changed).unwrap_err();
    let place = (payload + 2 * 65_552) as u64;
    assert!(matches!(refusal, Refusal::Damaged { at } if at == place), "{refusal}");
    // Two chunks in each other's place, and one that is there twice.
    let chunk = |number: usize| &backup[payload + number * 65_552..payload + (number + 1) * 65_552];
    let rest = &backup[payload + 2 * 65_552..];
    for wrong in [[chunk(1), chunk(0)], [chunk(0), chunk(0)]] {
        let wrong = [&backup[..payload], wrong[0], wrong[1], rest].concat();
        assert!(matches!(check(&wrong), Err(Refusal::Damaged { .. })));
    }
}

#[test]
fn bytes_behind_the_end_are_refused() {
    for more in [1, 16, 65_552] {
        let refusal = check(&[made(&sources(9)), vec![0; more]].concat()).unwrap_err();
        assert!(matches!(refusal, Refusal::Cut { .. } | Refusal::Damaged { .. }), "{refusal}");
    }
}

#[test]
fn refusal_leaves_nothing_behind() {
    let mut backup = made(&sources(300_000));
    let last = backup.len() - 1;
    backup[last] ^= 1;
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("restore");
    Backup::open(&backup[..], &passphrase()).unwrap().unpack(&into, &mut |_| {}).unwrap_err();
    assert_eq!(fs::read_dir(&into).unwrap().count(), 0);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn other_files_are_no_backups() {
    let ustar = [0; 512];
    for other in
        [&b""[..], b"PK\x03\x04", b"-----BEGIN AGE ENCRYPTED FILE-----\n", b"age-encryption.org/v2\n", &ustar]
    {
        assert!(matches!(check(other), Err(Refusal::NotABackup)), "{other:?}");
    }
}

#[test]
fn other_recipients_and_too_much_work_are_refused_before_anything_is_derived() {
    let salt = "c2FsdHNhbHRzYWx0c2FsdA";
    let refused = |recipient: &str| {
        let body = "A".repeat(43);
        check(format!("age-encryption.org/v1\n{recipient}\n{body}\n--- {body}\n").as_bytes()).unwrap_err()
    };
    for other in [
        "-> X25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc".to_string(),
        format!("-> scrypt {salt}"),
        format!("-> scrypt {salt} 04"),
        format!("-> scrypt {salt} +4"),
        format!("-> scrypt {salt} 4 4"),
        format!("-> scrypt {salt}A 4"),
        format!("-> scrypt {salt} 300"),
        "-> scrypt".into(),
        "scrypt".into(),
    ] {
        assert!(matches!(refused(&other), Refusal::OtherRecipient), "{other}");
    }
    for work in [19, 64, 255] {
        let refusal = refused(&format!("-> scrypt {salt} {work}"));
        assert!(matches!(refusal, Refusal::TooMuchWork { work: found } if found == work), "{refusal}");
    }
    assert!(matches!(refused(&format!("-> scrypt {salt} 4")), Refusal::WrongPassphrase));
}

#[test]
fn passphrase_has_bounds_and_is_in_no_debug_form() {
    assert!(Passphrase::new("").is_err());
    assert!(Passphrase::new("ä".repeat(limits::MAX_PASSPHRASE / 2)).is_ok());
    assert!(Passphrase::new("a".repeat(limits::MAX_PASSPHRASE + 1)).is_err());
    assert_eq!(format!("{:?}", passphrase()), "Passphrase(…)");
}
