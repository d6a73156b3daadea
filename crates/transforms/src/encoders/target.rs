//! Categories as smoothed means of the target.
//!
//! A level that occurs n times with mean m becomes (n m + s p) / (n + s), where p is the mean over all training rows
//! and s the smoothing. With smoothing 0 ("auto") s is estimated for each column as the ratio of the variance within
//! levels to the variance between them (empirical Bayes). Unseen levels become p; missing cells are a level of their own.
//!
//! **No row sees its own target.** Were training rows encoded by the statistics that they contributed to, a level of
//! one row would carry that row's target, and every model would trust the column far too much. [`Step::fit_apply`]
//! therefore cuts the training rows at random into five folds and encodes each fold by the statistics of the other
//! four; rows outside `sample.train` get the statistics of all training rows, as later rows will. Plain
//! [`kaizen_model::FittedTransform::apply`] is for rows that were not fitted on.
//!
//! Binary and regression tasks give one column, `<column>:target`; a multiclass task gives one column for each of the
//! most frequent classes (at most [`MAX_CLASSES`]), `<column>:target=<class index>`.

use std::sync::Arc;

use kaizen_base::{Card, Seed};
use kaizen_model::{
    Ctx, Dataset, Extent, FitError, FittedTransform, LoadError, Sample, Shape, State, Task, Transform,
};
use kaizen_space::{Config, Param, Space};
use kaizen_table::{Category, Column, MISSING_CODE, Table, Values};
use rayon::prelude::*;

use super::table_rule::LevelTable;
use crate::columns::{ByColumn, assemble, check, number};
use crate::levels::Levels;
use crate::parameters::space;
use crate::step::{Step, StepMemory, Uses};

static CARD: Card = Card {
    name: "target_mean",
    summary: "Gives each category the smoothed mean of the target over its level, cross-fitted for training rows",
    source: "Micci-Barreca 2001, equations 3 to 7; cross-fitting as in Pargent, Pfisterer, Thomas and Bischl 2022",
};

/// Classes that get a column of their own.
pub const MAX_CLASSES: usize = 12;

/// Folds of the training rows when they are encoded themselves.
const FOLDS: u64 = 5;

/// Parameters: `smoothing` (0 estimates it, else rows of the overall mean added to each level), `from_levels` (columns
/// with fewer levels pass through), `keep` (`true` leaves the column beside its encoding).
#[derive(Debug)]
pub struct TargetMean;

struct Settings {
    smoothing: f64,
    from_levels: usize,
    keep: bool,
}

impl Settings {
    fn read(config: &Config) -> Self {
        Self {
            smoothing: config.float("smoothing"),
            from_levels: config.int("from_levels") as usize,
            keep: config.flag("keep"),
        }
    }

    /// The column's categories, if it is to be encoded.
    fn encodes<'a>(&self, column: &'a Column) -> Option<&'a Category> {
        match &column.values {
            Values::Category(category) if category.levels.len() >= self.from_levels => Some(category),
            _ => None,
        }
    }
}

impl Transform for TargetMean {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn space(&self, _shape: &Shape) -> Space {
        space([
            Param::float("smoothing", 0.0, 100.0).starting_at(0.0),
            Param::int("from_levels", 1, 1_000).log().starting_at(10),
            Param::flag("keep").starting_at("true"),
        ])
    }

    fn fit(
        &self,
        config: &Config,
        sample: Sample<'_>,
        ctx: &Ctx<'_>,
    ) -> Result<Box<dyn FittedTransform>, FitError> {
        let settings = Settings::read(config);
        let outcome = Outcome::of(sample);
        let fitted = ByColumn::fit(&sample.data.table, ctx.signal, |column| {
            Some(encoding(
                &column.name,
                settings.encodes(column)?,
                &settings,
                &outcome,
                sample.data,
                sample.train,
            ))
        })?;
        Ok(Box::new(fitted))
    }

    fn load(&self, state: &State) -> Result<Box<dyn FittedTransform>, LoadError> {
        Ok(Box::new(ByColumn::<LevelTable>::load(state)?))
    }
}

impl Step for TargetMean {
    fn uses(&self) -> Uses {
        Uses::Target
    }

