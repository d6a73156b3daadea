//! `kaizen leaderboard`: the models that were tried, from the artifact alone.

use kaizen_engine::LoadedModel;
use serde_json::Value;

use crate::arguments::ModelArgument;
use crate::failure::Failure;
use crate::output::print;
use crate::table::{Align, render};

pub(crate) fn run(arguments: &ModelArgument, as_json: bool) -> Result<(), Failure> {
    let model = LoadedModel::open(&arguments.model)?;
    let board = model.manifest.sections.get("leaderboard").cloned().unwrap_or(Value::Array(Vec::new()));
    if as_json {
        return print(&format!("{board:#}"));
    }
    let number = |line: &Value, name: &str, digits: usize| {
        line[name].as_f64().map_or(String::new(), |value| format!("{value:.digits$}"))
    };
    let headings = [
        "",
        "model",
        &model.manifest.metric,
        "95 % interval",
        "folds",
        "fit s",
        "row µs",
        "share",
        "configuration",
    ];
    let mut rows = vec![headings.map(str::to_owned).to_vec()];
    for (place, line) in board.as_array().into_iter().flatten().enumerate() {
        let interval = match (line["interval"][0].as_f64(), line["interval"][1].as_f64()) {
            (Some(low), Some(high)) => format!("{low:.4} … {high:.4}"),
            _ => String::new(),
        };
        let share = line["weight"].as_f64().filter(|weight| *weight > 0.0);
        rows.push(vec![
            (place + 1).to_string(),
            line["label"].as_str().unwrap_or("").to_owned(),
            number(line, "value", 6),
            interval,
            number(line, "folds", 0),
            number(line, "fit_seconds", 1),
            number(line, "predict_microseconds", 0),
            share.map_or(String::new(), |share| format!("{:.0} %", 100.0 * share)),
            line["config"].as_str().unwrap_or("").to_owned(),
        ]);
    }
    let right = Align::Right;
    print(&render(&rows, &[right, Align::Left, right, right, right, right, right, right, Align::Left]))?;
    for line in model.manifest.sections.get("left_out").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| line[name].as_str().unwrap_or("").to_owned();
        let (failed, tried) = (line["failed"].as_u64().unwrap_or(0), line["tried"].as_u64().unwrap_or(0));
        print(&format!("left out: {failed} of {tried} trials of {}: {}", text("learner"), text("why")))?;
    }
    Ok(())
}
