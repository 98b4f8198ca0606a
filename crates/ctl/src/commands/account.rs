//! `pitlane account`: one's own account on the Management Node.

use serde_json::json;

use super::{Session, connect};
use crate::args::{AccountCommand, Global, PasswordArgs};
use crate::failure::{Exit, Failure};
use crate::no_answer::ClientError;
use crate::profile::{self, Profile};
use crate::secret::{self, Password};
use crate::terminal;
use crate::text::harmless;

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
    let saved = profile::load(&place)?.filter(|saved| connect::is_of(saved, &connection));
    let session = Session::over(global, connection)?;
    let (client, user) = (&session.client, session.client.user().to_string());
    let new = secret::new_one(args.new_password_file.as_deref(), &user)?;
    let doing = "change the password";
    let body = json!({"old_password": client.password().reveal(), "new_password": new.reveal()});
    let answer = match client.post(doing, PASSWORD, &body).await {
        Ok(answer) => answer,
        Err(error) => {
            tell_if_unknown(&error, &user);
            return Err(error.into());
        }
    };
    let object = answer.json(doing)?;
    let (mut lines, was_saved) = (vec![format!("The password of {user} is changed.")], saved.is_some());
    if let Some(saved) = saved {
        save(&place, saved, new, answer.device)?;
        lines.push("The saved profile has the new one.".into());
    }
    session.answer(&object, || lines);
    if !was_saved {
        terminal::tell("Nothing was saved here; pitlane login saves a profile with the new password.");
    }
    if let Some(remark) = object["remark"].as_str() {
        terminal::tell(&harmless(remark));
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
        terminal::tell(
            "The password is changed on the Management Node, and the profile here still has the old one:",
        );
        error.into()
    })
}

/// Without an answer, nobody knows here which password is in force.
fn tell_if_unknown(error: &ClientError, user: &str) {
    let unknown = match error {
        ClientError::Unreachable { .. } | ClientError::Failed { .. } | ClientError::NotUnderstood { .. } => {
            true
        }
        ClientError::Setup(_)
        | ClientError::Trust(_)
        | ClientError::NotTrusted { .. }
        | ClientError::NotLetIn { .. }
        | ClientError::Wait { .. }
        | ClientError::Refused { .. }
        | ClientError::Nothing { .. } => false,
    };
    if unknown {
        terminal::tell(&format!(
            "It is not known whether the password of {user} was changed; try pitlane login with the new one, then \
             with the old one."
        ));
    }
}
