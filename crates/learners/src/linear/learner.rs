//! Ridge, lasso and elastic net; logistic and multinomial regression with the same penalties.
//!
//! One learner for all of these, because they are one method: a loss, a penalty, a path. Numbers are standardised
//! inside; categories and sparse blocks are taken as they are, each level and column a weight, so that columns of many
//! levels and text cost only their cells. The strength of the penalty is not a parameter: it is chosen on the way from
//! strong to weak, by `sample.valid` where there is one, else by generalised cross-validation (squares with few terms)
//! or a fifth of the training rows held out for it, after which all rows are used.
//!
//! The objective is that of glmnet and scikit-learn's `ElasticNet`: the weighted mean loss (half the squared error, or
//! the negative log-likelihood) plus strength times (mix · Σ|w| + (1 − mix) / 2 · Σw²), with an unpenalised intercept.

use kaizen_base::Card;
use kaizen_model::{
    Ctx, Extent, FitError, Fitted, Handles, Inputs, Learner, LoadError, Memory, Model, Sample, Shape, State,
    Task,
};
use kaizen_space::{Config, Param, Space};

use super::design::{Design, Encoder};
use super::loss::Loss;
use super::model::{LinearModel, outputs};
use super::path::{self, Choice, Chosen, by_gram, gram_bytes, walk};
use crate::features::{Cells, Features, admit, own_cells};
use crate::moments::moments;
use crate::outcome::{Classes, normalised_weights};
use crate::parameters::space;

static CARD: Card = Card {
    name: "linear",
    summary: "Weighted sum of features with square and absolute penalties: ridge, lasso, logistic regression",
    source: "Friedman, Hastie and Tibshirani 2010; Liu and Nocedal 1989; Andrew and Gao 2007",
};

/// Parameters: `penalty` (`l2`, `elastic_net`, `l1`), `mix` (share of the absolute penalty of `elastic_net`),
/// `standardise` (divide numbers by their standard deviation).
#[derive(Debug)]
pub struct Linear;

impl Linear {
    /// The space of fits at one given strength instead of a path: adds `strength`.
    ///
    /// For whoever wants the textbook estimator: `strength` is scikit-learn's `alpha` of `ElasticNet` and `Lasso`,
    /// its `alpha` of `Ridge` divided by the number of rows, and one over (number of rows times `C`) of
    /// `LogisticRegression`.
    pub fn fixed_space() -> Space {
        space(parameters().into_iter().chain([Param::float("strength", 1e-12, 1e6).log().starting_at(1e-3)]))
    }
}

fn parameters() -> Vec<Param> {
    vec![
        Param::ordinal("penalty", ["l2", "elastic_net", "l1"]).starting_at("l2"),
        Param::float("mix", 0.05, 0.95).starting_at(0.5).only_if("penalty", ["elastic_net"]),
        Param::flag("standardise").starting_at("true"),
    ]
}

impl Learner for Linear {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn handles(&self) -> Handles {
        Handles {
            binary: true,
            multiclass: true,
            regression: true,
            quantile: false,
            inputs: Inputs { missing: true, categories: true, sparse: true, scaled: false },
            weights: true,
            monotone: false,
            readable: true,
        }
    }

    fn space(&self, _shape: &Shape) -> Space {
        space(parameters())
    }

    fn memory(&self, _config: &Config, extent: &Extent) -> Memory {
        // A number has the indicator of its missing cells beside it where there are any.
        let terms =
            2 * extent.number_count + extent.level_total() + extent.sparse_width.min(extent.sparse_cells);
        let indexed = extent.row_count * extent.level_counts.len() + extent.sparse_cells;
        let outputs = extent.score_count();
        let fitted_bytes = 8 * ((terms + 1) * outputs) as u64;
        // Indexed cells stand by row and by column, with their place; rows have scores, slopes and curvatures.
        let rows = extent.row_bytes(2 * extent.number_count + 4 * outputs + 2) + 32 * indexed as u64;
        let working_bytes = rows + gram_bytes(terms, &extent.task) + SOLVER_COPIES * fitted_bytes;
        Memory { working_bytes, shared_bytes: 0, fitted_bytes }
    }

