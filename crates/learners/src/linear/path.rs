//! Penalties from strong to weak, each starting where the last one ended, and the choice among them.
//!
//! For an absolute penalty the path begins where the first weight would leave zero (Friedman, Hastie and Tibshirani
//! 2010, section 2.5). Where validation rows are given, the weights that predict them best are kept and the walk ends
//! when several weaker penalties in a row were no better.

use kaizen_base::Signal;
use kaizen_model::{FitError, Task};

use super::design::{Design, Rows};
use super::gram::{Gram, PARTS};
use super::loss::Loss;
use super::solver::{Effort, Penalty, Problem};

/// Terms up to which the Gram matrix is used for squares.
const GRAM_TERMS: usize = 400;

/// Multiplications up to which the Gram matrix is worth its time.
const GRAM_WORK: usize = 4_000_000_000;

/// Effort for one penalty of many: what is left of the loss to gain is far below what validation can tell apart.
const PATH_EFFORT: Effort = Effort { tolerance: 1e-5, step_limit: 60 };

/// The same where a step costs a tenth of a second: the path goes on from where it is anyway.
const HEAVY_EFFORT: Effort = Effort { tolerance: 1e-4, step_limit: 20 };

/// Effort where one penalty is all that is asked for.
const FIXED_EFFORT: Effort = Effort { tolerance: 1e-14, step_limit: 5_000 };

/// The same for coordinate descent on a Gram matrix, whose sweeps cost next to nothing.
const GRAM_TOLERANCE: (f64, f64) = (1e-14, 1e-28);

/// Cells times outputs from which on a penalty costs seconds, and the path takes one step a decade instead of two.
const HEAVY_WORK: usize = 10_000_000;

/// Penalties that may be no better before the walk ends; the loss is nearly convex along the path.
const PATIENCE: usize = 2;

/// What is fitted.
pub(crate) struct Inputs<'a> {
    pub(crate) design: &'a Design,
    pub(crate) loss: Loss,
    pub(crate) target: &'a [f64],
    /// Sums to one.
    pub(crate) weights: &'a [f64],
    /// Share of the absolute penalty, 0 to 1.
    pub(crate) mix: f64,
    /// Factor on the absolute penalty: what a strength in the units of the target is on the scale of `target`.
    pub(crate) absolute_unit: f64,
    /// [1 + terms, outputs], zero but for the intercept.
    pub(crate) start: Vec<f64>,
}

/// How the penalty is chosen.
pub(crate) enum Choice<'a> {
    /// By the loss on these rows.
    Validation {
        /// Encoded as the design was.
        rows: &'a Rows,
        /// One a row.
        target: &'a [f64],
        /// Sums to one.
        weights: &'a [f64],
    },
    /// By generalised cross-validation; squares with few terms only (see [`by_gram`]).
    CrossValidation,
    /// This strength.
    Fixed(f64),
    /// The whole path down to this strength, of which the end is wanted.
    DownTo(f64),
}

/// The weights that were chosen.
pub(crate) struct Chosen {
    /// [1 + terms, outputs].
    pub(crate) weights: Vec<f64>,
    /// The penalty's strength.
    pub(crate) strength: f64,
    /// Whether the walk was cut short.
    pub(crate) cut_short: bool,
}

/// Whether squares go by the Gram matrix.
pub(crate) fn by_gram(design: &Design, loss: Loss) -> bool {
    let terms = design.term_count();
    loss == Loss::Squared
        && terms <= GRAM_TERMS
        && design.rows.count.saturating_mul(terms * terms) <= GRAM_WORK
}

/// Bytes of the products of so many terms, if squares are minimised by them: a matrix for each part of the rows, and
/// the factors of one.
pub(crate) fn gram_bytes(terms: usize, task: &Task) -> u64 {
    let is_squared = !task.is_classification();
    if is_squared && terms <= GRAM_TERMS { 8 * ((terms + 1) * (terms + 1) * (PARTS + 3)) as u64 } else { 0 }
}

