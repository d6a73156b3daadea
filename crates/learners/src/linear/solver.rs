//! Minimises loss plus penalty over the weights of all terms.
//!
//! Limited-memory quasi-Newton steps (Nocedal 1980; Liu and Nocedal 1989) from a diagonal that bounds the curvature of
//! each term; with an absolute penalty its orthant-wise form (Andrew and Gao 2007), which sets weights to exactly zero.
//! Scores along a search direction are linear, so a step length of the smooth problem costs one pass over the scores
//! and none over the data. The intercept is never penalised.

use std::collections::VecDeque;

use kaizen_base::{Flow, Signal};
use kaizen_model::FitError;

use super::design::{Design, dot};
use super::loss::Loss;

/// Past steps that shape the next one.
const MEMORY: usize = 10;

/// Halvings of a step length before the step is given up: the problem is then flat to rounding.
const HALVING_LIMIT: usize = 30;

/// Share of the predicted decrease that a step must achieve (Armijo 1966).
const SUFFICIENT: f64 = 1e-4;

/// One problem: minimise `loss(design · weights) + absolute · |weights| + square / 2 · weights²`.
pub(crate) struct Problem<'a> {
    pub(crate) design: &'a Design,
    pub(crate) loss: Loss,
    /// Class index or standardised value, one a row.
    pub(crate) target: &'a [f64],
    /// Sums to one.
    pub(crate) weights: &'a [f64],
    /// [`Design::squares`] of these weights.
    pub(crate) squares: &'a [f64],
}

/// How strongly weights are drawn to zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Penalty {
    pub(crate) absolute: f64,
    pub(crate) square: f64,
}

/// How long to descend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Ends when the expected decrease is below this share of the loss of the start.
    pub(crate) tolerance: f64,
    /// Ends after this many steps.
    pub(crate) step_limit: usize,
}

/// Where a minimisation ended.
pub(crate) struct Minimum {
    /// [1 + terms, outputs].
    pub(crate) weights: Vec<f64>,
    /// Whether it was cut short by [`Flow::Finish`].
    pub(crate) cut_short: bool,
}

struct Pair {
    step: Vec<f64>,
    turn: Vec<f64>,
    product: f64,
}

impl Problem<'_> {
    /// Descends from `start` as far as the effort goes.
    pub(crate) fn minimise(
        &self,
        penalty: Penalty,
        start: Vec<f64>,
        effort: Effort,
        signal: &Signal,
    ) -> Result<Minimum, FitError> {
        let outputs = self.loss.outputs();
        let scale = self.diagonal(penalty);
        let mut at = start;
        let mut scores = vec![0.0; self.target.len() * outputs];
        self.design.rows.scores(&at, outputs, &mut scores);
        let (mut value, mut gradient) = self.value_and_gradient(&scores, &at, penalty);
        let floor = effort.tolerance * value.max(1e-3);
        let mut pairs: VecDeque<Pair> = VecDeque::with_capacity(MEMORY);
        for _ in 0..effort.step_limit {
            match signal.flow() {
                Flow::Continue => {}
                Flow::Finish => return Ok(Minimum { weights: at, cut_short: true }),
                Flow::Stop => return Err(FitError::Stopped),
            }
            let slope = pseudo_gradient(&at, &gradient, penalty.absolute, outputs);
            let decrease: f64 = slope.iter().zip(&scale).map(|(slope, scale)| slope * slope / scale).sum();
            if decrease * 0.5 <= floor {
                break;
            }
            let mut direction = quasi_newton(&pairs, &slope, &scale);
            if penalty.absolute > 0.0 {
                keep_signs(&mut direction, &slope, outputs);
            }
            if dot(&direction, &slope) >= 0.0 {
                pairs.clear();
                direction = slope.iter().zip(&scale).map(|(slope, scale)| -slope / scale).collect();
            }
            let Some((next, next_scores)) = self.search(&at, &scores, value, &slope, &direction, penalty)
            else {
                if pairs.is_empty() {
                    break;
                }
                // A bad model of the curvature: start again from the diagonal.
                pairs.clear();
                continue;
            };
            let (next_value, next_gradient) = self.value_and_gradient(&next_scores, &next, penalty);
            remember(&mut pairs, &at, &next, &gradient, &next_gradient);
            (at, scores, value, gradient) = (next, next_scores, next_value, next_gradient);
        }
        Ok(Minimum { weights: at, cut_short: false })
    }

    /// A bound of the second derivative by each weight.
    fn diagonal(&self, penalty: Penalty) -> Vec<f64> {
        let outputs = self.loss.outputs();
        let bound = |(term, square): (usize, &f64)| {
            let penalty = if term == 0 { 0.0 } else { penalty.square };
            (self.loss.curvature() * square + penalty).max(1e-12)
        };
        self.squares
            .iter()
            .enumerate()
            .map(bound)
            .flat_map(|bound| std::iter::repeat_n(bound, outputs))
            .collect()
    }

    /// Value without the absolute part, and its gradient.
    fn value_and_gradient(&self, scores: &[f64], at: &[f64], penalty: Penalty) -> (f64, Vec<f64>) {
        let outputs = self.loss.outputs();
        let mut slopes = scores.to_vec();
        let loss = self.loss.value_and_slopes(&mut slopes, self.target, self.weights);
        let mut gradient = vec![0.0; at.len()];
        self.design.transposed(&slopes, outputs, &mut gradient);
        for (slope, weight) in gradient[outputs..].iter_mut().zip(&at[outputs..]) {
            *slope += penalty.square * weight;
        }
        (loss + 0.5 * penalty.square * dot(&at[outputs..], &at[outputs..]), gradient)
    }

    /// Weights and scores a sufficient decrease away; `None` if no step length gives one.
    fn search(
        &self,
        at: &[f64],
        scores: &[f64],
        value: f64,
        slope: &[f64],
        direction: &[f64],
        penalty: Penalty,
    ) -> Option<(Vec<f64>, Vec<f64>)> {
        let outputs = self.loss.outputs();
        let mut along = vec![0.0; scores.len()];
        if penalty.absolute == 0.0 {
            self.design.rows.scores(direction, outputs, &mut along);
        }
        let start = value + penalty.absolute * size(&at[outputs..]);
        let mut length = 1.0;
        for _ in 0..HALVING_LIMIT {
            let next = stepped(at, direction, slope, length, penalty.absolute > 0.0, outputs);
            let next_scores: Vec<f64> = if penalty.absolute > 0.0 {
                self.design.rows.scores(&next, outputs, &mut along);
                along.clone()
            } else {
                scores.iter().zip(&along).map(|(score, change)| score + length * change).collect()
            };
            let reached = self.loss.value(&next_scores, self.target, self.weights)
                + 0.5 * penalty.square * dot(&next[outputs..], &next[outputs..])
                + penalty.absolute * size(&next[outputs..]);
            let predicted: f64 =
                next.iter().zip(at).zip(slope).map(|((next, at), slope)| (next - at) * slope).sum();
            if reached <= start + SUFFICIENT * predicted && predicted < 0.0 {
                return Some((next, next_scores));
            }
            length *= 0.5;
        }
        None
    }
}

