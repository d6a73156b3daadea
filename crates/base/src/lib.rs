//! The floor under everything: what at least three crates use, and nothing else.
//!
//! Seeds are split by label and never shared ([`Seed::child`]); time is a parameter ([`Clock`]); a running
//! computation is told how to go on through a [`Signal`]; mathematics that can reach a result goes through
//! [`math`], which gives the same bits on every platform; files appear whole or not at all ([`write_atomically`]).

pub mod card;
pub mod clock;
pub mod digest;
pub mod file;
pub mod math;
pub mod random;
pub mod signal;
pub mod spelling;

pub use card::Card;
pub use clock::{Clock, ManualClock};
pub use digest::Digest;
pub use file::{write_atomically, write_atomically_with};
pub use random::{Rng, Seed};
pub use signal::{Flow, Signal};
pub use spelling::edit_distance;
