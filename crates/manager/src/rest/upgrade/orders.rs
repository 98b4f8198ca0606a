//! Pause, resume and stop of the run under way (G9): `command/v1/platform/upgrade_pause/` and its neighbours.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use fleet::platform::{Event, Fleet};
use fleet::run::{Order, Run};
use serde_json::{Map, Value, json};

use crate::resources::command::{REASON, REASON_SHAPE};
use crate::resources::validate;
use crate::rest::Api;
use crate::rest::error::{FieldErrors, Kind, Refusal};
use crate::rest::json::Json;
use crate::rest::request::{AuthenticatedUser, Fields};
use crate::rest::route::both;
use crate::store::Transaction;

const PAUSE: &str = "/api/admin/command/v1/platform/upgrade_pause/";
const RESUME: &str = "/api/admin/command/v1/platform/upgrade_resume/";
const STOP: &str = "/api/admin/command/v1/platform/upgrade_stop/";

/// What a run can be ordered to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Pause,
    Resume,
    Stop,
}

pub(super) fn routes() -> Router<Api> {
    both(PAUSE, post(pause)).merge(both(RESUME, post(resume))).merge(both(STOP, post(stop)))
}

async fn pause(api: State<Api>, by: AuthenticatedUser, body: Fields) -> Result<Response, Refusal> {
    order(What::Pause, api, by, body).await
}

async fn resume(api: State<Api>, by: AuthenticatedUser, body: Fields) -> Result<Response, Refusal> {
    order(What::Resume, api, by, body).await
}

async fn stop(api: State<Api>, by: AuthenticatedUser, body: Fields) -> Result<Response, Refusal> {
    order(What::Stop, api, by, body).await
}

async fn order(
    what: What,
    State(api): State<Api>,
    AuthenticatedUser(by): AuthenticatedUser,
    Fields(body): Fields,
) -> Result<Response, Refusal> {
    let order = Order { by, why: reason(&body, what)? };
    let change = move |_: &Transaction<'_>, fleet: &Fleet, _| {
        let Some(run) = &fleet.platform.run else {
            return Err(Refusal::new(
                Kind::Conflict,
                "no upgrade is under way",
                "see how the last one ended: pitlane upgrade history",
            ));
        };
        what.fits(run)?;
        Ok((vec![what.event(run, order)], run.id))
    };
    let run = api.committer().change(change).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({"status": "success", "data": {"run": run}}))).into_response())
}

/// Why, which may be left out.
fn reason(body: &Map<String, Value>, what: What) -> Result<String, Refusal> {
    let refused =
        |message: String| FieldErrors::one(REASON.name, message).refusal(what.resource(), Kind::Invalid);
    match body.get(REASON.name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => validate(text, REASON_SHAPE).map(|()| text.clone()).map_err(refused),
        Some(_) => Err(refused("Enter a text.".into())),
    }
}

impl What {
    const fn resource(self) -> &'static str {
        match self {
            Self::Pause => "upgrade_pause",
            Self::Resume => "upgrade_resume",
            Self::Stop => "upgrade_stop",
        }
    }

    fn event(self, run: &Run, order: Order) -> Event {
        let run = run.id;
        match self {
            Self::Pause => Event::RunPaused { run, order },
            Self::Resume => Event::RunResumed { run, order },
            Self::Stop => Event::RunStopped { run, order },
        }
    }

    /// Refuses an order that would have no effect.
    fn fits(self, run: &Run) -> Result<(), Refusal> {
        let (why, hint) = match self {
            Self::Pause if run.paused.is_some() => {
                ("the upgrade is paused already", "resume it with pitlane upgrade resume")
            }
            Self::Resume if run.paused.is_none() => {
                ("the upgrade is not paused", "watch it with pitlane upgrade watch")
            }
            Self::Stop if !run.can_be_stopped() => (
                "the Management Node is restarting into the release, and cannot stop the upgrade meanwhile",
                "stop it when it is back, in about a minute; no Conferencing Node is touched before",
            ),
            Self::Pause | Self::Resume | Self::Stop => return Ok(()),
        };
        Err(Refusal::new(Kind::Conflict, why, hint))
    }
}