    fn memory(&self, config: &Config, extent: &Extent) -> StepMemory {
        let settings = Settings::read(config);
        let channels = match &extent.task {
            Task::Multiclass { class_count } => (*class_count).min(MAX_CLASSES),
            _ => 1,
        };
        let is_encoded = |levels: &usize| *levels >= settings.from_levels;
        let encoded: Vec<usize> = extent.level_counts.iter().copied().filter(is_encoded).collect();
        let width = encoded.len() * channels;
        let levels: usize = encoded.iter().map(|levels| levels + 2).sum();
        let mut after = extent.clone();
        if !settings.keep {
            after.level_counts.retain(|levels| !is_encoded(levels));
        }
        after.add_numbers(width, 255 * width);
        let fitted_bytes = 8 * (levels * channels) as u64;
        StepMemory {
            after,
            made_bytes: extent.row_bytes(width),
            // Statistics of each fold beside those of all rows.
            working_bytes: 2 * (FOLDS + 1) * fitted_bytes + extent.train_bytes(channels + 2),
            fitted_bytes,
        }
    }

    fn fit_apply(
        &self,
        config: &Config,
        sample: Sample<'_>,
        ctx: &Ctx<'_>,
    ) -> Result<(Box<dyn FittedTransform>, Table), FitError> {
        let fitted = self.fit(config, sample, ctx)?;
        let settings = Settings::read(config);
        let outcome = Outcome::of(sample);
        let folds = fold_of_rows(sample, ctx.seed);
        let change = |column: &Arc<Column>| -> Result<(Vec<Arc<Column>>, bool), FitError> {
            check(ctx.signal)?;
            let Some(category) = settings.encodes(column) else {
                return Ok((vec![Arc::clone(column)], false));
            };
            let full = encoding(&column.name, category, &settings, &outcome, sample.data, sample.train);
            let mut made = full.columns(&category.codes);
            for fold in 0..FOLDS as u8 {
                let (inside, outside): (Vec<_>, Vec<_>) = folds
                    .iter()
                    .zip(sample.train)
                    .map(|(&fold, &row)| (fold, row))
                    .partition(|(at, _)| *at == fold);
                let outside: Vec<u32> = outside.into_iter().map(|(_, row)| row).collect();
                let part = encoding(&column.name, category, &settings, &outcome, sample.data, &outside);
                for (_, row) in inside {
                    let from = part.row_of(category.codes[row as usize]) * made.len();
                    for (output, values) in made.iter_mut().enumerate() {
                        values[row as usize] = part.values[from + output];
                    }
                }
            }
            let mut columns: Vec<Arc<Column>> =
                if settings.keep { vec![Arc::clone(column)] } else { Vec::new() };
            columns.extend(full.names.iter().zip(made).map(|(name, values)| number(name.clone(), values)));
            Ok((columns, true))
        };
        let columns: Result<Vec<_>, FitError> = sample.data.table.columns().par_iter().map(change).collect();
        Ok((fitted, assemble(columns?, sample.data.table.row_count())))
    }
}

/// The fold of each training row: shuffled, sizes equal to within one.
fn fold_of_rows(sample: Sample<'_>, seed: Seed) -> Vec<u8> {
    let mut folds: Vec<u8> = (0..sample.train.len() as u64).map(|index| (index % FOLDS) as u8).collect();
    seed.child("target_mean", 0).rng().shuffle(&mut folds);
    folds
}

/// The numbers whose means are taken.
struct Outcome {
    /// Classes with a column each; empty for one column of the target itself.
    classes: Vec<u32>,
    /// Divides the target so that sums of extremes do not overflow.
    unit: f64,
}

impl Outcome {
    fn of(sample: Sample<'_>) -> Self {
        let target = &sample.data.target;
        let Task::Multiclass { class_count } = sample.data.task else {
            let largest = sample.train.iter().map(|&row| target[row as usize].abs()).fold(0.0, f64::max);
            return Self { classes: Vec::new(), unit: if largest > 0.0 { largest } else { 1.0 } };
        };
        let mut counts = vec![0.0; class_count];
        for &row in sample.train {
            counts[target[row as usize] as usize] += sample.data.weight(row);
        }
        let mut classes: Vec<u32> = (0..class_count as u32).collect();
        classes.sort_by(|&a, &b| counts[b as usize].total_cmp(&counts[a as usize]).then(a.cmp(&b)));
        classes.truncate(MAX_CLASSES);
        classes.sort_unstable();
        Self { classes, unit: 1.0 }
    }

    fn width(&self) -> usize {
        self.classes.len().max(1)
    }

