//! Names that requests of ours go to. The system resolves them; what it has answered is kept for a while, so that a
//! request never waits for it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::time::Time;

/// How long an answer is used before it is asked for again. It stays in use until the next one comes.
const FRESH: Duration = Duration::from_secs(60);
/// The most names: callers write them.
const NAMES: usize = 1024;
/// The most names that the system is asked for at one time, each of which occupies a thread of its own until DNS has
/// answered.
const AWAITED: usize = 32;

/// What is known of names.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<String, Name>);

#[derive(Debug)]
struct Name {
    addresses: Vec<IpAddr>,
    asked: Time,
    is_awaited: bool,
}

impl Names {
    /// Whether a name is to be resolved now. It counts as asked for then.
    pub(super) fn ask(&mut self, now: Time, name: &str) -> bool {
        if self.0.get(name).is_some_and(|known| now.since(known.asked) < FRESH) {
            return false;
        }
        if self.0.values().filter(|known| known.is_awaited).count() >= AWAITED {
            return false;
        }
        if self.0.len() >= NAMES && !self.0.contains_key(name) {
            self.0.retain(|_, known| now.since(known.asked) < FRESH);
            if self.0.len() >= NAMES {
                return false;
            }
        }
        let known = self.0.entry(name.to_owned()).or_insert(Name {
            addresses: Vec::new(),
            asked: now,
            is_awaited: true,
        });
        (known.asked, known.is_awaited) = (now, true);
        true
    }

    /// What the system has answered. A failure leaves what was known before.
    pub(super) fn learn(&mut self, name: &str, addresses: Vec<IpAddr>) {
        let Some(known) = self.0.get_mut(name) else { return };
        known.is_awaited = false;
        if !addresses.is_empty() {
            known.addresses = addresses;
        }
    }

    /// Whether the system is asked for a name and has not answered.
    pub(super) fn is_awaited(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|known| known.is_awaited)
    }

    /// The first address of a name of the same family as this one of ours.
    pub(super) fn find(&self, name: &str, ours: IpAddr) -> Option<IpAddr> {
        let known = self.0.get(name)?;
        known.addresses.iter().copied().find(|address| address.is_ipv4() == ours.is_ipv4())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn name_is_asked_for_once_a_minute_and_its_address_stays_until_the_next_answer() {
        let (mut names, address) = (Names::default(), IpAddr::from([192, 0, 2, 9]));
        assert!(names.ask(Time(0), "proxy"));
        assert!(!names.ask(Time(59_999), "proxy"));
        assert_eq!((names.find("proxy", OURS), names.is_awaited("proxy")), (None, true));
        names.learn("proxy", vec!["2001:db8::1".parse().expect("address"), address]);
        assert_eq!((names.find("proxy", OURS), names.is_awaited("proxy")), (Some(address), false));
        assert!(names.ask(Time(60_000), "proxy"));
        names.learn("proxy", Vec::new());
        assert_eq!(names.find("proxy", OURS), Some(address));
        names.learn("never asked for", vec![address]);
        assert_eq!(names.find("never asked for", OURS), None);
    }

    #[test]
    fn number_of_names_is_bounded() {
        let mut names = Names::default();
        let ask = |names: &mut Names, n: usize| {
            let asks = names.ask(Time(0), &n.to_string());
            names.learn(&n.to_string(), Vec::new());
            asks
        };
        let asked = (0..2 * NAMES).filter(|n| ask(&mut names, *n)).count();
        assert_eq!((asked, names.0.len()), (NAMES, NAMES));
        assert!(names.ask(Time(60_000), "later"));
        assert_eq!(names.0.len(), 1);
    }

    #[test]
    fn system_is_asked_for_few_names_at_one_time() {
        let mut names = Names::default();
        let asked = (0..2 * AWAITED).filter(|n| names.ask(Time(0), &n.to_string())).count();
        assert_eq!(asked, AWAITED);
        names.learn("0", Vec::new());
        assert!(names.ask(Time(0), "another") && !names.ask(Time(0), "one more"));
    }
}
