//! `pitlane upgrade check`, `start`, `status`, `history` and `packages`. Whether a run may start is decided by the
//! Management Node; `start` sends exactly the package and limits that it has shown.

use answers::{Check, Package, PastRun, UpgradeStatus};
use fleet::version::Sha256;
use serde_json::{Value, json};

use super::confirm::Question;
use super::session::{Output, Session};
use crate::api::{List, now};
use crate::args::{PolicyArgs, StartArgs};
use crate::client::view;
use crate::client_error::ClientError;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal;
use crate::text::short;
use crate::view::{self as draw, check as draw_check};

pub(crate) const STATUS: &str = "status/v1/upgrade/";
pub(crate) const CHECK: &str = "command/v1/platform/upgrade_check/";
const START: &str = "command/v1/platform/upgrade_start/";
const HISTORY: &str = "history/v1/upgrade/";
const PACKAGES: &str = "configuration/v1/upgrade_package/";

/// Most parts of a run's history that are requested: five thousand entries each, a hundred times as many as a run over
/// the largest platform writes.
const MAX_PARTS: usize = 500;

/// Fewest digits of a hash that name a package.
const SHORTEST_HASH: usize = 4;

/// Shows whether an upgrade could start.
pub(crate) async fn check(
    session: &Session,
    package: Option<&str>,
    policy: &PolicyArgs,
) -> Result<Exit, Failure> {
    let (object, check) = request_check(session, package, policy).await?;
    session.answer(&object, || {
        let canvas = session.canvas;
        let mut lines = draw_check::purpose(&check, canvas);
        lines.push(String::new());
        lines.extend(draw_check::verdict(&check, canvas));
        lines
    });
    Ok(if check.blockers.is_empty() { Exit::Ok } else { Exit::Refused })
}

/// Requests the check of a package.
pub(crate) async fn request_check(
    session: &Session,
    package: Option<&str>,
    policy: &PolicyArgs,
) -> Result<(Value, Check), Failure> {
    let doing = "check the upgrade";
    let manifest = match package {
        Some(name) => Some(resolve(session, name).await?),
        None => None,
    };
    let body = request(manifest, policy);
    let object = session.client.post(doing, CHECK, &body).await?.json(doing)?;
    let check = view(doing, &object)?;
    Ok((object, check))
}

fn request(manifest: Option<String>, policy: &PolicyArgs) -> Value {
    let mut body = json!({"package": manifest});
    let policy = policy.to_json();
    if policy.as_object().is_some_and(|fields| !fields.is_empty()) {
        body["policy"] = policy;
    }
    body
}

/// The manifest of the package with this version, or whose hash begins so.
async fn resolve(session: &Session, name: &str) -> Result<String, Failure> {
    if name.parse::<Sha256>().is_ok() {
        return Ok(name.into());
    }
    let packages = held(session).await?;
    let by_version = |package: &&Package| package.version == name || package.release() == name;
    let mut found: Vec<&Package> = packages.iter().filter(by_version).collect();
    let digits = name.to_ascii_lowercase();
    let is_hash = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if found.is_empty() && is_hash && digits.len() >= SHORTEST_HASH {
        found = packages.iter().filter(|package| package.manifest.starts_with(&digits)).collect();
    }
    let hint = "pitlane upgrade packages lists all; name one by its version or its hash";
    match found.as_slice() {
        [package] => Ok(package.manifest.clone()),
        [] if is_hash && digits.len() < SHORTEST_HASH => Err(Failure::NotFound {
            what: format!("no package has the version {name}, and {name} has too few digits for a hash"),
            hint: format!(
                "give at least {SHORTEST_HASH} digits of the hash, as pitlane upgrade packages shows it"
            ),
        }),
        [] => Err(Failure::NotFound {
            what: format!("the Management Node holds no package {name}"),
            hint: hint.into(),
        }),
        several => {
            let each = |package: &&Package| format!("{} of {}", short(&package.manifest), package.release());
            let each: Vec<String> = several.iter().map(each).collect();
            Err(Failure::NotFound {
                what: format!("{name} matches {} packages: {}", several.len(), each.join(", ")),
                hint: "name one by the first digits of its hash".into(),
            })
        }
    }
}

/// The packages that the Management Node holds.
async fn held(session: &Session) -> Result<Vec<Package>, Failure> {
    let list = session.client.list("list the packages", PACKAGES, &[]).await?;
    let packages: List<Package> = view("list the packages", &list)?;
    Ok(packages.objects)
}

/// The name of a package in a command: its version, or the first digits of its hash if another package has the same
/// version or the list cannot be read.
pub(crate) async fn name_of(session: &Session, package: &Package) -> String {
    let same = |other: &&Package| other.version == package.version;
    match held(session).await {
        Ok(packages) if packages.iter().filter(same).count() == 1 => package.version.clone(),
        Ok(_) | Err(_) => short(&package.manifest).into(),
    }
}

