//! Gradients of all training rows, and their packing into fixed point.

use std::ops::Range;

use rayon::prelude::*;

use crate::input::TrainInput;
use crate::kernel::{self, Packed};
use crate::objective::CHUNK;
use crate::params::Objective;
use crate::sampling::Draw;
use crate::splitter::Unit;

/// First and second derivatives by the raw scores, weights included.
///
/// Stored chunk by chunk, in a chunk output by output, so that chunks are independent and each is a vector loop.
#[derive(Debug)]
pub(crate) struct Derivatives {
    outputs: usize,
    row_count: usize,
    gradients: Vec<f64>,
    hessians: Vec<f64>,
}

impl Derivatives {
    pub(crate) fn new(row_count: usize, outputs: usize) -> Self {
        let len = row_count * outputs;
        Self { outputs, row_count, gradients: vec![0.0; len], hessians: vec![0.0; len] }
    }

    pub(crate) fn row_count(&self) -> usize {
        self.row_count
    }

    /// Gradients and second derivatives of one output in one chunk of positions.
    pub(crate) fn chunk(&self, chunk: usize, output: usize) -> (&[f64], &[f64]) {
        let first = chunk * CHUNK;
        let len = CHUNK.min(self.row_count - first);
        let start = first * self.outputs + output * len;
        (&self.gradients[start..start + len], &self.hessians[start..start + len])
    }

    pub(crate) fn chunk_count(&self) -> usize {
        self.row_count.div_ceil(CHUNK)
    }

    /// Recomputes everything at `scores` `[table rows, outputs]`.
    pub(crate) fn compute(&mut self, objective: &Objective, input: &TrainInput<'_>, scores: &[f64]) {
        let outputs = self.outputs;
        self.gradients
            .par_chunks_mut(CHUNK * outputs)
            .zip(self.hessians.par_chunks_mut(CHUNK * outputs))
            .zip(input.rows.par_chunks(CHUNK))
            .for_each(|((gradients, hessians), rows)| {
                if let Objective::Softmax { shared, .. } = objective {
                    softmax_chunk(rows, input, scores, *shared, gradients, hessians);
                } else {
                    let score: Vec<f64> = rows.iter().map(|row| scores[*row as usize]).collect();
                    let target: Vec<f64> = rows.iter().map(|row| input.target[*row as usize]).collect();
                    objective.derivatives(&score, &target, gradients, hessians);
                }
                if let Some(weights) = input.weights {
                    let len = rows.len();
                    for output in 0..outputs {
                        for (position, row) in rows.iter().enumerate() {
                            gradients[output * len + position] *= weights[*row as usize];
                            hessians[output * len + position] *= weights[*row as usize];
                        }
                    }
                }
            });
    }

    /// Root of the mean squared gradient over rows, summed over outputs.
    pub(crate) fn root_mean_square(&self) -> f64 {
        let parts: Vec<f64> = self
            .gradients
            .par_chunks(CHUNK * self.outputs)
            .map(|part| part.iter().map(|g| g * g).sum())
            .collect();
        (parts.iter().sum::<f64>() / self.row_count as f64).sqrt()
    }

    /// Rounds the sampled rows' derivatives to fixed point, one array by table row for each output.
    ///
    /// With `weights_only` the second derivative of a row is its weight. A gradient unit of 0 says that there is
    /// nothing left to learn.
    pub(crate) fn pack(
        &self,
        input: &TrainInput<'_>,
        outputs: Range<usize>,
        draw: &Draw,
        weights_only: bool,
    ) -> (Vec<Vec<Packed>>, Unit) {
        let (gradient_sum, hessian_sum) = self.absolute_sums(input, &outputs, draw, weights_only);
        // Rounding adds at most half a step a row.
        let rows = self.row_count as f64;
        let gradient_scale = (f64::from(i32::MAX) - rows).max(1.0) / gradient_sum;
        let counts_rows = hessian_sum == rows && draw.is_all() && input.weights.is_none();
        let hessian_scale = if counts_rows {
            1.0
        } else {
            power_of_two_below((f64::from(u32::MAX) - rows).max(1.0) / hessian_sum)
        };
        if !(gradient_scale.is_finite() && hessian_scale.is_finite()) {
            return (Vec::new(), Unit { gradient: 0.0, hessian: 0.0 });
        }
        let all = outputs
            .map(|output| {
                self.pack_output(input, output, draw, weights_only, (gradient_scale, hessian_scale))
            })
            .collect();
        (all, Unit { gradient: 1.0 / gradient_scale, hessian: 1.0 / hessian_scale })
    }

