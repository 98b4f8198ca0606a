//! Who may use the API: HTTP Basic (RFC 7617). Every failure gets the same sentence, takes the same
//! work, and makes the next one slower.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleet::time::Time;
use tokio::sync::Semaphore;

use super::error::{Kind, Refusal};
use super::password::{self, Presented, Remembered};
use super::throttle::Throttle;
use crate::shares::Shares;

/// How many passwords are hashed at once: two of 19 MiB, and one processor stays free.
const HASHED_AT_ONCE: usize = 2;

/// How many requests may wait for that; further ones are asked to come back.
const WAITING: usize = 32;

/// How many of these places one address may have: it leaves the others to everybody else.
const WAITING_OF_ADDRESS: usize = 4;

/// The longest header of credentials, in bytes.
const HEADER_BYTES: usize = 1_024;

/// Checks credentials, and remembers who failed and who did not.
pub(crate) struct Logins {
    started: Instant,
    throttle: Mutex<Throttle>,
    remembered: Mutex<Remembered>,
    hashing: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    waiting_of_address: Shares,
    /// Hashed when there is no such user, so that this takes as long as a wrong password.
    nobody: String,
}

impl Logins {
    /// One that has seen nobody yet.
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            throttle: Mutex::new(Throttle::new()),
            remembered: Mutex::new(Remembered::new()),
            hashing: Arc::new(Semaphore::new(HASHED_AT_ONCE)),
            waiting: Arc::new(Semaphore::new(WAITING)),
            waiting_of_address: Shares::new(WAITING_OF_ADDRESS),
            nobody: password::hash(&password::make()),
        }
    }

    /// Lets the right credentials pass. `account` is the stored hash of the user, if there is one.
    pub(crate) async fn check(
        &self,
        credentials: Credentials,
        account: Option<String>,
        source: IpAddr,
    ) -> Result<(), Refusal> {
        let Credentials { user, password } = credentials;
        let known = account.is_some();
        let hash = account.unwrap_or_else(|| self.nobody.clone());
        let presented = Presented { user: &user, password: &password, source, hash: &hash };
        // Before the delay, so that one tool with an old password does not slow down its neighbours.
        if known && lock(&self.remembered).knows(presented, self.now()) {
            return Ok(());
        }
        self.undelayed(&user, source)?;
        let share = self.waiting_of_address.take(source).ok_or_else(|| busy(1))?;
        let waiting = self.waiting.clone().try_acquire_owned().map_err(|_| busy(1))?;
        let hashing = self.hashing.clone().acquire_owned().await.map_err(|_| busy(1))?;
        drop((share, waiting));
        // Others may have failed while this one waited.
        self.undelayed(&user, source)?;
        let job = (password.clone(), hash.clone());
        let matched = tokio::task::spawn_blocking(move || {
            let _held_until_hashed = hashing;
            password::matches(&job.0, &job.1)
        });
        if matched.await.unwrap_or(false) && known {
            lock(&self.throttle).succeeded(&user, source);
            lock(&self.remembered).remember(presented, self.now());
            return Ok(());
        }
        lock(&self.throttle).failed(&user, source, self.now());
        tracing::warn!(user = user.chars().take(40).collect::<String>(), %source, "a login failed");
        Err(unauthenticated())
    }

    fn undelayed(&self, user: &str, source: IpAddr) -> Result<(), Refusal> {
        match lock(&self.throttle).delay(user, source, self.now()) {
            Some(delay) => Err(busy(delay.0.div_ceil(1_000))),
            None => Ok(()),
        }
    }

    /// Only differences count, so any origin will do.
    fn now(&self) -> Time {
        Time(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

/// What is guarded is whole after every statement, so a panic elsewhere leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A user name and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// The user name.
    pub(crate) user: String,
    password: String,
}

impl Credentials {
    /// Reads them from the headers of a request.
    ///
    /// # Errors
    /// The same refusal as for wrong credentials.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let text = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        text.and_then(Self::parse).ok_or_else(unauthenticated)
    }

    fn parse(header: &str) -> Option<Self> {
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
        Some(Self { user: user.into(), password: password.into() })
    }
}

