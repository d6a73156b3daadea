//! How a running computation is told to go on, to round off, or to give up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What a running computation should do next. Later variants override earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Round off now and return the best result so far, within a fraction of a second.
    Finish,
    /// Give up; any result will be thrown away.
    Stop,
}

/// A shared flag that a computation looks at often (at least once a second, better once a millisecond).
///
/// A signal may have a parent; it then shows the stronger of its own state and its parent's.
/// Reading costs one relaxed load for each ancestor.
#[derive(Clone, Debug, Default)]
pub struct Signal {
    own: Arc<AtomicU8>,
    parents: Vec<Arc<AtomicU8>>,
}

impl Signal {
    /// A signal that says [`Flow::Continue`] until told otherwise.
    pub fn new() -> Self {
        Self::default()
    }

    /// A signal below this one: it obeys this one, and can be raised without raising it.
    #[must_use]
    pub fn child(&self) -> Self {
        let mut parents = self.parents.clone();
        parents.push(Arc::clone(&self.own));
        Self { own: Arc::default(), parents }
    }

    /// Raises the signal; it never falls back.
    pub fn raise(&self, flow: Flow) {
        self.own.fetch_max(flow as u8, Ordering::SeqCst);
    }

    /// What to do now.
    #[inline]
    pub fn flow(&self) -> Flow {
        let level = self.parents.iter().fold(self.own.load(Ordering::Relaxed), |level, parent| {
            level.max(parent.load(Ordering::Relaxed))
        });
        match level {
            0 => Flow::Continue,
            1 => Flow::Finish,
            _ => Flow::Stop,
        }
    }

    /// Whether the computation may go on as planned.
    #[inline]
    pub fn may_continue(&self) -> bool {
        self.flow() == Flow::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_obey_parents_but_not_the_other_way_round() {
        let parent = Signal::new();
        let child = parent.child();
        let sibling = parent.child();
        child.raise(Flow::Finish);
        assert_eq!(
            (parent.flow(), child.flow(), sibling.flow()),
            (Flow::Continue, Flow::Finish, Flow::Continue)
        );
        parent.raise(Flow::Stop);
        child.raise(Flow::Continue);
        assert_eq!((child.flow(), sibling.flow()), (Flow::Stop, Flow::Stop));
    }
}
