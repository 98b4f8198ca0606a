//! `pitlane login`: checks the way to the Management Node, then saves it.

use reqwest::Method;

use super::{Output, connect, output};
use crate::api::release_in;
use crate::args::Global;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::profile::{self, Profile};
use crate::terminal;
use crate::text::harmless;
use crate::trust::Trust;

/// Asks who is there, and saves the profile when the answer is good.
pub(crate) async fn run(global: &Global) -> Result<Exit, Failure> {
    let place = connect::profile_place()?;
    let connection = connect::fresh(global)?;
    let client = Client::new(connection.clone())?;
    let doing = "say what it is";
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
    let release =
        release_in(&about).map_or("a release that it does not tell".into(), |release| harmless(&release));
    let sentence = format!("Logged in to {} as {}; it runs {release}.", profile.manager, profile.user);
    match output(global) {
        Output::Words => terminal::print_line(sentence),
        Output::Json => terminal::print_json(&about),
    }
    terminal::tell(&format!("The profile is saved in {}", place.display()));
    for warning in about["warnings"].as_array().into_iter().flatten() {
        let text = warning["text"].as_str().unwrap_or_default();
        terminal::tell(&format!("warning: {}", harmless(text)));
    }
    Ok(Exit::Ok)
}
