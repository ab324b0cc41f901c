//! Properties of the codec: nothing from outside panics, and what is written is read again.

mod appendix;
mod arbitrary;
mod round_trips;
