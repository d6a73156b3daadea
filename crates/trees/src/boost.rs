//! Gradient boosting: rounds of gradients, one tree (or one for each class), shrunken leaf values.
//!
//! Source: Friedman (2001) for boosting, Chen and Guestrin (2016) for the second-order step; symmetric trees estimate
//! their leaves on all rows with the full weights after the structure was found on sampled ones (Prokhorenkova et al.
//! 2018). With dropout (see `dropout`) earlier rounds are taken off the scores while a round learns.

use kaizen_base::{Flow, Seed, Signal, math};
use rayon::prelude::*;

use crate::bins::Bins;
use crate::builder::{Builder, plain_columns};
use crate::derivatives::Derivatives;
use crate::dropout::{Dropped, RoundWeights, share_of_dropped, weight_of_new};
use crate::ensemble::{ColumnCoding, Ensemble};
use crate::error::{Result, TreesError};
use crate::grower::{self, Grown, Limits, Plan, draw_share};
use crate::histogram::{Layout, Pool};
use crate::input::{Start, TrainInput, check_input};
use crate::kernel::{LaneSet, Packed};
use crate::leaves::{self, LeafModels, LeafRule};
use crate::linear::{LinearFit, LinearModels, Numbers};
use crate::objective::CHUNK;
use crate::ordered::{self, OrderedInput};
use crate::params::{BoostParams, Categories, Growth, Objective, SplitScore};
use crate::sampling;
use crate::splitter::{Criterion, Rule, Unit};
use crate::symmetric::{self, SymmetricRule};

/// What the caller hears after each round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoundReport {
    /// Rounds done, from 1.
    pub round: u32,
    /// Loss on the validation rows, if there are any.
    pub valid_loss: Option<f64>,
    /// Round with the lowest validation loss so far (the present one without validation rows).
    pub best_round: u32,
}

/// A finished training.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The trees up to the best round.
    pub ensemble: Ensemble,
    /// Rounds kept: the one with the lowest validation loss, or all without validation rows.
    pub best_round: u32,
    /// Raw scores of the validation rows `[valid rows, outputs]` by the kept trees.
    pub valid_scores: Vec<f64>,
    /// Validation loss after each round.
    pub valid_losses: Vec<f64>,
}

/// Trains an ensemble.
///
/// `on_round` hears of each round and may end the training; `signal` is looked at before every split. Told to finish,
/// the training returns what is there, be it the constant alone. The same input and seed give the same bits on any
/// number of threads.
///
/// # Errors
/// [`TreesError::Shape`], [`TreesError::Parameter`], [`TreesError::Target`] and [`TreesError::Weight`] for input that
/// does not fit; [`TreesError::ValuesNeeded`] for linear leaves without raw values; [`TreesError::NoRows`] without rows
/// or weight; [`TreesError::Stopped`] if told to stop.
pub fn train(
    input: &TrainInput<'_>,
    params: &BoostParams,
    seed: Seed,
    signal: &Signal,
    on_round: &mut dyn FnMut(&RoundReport) -> Flow,
) -> Result<Trained> {
    params.check()?;
    check_input(input, params)?;
    let mut trainer = Trainer::new(input, params, seed, signal)?;
    for round in 1..=params.rounds {
        match signal.flow() {
            Flow::Stop => return Err(TreesError::Stopped),
            Flow::Finish => break,
            Flow::Continue => {}
        }
        if !trainer.round(round)? {
            break;
        }
        let report = trainer.report(round);
        match on_round(&report) {
            Flow::Stop => return Err(TreesError::Stopped),
            Flow::Finish => break,
            Flow::Continue => {}
        }
        if trainer.has_stalled(round) {
            break;
        }
    }
    Ok(trainer.finish())
}

/// The learning rate that suits a number of rows and rounds when none is given.
///
/// A power law in both, rate = exp(a ln rows + b) scaled by (rounds / 1000)^c, whose constants were fitted to the rates
/// that CatBoost 1.2.10 chooses by itself (it reports them as `learning_rate_`); at most 0.5.
pub fn automatic_rate(objective: &Objective, row_count: usize, rounds: u32) -> f64 {
    let (slope, intercept, by_rounds) = match objective {
        Objective::Logistic | Objective::Focal { .. } => (0.427, -7.525, -0.917),
        Objective::Softmax { .. } => (0.051, -2.889, -0.845),
        _ => (0.158, -4.287, -0.813),
    };
    let rate = math::exp(slope * math::ln(row_count.max(1) as f64) + intercept);
    (rate * math::pow(f64::from(rounds.max(1)) / 1000.0, by_rounds)).clamp(1e-6, 0.5)
}

