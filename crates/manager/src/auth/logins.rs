//! Logins with HTTP Basic (RFC 7617). Every failure gets the same answer and takes the same work, and `throttle`
//! limits guesses.
//!
//! Hashing is the cost of a login. There is one queue for each degree of trust, so that unknown clients who
//! flood theirs, from however many addresses, keep nobody waiting in the others.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleet::time::Time;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::device;
use super::password::{self, Checked, Presented};
use super::throttle::{ClientTrust, Throttle};
use crate::per_source_limit::PerSourceLimit;

/// How many passwords are hashed at once in each queue: with three queues 57 MiB and, when only unknown
/// clients log in, one processor.
const HASHED_AT_ONCE: usize = 1;

/// How many unknown clients may wait for that; further ones are refused with a time to retry.
const UNKNOWN_WAITING: usize = 24;

/// How many known clients may wait, in each of their queues.
const KNOWN_WAITING: usize = 8;

/// How many entries of a queue one address may have, so that the others are left for other addresses.
const WAITING_OF_ADDRESS: usize = 4;

/// The longest header of credentials, in bytes.
const HEADER_BYTES: usize = 1_024;

/// Where the passwords of clients with one degree of trust wait to be hashed.
struct HashQueue {
    hashing: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    per_source: PerSourceLimit,
}

impl HashQueue {
    fn new(waiting: usize) -> Self {
        Self {
            hashing: Arc::new(Semaphore::new(HASHED_AT_ONCE)),
            waiting: Arc::new(Semaphore::new(waiting)),
            per_source: PerSourceLimit::new(WAITING_OF_ADDRESS),
        }
    }
}

/// Why a login is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoginError {
    /// Wrong credentials, or none.
    Wrong,
    /// Too many logins have failed, or too many are being checked.
    Busy {
        /// After how many seconds another attempt makes sense.
        seconds: u64,
    },
}

/// A queue is full.
const BUSY: LoginError = LoginError::Busy { seconds: 1 };

/// Checks credentials, and remembers the results.
pub(crate) struct Logins {
    /// The time that has passed; only differences count, so any origin will do.
    now: Box<dyn Fn() -> Time + Send + Sync>,
    throttle: Mutex<Throttle>,
    checked: Mutex<Checked>,
    devices: HashQueue,
    familiar: HashQueue,
    unknown: HashQueue,
    /// Hashed when there is no such user, so that the answer takes as long as for a wrong password.
    nobody: String,
}

/// A login has succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoggedIn {
    /// A device token, if the request had no valid one.
    pub(crate) token: Option<String>,
}

impl Logins {
    /// One without any history.
    pub(crate) fn new() -> Self {
        let started = Instant::now();
        Self::with_clock(move || Time(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)))
    }

    /// The same by another clock.
    fn with_clock(now: impl Fn() -> Time + Send + Sync + 'static) -> Self {
        Self {
            now: Box::new(now),
            throttle: Mutex::new(Throttle::new()),
            checked: Mutex::new(Checked::new()),
            devices: HashQueue::new(KNOWN_WAITING),
            familiar: HashQueue::new(KNOWN_WAITING),
            unknown: HashQueue::new(UNKNOWN_WAITING),
            nobody: password::hash(&password::make()),
        }
    }

    /// Checks credentials. `account` is the stored hash of the user, if there is one.
    pub(crate) async fn check(
        &self,
        credentials: &Credentials,
        account: Option<String>,
        source: IpAddr,
    ) -> Result<LoggedIn, LoginError> {
        let Credentials { user, password, token } = credentials;
        let known = account.is_some();
        let hash = account.unwrap_or_else(|| self.nobody.clone());
        let presented = Presented { user, password, source, hash: &hash };
        let device = token.as_ref().and_then(|token| device::verify(token, user, &hash));
        let logged_in = || LoggedIn { token: device.is_none().then(|| device::issue(user, &hash)) };
        // A repeated wrong password reveals nothing, so it takes no token.
        if self.checked.lock().is_wrong(presented, (self.now)()) {
            return Err(LoginError::Wrong);
        }
        let trust = self.throttle.lock().trust(user, source, device, (self.now)());
        // Before the remembered results: they, too, reveal whether a guess was right.
        self.undelayed(trust, user, source)?;
        if known && self.checked.lock().is_right(presented, (self.now)()) {
            return Ok(logged_in());
        }
        if self.matches(trust, presented).await? && known {
            self.throttle.lock().succeeded(user, source, (self.now)());
            self.checked.lock().note_right(presented, (self.now)());
            return Ok(logged_in());
        }
        self.throttle.lock().failed(trust, user, source, (self.now)());
        self.checked.lock().note_wrong(presented, (self.now)());
        tracing::warn!(user = user.chars().take(40).collect::<String>(), %source, "a login failed");
        Err(LoginError::Wrong)
    }

    /// Waits in the queue, and hashes.
    async fn matches(&self, trust: ClientTrust, presented: Presented<'_>) -> Result<bool, LoginError> {
        let Presented { user, password, source, hash } = presented;
        let queue = match trust {
            ClientTrust::Device(_) => &self.devices,
            ClientTrust::Familiar => &self.familiar,
            ClientTrust::Unknown => &self.unknown,
        };
        let permit = queue.per_source.take(source).ok_or(BUSY)?;
        let waiting = queue.waiting.clone().try_acquire_owned().map_err(|_| BUSY)?;
        let hashing = queue.hashing.clone().acquire_owned().await.map_err(|_| BUSY)?;
        drop((permit, waiting));
        // Other guesses may have failed while this one waited.
        self.undelayed(trust, user, source)?;
        let job = (password.to_string(), hash.to_string());
        let matched = tokio::task::spawn_blocking(move || {
            let _held_until_hashed = hashing;
            password::matches(&job.0, &job.1)
        });
        Ok(matched.await.unwrap_or(false))
    }

    fn undelayed(&self, trust: ClientTrust, user: &str, source: IpAddr) -> Result<(), LoginError> {
        match self.throttle.lock().delay(trust, user, source, (self.now)()) {
            Some(delay) => Err(LoginError::Busy { seconds: delay.0.div_ceil(1_000).max(1) }),
            None => Ok(()),
        }
    }
}

