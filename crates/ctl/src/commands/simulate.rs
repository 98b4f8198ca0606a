//! `pitlane simulate`: forecasts a run of a given fleet or of the running platform. Relies on crate `sim` for the
//! forecast; only reads from the platform.

use std::fs;

use answers::UpgradeStatus;
use fleet::policy::Policy;
use serde_json::{Value, json};
use sim::forecast::forecast;

use super::session::{Output, Session, block_on, output};
use super::upgrade::{CHECK, STATUS};
use crate::args::Global;
use crate::args::SimulateArgs;
use crate::client::view;
use crate::client_error::ClientError;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::simulate::platform::{self, PlatformState, PolicyNumbers};
use crate::simulate::{json as object, plan, svg, table};
use crate::terminal;
use crate::view::Canvas;

/// Forecasts a run and prints it.
pub(crate) fn run(global: &Global, args: &SimulateArgs) -> Result<Exit, Failure> {
    let plan = if args.from_platform {
        plan::of_platform(args, block_on(async { read(&Session::open(global)?).await })?)?
    } else {
        plan::of_options(args)?
    };
    let foreseen = forecast(&plan, args.samples, args.seed).map_err(|blockers| {
        let words: Vec<String> = blockers.iter().map(ToString::to_string).collect();
        let what = format!("such an upgrade could not start: {}", words.join("; "));
        Failure::Declined { what, hint: "change the options".into() }
    })?;
    if let Some(file) = &args.svg {
        let picture = svg::picture(&plan, &foreseen);
        fs::write(file, picture).map_err(Failure::io(format!("write {}", file.display())))?;
        terminal::message(&format!("The picture is in {}", file.display()));
    }
    match output(global) {
        Output::Json => terminal::print_json(&object::object(&plan, &foreseen)),
        Output::Words => terminal::print(&table::lines(&plan, args, &foreseen, Canvas::stdout())),
    }
    Ok(Exit::Ok)
}

/// The state of the running platform.
async fn read(session: &Session) -> Result<PlatformState, Failure> {
    let doing = "read the platform";
    let status: UpgradeStatus = view(doing, &session.client.get(doing, STATUS).await?)?;
    let policy = default_policy(session).await?;
    let (present, messages) = platform::state(&status, policy);
    messages.iter().for_each(|line| terminal::message(line));
    Ok(present)
}

/// The default policy, which the Management Node sends with the check of a package.
async fn default_policy(session: &Session) -> Result<Policy, Failure> {
    let doing = "read the default policy";
    let answer = match session.client.post(doing, CHECK, &json!({"package": null})).await {
        Ok(answer) => answer.json(doing)?,
        Err(ClientError::Refused { .. } | ClientError::NotFound { .. }) => Value::Null,
        Err(error) => return Err(error.into()),
    };
    match answer.get("policy") {
        Some(policy) => Ok(view::<PolicyNumbers>(doing, policy)?.policy()),
        None => {
            terminal::message(
                "The platform's default policy is not known as long as no package is uploaded; the standard policy is \
                 used.",
            );
            Ok(Policy::standard())
        }
    }
}