fn unauthenticated() -> Refusal {
    Refusal::new(
        Kind::Unauthenticated,
        "user name or password is missing or wrong",
        "send the user name and password of an account of the Management Node (HTTP Basic)",
    )
}

fn busy(seconds: u64) -> Refusal {
    let seconds = seconds.max(1);
    Refusal::new(
        Kind::TooManyAttempts,
        "too many logins failed, or too many are being checked",
        format!("try again in {seconds} s with the right password"),
    )
    .retry_after(seconds)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn credentials_are_read_as_rfc_7617_says() {
        let check = |header: &str, expected: Option<(&str, &str)>| {
            let read = Credentials::parse(header);
            assert_eq!(read, expected.map(|(u, p)| Credentials { user: u.into(), password: p.into() }));
        };
        check("Basic YWRtaW46cGE6c3M=", Some(("admin", "pa:ss")));
        check("basic YWRtaW46", Some(("admin", "")));
        check("Bearer YWRtaW46cGFzcw==", None);
        check("Basic YWRtaW4=", None);
        check("Basic !", None);
        check(&format!("Basic {}", "YWRt".repeat(400)), None);
    }

    #[tokio::test]
    async fn wrong_passwords_are_refused_and_then_slowed_down() {
        let logins = Logins::new();
        let hash = password::hash("right");
        let present =
            |password: &str, user: &str| Credentials { user: user.into(), password: password.into() };
        let mut kinds = Vec::new();
        for _ in 0..5 {
            let refusal =
                logins.check(present("wrong", "admin"), Some(hash.clone()), HERE).await.unwrap_err();
            kinds.push(refusal.kind);
        }
        assert_eq!(kinds[..4], [Kind::Unauthenticated; 4]);
        assert_eq!(kinds[4], Kind::TooManyAttempts);
        let elsewhere = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        logins.check(present("right", "admin"), Some(hash.clone()), elsewhere).await.unwrap();
        let nobody = logins.check(present("right", "nobody"), None, HERE).await.unwrap_err();
        assert_eq!(nobody.kind, Kind::Unauthenticated);
    }

    #[tokio::test]
    async fn a_right_password_is_remembered_until_the_account_changes() {
        let logins = Logins::new();
        let hash = password::hash("right");
        let right = Credentials { user: "admin".into(), password: "right".into() };
        logins.check(right.clone(), Some(hash.clone()), HERE).await.unwrap();
        // Without a place to hash in, only what is remembered passes.
        logins.waiting.close();
        logins.check(right.clone(), Some(hash), HERE).await.unwrap();
        let other = password::hash("right");
        assert!(logins.check(right, Some(other), HERE).await.is_err());
    }

    #[tokio::test]
    async fn one_address_does_not_take_every_place_to_wait_in() {
        let logins = Arc::new(Logins::new());
        let hash = password::hash("right");
        let all = u32::try_from(HASHED_AT_ONCE).unwrap();
        let busy_hashing = logins.hashing.clone().acquire_many_owned(all).await.unwrap();
        let come = |user: String, password: &str, account: Option<String>, source: IpAddr| {
            let (logins, password) = (logins.clone(), password.to_string());
            tokio::spawn(async move { logins.check(Credentials { user, password }, account, source).await })
        };
        let rotating: Vec<_> = (0..WAITING).map(|n| come(format!("user {n}"), "x", None, HERE)).collect();
        let elsewhere = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        let operator = come("admin".into(), "right", Some(hash), elsewhere);
        while logins.waiting.available_permits() > WAITING - WAITING_OF_ADDRESS - 1 {
            tokio::task::yield_now().await;
        }
        drop(busy_hashing);
        operator.await.unwrap().unwrap();
        let mut checked = 0;
        for other in rotating {
            if other.await.unwrap().unwrap_err().kind == Kind::Unauthenticated {
                checked += 1;
            }
        }
        assert_eq!(checked, WAITING_OF_ADDRESS);
    }
}