/// Training as seen under one order of the rows.
struct State {
    bins: Bins,
    /// `[table rows, outputs]`.
    scores: Vec<f64>,
    derivatives: Derivatives,
}

/// The table in codes that trees can split.
struct Coded {
    /// One for each order of the categories' statistics, or the input's own.
    tables: Vec<Bins>,
    /// How each column of the tables is computed at prediction.
    columns: Vec<ColumnCoding>,
    /// Columns that trees may use.
    features: Vec<u32>,
}

impl Coded {
    fn new(input: &TrainInput<'_>, params: &BoostParams, seed: Seed) -> Self {
        let feature_count = input.bins.feature_count() as u32;
        let features: Vec<u32> = input.features.map_or_else(|| (0..feature_count).collect(), <[u32]>::to_vec);
        let mut columns: Vec<ColumnCoding> = plain_columns(input.bins);
        let mut tables = vec![input.bins.clone()];
        let mut replaced = Vec::new();
        if let Categories::Ordered(ordered_params) = &params.categories {
            let ordered_input = OrderedInput {
                bins: input.bins,
                rows: input.rows,
                valid_rows: input.valid_rows.unwrap_or_default(),
                target: input.target,
                weights: input.weights,
                objective: &params.objective,
                features: &features,
            };
            if let Some(made) = ordered::build(&ordered_input, ordered_params, seed.child("ordered", 0)) {
                columns.extend(made.statistics.into_iter().map(ColumnCoding::Statistic));
                tables = made.tables;
                replaced = made.replaced;
            }
        }
        let all_columns = &tables[0].columns;
        let features: Vec<u32> = features
            .into_iter()
            .filter(|feature| !replaced.contains(feature))
            .chain(feature_count..all_columns.len() as u32)
            // A column with one value and nothing missing has no cut.
            .filter(|feature| all_columns[*feature as usize].can_split())
            .collect();
        Self { tables, columns, features }
    }
}

/// Raw scores `[rows, outputs]` at which boosting starts, on the codes of one order.
fn start_scores(
    input: &TrainInput<'_>,
    builder: &Builder,
    bins: &Bins,
    rows: &[u32],
    outputs: usize,
) -> Vec<f64> {
    match input.start {
        Start::Constant => builder.ensemble().base.repeat(rows.len()),
        Start::Scores(scores) => rows
            .iter()
            .flat_map(|row| scores[*row as usize * outputs..(*row as usize + 1) * outputs].iter().copied())
            .collect(),
        Start::Ensemble(_) => {
            builder.ensemble().predict_columns(bins, input.values.unwrap_or_default(), rows)
        }
    }
}

/// Outputs of one tree: all, or one for each tree of a round.
fn trees_width(objective: &Objective) -> usize {
    if let Objective::Softmax { shared: false, .. } = objective { 1 } else { objective.output_count() }
}

struct Trainer<'a> {
    input: &'a TrainInput<'a>,
    params: &'a BoostParams,
    signal: &'a Signal,
    seed: Seed,
    layout: Layout,
    is_set: Vec<bool>,
    features: Vec<u32>,
    rate: f64,
    /// Factor of the present round's leaves.
    leaf_rate: f64,
    /// Rounds of the ensemble that training continues from.
    rounds_before: u32,
    /// With dropout, the weight of each round.
    weights: Option<RoundWeights>,
    outputs: usize,
    /// One for each order of the categories' statistics; leaf values of the model come from the first.
    states: Vec<State>,
    valid_scores: Vec<f64>,
    best_valid_scores: Vec<f64>,
    pool: Pool,
    builder: Builder,
    losses: Vec<f64>,
    best: Option<(u32, f64)>,
    rounds_done: u32,
    /// Trees at the end of each round.
    tree_counts: Vec<usize>,
}