/// Sum of magnitudes.
fn size(weights: &[f64]) -> f64 {
    weights.iter().map(|weight| weight.abs()).sum()
}

/// The steepest slope of value plus absolute penalty (Andrew and Gao 2007, equation 4).
fn pseudo_gradient(at: &[f64], gradient: &[f64], absolute: f64, outputs: usize) -> Vec<f64> {
    let mut slope = gradient.to_vec();
    if absolute > 0.0 {
        for (slope, &weight) in slope[outputs..].iter_mut().zip(&at[outputs..]) {
            *slope = if weight != 0.0 {
                *slope + absolute * weight.signum()
            } else if *slope + absolute < 0.0 {
                *slope + absolute
            } else if *slope - absolute > 0.0 {
                *slope - absolute
            } else {
                0.0
            };
        }
    }
    slope
}

/// Drops the parts of a direction that would climb (Andrew and Gao 2007, section 3.2).
fn keep_signs(direction: &mut [f64], slope: &[f64], outputs: usize) {
    for (part, slope) in direction[outputs..].iter_mut().zip(&slope[outputs..]) {
        if *part * slope >= 0.0 {
            *part = 0.0;
        }
    }
}

/// A step that, under an absolute penalty, stops where a weight would change its sign.
fn stepped(
    at: &[f64],
    direction: &[f64],
    slope: &[f64],
    length: f64,
    stop_at_zero: bool,
    outputs: usize,
) -> Vec<f64> {
    let mut next: Vec<f64> = at.iter().zip(direction).map(|(at, part)| at + length * part).collect();
    if stop_at_zero {
        for ((next, &at), slope) in next.iter_mut().zip(at).zip(slope).skip(outputs) {
            let side = if at == 0.0 { -slope.signum() } else { at.signum() };
            if *next * side < 0.0 {
                *next = 0.0;
            }
        }
    }
    next
}

/// Minus the inverse curvature times the slope, by the two-loop recursion (Nocedal 1980).
fn quasi_newton(pairs: &VecDeque<Pair>, slope: &[f64], scale: &[f64]) -> Vec<f64> {
    let mut direction: Vec<f64> = slope.iter().map(|slope| -slope).collect();
    let mut shares = Vec::with_capacity(pairs.len());
    for pair in pairs.iter().rev() {
        let share = dot(&pair.step, &direction) / pair.product;
        direction.iter_mut().zip(&pair.turn).for_each(|(part, turn)| *part -= share * turn);
        shares.push(share);
    }
    let gain = pairs.back().map_or(1.0, |pair| {
        let scaled: f64 = pair.turn.iter().zip(scale).map(|(turn, scale)| turn * turn / scale).sum();
        if scaled > 0.0 { pair.product / scaled } else { 1.0 }
    });
    direction.iter_mut().zip(scale).for_each(|(part, scale)| *part *= gain / scale);
    for (pair, share) in pairs.iter().zip(shares.into_iter().rev()) {
        let back = share - dot(&pair.turn, &direction) / pair.product;
        direction.iter_mut().zip(&pair.step).for_each(|(part, step)| *part += back * step);
    }
    direction
}

fn remember(pairs: &mut VecDeque<Pair>, at: &[f64], next: &[f64], gradient: &[f64], next_gradient: &[f64]) {
    let step: Vec<f64> = next.iter().zip(at).map(|(next, at)| next - at).collect();
    let turn: Vec<f64> = next_gradient.iter().zip(gradient).map(|(next, at)| next - at).collect();
    let product = dot(&step, &turn);
    // Convexity makes the product positive; a vanishing one carries rounding errors only.
    if product > 1e-14 * (dot(&step, &step) * dot(&turn, &turn)).sqrt() {
        if pairs.len() == MEMORY {
            pairs.pop_front();
        }
        pairs.push_back(Pair { step, turn, product });
    }
}
