//! What a run says while it goes on.

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