impl<'a> Trainer<'a> {
    fn new(
        input: &'a TrainInput<'a>,
        params: &'a BoostParams,
        seed: Seed,
        signal: &'a Signal,
    ) -> Result<Self> {
        let outputs = params.objective.output_count();
        let Coded { tables, columns, features } = Coded::new(input, params, seed);
        let base = params.objective.initial(input.target, input.weights, input.rows);
        let mut builder = Builder::new(columns, input.bins.feature_count(), outputs);
        match input.start {
            Start::Constant => builder.set_base(base),
            Start::Scores(_) => {}
            Start::Ensemble(ensemble) => builder.continue_from(ensemble)?,
        }
        let valid_rows = input.valid_rows.unwrap_or_default();
        let valid_scores = start_scores(input, &builder, &tables[0], valid_rows, outputs);
        let all_rows: Vec<u32> = (0..input.bins.row_count() as u32).collect();
        let layout = Layout::new(&tables[0]);
        let is_set = tables[0].columns.iter().map(|column| column.is_category()).collect();
        let states = tables
            .into_iter()
            .map(|bins| State {
                scores: start_scores(input, &builder, &bins, &all_rows, outputs),
                derivatives: Derivatives::new(input.rows.len(), outputs),
                bins,
            })
            .collect();
        let trees_a_round = outputs / trees_width(&params.objective);
        let rate = params
            .learning_rate
            .unwrap_or_else(|| automatic_rate(&params.objective, input.rows.len(), params.rounds));
        Ok(Self {
            input,
            params,
            signal,
            seed,
            layout,
            is_set,
            features,
            rate,
            leaf_rate: rate,
            rounds_before: (builder.start_count() / trees_a_round) as u32,
            weights: params.dropout.map(RoundWeights::new),
            outputs,
            states,
            best_valid_scores: valid_scores.clone(),
            valid_scores,
            pool: Pool::default(),
            builder,
            losses: Vec::new(),
            best: None,
            rounds_done: 0,
            tree_counts: Vec::new(),
        })
    }

    /// One round; false if no further tree can lower the loss.
    fn round(&mut self, round: u32) -> Result<bool> {
        // Rounds of the ensemble that training continues from count, so that draws go on and do not repeat.
        let seed = self.seed.child("round", u64::from(self.rounds_before + round));
        let dropped = self.drop_rounds(seed);
        for state in &mut self.states {
            state.derivatives.compute(&self.params.objective, self.input, &state.scores);
        }
        self.leaf_rate = self.rate * weight_of_new(dropped.rounds.len(), self.rate);
        let width = trees_width(&self.params.objective);
        let mut any = false;
        for first in (0..self.outputs).step_by(width) {
            let outputs = first..first + width;
            if !self.signal.may_continue() && any {
                break;
            }
            any |= self.tree(outputs, round, seed)?;
        }
        let count = dropped.rounds.len();
        self.add_dropped(&dropped, if any { share_of_dropped(count, self.rate) } else { 1.0 });
        if any {
            if let Some(weights) = &mut self.weights {
                weights.renew(&dropped.rounds, self.rate);
            }
            self.rounds_done = round;
            self.tree_counts.push(self.builder.tree_count());
            self.evaluate(round);
        }
        Ok(any)
    }

    /// Draws the rounds that the next one does without and takes them off all scores.
    fn drop_rounds(&mut self, seed: Seed) -> Dropped {
        let Some(weights) = &self.weights else { return Dropped::default() };
        let rounds = weights.draw(seed);
        if rounds.is_empty() {
            return Dropped::default();
        }
        let trees: Vec<(usize, f64)> = rounds
            .iter()
            .flat_map(|round| self.trees_of(*round).map(|tree| (tree, weights.of(*round))))
            .collect();
        let (input, ensemble) = (self.input, self.builder.ensemble());
        let of = |bins: &Bins, rows: &[u32]| {
            ensemble.sum_trees(bins, input.values.unwrap_or_default(), rows, &trees)
        };
        let dropped = Dropped {
            rounds,
            training: self.states.iter().map(|state| of(&state.bins, input.rows)).collect(),
            valid: of(&self.states[0].bins, input.valid_rows.unwrap_or_default()),
        };
        self.add_dropped(&dropped, -1.0);
        dropped
    }

    /// Adds `factor` times what the dropped rounds predict to all scores.
    fn add_dropped(&mut self, dropped: &Dropped, factor: f64) {
        for (state, sums) in self.states.iter_mut().zip(&dropped.training) {
            for (row, sums) in self.input.rows.iter().zip(sums.chunks_exact(self.outputs)) {
                let scores = &mut state.scores[*row as usize * self.outputs..][..self.outputs];
                scores.iter_mut().zip(sums).for_each(|(score, sum)| *score += factor * sum);
            }
        }
        self.valid_scores.iter_mut().zip(&dropped.valid).for_each(|(score, sum)| *score += factor * sum);
    }

    /// Trees of a round, counted from 0.
    fn trees_of(&self, round: usize) -> std::ops::Range<usize> {
        let start = if round == 0 { self.builder.start_count() } else { self.tree_counts[round - 1] };
        start..self.tree_counts[round]
    }

