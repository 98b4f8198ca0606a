//! Licences: any text but the signed one is refused, and one with any contents that a trusted key has signed is read or
//! refused with a printable line.

use std::sync::OnceLock;

use fleet::time::Wall;
use fleet::version::Version;
use licence::{Amount, Counts, Licence, Refusal, Terms, Versions, entitlements, sign};
use package::{Signed, SigningKey, TrustedKeys, generate_key};

use crate::input::patched;
use crate::scratch;

pub(crate) const DICTIONARY: &[&str] = &[
    "\"kind\"",
    "\"pitlane-licence\"",
    "\"format\"",
    "\"id\"",
    "\"customer\"",
    "\"counts\"",
    "\"port\"",
    "\"vmr\"",
    "\"unlimited\"",
    "\"features\"",
    "\"not_before\"",
    "\"expires\"",
    "\"versions\"",
    "\"from\"",
    "\"to\"",
    "2026-11-30",
    "9999-12-31",
    "-9999-01-01",
    "4294967295",
    "65536",
    "\nuntrusted comment: signature of a Pitlane licence\n",
    "\ntrusted comment: ",
];

/// A key that signs licences, and a licence.
struct Kit {
    key: SigningKey,
    trusted: TrustedKeys,
    licence: String,
}

fn kit() -> &'static Kit {
    static KIT: OnceLock<Kit> = OnceLock::new();
    KIT.get_or_init(|| {
        let folder = scratch::folder();
        let pair = generate_key("a key for licences").expect("a key");
        pair.write(folder.path(), "licences").expect("its files");
        let trusted = TrustedKeys::load(folder.path()).expect("the key");
        let licence = sign(&terms(), &pair.signing).expect("a licence");
        Kit { key: pair.signing, trusted, licence }
    })
}

fn terms() -> Terms {
    Terms {
        id: "2026-0042".into(),
        customer: "Example Ltd".into(),
        counts: Counts { port: Amount::Of(10), vmr: Amount::Unlimited },
        features: ["customlayouts".to_string()].into(),
        not_before: "2026-11-23".parse().ok(),
        expires: "2027-11-22".parse().ok(),
        versions: Versions { from: 34, to: Some(36) },
    }
}

/// Patches to the licence, a text that is signed here, or raw bytes.
pub(crate) fn run(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    match kind {
        b'p' => changed(&String::from_utf8_lossy(&patched(kit().licence.as_bytes(), data))),
        b's' => signed(&String::from_utf8_lossy(data)),
        _ => changed(&String::from_utf8_lossy(data)),
    }
}

fn changed(text: &str) {
    match Licence::read(text, &kit().trusted) {
        Ok(licence) => assert_eq!(licence.text, kit().licence, "a licence was read that nobody signed"),
        Err(refusal) => check(&refusal),
    }
}

fn signed(text: &str) {
    let text = text.trim().replace("\r\n", "\n") + "\n";
    let signature = kit().key.sign_text(Signed::Licence, text.as_bytes(), "id").expect("a signature");
    match Licence::read(&format!("{text}{signature}"), &kit().trusted) {
        Ok(licence) => used(&licence.terms),
        Err(refusal) => check(&refusal),
    }
}

/// What is read can be signed again, says the same, and can be added up at any time.
fn used(terms: &Terms) {
    let again = sign(terms, &kit().key).expect("what was read can be signed");
    assert_eq!(&Licence::read(&again, &kit().trusted).expect("what was signed").terms, terms);
    for now in [0, 1_796_000_000_000, u64::MAX] {
        let version = Version::new(34, 1);
        let sum = entitlements([terms, terms], Wall(now), version);
        assert!(sum.counts == terms.counts || sum.counts == Counts::default());
        assert!(!terms.validity(Wall(now), version).to_string().contains(char::is_control));
    }
}

fn check(refusal: &Refusal) {
    let text = refusal.to_string();
    assert!(!text.is_empty() && text.len() < 4096, "{} bytes: {text}", text.len());
    assert!(!text.contains(char::is_control), "{text:?}");
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let tagged = |tag: u8, bytes: &[u8]| [&[tag], bytes].concat();
    let licence = &kit().licence;
    let (terms, _) = licence.split_at(licence.find("untrusted").expect("its signature"));
    vec![
        tagged(b'w', licence.as_bytes()),
        tagged(b'p', &[0, 60, 0, 0, 3, b'9', b'9', b'9']),
        tagged(b's', terms.as_bytes()),
    ]
}
