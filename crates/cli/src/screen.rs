//! What a person sees while the program works: standard error, progress bars, colours on a terminal only.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use kaizen_data::{Note, Severity};
use kaizen_engine::{Event, Observer};

use crate::arguments::Color;

/// Standard error, as far as it is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Screen {
    quiet: bool,
    color: bool,
    terminal: bool,
}

impl Screen {
    pub(crate) fn new(quiet: bool, color: Color, no_color: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !no_color,
        };
        Self { quiet, color, terminal }
    }

    pub(crate) fn has_color(&self) -> bool {
        self.color
    }

    /// Columns of the terminal, 100 where there is none.
    pub(crate) fn width(&self) -> usize {
        let columns = usize::from(console::Term::stderr().size().1);
        if self.terminal && columns >= 40 { columns.min(160) } else { 100 }
    }

    /// One line to the person.
    pub(crate) fn say(&self, line: &str) {
        if !self.quiet {
            // Nobody may be listening (a closed pipe, a full disk): that is no reason to stop.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    /// The last line before a failing end; shown even when quiet.
    pub(crate) fn fail(&self, message: &str) {
        let _ = writeln!(std::io::stderr(), "{} {message}", self.paint("error:", "31;1"));
    }

    /// A warning line.
    pub(crate) fn warn(&self, text: &str) {
        self.say(&format!("{} {text}", self.paint("warning:", "33;1")));
    }

    /// What reading rows brought to light.
    pub(crate) fn note(&self, note: &Note) {
        if note.severity() >= Severity::Warning {
            self.warn(&note.to_string());
        } else {
            self.say(&format!("{} {note}", self.paint("note:", "36")));
        }
    }

    /// Text in an ANSI colour, where colours are wanted.
    pub(crate) fn paint(&self, text: &str, code: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Letters of a trial's name that are shown.
const NAME_WIDTH: usize = 32;

/// Small notes that are told one by one; more become one line, so that what follows is not pushed off the screen.
const NOTES_TOLD: usize = 3;

/// A score with the digits that tell models apart, whatever its unit: 0.887936, 48548.14.
pub(crate) fn score_text(value: f64) -> String {
    match value.abs() {
        size if size >= 1_000.0 => format!("{value:.2}"),
        size if size >= 10.0 => format!("{value:.4}"),
        _ => format!("{value:.6}"),
    }
}

/// The line above the trials.
fn heading(metric: &str) -> String {
    format!("      {:<NAME_WIDTH$} {metric:>14} {:>7} {:>8}", "trial", "folds", "seconds")
}

/// A run as it goes on: a bar with the time left, and a line for each trial that ended.
pub(crate) struct Live {
    screen: Screen,
    bar: ProgressBar,
    /// Name and value of the best trial so far.
    best: Option<(String, f64)>,
    running: String,
    /// Names of the trials that have a line.
    seen: BTreeSet<String>,
    /// Small notes that wait for the plan.
    notes: Vec<String>,
}

impl Live {
    pub(crate) fn new(screen: &Screen, limit_seconds: Option<f64>) -> Self {
        let bar = match limit_seconds {
            Some(limit) => ProgressBar::new((limit * 1000.0) as u64),
            None => ProgressBar::new_spinner(),
        };
        let template = if limit_seconds.is_some() { "{bar:24.cyan/dim} {msg}" } else { "{spinner} {msg}" };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        if screen.quiet || !screen.terminal {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self {
            screen: screen.clone(),
            bar,
            best: None,
            running: String::new(),
            seen: BTreeSet::new(),
            notes: Vec::new(),
        }
    }

    fn line(&self, text: &str) {
        self.bar.suspend(|| self.screen.say(text));
    }

    pub(crate) fn finish(&mut self) {
        self.tell_notes();
        self.bar.finish_and_clear();
    }

    fn tell_notes(&mut self) {
        let notes = std::mem::take(&mut self.notes);
        let mark = self.screen.paint("note:", "36");
        let told = if notes.len() > NOTES_TOLD { 1 } else { notes.len() };
        for note in &notes[..told] {
            self.line(&format!("{mark} {note}"));
        }
        if told < notes.len() {
            let more = notes.len() - told;
            self.line(&format!(
                "{mark} and {more} more of such small things; `kaizen inspect` tells them all"
            ));
        }
    }

    /// The line of a trial, or of a further stage of it.
    fn ended(
        &mut self,
        label: &str,
        outcome: &Result<f64, String>,
        folds: (usize, usize),
        seconds: f64,
        best: Option<(String, f64)>,
    ) {
        self.seen.insert(label.to_owned());
        let name: String = label.chars().take(NAME_WIDTH).collect();
        let (value, mut remark) = match outcome {
            Ok(value) => (score_text(*value), String::new()),
            Err(why) => ("failed".to_owned(), why.clone()),
        };
        let folds = if outcome.is_ok() { format!("{}/{}", folds.0, folds.1) } else { String::new() };
        let is_new_best = outcome.is_ok()
            && best.as_ref().is_some_and(|(best_label, _)| *best_label == label)
            && best != self.best;
        if is_new_best {
            "◀ best".clone_into(&mut remark);
        }
        let line = format!("      {name:<NAME_WIDTH$} {value:>14} {folds:>7} {seconds:>8.1}  {remark}");
        let line = line.trim_end();
        let line = match (is_new_best, outcome.is_ok()) {
            (true, _) => self.screen.paint(line, "32"),
            (false, true) => line.to_owned(),
            (false, false) => self.screen.paint(line, "2"),
        };
        self.line(&line);
        self.best = best;
    }
}

impl Observer for Live {
    fn on(&mut self, event: Event) {
        match event {
            Event::Stage(stage) => stage.clone_into(&mut self.running),
            Event::Notice { warning: true, text } => self.bar.suspend(|| self.screen.warn(&text)),
            Event::Notice { warning: false, text } => self.notes.push(text),
            Event::Planned { row_count, column_count, task, metric, validation } => {
                self.tell_notes();
                self.line(&format!(
                    "{row_count} rows, {column_count} features · {task} · {metric} · {validation}"
                ));
                self.line(&self.screen.paint(&heading(metric), "2"));
            }
            Event::Started { label } => self.running = label,
            Event::Ended { label, outcome, folds, seconds, best, .. } => {
                self.ended(&label, &outcome, folds, seconds, best);
            }
            Event::Saved { .. } => {}
        }
    }

    fn tick(&mut self, now_seconds: f64, limit_seconds: Option<f64>) {
        let left = match limit_seconds {
            Some(limit) => {
                self.bar.set_position((now_seconds.min(limit) * 1000.0) as u64);
                format!("{:.0} s left", (limit - now_seconds).max(0.0))
            }
            None => format!("{now_seconds:.0} s"),
        };
        let best =
            self.best.as_ref().map_or(String::new(), |(_, best)| format!(" · best {}", score_text(*best)));
        let trials = match self.seen.len() {
            1 => "1 trial".to_owned(),
            count => format!("{count} trials"),
        };
        self.bar.set_message(format!("{left} · {trials}{best} · {}", self.running));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live() -> Live {
        Live::new(&Screen::new(true, Color::Never, true), None)
    }

    #[test]
    fn scores_keep_the_digits_that_matter() {
        assert_eq!(score_text(0.887_936_4), "0.887936");
        assert_eq!(score_text(-48_548.137_308), "-48548.14");
        assert_eq!(score_text(12.345_678), "12.3457");
    }

    #[test]
    fn small_notes_wait_for_the_plan_and_stages_of_a_trial_count_once() {
        let mut live = live();
        for _ in 0..9 {
            live.on(Event::Notice { warning: false, text: "2 cells".to_owned() });
        }
        assert_eq!(live.notes.len(), 9);
        live.on(Event::Planned {
            row_count: 9,
            column_count: 1,
            task: "regression".to_owned(),
            metric: "rmse",
            validation: "8-fold cross-validation".to_owned(),
        });
        assert!(live.notes.is_empty());
        let best = Some(("linear #1".to_owned(), 2.0));
        for _ in 0..2 {
            live.on(Event::Ended {
                label: "linear #1".to_owned(),
                outcome: Ok(2.0),
                folds: (8, 24),
                seconds: 0.1,
                trials: 1,
                best: best.clone(),
            });
        }
        assert_eq!((live.seen.len(), live.best.clone()), (1, best));
    }
}