/// Walks the path and chooses.
pub(crate) fn walk(inputs: Inputs<'_>, choice: &Choice<'_>, signal: &Signal) -> Result<Chosen, FitError> {
    let Inputs { design, loss, target, weights, mix, absolute_unit, start } = inputs;
    if signal.flow() == kaizen_base::Flow::Stop {
        return Err(FitError::Stopped);
    }
    let gram = by_gram(design, loss).then(|| Gram::new(design, target, weights));
    let squares = if gram.is_some() { Vec::new() } else { design.squares(weights) };
    let problem = Problem { design, loss, target, weights, squares: &squares };
    let first_slope = match &gram {
        Some(gram) => gram.largest_slope(),
        None => largest_slope(&problem, &start),
    };
    let Haste { pace, effort, gram_tolerance } = haste(design, loss, choice, gram.is_some());
    let strengths = strengths(mix, first_slope, design, choice, pace);
    let mut at = start;
    let mut best: Option<(f64, Chosen)> = None;
    let mut worse = 0;
    for strength in strengths {
        let penalty = Penalty { absolute: strength * mix * absolute_unit, square: strength * (1.0 - mix) };
        let cut_short = if let Some(gram) = &gram {
            at = gram.minimise(penalty, &at, gram_tolerance);
            match signal.flow() {
                kaizen_base::Flow::Stop => return Err(FitError::Stopped),
                flow => flow == kaizen_base::Flow::Finish,
            }
        } else {
            let minimum = problem.minimise(penalty, at, effort, signal)?;
            at = minimum.weights;
            minimum.cut_short
        };
        let score = match (choice, &gram) {
            (Choice::Validation { rows, target, weights }, _) => {
                let mut scores = vec![0.0; rows.count * loss.outputs()];
                rows.scores(&at, loss.outputs(), &mut scores);
                loss.value(&scores, target, weights)
            }
            (Choice::CrossValidation, Some(gram)) => gram.cross_validation(penalty, &at, design.rows.count),
            // The last one wins.
            _ => f64::NEG_INFINITY,
        };
        if best.as_ref().is_none_or(|(least, _)| score < *least || score == f64::NEG_INFINITY) {
            best = Some((score, Chosen { weights: at.clone(), strength, cut_short }));
            worse = 0;
        } else {
            worse += 1;
        }
        if cut_short || (worse >= PATIENCE && gram.is_none()) {
            if let Some((_, chosen)) = &mut best {
                chosen.cut_short |= cut_short;
            }
            break;
        }
    }
    // The list of strengths is never empty; were it, the start would be the answer.
    Ok(best.map_or(Chosen { weights: at, strength: f64::INFINITY, cut_short: false }, |(_, chosen)| chosen))
}

/// How fast the path is walked.
struct Haste {
    /// Strengths a decade.
    pace: f64,
    effort: Effort,
    gram_tolerance: f64,
}

fn haste(design: &Design, loss: Loss, choice: &Choice<'_>, has_gram: bool) -> Haste {
    if matches!(choice, Choice::Fixed(_)) {
        return Haste { pace: 1.0, effort: FIXED_EFFORT, gram_tolerance: GRAM_TOLERANCE.1 };
    }
    let heavy = design.cell_count() * loss.outputs() >= HEAVY_WORK;
    let (pace, effort) = match (has_gram, heavy) {
        (true, _) => (4.0, PATH_EFFORT),
        (false, true) => (1.0, HEAVY_EFFORT),
        (false, false) => (2.0, PATH_EFFORT),
    };
    Haste { pace, effort, gram_tolerance: GRAM_TOLERANCE.0 }
}

fn largest_slope(problem: &Problem<'_>, start: &[f64]) -> f64 {
    let outputs = problem.loss.outputs();
    let mut scores = vec![0.0; problem.target.len() * outputs];
    problem.design.rows.scores(start, outputs, &mut scores);
    problem.loss.value_and_slopes(&mut scores, problem.target, problem.weights);
    let mut slopes = vec![0.0; start.len()];
    problem.design.transposed(&scores, outputs, &mut slopes);
    slopes[outputs..].iter().fold(0.0, |largest, slope| largest.max(slope.abs()))
}

/// Strengths in the order of the walk, at least one; `pace` of them a decade.
fn strengths(mix: f64, first_slope: f64, design: &Design, choice: &Choice<'_>, pace: f64) -> Vec<f64> {
    if let Choice::Fixed(strength) = choice {
        return vec![*strength];
    }
    let rows = design.rows.count as f64;
    let (first, last, steps) = if mix > 0.0 {
        let first = (first_slope / mix).max(1e-12);
        let reach = if design.rows.count > design.term_count() { 1e-4 } else { 1e-2 };
        (first, first * reach, (15.0 * pace) as usize)
    } else {
        // Standardised terms have mean square one: ten shrinks a single weight to a tenth, and a hundredth of a row's
        // worth of penalty is none.
        let last = (0.01 / rows).min(1e-4);
        let decades = 1.0 - kaizen_base::math::log10(last);
        (10.0, last, (decades * pace).ceil() as usize)
    };
    let ratio = kaizen_base::math::pow(last / first, 1.0 / steps.max(1) as f64);
    let mut strengths = vec![first];
    while strengths.len() <= steps {
        strengths.push(strengths[strengths.len() - 1] * ratio);
    }
    if let Choice::DownTo(end) = choice {
        // Every third step is a good enough start for the next.
        strengths.retain(|&strength| strength > *end);
        strengths = strengths.into_iter().step_by(3).collect();
        strengths.push(*end);
    }
    strengths
}
