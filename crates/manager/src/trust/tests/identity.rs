use super::*;

const LEAF: &str = kept!("leaf.pem");
const KEY: &str = kept!("leaf.key");
const INTERMEDIATE: &str = kept!("intermediate.pem");
const ROOT: &str = kept!("root.pem");
const OTHER: &str = kept!("sha1-intermediate.pem");

fn read(certificates: &[&str], private_key: &str) -> Result<Identity, Fault> {
    let certificate = certificates.concat();
    Identity::read(&Given { certificate: &certificate, private_key, passphrase: "" })
}

fn subjects(identity: &Identity) -> Vec<String> {
    identity.chain().iter().map(|one| one.shown().subject_name.rsplit_once("CN=").unwrap().1.into()).collect()
}

#[test]
fn chain_is_put_in_order_whatever_the_order_of_the_certificates() {
    let all = [LEAF, INTERMEDIATE, ROOT];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let identity = read(&order.map(|at| all[at]), KEY).unwrap();
        assert_eq!(subjects(&identity), ["leaf", "intermediate", "root"]);
        assert_eq!(identity.leaf().subject(), "C=GB, O=Example\\, Ltd, CN=leaf");
        assert_eq!(identity.chain_pem(), all.concat());
    }
    assert_eq!(subjects(&read(&[LEAF], KEY).unwrap()), ["leaf"]);
    assert_eq!(subjects(&read(&[kept!("self.pem")], kept!("self.key")).unwrap()), ["self"]);
}

#[test]
fn chain_is_completed_up_to_and_without_its_root() {
    let authorities = ["root", "sha1-intermediate", "intermediate"].map(certificate);
    let completed = |certificates: &[&str]| read(certificates, KEY).unwrap().completed(&authorities);
    assert_eq!(subjects(&completed(&[LEAF])), ["leaf", "intermediate"]);
    assert_eq!(subjects(&completed(&[LEAF, INTERMEDIATE])), ["leaf", "intermediate"]);
    assert_eq!(subjects(&completed(&[LEAF, INTERMEDIATE, ROOT])), ["leaf", "intermediate", "root"]);
    assert_eq!(subjects(&read(&[LEAF], KEY).unwrap().completed(&[])), ["leaf"]);
}

#[test]
fn certificate_that_is_there_twice_counts_once() {
    assert_eq!(subjects(&read(&[LEAF, INTERMEDIATE, LEAF], KEY).unwrap()), ["leaf", "intermediate"]);
}

#[test]
fn bundle_has_certificates_and_key_in_any_order_with_text_between() {
    for parts in [[KEY, LEAF, INTERMEDIATE], [INTERMEDIATE, LEAF, kept!("leaf-pbes2.key")]] {
        let bundle = format!("Bag Attributes\n{}\nand\n{}\n{}", parts[0], parts[1], parts[2]);
        let identity = Identity::read_bundle(&bundle, PASSPHRASE).unwrap();
        assert_eq!(subjects(&identity), ["leaf", "intermediate"]);
        assert!(identity.leaf().is_for(identity.key().inner()));
    }
    let twice = [LEAF, KEY, KEY].concat();
    assert_eq!(Identity::read_bundle(&twice, "").unwrap_err(), Fault::SeveralKeys { count: 2 });
}

#[test]
fn certificate_that_belongs_to_no_chain_is_named() {
    let fault = read(&[LEAF, INTERMEDIATE, OTHER], KEY).unwrap_err();
    assert_eq!(fault.field(), Field::Certificate);
    assert_eq!(
        fault.to_string(),
        "the certificate of C=GB, O=Example\\, Ltd, CN=sha1-intermediate does not belong to the chain of C=GB, \
         O=Example\\, Ltd, CN=leaf, which ends with C=GB, O=Example\\, Ltd, CN=intermediate, issued by C=GB, \
         O=Example\\, Ltd, CN=root; remove it, or give the certificates between them"
    );
    // The intermediate between the two is missing.
    assert!(matches!(read(&[LEAF, ROOT], KEY), Err(Fault::Leftover { .. })));
}

#[test]
fn key_must_belong_to_a_certificate() {
    let fault = read(&[LEAF, INTERMEDIATE], kept!("self.key")).unwrap_err();
    assert_eq!(fault.field(), Field::PrivateKey);
    let said = fault.to_string();
    assert!(said.contains("CN=leaf; C=GB, O=Example\\, Ltd, CN=intermediate)"), "{said}");
}

