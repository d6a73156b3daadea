//! A journal that lives as long as the process.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Header, Journal, JournalError};
use crate::event::Event;

/// Keeps events in memory; clones share them, so a study can be opened again from a clone.
#[derive(Clone, Debug, Default)]
pub struct MemoryJournal {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    header: Option<Arc<Header>>,
    events: Vec<Event>,
}

impl MemoryJournal {
    /// A journal that already holds events, as if a study had recorded them.
    pub fn of(header: Header, events: Vec<Event>) -> Self {
        Self { kept: Arc::new(Mutex::new(Kept { header: Some(Arc::new(header)), events })) }
    }

    /// The events kept so far.
    pub fn events(&self) -> Vec<Event> {
        self.lock().events.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for MemoryJournal {
    fn open(&mut self, header: Arc<Header>) -> Result<Vec<Event>, JournalError> {
        let mut kept = self.lock();
        header.expect(kept.header.get_or_insert_with(|| Arc::clone(&header)))?;
        Ok(kept.events.clone())
    }

    fn append(&mut self, event: &Event) -> Result<(), JournalError> {
        let mut kept = self.lock();
        if kept.header.is_none() {
            return Err(JournalError::Closed);
        }
        kept.events.push(event.clone());
        Ok(())
    }
}
