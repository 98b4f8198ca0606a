//! `pitlane login`: checks address, trust and login by one request, then saves them as the profile.

use reqwest::Method;

use super::connect;
use super::session::{Output, output};
use crate::api::release_in;
use crate::args::Global;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::profile::{self, Profile};
use crate::terminal;
use crate::text::sanitized;
use crate::trust::Trust;

/// Sends a request, and saves the profile if it succeeds.
pub(crate) async fn run(global: &Global) -> Result<Exit, Failure> {
    let place = connect::profile_place()?;
    let connection = connect::for_login(global)?;
    let client = Client::new(connection.clone())?;
    let doing = "report its release";
    let answer = client.send(doing, client.request(Method::GET, "status/v1/about/", &[])).await?;
    let about = answer.json(doing)?;
    let device = answer.device.or(connection.device);
    let (authority, fingerprint) = match connection.trust {
        Trust::Authority(pem) => (Some(pem), None),
        Trust::Fingerprint(fingerprint) => (None, Some(fingerprint.to_string())),
    };
    let manager = client.manager().to_string();
    let (user, password) = (connection.user, connection.password);
    let profile = Profile { manager, user, password, device, authority, fingerprint };
    profile::save(&place, &profile)?;
    let release = release_in(&about).map_or("an unknown release".into(), |release| sanitized(&release));
    let sentence = format!("Logged in to {} as {}; it runs {release}.", profile.manager, profile.user);
    match output(global) {
        Output::Words => terminal::print_line(sentence),
        Output::Json => terminal::print_json(&about),
    }
    terminal::message(&format!("The profile is saved in {}", place.display()));
    for warning in about["warnings"].as_array().into_iter().flatten() {
        let text = warning["text"].as_str().unwrap_or_default();
        terminal::message(&format!("warning: {}", sanitized(text)));
    }
    Ok(Exit::Ok)
}
