//! The lengths of calls: lognormal, the distribution that fits telephone calls best.

use std::f64::consts::SQRT_2;

use fleet::time::Span;
use statrs::function::erf::{erfc, erfc_inv};

use super::chance::Chance;

/// The lengths of calls, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Lengths {
    /// The mean.
    pub(super) mean: f64,
    mu: f64,
    sigma: f64,
}

impl Lengths {
    /// Lengths of this mean and standard deviation. Without deviation all are equal.
    pub fn new(mean: Span, deviation: Span) -> Self {
        let (mean, deviation) = (seconds(mean).max(0.001), seconds(deviation));
        let variance = (1.0 + (deviation / mean).powi(2)).ln();
        Self { mean, mu: mean.ln() - variance / 2.0, sigma: variance.sqrt() }
    }

    /// The fraction of the calls that last longer than `age`.
    pub(super) fn outlasting(self, age: f64) -> f64 {
        if age <= 0.0 {
            1.0
        } else if self.sigma == 0.0 {
            f64::from(u8::from(age < self.mean))
        } else {
            erfc((age.ln() - self.mu) / (self.sigma * SQRT_2)) / 2.0
        }
    }

    /// The mean length of calls cut at `age`: the integral of [`Self::outlasting`] up to it.
    pub(super) fn lived_by(self, age: f64) -> f64 {
        if age <= 0.0 {
            return 0.0;
        }
        if self.sigma == 0.0 {
            return age.min(self.mean);
        }
        let long = (age.ln() - self.mu) / self.sigma - self.sigma;
        self.mean * erfc(-long / SQRT_2) / 2.0 + age * self.outlasting(age)
    }

    /// The length of a call that has lasted `age` already.
    pub(super) fn beyond(self, age: f64, chance: &mut Chance) -> f64 {
        if self.sigma == 0.0 {
            return self.mean.max(age);
        }
        let tail = chance.part() * self.outlasting(age);
        (self.mu + self.sigma * SQRT_2 * erfc_inv(2.0 * tail)).exp().max(age)
    }
}

/// A span in seconds.
pub(super) fn seconds(span: Span) -> f64 {
    span.0 as f64 / 1_000.0
}
