//! `pitlane log`: who changed what.

use super::session::Session;
use crate::args::LogArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::view::config;

const AUDIT: &str = "history/v1/audit/";

/// Shows the newest changes, the newest last.
pub(crate) async fn run(session: &Session, args: &LogArgs) -> Result<Exit, Failure> {
    let last = args.last.to_string();
    let mut query = vec![("order_by", "-time"), ("limit", last.as_str())];
    query.extend(args.account.as_deref().map(|account| ("account", account)));
    query.extend(args.resource.as_deref().map(|resource| ("resource", resource)));
    let request = session.client.request(reqwest::Method::GET, AUDIT, &query);
    let doing = "read who changed what";
    let list = session.client.send(doing, request).await?.json(doing)?;
    session.answer(&list, || config::changes(&list));
    Ok(Exit::Ok)
}