    fn fit(&self, config: &Config, sample: Sample<'_>, ctx: &Ctx<'_>) -> Result<Fitted, FitError> {
        let features = admit(self.handles(), sample)?;
        let cells = own_cells(&features, &sample.data.table)?;
        let mix = match config.choice("penalty") {
            "l2" => 0.0,
            "l1" => 1.0,
            _ => config.float("mix"),
        };
        let settings = Settings {
            mix,
            standardise: config.flag("standardise"),
            strength: config.contains("strength").then(|| config.float("strength")),
        };
        let fit = Fit { features: &features, cells: &cells, sample, settings, ctx: *ctx };
        let (encoder, chosen, outcome) = fit.run()?;
        let task = sample.data.task.clone();
        let model =
            LinearModel::new(features.clone(), encoder, task, outcome.classes, chosen.weights, outcome.scale);
        let valid_predictions = sample.valid.map(|rows| model.predict_cells(&cells, rows));
        Ok(Fitted { model: Box::new(model), valid_predictions, cut_short: chosen.cut_short })
    }

    fn load(&self, state: &State) -> Result<Box<dyn Model>, LoadError> {
        Ok(Box::new(LinearModel::load(state)?))
    }
}

#[derive(Clone, Copy)]
struct Settings {
    mix: f64,
    standardise: bool,
    strength: Option<f64>,
}

/// What is common to a fit on all training rows and to one on a part of them.
struct Fit<'a> {
    features: &'a Features,
    cells: &'a [Cells<'a>],
    sample: Sample<'a>,
    settings: Settings,
    ctx: Ctx<'a>,
}

/// The target as the loss wants it.
struct Outcome {
    classes: Classes,
    loss: Loss,
    /// Mean and spread of a regression's target; 0 and 1 for classes.
    scale: (f64, f64),
}

impl Outcome {
    fn of(sample: Sample<'_>) -> Self {
        let classes = Classes::of(sample);
        let loss = match sample.data.task {
            Task::Binary => Loss::Logistic,
            Task::Multiclass { .. } => Loss::Softmax(outputs(&sample.data.task, &classes)),
            Task::Regression | Task::Quantile { .. } => Loss::Squared,
        };
        let scale = if sample.data.task.is_classification() {
            (0.0, 1.0)
        } else {
            let found = moments(&sample.data.target, sample.train, |row| sample.data.weight(row));
            (found.mean, if found.deviation > 0.0 { found.deviation } else { 1.0 })
        };
        Self { classes, loss, scale }
    }

    /// Targets of rows; a class that does not occur in training counts as the first one (it can be in no fitted row,
    /// and a validated row of it tells the strengths apart by nothing).
    fn targets(&self, sample: Sample<'_>, rows: &[u32]) -> Vec<f64> {
        let value = |&row: &u32| {
            let target = sample.data.target[row as usize];
            match self.loss {
                Loss::Squared => target / self.scale.1 - self.scale.0 / self.scale.1,
                Loss::Logistic => target,
                Loss::Softmax(_) => self.classes.place(target).unwrap_or(0) as f64,
            }
        };
        rows.iter().map(value).collect()
    }

    /// Weights that predict the same for every row: the mean, or the shares of the classes.
    fn start(&self, target: &[f64], weights: &[f64], term_count: usize) -> Vec<f64> {
        let outputs = self.loss.outputs();
        let mut start = vec![0.0; (1 + term_count) * outputs];
        // Half a row's worth of each class, so that one class alone still has finite log-odds.
        let half = 0.5 / target.len() as f64;
        match self.loss {
            Loss::Squared => {}
            Loss::Logistic => {
                let ones: f64 = target.iter().zip(weights).map(|(target, weight)| target * weight).sum();
                start[0] = kaizen_base::math::ln((ones + half) / (1.0 - ones + half).max(half));
            }
            Loss::Softmax(_) => {
                let mut shares = vec![half; outputs];
                target.iter().zip(weights).for_each(|(target, weight)| shares[*target as usize] += weight);
                start.iter_mut().zip(shares).for_each(|(start, share)| *start = kaizen_base::math::ln(share));
            }
        }
        start
    }
}

