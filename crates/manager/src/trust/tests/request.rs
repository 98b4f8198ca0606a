use super::identity::issued;
use super::*;

fn make(kind: KeyKind, names: &[&str]) -> Result<(SigningRequest, PrivateKey), Fault> {
    let key = PrivateKey::make(kind)?;
    let subject = Subject::parse("CN=conf.example.com, O=Example, C=GB")?;
    let asked = Asked { subject: &subject, names, server: true, client: true };
    Ok((SigningRequest::make(&asked, &key)?, key))
}

#[test]
fn request_is_made_for_every_kind_of_key_and_read_back() {
    let kinds = [
        (KeyKind::Rsa2048, "sha256WithRSAEncryption"),
        (KeyKind::P256, "ecdsa-with-SHA256"),
        (KeyKind::P384, "ecdsa-with-SHA384"),
    ];
    for (kind, algorithm) in kinds {
        let (request, key) =
            make(kind, &["conf.example.com", "*.example.com", "192.0.2.7", "2001:db8::7"]).unwrap();
        let again = SigningRequest::read(&request.pem()).unwrap();
        let text = again.text();
        assert_eq!(text, request.text());
        for part in [
            "Subject: CN=conf.example.com, O=Example, C=GB",
            "DNS:conf.example.com, DNS:*.example.com, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7",
            "TLS Web Server Authentication, TLS Web Client Authentication",
            "Digital Signature, Key Encipherment",
            algorithm,
        ] {
            assert!(text.contains(part), "{kind:?}: {part} is missing in {text}");
        }
        assert_eq!(again.subject(), "CN=conf.example.com, O=Example, C=GB");
        assert!(again.is_for(&key));
        assert!(!again.is_for(&PrivateKey::make(KeyKind::P256).unwrap()));
    }
}

#[test]
fn names_of_a_request_are_host_names_and_addresses() {
    for wrong in
        ["", "a b", "a..b", "ä.example.com", "*", "a.*.com", "sip:conf@example.com", "a\nb", &"a".repeat(64)]
    {
        let fault = make(KeyKind::P256, &["conf.example.com", wrong]).unwrap_err();
        assert_eq!(fault.field(), Field::Names, "{fault}");
    }
    let many = vec!["conf.example.com"; limits::MAX_NAMES + 1];
    assert_eq!(make(KeyKind::P256, &many).unwrap_err(), Fault::TooManyNames);
    assert!(!make(KeyKind::P256, &[]).unwrap().0.text().contains("Alternative"));
}

#[test]
fn certificate_is_taken_for_the_request_that_it_was_issued_for() {
    let (request, key) = make(KeyKind::P256, &[]).unwrap();
    let authority = PrivateKey::make(KeyKind::P256).unwrap();
    let root = issued("root", &authority, "root", &authority).pem();
    let answer = issued("conf", &key, "root", &authority).pem();
    let identity = request.issued(&[root.as_str(), &answer].concat(), key.clone()).unwrap();
    assert_eq!(identity.leaf().subject(), "CN=conf");
    assert_eq!(identity.chain().len(), 2);
    let fault = request.issued(&root, key).unwrap_err();
    assert_eq!(fault, Fault::NotForRequest { subjects: vec!["CN=root".into()] });
}

#[test]
fn request_that_is_not_signed_with_its_own_key_is_refused() {
    let (request, _) = make(KeyKind::P256, &[]).unwrap();
    let pem = request.pem();
    let at = pem.len() - 60;
    let changed = format!("{}{}{}", &pem[..at], if &pem[at..=at] == "A" { "B" } else { "A" }, &pem[at + 1..]);
    for text in ["", kept!("leaf.pem"), &changed] {
        assert_eq!(SigningRequest::read(text).unwrap_err(), Fault::NotARequest, "{text}");
    }
    assert_eq!(
        SigningRequest::read(
            &pem.replace("BEGIN CERT", "BEGIN NEW CERT").replace("END CERT", "END NEW CERT")
        )
        .unwrap()
        .pem(),
        pem
    );
}