    /// Sums of the sampled rows' absolute derivatives, chunk by chunk those of the largest output; they bound every
    /// partial sum of the histogram.
    fn absolute_sums(
        &self,
        input: &TrainInput<'_>,
        outputs: &Range<usize>,
        draw: &Draw,
        weights_only: bool,
    ) -> (f64, f64) {
        let parts: Vec<(f64, f64)> = (0..self.chunk_count())
            .into_par_iter()
            .map(|chunk| {
                let mut worst = (0.0f64, 0.0f64);
                for output in outputs.clone() {
                    let (gradients, hessians) = self.chunk(chunk, output);
                    let mut sums = (0.0, 0.0);
                    for (index, (gradient, hessian)) in gradients.iter().zip(hessians).enumerate() {
                        let position = chunk * CHUNK + index;
                        let factor = draw.factor(position);
                        sums.0 += gradient.abs() * factor;
                        sums.1 +=
                            if weights_only { drawn_weight(input, draw, position) } else { hessian * factor };
                    }
                    worst = (worst.0.max(sums.0), worst.1.max(sums.1));
                }
                worst
            })
            .collect();
        parts.iter().fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1))
    }

    /// One output's packed derivatives by table row, scaled by `scales` (of gradients, of second derivatives).
    fn pack_output(
        &self,
        input: &TrainInput<'_>,
        output: usize,
        draw: &Draw,
        weights_only: bool,
        scales: (f64, f64),
    ) -> Vec<Packed> {
        let mut packed = vec![0; input.bins.row_count()];
        let mut piece = vec![0; CHUNK];
        let mut hessian_piece = vec![0.0; CHUNK];
        let mut gradient_piece = vec![0.0; CHUNK];
        for (chunk, rows) in input.rows.chunks(CHUNK).enumerate() {
            let (mut gradients, mut hessians) = self.chunk(chunk, output);
            let len = gradients.len();
            if weights_only || !draw.is_all() {
                for index in 0..len {
                    let position = chunk * CHUNK + index;
                    let factor = draw.factor(position);
                    gradient_piece[index] = gradients[index] * factor;
                    hessian_piece[index] = if weights_only {
                        drawn_weight(input, draw, position)
                    } else {
                        hessians[index] * factor
                    };
                }
                gradients = &gradient_piece[..len];
                hessians = &hessian_piece[..len];
            }
            kernel::pack_all(gradients, hessians, scales.0, scales.1, &mut piece[..len]);
            for (row, value) in rows.iter().zip(&piece) {
                packed[*row as usize] = *value;
            }
        }
        packed
    }
}

/// Weight of a training position times its factor in the draw.
fn drawn_weight(input: &TrainInput<'_>, draw: &Draw, position: usize) -> f64 {
    let own = input.weights.map_or(1.0, |weights| weights[input.rows[position] as usize]);
    own * draw.factor(position)
}

/// The largest power of two not above a positive `x`: weights that are whole numbers (or halves) stay exact, so that a
/// weight of two counts exactly as two rows.
fn power_of_two_below(x: f64) -> f64 {
    f64::from_bits(x.to_bits() & 0x7ff0_0000_0000_0000)
}

/// Probabilities less the indicator of the class, and p (1 - p), times K / (K - 1) where each class has its own trees
/// (Friedman 2001, algorithm 6) or there are two; leaves with a vector of three or more take the full step.
fn softmax_chunk(
    rows: &[u32],
    input: &TrainInput<'_>,
    scores: &[f64],
    shared: bool,
    gradients: &mut [f64],
    hessians: &mut [f64],
) {
    let len = rows.len();
    let outputs = gradients.len() / len;
    let mut largest = vec![f64::NEG_INFINITY; len];
    for (position, row) in rows.iter().enumerate() {
        for output in 0..outputs {
            let score = scores[*row as usize * outputs + output];
            gradients[output * len + position] = score;
            largest[position] = largest[position].max(score);
        }
    }
    let mut sums = vec![0.0; len];
    for output in 0..outputs {
        let part = &mut gradients[output * len..(output + 1) * len];
        kernel::exp_shifted(part, &largest);
        for (sum, value) in sums.iter_mut().zip(&*part) {
            *sum += value;
        }
    }
    let factor = if shared && outputs > 2 { 1.0 } else { outputs as f64 / (outputs as f64 - 1.0) };
    for output in 0..outputs {
        for (position, row) in rows.iter().enumerate() {
            let index = output * len + position;
            let p = gradients[index] / sums[position];
            let is_class = input.target[*row as usize] as usize == output;
            gradients[index] = p - f64::from(u8::from(is_class));
            hessians[index] = factor * p * (1.0 - p);
        }
    }
}