#[test]
fn text_without_a_certificate_says_what_it_has() {
    let check = |text: &str, expected: Fault| {
        assert_eq!(read_certificates(text).unwrap_err(), expected);
        assert_eq!(expected.field(), Field::Certificate);
    };
    check("", Fault::NoCertificate { found: None });
    check(KEY, Fault::NoCertificate { found: Some("PRIVATE KEY".into()) });
    check(&LEAF[..400], Fault::Unended { field: Field::Certificate, label: "CERTIFICATE".into() });
    let damaged = INTERMEDIATE.replacen("MII", "MIJ", 1);
    check(&[LEAF, &damaged].concat(), Fault::NotACertificate { position: 2 });
    check(
        &LEAF.replacen("MII", "M*I", 1),
        Fault::NotBase64 { field: Field::Certificate, label: "CERTIFICATE".into() },
    );
    let long = " ".repeat(limits::MAX_TEXT + 1);
    check(&long, Fault::TooLong { field: Field::Certificate, has: long.len(), limit: limits::MAX_TEXT });
    check(&LEAF.repeat(limits::MAX_CERTIFICATES + 1), Fault::TooManyCertificates);
}

#[test]
fn certificate_with_bytes_behind_it_is_refused() {
    let mut der = certificate("leaf").der();
    der.push(0);
    let pem = openssl::base64::encode_block(&der);
    let text = format!("-----BEGIN CERTIFICATE-----\n{pem}\n-----END CERTIFICATE-----\n");
    assert_eq!(read_certificates(&text).unwrap_err(), Fault::NotACertificate { position: 1 });
}

#[test]
fn certificate_for_another_kind_of_key_is_named() {
    let fault = read_certificates(kept!("p224.pem")).unwrap_err();
    let said = "the certificate of C=GB, O=Example\\, Ltd, CN=p224 is for a key on another elliptic curve";
    assert!(fault.to_string().starts_with(said), "{fault}");
}

#[test]
fn authorities_are_certificates_of_authorities() {
    assert_eq!(read_authorities(&[ROOT, INTERMEDIATE].concat()).unwrap().len(), 2);
    let subject = "C=GB, O=Example\\, Ltd, CN=leaf".into();
    assert_eq!(read_authorities(&[ROOT, LEAF].concat()).unwrap_err(), Fault::NotAnAuthority { subject });
}

#[test]
fn chain_is_bounded() {
    let keys: Vec<PrivateKey> =
        (0..=limits::MAX_CHAIN).map(|_| PrivateKey::make(KeyKind::P256).unwrap()).collect();
    let certificates = keys.iter().enumerate().map(|(at, key)| {
        let issuer = keys.get(at + 1).unwrap_or(key);
        issued(&at.to_string(), key, &(at + 1).min(limits::MAX_CHAIN).to_string(), issuer)
    });
    let certificates: Vec<Certificate> = certificates.collect();
    let shorter = certificates[1..].to_vec();
    assert_eq!(Identity::of(shorter, keys[1].clone()).unwrap().chain().len(), limits::MAX_CHAIN);
    let fault = Identity::of(certificates, keys[0].clone()).unwrap_err();
    assert_eq!(fault, Fault::ChainTooLong { leaf: "CN=0".into() });
}

#[test]
fn name_of_an_issuer_alone_makes_no_chain() {
    let [leaf, root, other] = [(); 3].map(|()| PrivateKey::make(KeyKind::P256).unwrap());
    let signed_by_other = issued("leaf", &leaf, "root", &other);
    let root = issued("root", &root, "root", &root);
    assert!(!signed_by_other.is_issued_by(&root));
    let fault = Identity::of(vec![signed_by_other, root], leaf).unwrap_err();
    assert!(matches!(fault, Fault::Leftover { .. }), "{fault}");
}

/// A certificate of an authority for `subject`, issued by another.
pub(super) fn issued(subject: &str, key: &PrivateKey, issuer: &str, by: &PrivateKey) -> Certificate {
    use openssl::asn1::Asn1Time;
    use openssl::x509::X509;
    use openssl::x509::extension::BasicConstraints;

    let name = |text: &str| Subject::common_name(text).unwrap().name().unwrap();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name(subject)).unwrap();
    builder.set_issuer_name(&name(issuer)).unwrap();
    builder.set_pubkey(key.inner()).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(4_000_000_000).unwrap()).unwrap();
    builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    builder.sign(by.inner(), by.digest()).unwrap();
    let pem = builder.build().to_pem().unwrap();
    read_certificates(std::str::from_utf8(&pem).unwrap()).unwrap().remove(0)
}
