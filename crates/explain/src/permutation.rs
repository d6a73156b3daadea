//! Permutation importance: how much worse a model gets when one column is shuffled.
//!
//! Source: Breiman 2001, "Random forests", section 10, in the model-agnostic form of Fisher, Rudin and Dominici 2019.
//! The loss is a parameter, so the figure is in the unit that the user optimises. A column's own shuffles are
//! repeated, and their spread gives the interval: it says how far the figure depends on the shuffles and the rows
//! at hand, not how it would vary with other training data. Columns that stand in for each other share their
//! importance and may each look unimportant; the report says so.

use std::ops::Range;
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
    /// Predictions of the table that may be asked for in all, at least three; more columns than that are not measured
    /// one by one, see [`permutation_importance`].
    pub most_predictions: usize,
    /// Seed of the shuffles.
    pub seed: Seed,
    /// Looked at before each prediction.
    pub signal: &'a Signal,
}

/// The importance of every column, largest first. Repeats are the outer loop, so that a signal to finish leaves
/// whole rounds: the result then rests on fewer repeats, or is empty when not even one round was done.
///
/// Where the columns are more than half of [`most_predictions`](PermutationRequest::most_predictions), blocks of
/// neighbouring columns are shuffled together first, and the block that matters most is halved until its parts are
/// single columns or the predictions are used up (the screening by groups of Bettonvil and Kleijnen 1997, for models
/// instead of simulations). Only columns that stand alone in the end are told; what is not told lay in a block whose
/// shuffling moved the loss less. Columns of one block that cancel each other may be missed.
///
/// Cost: at most `columns * repeats` predictions of the table and at most `most_predictions`, one after the other (a
/// prediction is parallel in itself).
///
/// # Errors
/// Whatever the prediction says.
pub fn permutation_importance(request: &PermutationRequest<'_>) -> Result<Vec<Importance>, PredictError> {
    let base = (request.loss)(&(request.predict)(request.table)?);
    let count = request.table.columns().len();
    let left = request.most_predictions.saturating_sub(1).max(2);
    let (measured, spent) =
        if 2 * count > left { screen(request, base, left / 2)? } else { ((0..count).collect(), 0) };
    if measured.is_empty() {
        return Ok(Vec::new());
    }
    let repeats = request.repeats.min((left - spent) / measured.len()).max(1);
    let mut rises: Vec<Vec<f64>> = vec![Vec::with_capacity(repeats); measured.len()];
    'rounds: for repeat in 0..repeats {
        let mut round = Vec::with_capacity(measured.len());
        for &index in &measured {
            if !request.signal.may_continue() {
                break 'rounds;
            }
            round.push(rise(request, base, index..index + 1, repeat)?);
        }
        for (all, rise) in rises.iter_mut().zip(round) {
            all.push(rise);
        }
    }
    let columns = request.table.columns();
    let mut importances: Vec<Importance> = measured
        .iter()
        .zip(&rises)
        .filter(|(_, rises)| !rises.is_empty())
        .map(|(&index, rises)| summarise(&columns[index].name, rises))
        .collect();
    importances.sort_by(|a, b| b.mean.total_cmp(&a.mean).then_with(|| a.column.cmp(&b.column)));
    Ok(importances)
}

/// Columns that stand alone after `most` predictions on halved blocks, ascending; and the predictions used.
fn screen(
    request: &PermutationRequest<'_>,
    base: f64,
    most: usize,
) -> Result<(Vec<usize>, usize), PredictError> {
    let count = request.table.columns().len();
    let mut open: Vec<(f64, Range<usize>)> = Vec::new();
    let mut alone = Vec::new();
    let mut spent = 0;
    let first = most.div_ceil(4).clamp(1, count);
    let mut waiting: Vec<Range<usize>> =
        (0..first).map(|block| block * count / first..(block + 1) * count / first).collect();
    loop {
        for block in waiting.drain(..) {
            if block.len() == 1 {
                alone.push(block.start);
            } else {
                if !request.signal.may_continue() {
                    return Ok((Vec::new(), spent));
                }
                spent += 1;
                open.push((rise(request, base, block.clone(), 0)?, block));
            }
        }
        // Enough must be left for measuring those that stand alone.
        if spent + 2 > most || alone.len() >= most {
            break;
        }
        let best = (0..open.len()).max_by(|&a, &b| open[a].0.total_cmp(&open[b].0).then(b.cmp(&a)));
        let Some(best) = best else { break };
        let (_, block) = open.swap_remove(best);
        let middle = block.start + block.len() / 2;
        waiting.extend([block.start..middle, middle..block.end]);
    }
    alone.sort_unstable();
    Ok((alone, spent))
}

/// By how much the loss rises when each of some neighbouring columns is shuffled.
fn rise(
    request: &PermutationRequest<'_>,
    base: f64,
    block: Range<usize>,
    repeat: usize,
) -> Result<f64, PredictError> {
    let mut columns = request.table.columns().to_vec();
    for column in &mut columns[block] {
        let mut order: Vec<u32> = (0..request.table.row_count() as u32).collect();
        request.seed.child(&column.name, repeat as u64).rng().shuffle(&mut order);
        *column = Arc::new(Column { name: column.name.clone(), values: column.values.take(&order) });
    }
    let shuffled = Table::new(columns, request.table.row_count())
        .map_err(|error| PredictError::NoColumn(error.to_string()))?;
    Ok((request.loss)(&(request.predict)(&shuffled)?) - base)
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
            most_predictions: 1_000,
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
    fn many_columns_are_screened_within_the_predictions_allowed() {
        let mut rng = Seed(4).rng();
        let names: Vec<String> = (0..1_000).map(|index| format!("c{index:04}")).collect();
        let columns: Vec<Column> = names
            .iter()
            .map(|name| Column::number(name.clone(), (0..200).map(|_| rng.normal()).collect()))
            .collect();
        let table = Table::from_columns(columns).unwrap();
        let weigh = |table: &Table| {
            let sum = |factors: &[(&str, f64)]| {
                let columns: Vec<(Vec<f64>, f64)> =
                    factors.iter().map(|(name, factor)| (column(table, name), *factor)).collect();
                (0..200)
                    .map(|row| columns.iter().map(|(cells, f)| f * cells[row]).sum())
                    .collect::<Vec<f64>>()
            };
            sum(&[("c0123", 3.0), ("c0124", 1.0), ("c0877", 2.0)])
        };
        let truth = weigh(&table);
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let importances = permutation_importance(&PermutationRequest {
            table: &table,
            predict: &|table| {
                asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                Ok(Predictions::new(1, weigh(table)))
            },
            loss: &|predictions| {
                predictions.values.iter().zip(&truth).map(|(p, y)| (p - y) * (p - y)).sum::<f64>() / 200.0
            },
            repeats: 5,
            most_predictions: 120,
            seed: Seed(1),
            signal: &Signal::new(),
        })
        .unwrap();
        let asked = asked.into_inner();
        assert!(asked <= 120, "{asked} predictions");
        let first: Vec<&str> = importances.iter().take(3).map(|each| each.column.as_str()).collect();
        assert_eq!(first, ["c0123", "c0877", "c0124"], "{importances:?}");
        // What was told was measured by itself: a column that nothing looks at does not matter at all.
        assert!(importances[3..].iter().all(|each| each.mean == 0.0), "{importances:?}");
    }

    #[test]
    fn a_signal_leaves_whole_rounds_only() {
        let signal = Signal::new();
        signal.raise(Flow::Finish);
        assert!(run(&signal).is_empty());
    }
}
