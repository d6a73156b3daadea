//! Permutation importance: how much worse a model gets when one column is shuffled.
//!
//! Source: Breiman 2001, "Random forests", section 10, in the model-agnostic form of Fisher, Rudin and Dominici 2019.
//! The loss is a parameter, so the figure is in the unit that the user optimises. A column's own shuffles are
//! repeated, and their spread gives the interval: it says how far the figure depends on the shuffles and the rows
//! at hand, not how it would vary with other training data. Columns that stand in for each other share their
//! importance and may each look unimportant; the report says so.

use std::sync::Arc;

use kaizen_base::{Seed, Signal};
use kaizen_model::{PredictError, Predictions};
use kaizen_table::{Column, Table};

/// How much a column matters.
#[derive(Clone, Debug, PartialEq)]
pub struct Importance {
    /// The column.
    pub column: String,
    /// Mean rise of the loss when the column is shuffled; near zero or below means that it does not matter.
    pub mean: f64,
    /// Standard deviation over the repeats, zero for a single one.
    pub deviation: f64,
    /// Repeats behind the mean.
    pub repeats: usize,
}

/// What to measure on.
pub struct PermutationRequest<'a> {
    /// Rows that the model has not been fitted on.
    pub table: &'a Table,
    /// Predicts such rows.
    pub predict: &'a (dyn Fn(&Table) -> Result<Predictions, PredictError> + Sync),
    /// The loss of predictions of these rows, lower is better.
    pub loss: &'a (dyn Fn(&Predictions) -> f64 + Sync),
    /// Shuffles of each column, at least one.
    pub repeats: usize,
    /// Seed of the shuffles.
    pub seed: Seed,
    /// Looked at before each prediction.
    pub signal: &'a Signal,
}

/// The importance of every column, largest first. Repeats are the outer loop, so that a signal to finish leaves
/// whole rounds: the result then rests on fewer repeats, or is empty when not even one round was done.
///
/// Cost: `columns * repeats` predictions of the table, one after the other (a prediction is parallel in itself).
///
/// # Errors
/// Whatever the prediction says.
pub fn permutation_importance(request: &PermutationRequest<'_>) -> Result<Vec<Importance>, PredictError> {
    let base = (request.loss)(&(request.predict)(request.table)?);
    let columns = request.table.columns();
    let mut rises: Vec<Vec<f64>> = vec![Vec::with_capacity(request.repeats); columns.len()];
    'rounds: for repeat in 0..request.repeats {
        let mut round = Vec::with_capacity(columns.len());
        for (index, column) in columns.iter().enumerate() {
            if !request.signal.may_continue() {
                break 'rounds;
            }
            let mut order: Vec<u32> = (0..request.table.row_count() as u32).collect();
            request.seed.child(&column.name, repeat as u64).rng().shuffle(&mut order);
            let shuffled = with_shuffled(request.table, index, &order)?;
            round.push((request.loss)(&(request.predict)(&shuffled)?) - base);
        }
        for (all, rise) in rises.iter_mut().zip(round) {
            all.push(rise);
        }
    }
    let mut importances: Vec<Importance> = columns
        .iter()
        .zip(&rises)
        .filter(|(_, rises)| !rises.is_empty())
        .map(|(column, rises)| summarise(&column.name, rises))
        .collect();
    importances.sort_by(|a, b| b.mean.total_cmp(&a.mean).then_with(|| a.column.cmp(&b.column)));
    Ok(importances)
}

fn with_shuffled(table: &Table, index: usize, order: &[u32]) -> Result<Table, PredictError> {
    let mut columns = table.columns().to_vec();
    let column = &columns[index];
    columns[index] = Arc::new(Column { name: column.name.clone(), values: column.values.take(order) });
    Table::new(columns, table.row_count()).map_err(|error| PredictError::NoColumn(error.to_string()))
}

fn summarise(column: &str, rises: &[f64]) -> Importance {
    let count = rises.len() as f64;
    let mean = rises.iter().sum::<f64>() / count;
    let variance = if rises.len() > 1 {
        rises.iter().map(|rise| (rise - mean) * (rise - mean)).sum::<f64>() / (count - 1.0)
    } else {
        0.0
    };
    Importance { column: column.to_owned(), mean, deviation: variance.sqrt(), repeats: rises.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_base::Flow;
    use kaizen_table::Values;

    fn column(table: &Table, name: &str) -> Vec<f64> {
        match &table.column(name).unwrap().values {
            Values::Number(number) => number.values.clone(),
            _ => panic!("a number column"),
        }
    }

    fn run(signal: &Signal) -> Vec<Importance> {
        let mut rng = Seed(3).rng();
        let x: Vec<f64> = (0..500).map(|_| rng.normal()).collect();
        let noise: Vec<f64> = (0..500).map(|_| rng.normal()).collect();
        let table = Table::from_columns(vec![Column::number("noise", noise), Column::number("x", x.clone())])
            .unwrap();
        permutation_importance(&PermutationRequest {
            table: &table,
            predict: &|table| Ok(Predictions::new(1, column(table, "x"))),
            loss: &|predictions| {
                predictions.values.iter().zip(&x).map(|(p, x)| (p - x) * (p - x)).sum::<f64>() / 500.0
            },
            repeats: 5,
            seed: Seed(1),
            signal,
        })
        .unwrap()
    }

    #[test]
    fn the_used_column_costs_twice_its_variance() {
        let importances = run(&Signal::new());
        assert_eq!(importances[0].column, "x");
        // Shuffling a column of unit variance makes the expected squared error 2; 500 rows and 5 repeats leave about
        // 0.05 of standard error.
        assert!((importances[0].mean - 2.0).abs() < 0.3, "{importances:?}");
        assert!(importances[0].deviation > 0.0);
        assert_eq!((importances[1].mean, importances[1].repeats), (0.0, 5));
    }

    #[test]
    fn a_signal_leaves_whole_rounds_only() {
        let signal = Signal::new();
        signal.raise(Flow::Finish);
        assert!(run(&signal).is_empty());
    }
}
