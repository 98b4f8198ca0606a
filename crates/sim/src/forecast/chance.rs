//! Random numbers for the forecast: the generators of the seeds, in the form that the distributions take. The same seed
//! draws the same numbers.

use std::convert::Infallible;

use rand_core::TryRng;
use rand_distr::{Binomial, Distribution as _, Poisson};

use crate::seeded::Draw;

/// A generator of one purpose.
#[derive(Clone, Debug)]
pub(super) struct Chance(pub(super) Draw);

impl TryRng for Chance {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.0.bits() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.bits())
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        for chunk in target.chunks_mut(8) {
            chunk.copy_from_slice(&self.0.bits().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl Chance {
    /// A number above 0 and below 1.
    pub(super) fn part(&mut self) -> f64 {
        ((self.0.bits() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// The number of arrivals when `mean` are expected (Poisson).
    pub(super) fn arrivals(&mut self, mean: f64) -> u32 {
        // A mean of 0, or an invalid one, gives no arrivals.
        Poisson::new(mean).map_or(0, |poisson| poisson.sample(self) as u32)
    }

    /// How many of `among` are chosen, each with this probability (binomial).
    pub(super) fn chosen(&mut self, among: u32, probability: f64) -> u32 {
        let sure = Binomial::new(u64::from(among), probability.clamp(0.0, 1.0));
        match sure {
            Ok(binomial) if among > 0 => binomial.sample(self) as u32,
            Ok(_) | Err(_) => 0,
        }
    }

    /// A whole number with this mean.
    pub(super) fn rounded(&mut self, mean: f64) -> u32 {
        (mean.max(0.0) + self.part()) as u32
    }
}
