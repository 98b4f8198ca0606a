//! The transaction of a change, with what has to follow from it.

use fleet::platform::Fleet;
use fleet::time::Time;

use super::audit::{self, Requester};
use super::write::{Change, Writing};
use super::{accounts, certificates, grants, nodes, rooms, signing_requests};
use crate::auth::first_password;
use crate::resources::{Affects, CoreFacts, Resource};
use crate::rest::Api;
use crate::rest::error::Refusal;
use crate::store::{StoreError, Transaction};

/// The time, in milliseconds since 1970-01-01 UTC.
pub(super) fn milliseconds(api: &Api) -> i64 {
    i64::try_from(api.committer().wall().0).unwrap_or(i64::MAX)
}

/// Writes in a transaction, with what has to follow from the changes.
pub(super) async fn perform<T: Send + 'static, E: From<Refusal> + From<StoreError> + Send + 'static>(
    api: &Api,
    by: Requester,
    of: &'static Resource,
    work: impl FnOnce(&Writing<'_>, Time) -> Result<(Vec<Change>, T), E> + Send + 'static,
) -> Result<T, E> {
    let (committer, wall, now) = (api.committer(), milliseconds(api), api.committer().now());
    let manager = api.context.name.clone();
    let write = move |tx: &Transaction<'_>, core: CoreFacts| {
        let writing = Writing { tx, core, now: wall };
        let (mut changes, answer) = work(&writing, now)?;
        changes.extend(signing_requests::complete(&writing, &changes)?);
        for change in &changes {
            grants::check(tx, &by, change)?;
            audit::changed(tx, &by, wall, change)?;
        }
        match of.affects {
            Affects::Store => {}
            Affects::Rooms => rooms::check_size(tx)?,
            Affects::Accounts => accounts::check_manageable(tx)?,
            Affects::Certificates | Affects::Fleet => {
                for change in &changes {
                    certificates::check(tx, change, &manager)?;
                    signing_requests::check(change)?;
                }
            }
        }
        Ok::<_, E>((changes, answer))
    };
    match of.affects {
        Affects::Store => {
            let write = move |tx: &Transaction<'_>| write(tx, CoreFacts::default()).map(|(_, answer)| answer);
            committer.store().write(write).await
        }
        Affects::Accounts => {
            let write = move |tx: &Transaction<'_>| {
                let (changes, answer) = write(tx, CoreFacts::default())?;
                Ok::<_, E>((changes.iter().any(accounts::ends_first_password), answer))
            };
            let (is_over, answer) = committer.store().write(write).await?;
            if is_over {
                api.blocking(|layout| first_password::remove(&layout.state())).await?;
            }
            Ok(answer)
        }
        Affects::Certificates => {
            let write = move |tx: &Transaction<'_>| write(tx, CoreFacts::default()).map(|(_, answer)| answer);
            let answer = committer.store().write(write).await?;
            certificates::shown(api).await?;
            Ok(answer)
        }
        Affects::Rooms => {
            let write = move |tx: &Transaction<'_>| {
                let (changes, answer) = write(tx, CoreFacts::default())?;
                Ok((changes.iter().any(rooms::concerns_nodes), answer))
            };
            committer.change_rooms_if(write).await
        }
        Affects::Fleet => {
            let write = move |tx: &Transaction<'_>, fleet: &Fleet, _| {
                let (changes, answer) = write(tx, nodes::facts(fleet))?;
                let events = changes.iter().map(|change| nodes::events(tx, fleet, change));
                let events = events.collect::<Result<Vec<_>, _>>()?;
                let concerns = changes.iter().any(certificates::concerns);
                Ok::<_, E>((events.into_iter().flatten().collect(), (concerns, answer)))
            };
            let (concerns, answer) = committer.change(write).await?;
            if concerns {
                certificates::shown(api).await?;
            }
            Ok(answer)
        }
    }
}
