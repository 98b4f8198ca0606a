//! `pitlane account`: the user's own account on the Management Node. Changes the saved profile together with the
//! password; other accounts are not managed here.

use serde_json::json;

use super::connect;
use super::session::Session;
use crate::args::{AccountCommand, Global, PasswordArgs};
use crate::client_error::ClientError;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::password::Password;
use crate::password_input;
use crate::profile::{self, Profile};
use crate::terminal;
use crate::text::sanitized;

const PASSWORD: &str = "command/v1/account/password/";

/// Runs a command about the account.
pub(crate) async fn run(global: &Global, command: &AccountCommand) -> Result<Exit, Failure> {
    match command {
        AccountCommand::Password(args) => password(global, args).await,
    }
}

/// Changes the password, and the saved profile with it.
async fn password(global: &Global, args: &PasswordArgs) -> Result<Exit, Failure> {
    let connection = connect::connection(global)?;
    let place = connect::profile_place()?;
    let saved = profile::load(&place)?.filter(|saved| connect::matches(saved, &connection));
    let session = Session::over(global, connection)?;
    let (client, user) = (&session.client, session.client.user().to_string());
    let new = password_input::new_password(args.new_password_file.as_deref(), &user)?;
    let doing = "change the password";
    let body = json!({"old_password": client.password().reveal(), "new_password": new.reveal()});
    let answer = match client.post(doing, PASSWORD, &body).await {
        Ok(answer) => answer,
        Err(error) => {
            warn_if_unknown(&error, &user);
            return Err(error.into());
        }
    };
    let object = answer.json(doing)?;
    let (mut lines, was_saved) = (vec![format!("The password of {user} is changed.")], saved.is_some());
    if let Some(saved) = saved {
        save(&place, saved, new, answer.device)?;
        lines.push("The saved profile contains the new one.".into());
    }
    session.answer(&object, || lines);
    if !was_saved {
        terminal::message("Nothing was saved here; pitlane login saves a profile with the new password.");
    }
    if let Some(notice) = object["remark"].as_str() {
        terminal::message(&sanitized(notice));
    }
    Ok(Exit::Ok)
}

fn save(
    place: &std::path::Path,
    saved: Profile,
    new: Password,
    device: Option<Password>,
) -> Result<(), Failure> {
    let profile = Profile { password: new, device, ..saved };
    profile::save(place, &profile).map_err(|error| {
        terminal::message(
            "The password is changed on the Management Node, and the profile here still has the old one:",
        );
        error.into()
    })
}

/// Warns that it is not known which password is valid, after a request without an answer.
fn warn_if_unknown(error: &ClientError, user: &str) {
    let unknown = match error {
        ClientError::Unreachable { .. } | ClientError::Failed { .. } | ClientError::NotUnderstood { .. } => {
            true
        }
        ClientError::Setup(_)
        | ClientError::Trust(_)
        | ClientError::NotTrusted { .. }
        | ClientError::LoginRefused { .. }
        | ClientError::RateLimited { .. }
        | ClientError::Refused { .. }
        | ClientError::NotFound { .. } => false,
    };
    if unknown {
        terminal::message(&format!(
            "It is not known whether the password of {user} was changed; try pitlane login with the new one, then \
             with the old one."
        ));
    }
}