/// Rows below which no part is held out to choose the strength.
const HOLD_OUT_ROWS: usize = 20;

/// The strength for samples too small to choose one.
const SMALL_SAMPLE_STRENGTH: f64 = 0.1;

/// Copies of the weights that the solver holds: ten pairs of steps and slopes, and the points of a line search.
const SOLVER_COPIES: u64 = 26;

/// One in this many rows is held out to choose the strength.
const HOLD_OUT_SHARE: usize = 5;

impl Fit<'_> {
    fn run(&self) -> Result<(Encoder, Chosen, Outcome), FitError> {
        let sample = self.sample;
        let encoder = self.encoder(sample.train);
        let design = Design::new(&encoder, encoder.encode(self.cells, sample.train));
        let outcome = Outcome::of(sample);
        let target = outcome.targets(sample, sample.train);
        let weights = normalised_weights(sample, sample.train);
        let start = outcome.start(&target, &weights, encoder.term_count());
        if outcome.classes.list().len() == 1 || encoder.term_count() == 0 || design.cell_count() == 0 {
            let chosen = Chosen { weights: start, strength: f64::INFINITY, cut_short: false };
            return Ok((encoder, chosen, outcome));
        }
        let valid = sample.valid.filter(|rows| !rows.is_empty());
        let valid_rows = valid.map(|rows| encoder.encode(self.cells, rows));
        let (valid_target, valid_weights) = match valid {
            Some(rows) => (outcome.targets(sample, rows), normalised_weights(sample, rows)),
            None => (Vec::new(), Vec::new()),
        };
        let choice = match (self.settings.strength, &valid_rows) {
            (Some(strength), _) => Choice::Fixed(strength),
            (None, Some(rows)) => Choice::Validation { rows, target: &valid_target, weights: &valid_weights },
            (None, None) if by_gram(&design, outcome.loss) => Choice::CrossValidation,
            (None, None) => Choice::DownTo(self.held_out_strength()?),
        };
        let inputs = path::Inputs {
            design: &design,
            loss: outcome.loss,
            target: &target,
            weights: &weights,
            mix: self.settings.mix,
            // A strength that was given is meant for the target as it is; one on a path is found on its own scale.
            absolute_unit: if self.settings.strength.is_some() { 1.0 / outcome.scale.1 } else { 1.0 },
            start,
        };
        let chosen = walk(inputs, &choice, self.ctx.signal)?;
        Ok((encoder, chosen, outcome))
    }

    fn encoder(&self, rows: &[u32]) -> Encoder {
        let weight = |row| self.sample.data.weight(row);
        Encoder::fit(self.features, self.cells, rows, weight, self.settings.standardise)
    }

    /// The strength that is best for a fifth of the training rows when fitted on the rest.
    fn held_out_strength(&self) -> Result<f64, FitError> {
        let train = self.sample.train;
        if train.len() < HOLD_OUT_ROWS {
            return Ok(SMALL_SAMPLE_STRENGTH);
        }
        let mut rng = self.ctx.seed.child("linear_hold_out", 0).rng();
        let places = rng.sample_sorted(train.len(), train.len() / HOLD_OUT_SHARE);
        let mut held = vec![false; train.len()];
        for &place in &places {
            held[place as usize] = true;
        }
        let side = |wanted: bool| {
            let kept = train.iter().zip(&held).filter(|(_, held)| **held == wanted);
            kept.map(|(&row, _)| row).collect::<Vec<u32>>()
        };
        let (fitted, judged) = (side(false), side(true));
        let part = Fit {
            features: self.features,
            cells: self.cells,
            sample: Sample { data: self.sample.data, train: &fitted, valid: Some(&judged) },
            settings: self.settings,
            ctx: self.ctx,
        };
        let (_, chosen, _) = part.run()?;
        Ok(if chosen.strength.is_finite() { chosen.strength } else { SMALL_SAMPLE_STRENGTH })
    }
}
