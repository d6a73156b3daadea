//! `kaizen evaluate`: how good a saved model is on rows whose target is known.

use kaizen_data::Source;
use kaizen_engine::{EngineError, LoadedModel};
use serde_json::json;

use crate::arguments::EvaluateArguments;
use crate::failure::Failure;
use crate::output::print;
use crate::screen::Screen;
use crate::table::{Align, render};

pub(crate) fn run(arguments: &EvaluateArguments, screen: &Screen, as_json: bool) -> Result<(), Failure> {
    let model = LoadedModel::open(&arguments.model)?;
    let source = Source::parse(&arguments.data).map_err(EngineError::from)?;
    let pool = super::pool(arguments.threads)?;
    let evaluated = pool.install(|| model.evaluate(&source, &super::read_options(None)))?;
    for note in &evaluated.notes {
        screen.note(note);
    }
    if evaluated.dropped_count > 0 {
        screen.warn(&format!("{} rows without a target are left out", evaluated.dropped_count));
    }
    if as_json {
        let scores: serde_json::Map<String, serde_json::Value> =
            evaluated.scores.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        print(&format!("{:#}", json!({ "rows": evaluated.row_count, "scores": scores })))
    } else {
        screen.say(&format!("{} rows", evaluated.row_count));
        let rows: Vec<Vec<String>> = evaluated
            .scores
            .iter()
            .map(|(name, value)| vec![(*name).to_owned(), format!("{value:.6}")])
            .collect();
        print(&render(&rows, &[Align::Left, Align::Right]))
    }
}