/// A user name and a password, and the token of a device that has logged in before.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// The user name.
    pub(crate) user: String,
    /// The password.
    pub(crate) password: String,
    /// The token.
    pub(crate) token: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Reads them from the headers of a request.
    ///
    /// # Errors
    /// The same as for wrong credentials.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, LoginError> {
        let text = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (user, password) = text.and_then(parse).ok_or(LoginError::Wrong)?;
        Ok(Self { user, password, token: device::token_in(headers).map(str::to_string) })
    }
}

fn parse(header: &str) -> Option<(String, String)> {
    if header.len() > HEADER_BYTES {
        return None;
    }
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.into(), password.into()))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

    fn credentials(user: &str, password: &str, token: Option<&str>) -> Credentials {
        Credentials { user: user.into(), password: password.into(), token: token.map(str::to_string) }
    }

    /// An account with the password `right`.
    struct Fixture {
        logins: Logins,
        hash: String,
    }

    impl Fixture {
        /// No time passes, so no bucket refills however slow the machine is.
        fn new() -> Self {
            Self { logins: Logins::with_clock(|| Time(0)), hash: password::hash("right") }
        }

        async fn login(
            &self,
            password: &str,
            token: Option<&str>,
            source: IpAddr,
        ) -> Result<LoggedIn, LoginError> {
            let login = credentials("admin", password, token);
            self.logins.check(&login, Some(self.hash.clone()), source).await
        }

        /// Even the right password has to wait now.
        async fn is_delayed(&self, token: Option<&str>) {
            let refused = self.login("right", token, HERE).await;
            assert!(matches!(refused, Err(LoginError::Busy { .. })), "{refused:?}: the guess would succeed");
        }

        /// Waits until only `left` entries are free in the queue of unknown clients.
        async fn wait_until_left(&self, left: usize) {
            let filled = async {
                while self.logins.unknown.waiting.available_permits() > left {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(crate::testing::BOUND, filled).await.expect("the queue is never filled");
        }

        /// Guesses, another password each time, until the guesses are limited; returns how many were
        /// answered.
        async fn guess(&self, token: Option<&str>, source: IpAddr) -> usize {
            for guess in 0..100 {
                let refused =
                    self.login(&format!("guess {guess} {token:?}"), token, source).await.unwrap_err();
                if matches!(refused, LoginError::Busy { .. }) {
                    return guess;
                }
                assert_eq!(refused, LoginError::Wrong);
            }
            panic!("nobody slows the guesses down")
        }
    }

    #[test]
    fn credentials_are_read_as_rfc_7617_says() {
        let check = |header: &str, expected: Option<(&str, &str)>| {
            assert_eq!(parse(header), expected.map(|(user, password)| (user.into(), password.into())));
        };
        check("Basic YWRtaW46cGE6c3M=", Some(("admin", "pa:ss")));
        check("basic YWRtaW46", Some(("admin", "")));
        check("Bearer YWRtaW46cGFzcw==", None);
        check("Basic YWRtaW4=", None);
        check("Basic !", None);
        check(&format!("Basic {}", "YWRt".repeat(400)), None);
    }

    #[tokio::test]
    async fn guesses_are_slowed_down_and_so_is_a_right_one_among_them() {
        let fixture = Fixture::new();
        assert_eq!(fixture.guess(None, HERE).await, 10);
        fixture.is_delayed(None).await;
        fixture.login("right", None, ELSEWHERE).await.unwrap();
        let nobody =
            fixture.logins.check(&credentials("nobody", "right", None), None, ELSEWHERE).await.unwrap_err();
        assert_eq!(nobody, LoginError::Wrong);
    }

    #[tokio::test]
    async fn remembered_password_of_the_owner_answers_no_guesses_of_a_neighbour() {
        let fixture = Fixture::new();
        fixture.login("right", None, HERE).await.unwrap();
        fixture.guess(None, HERE).await;
        fixture.is_delayed(None).await;
    }

    #[tokio::test]
    async fn guesses_from_the_same_address_do_not_lock_out_a_device_that_has_logged_in() {
        let fixture = Fixture::new();
        let token = fixture.login("right", None, HERE).await.unwrap().token.unwrap();
        fixture.guess(None, HERE).await;
        assert_eq!(fixture.login("right", Some(&token), HERE).await, Ok(LoggedIn { token: None }));
        // A token does not help to guess: after ten more guesses it is ignored.
        assert_eq!(fixture.guess(Some(&token), HERE).await, 10);
        fixture.is_delayed(Some(&token)).await;
    }

    #[tokio::test]
    async fn tool_with_an_old_password_delays_nobody() {
        let fixture = Fixture::new();
        for _ in 0..100 {
            assert_eq!(fixture.login("old", None, HERE).await, Err(LoginError::Wrong));
        }
        fixture.login("right", None, HERE).await.unwrap();
    }

    #[tokio::test]
    async fn new_password_ends_what_was_remembered_and_every_token() {
        let mut fixture = Fixture::new();
        let token = fixture.login("right", None, HERE).await.unwrap().token.unwrap();
        fixture.hash = password::hash("new");
        assert_eq!(fixture.login("right", Some(&token), HERE).await, Err(LoginError::Wrong));
        let again = fixture.login("new", Some(&token), HERE).await.unwrap();
        assert!(again.token.is_some(), "the old token is still good");
    }

    #[tokio::test]
    async fn right_password_is_remembered_for_a_while() {
        let fixture = Fixture::new();
        let token = fixture.login("right", None, HERE).await.unwrap().token.unwrap();
        // With closed queues, only remembered passwords succeed.
        for queue in [&fixture.logins.devices, &fixture.logins.familiar, &fixture.logins.unknown] {
            queue.waiting.close();
        }
        fixture.login("right", Some(&token), HERE).await.unwrap();
        fixture.login("right", None, HERE).await.unwrap();
        assert!(fixture.login("other", None, HERE).await.is_err());
    }

    #[tokio::test]
    async fn unknown_clients_that_fill_their_queue_delay_no_known_client() {
        let fixture = Arc::new(Fixture::new());
        let token = fixture.login("right", None, HERE).await.unwrap().token.unwrap();
        let busy = fixture.logins.unknown.hashing.clone().acquire_owned().await.unwrap();
        let crowd = (0..u32::try_from(2 * UNKNOWN_WAITING).unwrap()).map(|n| {
            let (fixture, source) = (fixture.clone(), IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n)));
            tokio::spawn(async move { fixture.login("a guess", None, source).await })
        });
        let crowd: Vec<_> = crowd.collect();
        fixture.wait_until_left(0).await;
        // Familiar by the address alone, and by the token from anywhere.
        let fresh = Fixture { logins: Logins::new(), hash: fixture.hash.clone() };
        assert!(fresh.login("right", Some(&token), ELSEWHERE).await.is_ok());
        fixture.logins.checked.lock().forget_right();
        fixture.login("right", None, HERE).await.unwrap();
        fixture.login("right", Some(&token), Ipv4Addr::new(192, 0, 2, 9).into()).await.unwrap();
        drop(busy);
        for one in crowd {
            assert!(one.await.unwrap().is_err());
        }
    }

    #[tokio::test]
    async fn one_address_does_not_fill_the_queue() {
        let fixture = Arc::new(Fixture::new());
        let busy = fixture.logins.unknown.hashing.clone().acquire_owned().await.unwrap();
        let rotating: Vec<_> = (0..UNKNOWN_WAITING)
            .map(|n| {
                let (fixture, login) = (fixture.clone(), credentials(&format!("user {n}"), "x", None));
                tokio::spawn(async move { fixture.logins.check(&login, None, HERE).await })
            })
            .collect();
        let operator = tokio::spawn({
            let fixture = fixture.clone();
            async move { fixture.login("right", None, ELSEWHERE).await }
        });
        let left = UNKNOWN_WAITING - WAITING_OF_ADDRESS - 1;
        fixture.wait_until_left(left).await;
        drop(busy);
        operator.await.unwrap().unwrap();
        let mut checked = 0;
        for other in rotating {
            checked += usize::from(other.await.unwrap().unwrap_err() == LoginError::Wrong);
        }
        assert_eq!(checked, WAITING_OF_ADDRESS);
    }
}