    /// Grows and adds one tree for a range of outputs; false if it is a mere constant.
    fn tree(&mut self, outputs: std::ops::Range<usize>, round: u32, seed: Seed) -> Result<bool> {
        let seed = seed.child("tree", outputs.start as u64);
        let mut rng = seed.child("structure", 0).rng();
        // The first order is kept for leaf values if there are others.
        let learner = if self.states.len() > 1 { 1 + rng.below(self.states.len() - 1) } else { 0 };
        let weights_only = self.params.score == SplitScore::Cosine && self.is_symmetric();
        let derivatives = &self.states[learner].derivatives;
        let draw = sampling::draw(&self.params.row_sampling, derivatives, outputs.clone(), seed);
        let (packed, unit) = derivatives.pack(self.input, outputs.clone(), &draw, weights_only);
        if unit.gradient == 0.0 {
            return Ok(false);
        }
        let rows = draw.rows(self.input.rows);
        let features = draw_share(&self.features, self.params.column_share_tree, &mut rng);
        let lane_sets = self.layout.lane_sets(&self.states[learner].bins, &features);
        let grown = self.grow(learner, &packed, unit, rows, &features, &lane_sets, rng, round)?;
        drop(packed);
        if grown.leaves.len() < 2 {
            return Ok(false);
        }
        let rule = LeafRule {
            objective: &self.params.objective,
            l1: self.params.l1,
            l2: self.params.l2,
            steps: self.params.leaf_steps,
            rate: self.leaf_rate,
        };
        let unit = (!self.is_symmetric()).then_some(unit);
        let input = self.input;
        let numbers = Numbers(input.values.unwrap_or_default());
        let mut of_model = LeafModels::default();
        let mut counts = Vec::new();
        for (index, state) in self.states.iter_mut().enumerate() {
            let known = (index == learner).then_some(draw.is_all());
            let leaf_of = leaves::assign(&grown, input, &state.bins, known);
            let values = leaves::estimate(
                &rule,
                &grown,
                &leaf_of,
                input,
                &state.scores,
                &state.derivatives,
                outputs.clone(),
                unit.filter(|_| index == learner),
            );
            let linear = self.params.linear.map_or_else(LinearModels::default, |linear| {
                let output = outputs.start;
                let (ridge, derivatives) = (linear.ridge, &state.derivatives);
                let fit = LinearFit { rule: &rule, ridge, input, numbers, draw: &draw, derivatives, output };
                fit.fit(&grown, &leaf_of, &state.bins)
            });
            let models = LeafModels { values, linear };
            leaves::apply(&mut state.scores, self.outputs, &leaf_of, &models, numbers, outputs.clone());
            if index == 0 {
                counts = leaves::counts(&leaf_of, input.rows, grown.leaves.len());
                of_model = models;
            }
        }
        self.apply_valid(&grown, &of_model, outputs.clone());
        self.builder.add(&grown, outputs, &of_model, &counts);
        Ok(true)
    }

