//! `kaizen leaderboard`: the models that were tried, from the artifact alone.

use kaizen_engine::LoadedModel;
use serde_json::Value;

use crate::arguments::ModelArgument;
use crate::failure::Failure;
use crate::table::{Align, render};

#[expect(clippy::print_stdout, reason = "standard output is for data")]
pub(crate) fn run(arguments: &ModelArgument, as_json: bool) -> Result<(), Failure> {
    let model = LoadedModel::open(&arguments.model)?;
    let board = model.manifest.sections.get("leaderboard").cloned().unwrap_or(Value::Array(Vec::new()));
    if as_json {
        println!("{board:#}");
        return Ok(());
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
    println!(
        "{}",
        render(&rows, &[right, Align::Left, right, right, right, right, right, right, Align::Left])
    );
    Ok(())
}