    fn names(&self, column: &str) -> Vec<String> {
        if self.classes.is_empty() {
            return vec![format!("{column}:target")];
        }
        self.classes.iter().map(|class| format!("{column}:target={class}")).collect()
    }

    fn value(&self, target: f64, output: usize) -> f64 {
        match self.classes.get(output) {
            Some(&class) => f64::from(u8::from(target == f64::from(class))),
            None => target / self.unit,
        }
    }
}

/// Sums over one level.
#[derive(Clone, Copy, Default)]
struct Sums {
    weight: f64,
    sum: f64,
    squares: f64,
}

fn encoding(
    name: &str,
    category: &Category,
    settings: &Settings,
    outcome: &Outcome,
    data: &Dataset,
    rows: &[u32],
) -> LevelTable {
    let levels = Levels::new(Arc::clone(&category.levels));
    let (count, width) = (levels.count(), outcome.width());
    let mut values = vec![0.0; (count + 2) * width];
    for output in 0..width {
        // Levels, then missing cells.
        let mut sums = vec![Sums::default(); count + 1];
        let mut all = Sums::default();
        for &row in rows {
            let code = category.codes[row as usize];
            let level = if code == MISSING_CODE { count } else { (code as usize).min(count) };
            let (weight, value) = (data.weight(row), outcome.value(data.target[row as usize], output));
            for sums in [&mut sums[level], &mut all] {
                sums.weight += weight;
                sums.sum += weight * value;
                sums.squares += weight * value * value;
            }
        }
        let prior = if all.weight > 0.0 { all.sum / all.weight } else { 0.0 };
        let smoothing =
            if settings.smoothing > 0.0 { settings.smoothing } else { estimated_smoothing(&sums, prior) };
        let encode = |level: &Sums| {
            let weight = level.weight + smoothing;
            outcome.unit * if weight > 0.0 { (level.sum + smoothing * prior) / weight } else { prior }
        };
        for (level, sums) in sums[..count].iter().enumerate() {
            values[level * width + output] = encode(sums);
        }
        values[count * width + output] = outcome.unit * prior;
        values[(count + 1) * width + output] = encode(&sums[count]);
    }
    LevelTable { levels, names: outcome.names(name), values, keep: settings.keep }
}

/// Bounds of an estimated smoothing: never trust a level of one row more than the overall mean, never drown one of
/// ten thousand.
const SMOOTHING_RANGE: (f64, f64) = (1.0, 1_000.0);

/// Variance within levels over variance between level means (one-way random effects by the method of moments).
fn estimated_smoothing(sums: &[Sums], prior: f64) -> f64 {
    let seen: Vec<&Sums> = sums.iter().filter(|level| level.weight > 0.0).collect();
    let total: f64 = seen.iter().map(|level| level.weight).sum();
    let freedom_within = total - seen.len() as f64;
    if seen.len() < 2 || freedom_within <= 0.0 {
        return 10.0_f64.clamp(SMOOTHING_RANGE.0, SMOOTHING_RANGE.1);
    }
    let within: f64 =
        seen.iter().map(|level| (level.squares - level.sum * level.sum / level.weight).max(0.0)).sum();
    let within = within / freedom_within;
    let between: f64 = seen
        .iter()
        .map(|level| {
            let difference = level.sum / level.weight - prior;
            level.weight * difference * difference
        })
        .sum();
    let squares: f64 = seen.iter().map(|level| level.weight * level.weight).sum();
    let mean_size = (total - squares / total) / (seen.len() - 1) as f64;
    let between = (between / (seen.len() - 1) as f64 - within) / mean_size;
    if between <= 0.0 {
        return SMOOTHING_RANGE.1;
    }
    (within / between).clamp(SMOOTHING_RANGE.0, SMOOTHING_RANGE.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_follows_the_ratio_of_variances() {
        // Two levels of 100 rows with means 0 and 1 and no spread inside: hardly any smoothing.
        let clear = [
            Sums { weight: 100.0, sum: 0.0, squares: 0.0 },
            Sums { weight: 100.0, sum: 100.0, squares: 100.0 },
        ];
        assert_eq!(estimated_smoothing(&clear, 0.5), SMOOTHING_RANGE.0);
        // Equal means with spread inside: the levels say nothing.
        let alike = [Sums { weight: 100.0, sum: 50.0, squares: 50.0 }; 2];
        assert_eq!(estimated_smoothing(&alike, 0.5), SMOOTHING_RANGE.1);
    }
}