/// Starts an upgrade after showing what it will do. Exactly what was shown is started.
pub(crate) async fn start(session: &Session, args: &StartArgs) -> Result<Exit, Failure> {
    let (object, check) = request_check(session, args.package.as_deref(), &args.policy).await?;
    if !check.blockers.is_empty() {
        if session.output == Output::Json {
            terminal::print_json(&object);
        }
        print_messages(&draw_check::verdict(&check, plain()));
        return Ok(Exit::Refused);
    }
    print_messages(&draw_check::purpose(&check, plain()));
    print_messages(&draw_check::verdict(&check, plain()));
    let limits = args.policy.words();
    if !limits.is_empty() {
        terminal::message(&format!("Limits of this run: {}.", limits.join(", ")));
    }
    if !args.yes && !confirmed(&check)? {
        terminal::message("Not started; nothing was changed.");
        return Ok(Exit::Failure);
    }
    begin(session, &check, &args.policy).await
}

async fn begin(session: &Session, check: &Check, policy: &PolicyArgs) -> Result<Exit, Failure> {
    let doing = "start the upgrade";
    let body = request(Some(check.package.manifest.clone()), policy);
    let answer = match session.client.post(doing, START, &body).await {
        Ok(answer) => answer.json(doing)?,
        Err(error) => {
            print_blockers(&error);
            return Err(error.into());
        }
    };
    let run = answer["data"]["run"].as_u64();
    session.answer(&answer, || {
        let number = run.map_or("The upgrade".into(), |run| format!("Upgrade run {run}"));
        vec![format!(
            "{number} to {} is started. Follow it with: pitlane upgrade watch",
            check.package.release()
        )]
    });
    Ok(Exit::Ok)
}

/// Prints the blockers of a start that was refused although the check before found none.
fn print_blockers(error: &ClientError) {
    let ClientError::Refused { body: Some(body), .. } = error else { return };
    for blocker in body["blockers"].as_array().into_iter().flatten() {
        let text = blocker["text"].as_str().unwrap_or_default();
        terminal::message(&format!("blocked: {}", crate::text::sanitized(text)));
    }
}

/// The layout of standard error: no colours, and the width of its terminal.
fn plain() -> draw::Canvas {
    draw::Canvas { width: terminal::stderr_width(), paint: terminal::Paint::Plain }
}

fn print_messages(lines: &[String]) {
    lines.iter().for_each(|line| terminal::message(line));
}

/// Asks whether to start.
fn confirmed(check: &Check) -> Result<bool, Failure> {
    let asks = format!("Start the upgrade to {}?", check.package.release());
    Question { asks, subject: "whether to start the upgrade".into(), unasked: "start" }.confirmed()
}

/// Shows the progress of every node.
pub(crate) async fn status(session: &Session) -> Result<Exit, Failure> {
    let doing = "show the upgrade";
    let object = session.client.get(doing, STATUS).await?;
    let status: UpgradeStatus = view(doing, &object)?;
    session.answer(&object, || draw::upgrade::status(&status, session.canvas));
    Ok(Exit::Ok)
}

/// Lists past runs, or shows one.
pub(crate) async fn history(session: &Session, run: Option<u64>) -> Result<Exit, Failure> {
    let (doing, canvas) = ("show past upgrades", session.canvas);
    let Some(id) = run else {
        let list = session.client.list(doing, HISTORY, &[]).await?;
        let runs: List<PastRun> = view(doing, &list)?;
        session.answer(&list, || draw::history::runs(&runs.objects, canvas));
        return Ok(Exit::Ok);
    };
    let (object, run) = one_run(session, id).await?;
    session.answer(&object, || draw::history::run(&run, now(), canvas));
    Ok(Exit::Ok)
}

/// One run with its whole history, assembled from its parts.
async fn one_run(session: &Session, id: u64) -> Result<(Value, PastRun), Failure> {
    let doing = "show a past upgrade";
    let mut object = match session.client.get(doing, &format!("{HISTORY}{id}/")).await {
        Err(ClientError::NotFound { .. }) => {
            return Err(Failure::NotFound {
                what: format!("there is no run {id}"),
                hint: "pitlane upgrade history lists all runs".into(),
            });
        }
        answer => answer?,
    };
    for _ in 0..MAX_PARTS {
        let next = object["facts_next"].as_str().filter(|next| next.starts_with('/'));
        let Some(next) = next.map(str::to_string) else { break };
        let mut part = session.client.get(doing, &next).await?;
        if let (Some(all), Some(more)) = (object["facts"].as_array_mut(), part["facts"].as_array_mut()) {
            all.append(more);
        }
        object["facts_next"] = part["facts_next"].take();
    }
    let run = view(doing, &object)?;
    Ok((object, run))
}

/// Lists the packages that the Management Node holds.
pub(crate) async fn packages(session: &Session) -> Result<Exit, Failure> {
    let doing = "list the packages";
    let list = session.client.list(doing, PACKAGES, &[]).await?;
    let packages: List<Package> = view(doing, &list)?;
    session.answer(&list, || draw::history::packages(&packages.objects, now(), session.canvas));
    Ok(Exit::Ok)
}

/// Removes a package, unless the Management Node needs it.
pub(crate) async fn remove_package(session: &Session, name: &str) -> Result<Exit, Failure> {
    let manifest = resolve(session, name).await?;
    let path = format!("{PACKAGES}{manifest}/");
    session.client.delete(&format!("remove the package {name}"), &path).await?;
    session.done(&format!("Package {name} ({}) is removed.", short(&manifest)));
    Ok(Exit::Ok)
}