    fn is_symmetric(&self) -> bool {
        matches!(self.params.growth, Growth::Symmetric { .. })
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one tree, used once")]
    fn grow(
        &mut self,
        learner: usize,
        packed: &[Vec<Packed>],
        unit: Unit,
        rows: Vec<u32>,
        features: &[u32],
        lane_sets: &[LaneSet],
        rng: kaizen_base::Rng,
        round: u32,
    ) -> Result<Grown> {
        let params = self.params;
        let (set_smooth, set_l2, set_max_threshold) = match params.categories {
            Categories::Sets { smooth, l2, max_threshold } => (smooth, l2, max_threshold as usize),
            Categories::Ordered(_) => (10.0, 10.0, 32),
        };
        let plan = Plan {
            bins: &self.states[learner].bins,
            layout: &self.layout,
            rule: Rule {
                criterion: Criterion::Newton,
                l1: params.l1,
                l2: params.l2,
                min_gain: params.min_gain,
                min_child_weight: params.min_child_weight,
                min_rows: params.min_rows,
                set_smooth,
                set_l2,
                set_max_threshold,
            },
            unit,
            is_set: &self.is_set,
            monotone: &params.monotone,
            bound: params.monotone_bound,
            interactions: &params.interactions,
            column_share_node: params.column_share_node,
            random_thresholds: params.random_thresholds,
            signal: self.signal,
        };
        let noise = self.noise(learner, round);
        let pool = &mut self.pool;
        let limits = match params.growth {
            Growth::LeafWise { leaves, max_depth } => Limits {
                leaves: leaves as usize,
                depth: if max_depth == 0 { u32::MAX } else { max_depth },
                by_level: false,
            },
            Growth::DepthWise { depth } => Limits { leaves: 1 << depth, depth, by_level: true },
            Growth::Symmetric { depth } => {
                let rule = SymmetricRule { depth, score: params.score, noise };
                return symmetric::grow(&plan, rule, packed, rows, features, lane_sets, rng, pool);
            }
        };
        grower::grow(&plan, limits, packed, rows, features, lane_sets, rng, pool)
    }

    /// Standard deviation of the noise on split scores: the root mean square gradient, which is about the cosine score
    /// of pure noise, faded as the model grows (Prokhorenkova et al. 2018, "random strength").
    fn noise(&self, learner: usize, round: u32) -> f64 {
        if self.params.random_strength == 0.0 {
            return 0.0;
        }
        let rows = self.input.rows.len() as f64;
        let length = f64::from(self.rounds_before + round - 1) * self.rate;
        let left = math::exp(math::ln(rows) - length);
        let fading = left / (1.0 + left);
        self.params.random_strength * self.states[learner].derivatives.root_mean_square() * fading
    }

    /// Adds what the tree predicts to the scores of the validation rows.
    fn apply_valid(&mut self, grown: &Grown, models: &LeafModels, outputs: std::ops::Range<usize>) {
        let stride = self.outputs;
        let valid_rows = self.input.valid_rows.unwrap_or_default();
        let numbers = Numbers(self.input.values.unwrap_or_default());
        let bins = &self.states[0].bins;
        self.valid_scores.par_chunks_mut(CHUNK * stride).zip(valid_rows.par_chunks(CHUNK)).for_each(
            |(scores, rows)| {
                for (score, row) in scores.chunks_exact_mut(stride).zip(rows) {
                    let leaf = grown.leaf_of(bins, *row as usize);
                    models.add_to(&mut score[outputs.clone()], leaf, *row as usize, numbers);
                }
            },
        );
    }

    fn evaluate(&mut self, round: u32) {
        let Some(valid_rows) = self.input.valid_rows.filter(|rows| !rows.is_empty()) else { return };
        let loss = match self.input.evaluate {
            Some(evaluate) => evaluate(&self.valid_scores),
            None => self.params.objective.mean_loss(
                &self.valid_scores,
                self.input.target,
                self.input.weights,
                valid_rows,
            ),
        };
        self.losses.push(loss);
        if loss.is_finite() && self.best.is_none_or(|(_, best)| loss < best) {
            self.best = Some((round, loss));
            self.best_valid_scores.clone_from(&self.valid_scores);
            if let Some(weights) = &mut self.weights {
                weights.keep_best();
            }
        }
    }

    fn report(&self, round: u32) -> RoundReport {
        RoundReport {
            round,
            valid_loss: self.losses.last().copied(),
            best_round: self.best.map_or(round, |(best, _)| best),
        }
    }

    fn has_stalled(&self, round: u32) -> bool {
        match (self.params.patience, self.best, self.losses.is_empty()) {
            (Some(patience), Some((best, _)), _) => round - best >= patience,
            (Some(patience), None, false) => round >= patience,
            _ => false,
        }
    }

    fn finish(mut self) -> Trained {
        let best_round = match self.best {
            Some((round, _)) => round,
            // All losses were not finite: the start is the best there is.
            None if !self.losses.is_empty() => 0,
            None => self.rounds_done,
        };
        let keep = if best_round == 0 {
            self.builder.start_count()
        } else {
            self.tree_counts.get(best_round as usize - 1).copied().unwrap_or(self.builder.tree_count())
        };
        self.builder.truncate(keep);
        if let Some(weights) = &self.weights {
            let of_rounds = weights.at(best_round as usize).iter().enumerate();
            let of_trees: Vec<(usize, f64)> = of_rounds
                .flat_map(|(round, weight)| self.trees_of(round).map(|tree| (tree, *weight)))
                .collect();
            self.builder.scale_trees(&of_trees);
            // Weighted leaves are rounded once more, and predictions must be those of the ensemble.
            let values = self.input.values.unwrap_or_default();
            let rows = self.input.valid_rows.unwrap_or_default();
            let mut scores = self.builder.ensemble().predict_columns(&self.states[0].bins, values, rows);
            if let Start::Scores(starts) = self.input.start {
                for (row, scores) in rows.iter().zip(scores.chunks_exact_mut(self.outputs)) {
                    let starts = &starts[*row as usize * self.outputs..];
                    scores.iter_mut().zip(starts).for_each(|(score, start)| *score += start);
                }
            }
            self.best_valid_scores = scores;
        }
        Trained {
            ensemble: self.builder.finish(),
            best_round,
            valid_scores: self.best_valid_scores,
            valid_losses: self.losses,
        }
    }
}
