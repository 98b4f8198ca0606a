//! The hand of whoever has dialled a call: its answer, and hanging up.

use std::sync::Weak;

use tokio::sync::oneshot;

use crate::audio::Participant;
use crate::dial::DialError;
use crate::driver::Driver;

/// A call that was dialled. Dropping it changes nothing: the call goes on.
pub struct OutgoingCall {
    call: Participant,
    driver: Weak<Driver>,
    outcome: Outcome,
}

enum Outcome {
    Awaited(oneshot::Receiver<Result<(), DialError>>),
    Known(Result<(), DialError>),
}

impl OutgoingCall {
    pub(crate) fn new(
        call: Participant,
        driver: Weak<Driver>,
        outcome: oneshot::Receiver<Result<(), DialError>>,
    ) -> OutgoingCall {
        OutgoingCall { call, driver, outcome: Outcome::Awaited(outcome) }
    }

    /// Waits until the call is answered, as long as the options say at most. It may be waited for again.
    ///
    /// # Errors
    /// Why it was not answered; see [`DialError`].
    pub async fn answered(&mut self) -> Result<(), DialError> {
        let outcome = match &mut self.outcome {
            // An engine that is gone answers nothing.
            Outcome::Awaited(outcome) => outcome.await.unwrap_or(Err(DialError::ShutDown)),
            Outcome::Known(outcome) => return outcome.clone(),
        };
        self.outcome = Outcome::Known(outcome.clone());
        outcome
    }

    /// Gives the call up if it has no answer, and ends it otherwise. One that is over stays so.
    pub fn hang_up(&self) {
        if let Some(driver) = self.driver.upgrade() {
            driver.act(|agent, now| agent.hang_up_dialled(now, self.call));
        }
    }
}
