//! `kaizen predict`: one line of output for each row that came in, in the same order.

use kaizen_engine::LoadedModel;
use kaizen_model::{Predictions, Task};

use crate::arguments::PredictArguments;
use crate::failure::{Failure, INPUT};
use crate::output::{Cells, Format, OutputColumn, write_file, write_rows};
use crate::screen::Screen;

pub(crate) fn run(arguments: &PredictArguments, screen: &Screen) -> Result<(), Failure> {
    let format = Format::of(arguments.out.as_deref())
        .map_err(|why| Failure { message: format!("--out: {why}"), code: INPUT })?;
    let model = LoadedModel::open(&arguments.model)?;
    let source = kaizen_data::Source::parse(&arguments.data).map_err(kaizen_engine::EngineError::from)?;
    let pool = super::pool(arguments.threads)?;
    let predicted = pool.install(|| model.predict(&source, &super::read_options(None)))?;
    for note in &predicted.notes {
        screen.note(note);
    }
    let columns = columns(&model, &predicted.predictions, arguments.proba);
    match &arguments.out {
        Some(path) => {
            write_file(&columns, format, path).map_err(|error| Failure::environment(path, &error))?;
            screen.say(&format!(
                "{} rows predicted, written to {}",
                predicted.predictions.row_count(),
                path.display()
            ));
        }
        None => match write_rows(&columns, format, std::io::stdout()) {
            // A closed pipe means that the reader has seen enough.
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                return Err(Failure::environment("standard output", &error));
            }
            _ => {}
        },
    }
    Ok(())
}

fn columns(model: &LoadedModel, predictions: &Predictions, with_probabilities: bool) -> Vec<OutputColumn> {
    let outputs = predictions.outputs;
    let numbers = |output: usize| predictions.values.iter().skip(output).step_by(outputs).copied().collect();
    let mut columns = Vec::new();
    match &model.manifest.task {
        Task::Binary | Task::Multiclass { .. } => {
            let labels = model.manifest.classes.clone();
            let rows = predictions.values.chunks_exact(outputs);
            let codes = rows.map(|row| kaizen_metrics::most_probable(row) as u32).collect();
            columns
                .push(OutputColumn { name: "prediction".to_owned(), cells: Cells::Labels { codes, labels } });
            if with_probabilities {
                for (output, class) in model.manifest.classes.iter().enumerate() {
                    let cells = Cells::Numbers(numbers(output));
                    columns.push(OutputColumn { name: format!("proba_{class}"), cells });
                }
            }
        }
        Task::Regression => {
            columns.push(OutputColumn { name: "prediction".to_owned(), cells: Cells::Numbers(numbers(0)) });
        }
        Task::Quantile { levels } => {
            for (output, level) in levels.iter().enumerate() {
                let cells = Cells::Numbers(numbers(output));
                columns.push(OutputColumn { name: format!("quantile_{level}"), cells });
            }
        }
    }
    columns
}
