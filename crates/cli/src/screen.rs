//! What a person sees while the program works: standard error, progress bars, colours on a terminal only.

use std::io::IsTerminal as _;
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
    #[expect(clippy::print_stderr, reason = "this is the one place that talks to the person")]
    pub(crate) fn say(&self, line: &str) {
        if !self.quiet {
            eprintln!("{line}");
        }
    }

    /// The last line before a failing end; shown even when quiet.
    #[expect(clippy::print_stderr, reason = "this is the one place that talks to the person")]
    pub(crate) fn fail(&self, message: &str) {
        eprintln!("{} {message}", self.paint("error:", "31;1"));
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

/// A run as it goes on: a bar with the time left, and a line for each trial that got better.
pub(crate) struct Live {
    screen: Screen,
    bar: ProgressBar,
    best: Option<f64>,
    running: String,
    trials: usize,
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
        Self { screen: screen.clone(), bar, best: None, running: String::new(), trials: 0 }
    }

    fn line(&self, text: &str) {
        self.bar.suspend(|| self.screen.say(text));
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Live {
    fn on(&mut self, event: Event) {
        match event {
            Event::Stage(stage) => stage.clone_into(&mut self.running),
            Event::Notice { warning: true, text } => self.bar.suspend(|| self.screen.warn(&text)),
            Event::Notice { warning: false, text } => {
                self.line(&format!("{} {text}", self.screen.paint("note:", "36")));
            }
            Event::Planned { row_count, column_count, task, metric, validation } => {
                self.line(&format!(
                    "{row_count} rows, {column_count} features · {task} · {metric} · {validation}"
                ));
                self.line(
                    &self
                        .screen
                        .paint(&format!("{:>4}  {:<44} {:>12} {:>8}", "", "trial", metric, "seconds"), "2"),
                );
            }
            Event::Started { label } => self.running = label,
            Event::Ended { label, outcome, seconds, trials, best } => {
                self.trials = trials;
                let label: String = label.chars().take(44).collect();
                match outcome {
                    Ok(value) => {
                        let is_best = best.as_ref().is_some_and(|(_, best)| *best == value);
                        let improved = is_best && self.best != Some(value);
                        let line = format!("{trials:>4}  {label:<44} {value:>12.6} {seconds:>8.1}");
                        let line = if improved {
                            self.screen.paint(&format!("{line}  ◀ best"), "32")
                        } else {
                            line
                        };
                        self.line(&line);
                        self.best = best.map(|(_, value)| value);
                    }
                    Err(why) => self.line(&self.screen.paint(
                        &format!("{trials:>4}  {label:<44} {:>12} {seconds:>8.1}  {why}", "failed"),
                        "2",
                    )),
                }
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
        let best = self.best.map_or(String::new(), |best| format!(" · best {best:.6}"));
        self.bar.set_message(format!("{left} · {} trials{best} · {}", self.trials, self.running));
    }
}
