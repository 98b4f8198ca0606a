//! Converts between the types of the call engine and those of the core and of the messages. It decides nothing.

use std::collections::BTreeSet;
use std::time::Instant;

use call::{Callers, Closed, Stats};
use fleet::observed::{Admission, Calls};
use fleet::time::Span;
use tracing::warn;

/// The calls as the core counts them.
pub fn counted(calls: call::Calls, now: Instant) -> Calls {
    match calls {
        call::Calls::Known { count, oldest } => {
            let age = |began| Span(u64::try_from(now.duration_since(began).as_millis()).unwrap_or(u64::MAX));
            Calls::Known { count, oldest: oldest.map(age) }
        }
        call::Calls::Unknown => Calls::Unknown,
    }
}

/// The admission of the call engine. Callers get the answer of maintenance mode, whatever the reason.
pub fn admission(admission: Admission) -> call::Admission {
    match admission {
        Admission::Admitting => call::Admission::Open,
        Admission::Refusing => call::Admission::Closed(Closed::maintenance_mode()),
    }
}

/// The rooms of a configuration, of which these take calls of accounts alone, by name in any case. A rule for a room that
/// there is not protects nothing: the log says so.
pub fn rooms(configuration: &wire::Configuration, for_accounts: &BTreeSet<String>) -> call::Rooms {
    for rule in unknown_rooms(configuration, for_accounts) {
        warn!(
            "authentication.rooms in machine.toml names {rule:?}, and there is no such Virtual Meeting Room; correct \
             the name, or nobody is asked for an account where it was meant"
        );
    }
    let protected: BTreeSet<_> = for_accounts.iter().map(|rule| rule.to_lowercase()).collect();
    let callers = |name: &str| match protected.contains(&name.to_lowercase()) {
        true => Callers::Accounts,
        false => Callers::Anyone,
    };
    call::Rooms::new(configuration.rooms.iter().map(|room| call::Room {
        name: room.name.clone(),
        aliases: room.aliases.clone(),
        callers: callers(&room.name),
    }))
}

fn unknown_rooms<'a>(
    configuration: &wire::Configuration,
    rules: &'a BTreeSet<String>,
) -> impl Iterator<Item = &'a String> {
    let names: BTreeSet<_> = configuration.rooms.iter().map(|room| room.name.to_lowercase()).collect();
    rules.iter().filter(move |rule| !names.contains(&rule.to_lowercase()))
}

/// What the operator is shown of the engine's counts.
pub fn tally(stats: Stats) -> wire::Tally {
    let Stats {
        carried,
        refused_maintenance,
        refused_limit,
        refused_licences,
        refused_resource,
        taken_over: _,
        handed_over: _,
        refused_rate,
        dropped: _,
        wrong_credentials: _,
        unchecked_credentials: _,
        dialled: _,
        not_answered: _,
        hung_up: _,
        disconnected: _,
        refused_locked,
        not_found,
        not_acceptable,
        cancelled: _,
        ended_by_far_end: _,
        ended_without_ack,
        ended_by_media_timeout,
        ended_without_keys,
        ended_by_session_timer,
        ended_by_refusal: _,
        ended_by_shutdown: _,
    } = stats;
    wire::Tally {
        carried,
        refused_maintenance,
        refused_other: refused_limit
            + refused_licences
            + refused_resource
            + refused_rate
            + refused_locked
            + not_found
            + not_acceptable,
        vanished: ended_without_ack + ended_by_media_timeout + ended_without_keys + ended_by_session_timer,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rule_finds_its_room_in_any_case_and_one_without_a_room_is_known() {
        let configuration = json!({"revision": 1, "rooms": [
            {"name": "Board", "aliases": ["board"]}, {"name": "Lobby", "aliases": ["lobby"]}
        ]});
        let configuration: wire::Configuration = serde_json::from_value(configuration).unwrap();
        let rules = ["bOARD", "Bord"].map(str::to_owned).into();
        let expected = call::Rooms::new([
            call::Room { name: "Board".into(), aliases: vec!["board".into()], callers: Callers::Accounts },
            call::Room { name: "Lobby".into(), aliases: vec!["lobby".into()], callers: Callers::Anyone },
        ]);
        assert_eq!(rooms(&configuration, &rules), expected);
        assert_eq!(unknown_rooms(&configuration, &rules).collect::<Vec<_>>(), ["Bord"]);
    }
}
