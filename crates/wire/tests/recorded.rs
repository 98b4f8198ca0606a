//! This release reads the messages of every release so far. They were recorded between a manager and a node of
//! that release: enrolment, first sync, rooms, an operator's maintenance mode and its end.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::report::{Admission, Calls};
use wire::{Enrolled, EnrolmentFile, EnrolmentRequest, PROTOCOL, Sync, SyncAnswer};

/// The folders of all releases.
fn releases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let releases: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!releases.is_empty());
    releases
}

/// Reads the messages whose name begins so, and checks that nothing is lost when they are written again.
fn read<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(release: &Path, name: &str) -> Vec<T> {
    let mut files: Vec<PathBuf> = fs::read_dir(release).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.file_name().unwrap().to_string_lossy().starts_with(name));
    files.sort();
    let messages = files.iter().map(|file| {
        let text = fs::read_to_string(file).unwrap();
        let message: T =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let again = serde_json::from_str(&serde_json::to_string(&message).unwrap()).unwrap();
        assert_eq!(message, again, "{}", file.display());
        message
    });
    let messages: Vec<T> = messages.collect();
    assert!(!messages.is_empty(), "no {name} of {}", release.display());
    messages
}

#[test]
fn recorded_reports_are_read() {
    for release in releases() {
        let said: Vec<Sync> = read(&release, "sync-");
        assert!(said.iter().all(|sync| sync.protocols.shared_with(PROTOCOL).is_some()));
        assert_eq!(said[0].observed.calls, Calls::Unknown);
        let admissions: Vec<Admission> = said.iter().map(|sync| sync.observed.admission).collect();
        assert!(admissions.contains(&Admission::Admitting) && admissions.contains(&Admission::Refusing));
        assert!(said.windows(2).all(|pair| pair[0].observed.at < pair[1].observed.at));
    }
}

#[test]
fn recorded_answers_are_read() {
    for release in releases() {
        let answers: Vec<SyncAnswer> = read(&release, "answer-");
        let rooms = answers.iter().find_map(|answer| answer.configuration.as_ref()).unwrap();
        assert_eq!(rooms.rooms[0].name, "standup");
        assert_eq!(rooms.rooms[0].aliases.len(), 2);
        let mut reasons =
            answers.iter().filter_map(|answer| answer.desired.intent.owners.operator.as_deref());
        assert_eq!(reasons.next_back(), Some("new power supply"));
    }
}

#[test]
fn recorded_enrolments_are_read() {
    for release in releases() {
        let asked: Vec<EnrolmentRequest> = read(&release, "enrolment-request");
        assert!(asked[0].token.is_some() && asked[0].request.contains("CERTIFICATE REQUEST"));
        let enrolled: Vec<Enrolled> = read(&release, "enrolled");
        assert!(enrolled[0].certificate.contains("BEGIN CERTIFICATE"));
        let file = fs::read_to_string(release.join("enrolment.toml")).unwrap();
        let file = EnrolmentFile::parse(&file).unwrap();
        assert_eq!((file.node.as_str(), file.manager.len()), ("lon-1", 2), "{file:?}");
    }
}
