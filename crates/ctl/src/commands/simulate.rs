//! `pitlane simulate`.

use std::fs;

use fleet::policy::Policy;
use serde_json::{Value, json};
use sim::forecast::forecast;

use super::upgrade::{CHECK, STATUS};
use super::{Output, Session, block_on, output};
use crate::api::UpgradeStatus;
use crate::args::Global;
use crate::client::view;
use crate::failure::{Exit, Failure};
use crate::no_answer::ClientError;
use crate::simulate::arguments::SimulateArgs;
use crate::simulate::platform::{self, PolicyNumbers, Present};
use crate::simulate::{json as object, plan, svg, table};
use crate::terminal;
use crate::view::Canvas;

/// Says how a run would go.
pub(crate) fn run(global: &Global, args: &SimulateArgs) -> Result<Exit, Failure> {
    let plan = if args.from_platform {
        plan::of_platform(args, block_on(async { read(&Session::open(global)?).await })?)?
    } else {
        plan::of_options(args)?
    };
    let foreseen = forecast(&plan, args.samples, args.seed).map_err(|blockers| {
        let words: Vec<String> = blockers.iter().map(ToString::to_string).collect();
        let what = format!("such an upgrade could not start: {}", words.join("; "));
        Failure::Declined { what, hint: "change what was given".into() }
    })?;
    if let Some(file) = &args.svg {
        let picture = svg::picture(&plan, &foreseen);
        fs::write(file, picture).map_err(Failure::io(format!("write {}", file.display())))?;
        terminal::tell(&format!("The picture is in {}", file.display()));
    }
    match output(global) {
        Output::Json => terminal::print_json(&object::object(&plan, &foreseen)),
        Output::Words => terminal::print(&table::lines(&plan, args, &foreseen, Canvas::stdout())),
    }
    Ok(Exit::Ok)
}

/// The fleet of the running platform.
async fn read(session: &Session) -> Result<Present, Failure> {
    let doing = "read the platform";
    let status: UpgradeStatus = view(doing, &session.client.get(doing, STATUS).await?)?;
    let policy = standing_policy(session).await?;
    let (present, remarks) = platform::present(&status, policy);
    remarks.iter().for_each(|remark| terminal::tell(remark));
    Ok(present)
}

/// The standing policy, which the Management Node tells with the check of a package.
async fn standing_policy(session: &Session) -> Result<Policy, Failure> {
    let doing = "read the standing policy";
    let answer = match session.client.post(doing, CHECK, &json!({"package": null})).await {
        Ok(answer) => answer.json(doing)?,
        Err(ClientError::Refused { .. } | ClientError::Nothing { .. }) => Value::Null,
        Err(error) => return Err(error.into()),
    };
    match answer.get("policy") {
        Some(policy) => Ok(view::<PolicyNumbers>(doing, policy)?.policy()),
        None => {
            terminal::tell(
                "The standing policy is not known as long as no package is uploaded; the standard one is taken.",
            );
            Ok(Policy::standard())
        }
    }
}
