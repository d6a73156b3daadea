//! What a run says while it goes on, and where its time went.

use std::sync::Arc;

use kaizen_base::Clock;

/// One thing worth telling.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A new part of the work begins.
    Stage(&'static str),
    /// Something that the person should know of the data or of a choice made.
    Notice {
        /// Whether it may cost quality or honesty.
        warning: bool,
        /// One or two sentences.
        text: String,
    },
    /// The plan is made.
    Planned {
        /// Rows to learn from.
        row_count: usize,
        /// Feature columns kept.
        column_count: usize,
        /// The task in words.
        task: String,
        /// Name of the metric.
        metric: &'static str,
        /// How rows are cut, in words.
        validation: String,
    },
    /// A trial begins.
    Started {
        /// Its name.
        label: String,
    },
    /// A trial or a stage of it ended.
    Ended {
        /// Its name.
        label: String,
        /// The metric's value, or why there is none.
        outcome: Result<f64, String>,
        /// Folds behind the value, and folds that there are; no fold when it failed.
        folds: (usize, usize),
        /// Seconds it took.
        seconds: f64,
        /// Trials ended so far.
        trials: usize,
        /// Best value so far, with the name of its trial.
        best: Option<(String, f64)>,
    },
    /// The artifact is on disk.
    Saved {
        /// Where.
        path: std::path::PathBuf,
        /// Its size.
        size_bytes: u64,
    },
}

/// Told of events, on the thread that called `fit`.
pub trait Observer {
    /// Takes one event.
    fn on(&mut self, event: Event);

    /// Called several times a second with the seconds since the start and the limit, if there is one.
    fn tick(&mut self, now_seconds: f64, limit_seconds: Option<f64>);
}

/// Says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn on(&mut self, _event: Event) {}

    fn tick(&mut self, _now_seconds: f64, _limit_seconds: Option<f64>) {}
}

/// A part of the work and when it took place, on the clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stretch {
    /// What was done.
    pub(crate) name: &'static str,
    /// Seconds at its begin.
    pub(crate) start_seconds: f64,
    /// Seconds at its end.
    pub(crate) end_seconds: f64,
}

/// Passes everything on and notes when each part of the work began.
pub(crate) struct Timeline<'a> {
    inner: &'a mut dyn Observer,
    clock: Arc<dyn Clock>,
    begins: Vec<(&'static str, f64)>,
}

impl<'a> Timeline<'a> {
    /// What happens before the first part is called starting.
    pub(crate) fn new(inner: &'a mut dyn Observer, clock: Arc<dyn Clock>) -> Self {
        Self { inner, clock, begins: vec![("starting", 0.0)] }
    }

    /// The parts so far; the last one ends now.
    pub(crate) fn stretches(&self) -> Vec<Stretch> {
        let now = self.clock.now_seconds();
        let ends = self.begins.iter().skip(1).map(|(_, begin)| *begin).chain([now]);
        let stretch = |(&(name, start_seconds), end_seconds): (&(&'static str, f64), f64)| Stretch {
            name,
            start_seconds,
            end_seconds,
        };
        self.begins.iter().zip(ends).map(stretch).collect()
    }
}

impl Observer for Timeline<'_> {
    fn on(&mut self, event: Event) {
        if let Event::Stage(name) = event {
            self.begins.push((name, self.clock.now_seconds()));
        }
        self.inner.on(event);
    }

    fn tick(&mut self, now_seconds: f64, limit_seconds: Option<f64>) {
        self.inner.tick(now_seconds, limit_seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_base::ManualClock;

    #[test]
    fn each_part_lasts_until_the_next() {
        let clock = Arc::new(ManualClock::new());
        let mut silent = Silent;
        let mut timeline = Timeline::new(&mut silent, Arc::clone(&clock) as Arc<dyn Clock>);
        clock.advance(1.0);
        timeline.on(Event::Stage("reading"));
        clock.advance(2.0);
        timeline.on(Event::Started { label: "a".to_owned() });
        timeline.on(Event::Stage("searching"));
        clock.advance(4.0);
        let seen: Vec<_> =
            timeline.stretches().iter().map(|s| (s.name, s.start_seconds, s.end_seconds)).collect();
        assert_eq!(seen, [("starting", 0.0, 1.0), ("reading", 1.0, 3.0), ("searching", 3.0, 7.0)]);
    }
}
