//! Where the events of a study are kept.

mod file;
mod memory;
mod wire;

use std::io;
use std::sync::Arc;

use kaizen_base::Seed;
use kaizen_space::Space;

use crate::event::Event;
use crate::objective::Objective;

pub use file::{Durability, FileJournal};
pub use memory::MemoryJournal;

/// What makes a study the study it is; results of one are never mixed with those of another.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// What may be chosen.
    pub space: Space,
    /// What every measurement holds.
    pub objectives: Vec<Objective>,
    /// The seed of the whole study.
    pub seed: Seed,
}

/// Keeps the events of one study.
pub trait Journal: Send {
    /// The events recorded so far under this header; an empty journal takes the header as its own.
    ///
    /// Called once, before anything is appended.
    ///
    /// # Errors
    /// [`JournalError`]; the journal is then as it was.
    fn open(&mut self, header: Arc<Header>) -> Result<Vec<Event>, JournalError>;

    /// Records one event, whole or not at all.
    ///
    /// # Errors
    /// [`JournalError`]; the event then counts as not recorded.
    fn append(&mut self, event: &Event) -> Result<(), JournalError>;
}

/// Why events cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system says no.
    #[error("the journal cannot be {action}: {source}")]
    Io {
        /// What was tried: `opened`, `read`, `written`, …
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// Another process writes to it.
    #[error("another process is writing to the journal")]
    Busy,
    /// It belongs to a study with another space, other objectives or another seed.
    #[error("the journal belongs to another study: {0} differ")]
    OtherStudy(&'static str),
    /// A line in its midst cannot be read.
    #[error("line {line} of the journal is damaged: {reason}")]
    Damaged {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// It was written by a later version.
    #[error("the journal has format version {found}, this program reads up to {known}")]
    Version {
        /// The journal's.
        found: u32,
        /// The latest known.
        known: u32,
    },
    /// It is appended to before it was opened, or after it could not be repaired.
    #[error("the journal is not open")]
    Closed,
}

impl Header {
    /// Refuses a header that is not this one, naming the first difference.
    fn expect(&self, found: &Self) -> Result<(), JournalError> {
        let differences = [
            ("the spaces", self.space != found.space),
            ("the objectives", self.objectives != found.objectives),
            ("the seeds", self.seed != found.seed),
        ];
        match differences.iter().find(|(_, differ)| *differ) {
            Some((name, _)) => Err(JournalError::OtherStudy(name)),
            None => Ok(()),
        }
    }
}
