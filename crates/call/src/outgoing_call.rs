//! A call that was dialled, for its owner: waits for its answer, and hangs it up.

use std::sync::Weak;

use tokio::sync::oneshot;

use crate::audio::Participant;
use crate::dial::DialError;
use crate::driver::Driver;
use crate::participants::ParticipantId;

/// A call that was dialled. Dropping it changes nothing: the call goes on.
pub struct OutgoingCall {
    call: Participant,
    participant: ParticipantId,
    driver: Weak<Driver>,
    outcome: Outcome,
}

enum Outcome {
    Awaited(oneshot::Receiver<Result<(), DialError>>),
    Known(Result<(), DialError>),
}

impl OutgoingCall {
    pub(crate) fn new(
        (call, participant): (Participant, ParticipantId),
        driver: Weak<Driver>,
        outcome: oneshot::Receiver<Result<(), DialError>>,
    ) -> OutgoingCall {
        OutgoingCall { call, participant, driver, outcome: Outcome::Awaited(outcome) }
    }

    /// Names the participant that is called.
    #[must_use]
    pub fn participant(&self) -> ParticipantId {
        self.participant
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
