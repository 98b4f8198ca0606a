//! Counts the bytes that are looked at, in tests alone, so that linear time can be measured without a clock.

/// Notes that `bytes` bytes were looked at.
#[cfg(not(test))]
#[inline]
pub(crate) const fn count(_bytes: usize) {}

#[cfg(test)]
pub(crate) use counter::{count, taken};

#[cfg(test)]
mod counter {
    extern crate std;

    use core::cell::Cell;

    std::thread_local! {
        static STEPS: Cell<usize> = const { Cell::new(0) };
    }

    pub(crate) fn count(bytes: usize) {
        STEPS.with(|steps| steps.set(steps.get() + bytes));
    }

    /// The steps that `work` takes on this thread.
    pub(crate) fn taken(work: impl FnOnce()) -> usize {
        STEPS.with(|steps| steps.set(0));
        work();
        STEPS.with(Cell::get)
    }
}
