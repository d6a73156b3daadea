//! The command line `kaizen`.
//!
//! What is typed is parsed once (`arguments`), then each subcommand has one file (`commands`). People are talked to on
//! standard error (`screen`), data goes to standard output or to files (`output`), and every failing end is one line
//! and an exit code (`failure`).

mod arguments;
mod commands;
mod failure;
mod output;
mod screen;
mod started;
mod table;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::{Arguments, Command};
use crate::failure::{BUG, Failure};
use crate::screen::Screen;

fn main() -> ExitCode {
    let head_start_seconds = started::seconds_since_start();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers, not failures.
            let code = if error.use_stderr() { failure::INPUT } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    let no_color = std::env::var("NO_COLOR").is_ok_and(|value| !value.is_empty());
    let screen = Screen::new(arguments.quiet, arguments.color, no_color);
    std::panic::set_hook(Box::new(|_| {}));
    let ended = std::panic::catch_unwind(|| run(&arguments, &screen, head_start_seconds));
    match ended {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(failure)) => {
            screen.fail(&failure.message);
            ExitCode::from(failure.code)
        }
        Err(_) => {
            screen
                .fail("this is a bug in Kaizen; please report it with the command and, if you may, the data");
            ExitCode::from(BUG)
        }
    }
}

fn run(arguments: &Arguments, screen: &Screen, head_start_seconds: f64) -> Result<(), Failure> {
    let json = arguments.json;
    match &arguments.command {
        Command::Fit(fit) => commands::fit::run(fit, screen, json, head_start_seconds),
        Command::Predict(predict) => commands::predict::run(predict, screen),
        Command::Evaluate(evaluate) => commands::evaluate::run(evaluate, screen, json),
        Command::Inspect(inspect) => commands::inspect::run(inspect, screen, json),
        Command::Leaderboard(model) => commands::leaderboard::run(model, json),
        Command::Report(report) => commands::report::run(report, screen),
        Command::List => commands::list::run(json),
    }
}
