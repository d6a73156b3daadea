//! Mixtures of product kernels on the unit cube.
//!
//! Each observation is a kernel: on a line a normal truncated to the interval, on a grid that normal's mass in a cell,
//! over options a smoothed indicator. One broad kernel, the prior, is always among them. Bandwidths follow the gaps
//! between neighbours (Bergstra et al. 2011) with the "magic clip" of Hyperopt and Optuna from below.
//!
//! A mixture is refitted for every suggestion, but few kernels change between two, so what is costly to compute (the
//! truncated mass) is kept as long as its bandwidth keeps its bits; the result is the same as from a fresh one.

use std::f64::consts::{PI, SQRT_2};

use kaizen_base::{Rng, math};

/// Older observations weigh less once there are more than this many (Bergstra, Yamins and Cox 2013).
const FULL_WEIGHT_COUNT: usize = 25;

/// Bandwidths on the unit interval never fall below 1 / this (Hyperopt, Optuna).
const MAX_BANDWIDTH_DIVISOR: usize = 100;

/// Grids with more cells are treated as lines: at the smallest bandwidth a cell is then narrower than 2/5 of it.
const MAX_GRID_CELLS: u64 = 256;

/// Cells that hold less than e to the minus this of a kernel count as empty: beside the prior that is nothing.
const NEGLIGIBLE: f64 = 80.0;

/// Exponents are clamped here, short of overflow at 709; a kernel that exceeds the prior by more takes all anyway.
const MAX_EXPONENT: f64 = 700.0;

/// Kernels summed before it is asked whether more are needed; fits the first-level cache beside the columns.
const BLOCK: usize = 128;

/// Draws from a truncated kernel before the value is clamped. The prior keeps 38 % of its draws, so a limit of 100 is
/// reached with a probability of 1e-21.
const MAX_REJECTIONS: usize = 100;

/// The prior kernel: a broad normal in the middle (Optuna).
const PRIOR_CENTRE: f64 = 0.5;
const PRIOR_BANDWIDTH: f64 = 1.0;

/// One coordinate of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Axis {
    /// A place in [0, 1].
    Line,
    /// The middle of one of so many equal cells of [0, 1].
    Grid(u32),
    /// The index of one of so many options.
    Options(u32),
}

impl Axis {
    /// An ordered axis with this number of values (`None` for a continuum).
    pub(super) fn of_cells(count: Option<u64>) -> Self {
        match count {
            Some(count) if count <= MAX_GRID_CELLS => Self::Grid(count as u32),
            _ => Self::Line,
        }
    }

    /// The place on this axis of a coordinate of the unit cube.
    pub(super) fn of_unit(self, unit: f64) -> f64 {
        match self {
            Self::Line | Self::Grid(_) => unit,
            Self::Options(count) => (unit * f64::from(count)).floor().clamp(0.0, f64::from(count - 1)),
        }
    }

    /// The coordinate of the unit cube of a place on this axis.
    pub(super) fn to_unit(self, place: f64) -> f64 {
        match self {
            Self::Line | Self::Grid(_) => place,
            Self::Options(count) => (place + 0.5) / f64::from(count),
        }
    }
}

/// Observations by axis, with the order of their values kept up to date.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    axes: Vec<Axis>,
    row_count: usize,
    /// [axis][row].
    places: Vec<Vec<f64>>,
    /// [axis][rank]: rows by ascending place, then row; empty for options.
    order: Vec<Vec<u32>>,
}

impl Columns {
    pub(super) fn new(axes: Vec<Axis>) -> Self {
        let count = axes.len();
        Self { axes, row_count: 0, places: vec![Vec::new(); count], order: vec![Vec::new(); count] }
    }

    pub(super) fn axes(&self) -> &[Axis] {
        &self.axes
    }

    pub(super) fn row_count(&self) -> usize {
        self.row_count
    }

    /// Adds a row; cost: one binary search and one move of an array for each ordered axis.
    pub(super) fn push(&mut self, row: &[f64]) {
        let number = self.row_count as u32;
        for (axis, place) in row.iter().enumerate() {
            let places = &mut self.places[axis];
            if !matches!(self.axes[axis], Axis::Options(_)) {
                let order = &mut self.order[axis];
                let rank = order.partition_point(|other| places[*other as usize] <= *place);
                order.insert(rank, number);
            }
            places.push(*place);
        }
        self.row_count += 1;
    }

    /// Some of the rows, in the order given.
    pub(super) fn subset(&self, rows: &[usize]) -> Self {
        let mut subset = Self::new(self.axes.clone());
        for row in rows {
            let places: Vec<f64> = self.places.iter().map(|column| column[*row]).collect();
            subset.push(&places);
        }
        subset
    }
}

/// A mixture of kernels, one for each member row of its columns, and the prior.
#[derive(Clone, Debug)]
pub(super) struct Mixture {
    axes: Vec<Axis>,
    /// Axes on which kernels are normals on a line.
    lines: Vec<usize>,
    grids: Vec<usize>,
    options: Vec<usize>,
    /// [line]: the kernels' normals on that line.
    normals: Vec<Normals>,
    /// [row]: sum of the logarithms of the scales over lines; minus infinity for rows that are not members.
    heights: Vec<f64>,
    /// [grid][row]: which of the different kernels of the grid, an index into `grid_kernels`.
    slots: Vec<Vec<u32>>,
    /// [grid][slot]: centre and bandwidth.
    grid_kernels: Vec<Vec<(f64, f64)>>,
    /// [option axis][row].
    choices: Vec<Vec<u32>>,
    /// [option axis]: logarithms of a kernel's mass at its own option and at each other one.
    option_logs: Vec<(f64, f64)>,
    /// [row], not normalised; 0 for rows that are not members. The prior's weight is 1.
    weights: Vec<f64>,
    weight_sum: f64,
    member_count: usize,
    /// The prior's mass inside [0, 1] and the logarithm of its scale on a line.
    prior_mass: f64,
    prior_scale: f64,
}

/// Normals of all rows on one line; figures of rows that are not members may be out of date.
#[derive(Clone, Debug, Default)]
struct Normals {
    /// [row]: NaN before the first fit.
    bandwidths: Vec<f64>,
    /// [row]: the logarithm of what stands before the exponential.
    log_scales: Vec<f64>,
    /// [row].
    centres: Vec<f64>,
    /// [row]: 1 / (bandwidth sqrt 2).
    inverses: Vec<f64>,
}

impl Mixture {
    pub(super) fn new(axes: &[Axis]) -> Self {
        let select = |wanted: fn(&Axis) -> bool| -> Vec<usize> {
            axes.iter().enumerate().filter(|(_, axis)| wanted(axis)).map(|(index, _)| index).collect()
        };
        let lines = select(|axis| matches!(axis, Axis::Line));
        let grids = select(|axis| matches!(axis, Axis::Grid(_)));
        let options = select(|axis| matches!(axis, Axis::Options(_)));
        Self {
            axes: axes.to_vec(),
            normals: vec![Normals::default(); lines.len()],
            lines,
            choices: vec![Vec::new(); options.len()],
            options,
            option_logs: Vec::new(),
            grid_kernels: vec![Vec::new(); grids.len()],
            slots: vec![Vec::new(); grids.len()],
            grids,
            heights: Vec::new(),
            weights: Vec::new(),
            weight_sum: 1.0,
            member_count: 0,
            prior_mass: inside_mass(PRIOR_CENTRE, PRIOR_BANDWIDTH),
            prior_scale: log_scale(PRIOR_CENTRE, PRIOR_BANDWIDTH),
        }
    }

    /// Fits the kernels to the member rows of the columns.
    pub(super) fn refit(&mut self, columns: &Columns, is_member: impl Fn(usize) -> bool) {
        self.grow(columns);
        self.weigh(columns.row_count, &is_member);
        for line in 0..self.lines.len() {
            self.fit_line(line, columns);
        }
        for grid in 0..self.grids.len() {
            self.fit_grid(grid, columns);
        }
        for row in 0..columns.row_count {
            // Summed afresh, not brought forward: the bits must not depend on the way that led here.
            self.heights[row] = if self.weights[row] > 0.0 {
                self.normals.iter().map(|normals| normals.log_scales[row]).sum()
            } else {
                f64::NEG_INFINITY
            };
        }
    }

    /// Draws a point.
    pub(super) fn draw(&self, columns: &Columns, rng: &mut Rng) -> Vec<f64> {
        let mut left = rng.uniform() * self.weight_sum;
        let chosen = (0..columns.row_count).find(|row| {
            left -= self.weights[*row];
            left < 0.0 && self.weights[*row] > 0.0
        });
        (0..self.axes.len()).map(|axis| self.draw_on(axis, chosen, rng)).collect()
    }

    /// The logarithm of the density at each point, up to a constant that all mixtures over the same axes share.
    pub(super) fn log_densities(&self, points: &[Vec<f64>]) -> Vec<f64> {
        let tables = self.grid_tables(points);
        let all = 0..points.len();
        all.map(|index| self.log_density_up_to(&points[index], index, &tables, f64::INFINITY)).collect()
    }

    /// The index of the point at which `gains[index]` less the logarithm of the density is largest, the first of
    /// equals.
    ///
    /// A density only grows while its kernels are summed, so a point is given up as soon as it cannot win any more.
    pub(super) fn best_gain(&self, points: &[Vec<f64>], gains: &[f64]) -> usize {
        let tables = self.grid_tables(points);
        let mut best = (f64::NEG_INFINITY, 0);
        for (index, point) in points.iter().enumerate() {
            let limit = gains[index] - best.0;
            let gain = gains[index] - self.log_density_up_to(point, index, &tables, limit);
            if gain > best.0 {
                best = (gain, index);
            }
        }
        best.1
    }

    /// The logarithm of the density at a point, or some number not below `limit` once it is certain to reach it.
    fn log_density_up_to(&self, point: &[f64], index: usize, tables: &[Vec<Vec<f64>>], limit: f64) -> f64 {
        let prior = self.log_prior(point);
        let logarithm = |sum: f64| prior + math::ln(sum / self.weight_sum);
        // Sums are taken relative to the prior's kernel, so they are at least its own weight, 1.
        let largest_sum = math::exp((limit - prior).min(MAX_EXPONENT)) * self.weight_sum;
        let mut sum = 1.0;
        let mut exponents = [0.0; BLOCK];
        // Newest first: they crowd where the draws are, so a hopeless point is given up soon.
        for start in (0..self.heights.len()).step_by(BLOCK).rev() {
            let rows = start..(start + BLOCK).min(self.heights.len());
            let exponents = &mut exponents[..rows.len()];
            self.exponents(rows.clone(), point, index, tables, prior, exponents);
            sum += weighted_exponentials(exponents, &self.weights[rows]);
            if sum > largest_sum {
                break;
            }
        }
        logarithm(sum)
    }

    /// The logarithms of the kernels of some rows at a point, less `reference`.
    fn exponents(
        &self,
        rows: std::ops::Range<usize>,
        point: &[f64],
        index: usize,
        tables: &[Vec<Vec<f64>>],
        reference: f64,
        exponents: &mut [f64],
    ) {
        for (exponent, height) in exponents.iter_mut().zip(&self.heights[rows.clone()]) {
            *exponent = height - reference;
        }
        for (axis, normals) in self.lines.iter().zip(&self.normals) {
            let place = point[*axis];
            let kernels = normals.centres[rows.clone()].iter().zip(&normals.inverses[rows.clone()]);
            for (exponent, (centre, inverse)) in exponents.iter_mut().zip(kernels) {
                let distance = (place - centre) * inverse;
                *exponent -= distance * distance;
            }
        }
        for (slots, table) in self.slots.iter().zip(tables) {
            for (exponent, slot) in exponents.iter_mut().zip(&slots[rows.clone()]) {
                *exponent += table[index][*slot as usize];
            }
        }
        for ((axis, choices), (hit, miss)) in self.options.iter().zip(&self.choices).zip(&self.option_logs) {
            let chosen = point[*axis] as u32;
            for (exponent, choice) in exponents.iter_mut().zip(&choices[rows.clone()]) {
                *exponent += if *choice == chosen { hit } else { miss };
            }
        }
    }

    /// Makes room for rows that have come since the last fit.
    fn grow(&mut self, columns: &Columns) {
        let rows = columns.row_count;
        for (axis, choices) in self.options.iter().zip(&mut self.choices) {
            let known = choices.len();
            choices.extend(columns.places[*axis][known..rows].iter().map(|place| *place as u32));
        }
        for normals in &mut self.normals {
            normals.bandwidths.resize(rows, f64::NAN);
            // Finite from the start: figures of rows that are not members are computed with and weigh nothing.
            normals.log_scales.resize(rows, 0.0);
            normals.centres.resize(rows, 0.0);
            normals.inverses.resize(rows, 0.0);
        }
        for (slots, kernels) in self.slots.iter_mut().zip(&mut self.grid_kernels) {
            slots.resize(rows, 0);
            kernels.clear();
        }
        self.heights.resize(rows, f64::NEG_INFINITY);
    }

    /// Weights by age: the newest count fully, the rest ramps down to 1 / members for the oldest.
    fn weigh(&mut self, row_count: usize, is_member: impl Fn(usize) -> bool) {
        self.member_count = (0..row_count).filter(|row| is_member(*row)).count();
        let ramp = self.member_count.saturating_sub(FULL_WEIGHT_COUNT);
        let lowest = 1.0 / self.member_count.max(1) as f64;
        let slope = if ramp > 1 { (1.0 - lowest) / (ramp - 1) as f64 } else { 0.0 };
        let mut age = 0;
        self.weights.clear();
        self.weights.extend((0..row_count).map(|row| {
            if !is_member(row) {
                return 0.0;
            }
            let weight = if age < ramp { lowest + slope * age as f64 } else { 1.0 };
            age += 1;
            weight
        }));
        self.weight_sum = 1.0 + self.weights.iter().sum::<f64>();
        let kernels = (self.member_count + 1) as f64;
        self.option_logs.clear();
        for axis in &self.options {
            let total = kernels + self.option_count(*axis);
            self.option_logs.push((math::ln((kernels + 1.0) / total), -math::ln(total)));
        }
    }

    fn option_count(&self, axis: usize) -> f64 {
        match self.axes[axis] {
            Axis::Options(count) => f64::from(count),
            Axis::Line | Axis::Grid(_) => 1.0,
        }
    }

    fn fit_line(&mut self, line: usize, columns: &Columns) {
        let fitted = self.bandwidths_on(self.lines[line], columns);
        let normals = &mut self.normals[line];
        for (row, centre, bandwidth) in fitted {
            if normals.bandwidths[row].to_bits() == bandwidth.to_bits() {
                continue;
            }
            normals.bandwidths[row] = bandwidth;
            normals.log_scales[row] = log_scale(centre, bandwidth);
            normals.centres[row] = centre;
            normals.inverses[row] = 1.0 / (bandwidth * SQRT_2);
        }
    }

    fn fit_grid(&mut self, grid: usize, columns: &Columns) {
        // Rows that are not members share the first slot with a member, and weigh nothing.
        let mut kernels: Vec<(f64, f64)> = Vec::new();
        self.slots[grid].fill(0);
        for (row, centre, bandwidth) in self.bandwidths_on(self.grids[grid], columns) {
            if kernels.last() != Some(&(centre, bandwidth)) {
                kernels.push((centre, bandwidth));
            }
            self.slots[grid][row] = (kernels.len() - 1) as u32;
        }
        if kernels.is_empty() {
            kernels.push((PRIOR_CENTRE, PRIOR_BANDWIDTH));
        }
        self.grid_kernels[grid] = kernels;
    }

    /// Member rows by ascending centre, each with centre and bandwidth: the larger gap to a neighbour (the prior's
    /// centre is one), not above 1 nor below 1 / min(100, kernels + 1).
    fn bandwidths_on(&self, axis: usize, columns: &Columns) -> Vec<(usize, f64, f64)> {
        let places = &columns.places[axis];
        let smallest = 1.0 / (self.member_count + 2).min(MAX_BANDWIDTH_DIVISOR) as f64;
        let order =
            columns.order[axis].iter().map(|row| *row as usize).filter(|row| self.weights[*row] > 0.0);
        let mut centres: Vec<(f64, usize)> = Vec::with_capacity(self.member_count + 1);
        centres.extend(order.map(|row| (places[row], row)));
        let prior = centres.partition_point(|(centre, _)| *centre <= PRIOR_CENTRE);
        centres.insert(prior, (PRIOR_CENTRE, usize::MAX));
        let fit = |index: usize| {
            let (centre, row) = centres[index];
            let left = if index > 0 { centre - centres[index - 1].0 } else { 0.0 };
            let right = centres.get(index + 1).map_or(0.0, |(next, _)| next - centre);
            (row, centre, left.max(right).clamp(smallest, 1.0))
        };
        (0..centres.len()).filter(|index| *index != prior).map(fit).collect()
    }

    /// One coordinate of a draw from a row's kernel, or from the prior.
    fn draw_on(&self, axis: usize, row: Option<usize>, rng: &mut Rng) -> f64 {
        let index_in = |axes: &[usize]| axes.iter().position(|other| *other == axis).unwrap_or(0);
        match self.axes[axis] {
            Axis::Line => {
                let normals = &self.normals[index_in(&self.lines)];
                let kernel = row.map(|row| (normals.centres[row], normals.bandwidths[row]));
                let (centre, bandwidth) = kernel.unwrap_or((PRIOR_CENTRE, PRIOR_BANDWIDTH));
                draw_truncated(centre, bandwidth, rng)
            }
            Axis::Grid(cells) => {
                let grid = index_in(&self.grids);
                let kernel = row.map(|row| self.grid_kernels[grid][self.slots[grid][row] as usize]);
                let (centre, bandwidth) = kernel.unwrap_or((PRIOR_CENTRE, PRIOR_BANDWIDTH));
                let cells = f64::from(cells);
                let cell = (draw_truncated(centre, bandwidth, rng) * cells).floor().min(cells - 1.0);
                (cell + 0.5) / cells
            }
            Axis::Options(count) => {
                let own = row.map(|row| self.choices[index_in(&self.options)][row]);
                // A kernel's mass is one part on its own option and 1 / kernels spread over every option.
                let kernels = (self.member_count + 1) as f64;
                let own_share = kernels / (kernels + f64::from(count));
                match own {
                    Some(own) if rng.uniform() < own_share => f64::from(own),
                    _ => rng.below(count as usize) as f64,
                }
            }
        }
    }

    /// [grid][point][slot]: the logarithm of each grid kernel's mass in the point's cell.
    fn grid_tables(&self, points: &[Vec<f64>]) -> Vec<Vec<Vec<f64>>> {
        let tables = self.grids.iter().zip(&self.grid_kernels).map(|(axis, kernels)| {
            let Axis::Grid(cells) = self.axes[*axis] else { unreachable!("only grids are listed as grids") };
            let masses: Vec<f64> =
                kernels.iter().map(|(centre, width)| inside_mass(*centre, *width)).collect();
            let mut known: Vec<Vec<f64>> = Vec::with_capacity(points.len());
            for (index, point) in points.iter().enumerate() {
                // Draws from few cells repeat themselves.
                let repeated = (0..index).find(|earlier| points[*earlier][*axis] == point[*axis]);
                let row = match repeated {
                    Some(earlier) => known[earlier].clone(),
                    None => kernels
                        .iter()
                        .zip(&masses)
                        .map(|((centre, width), mass)| log_cell(point[*axis], cells, *centre, *width, *mass))
                        .collect(),
                };
                known.push(row);
            }
            known
        });
        tables.collect()
    }

    fn log_prior(&self, point: &[f64]) -> f64 {
        let parts = self.axes.iter().zip(point).map(|(axis, place)| match axis {
            Axis::Line => {
                let distance = (place - PRIOR_CENTRE) / (PRIOR_BANDWIDTH * SQRT_2);
                self.prior_scale - distance * distance
            }
            Axis::Grid(cells) => log_cell(*place, *cells, PRIOR_CENTRE, PRIOR_BANDWIDTH, self.prior_mass),
            Axis::Options(count) => -math::ln(f64::from(*count)),
        });
        parts.sum()
    }
}

/// The sum of `weights * e^exponents`, in a fixed order.
fn weighted_exponentials(exponents: &[f64], weights: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (mut exponents, mut weights) = (exponents.chunks_exact(4), weights.chunks_exact(4));
    for (four, with) in exponents.by_ref().zip(weights.by_ref()) {
        for lane in 0..4 {
            sums[lane] += with[lane] * exponential(four[lane]);
        }
    }
    let rest = exponents.remainder().iter().zip(weights.remainder());
    let rest: f64 = rest.map(|(exponent, weight)| weight * exponential(*exponent)).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

/// e to the power `x`, clamped to [-700, 700], with a relative error below 1e-12.
///
/// Written so that the compiler can compute several at once: `x = k ln 2 + r`, Taylor's polynomial of degree 10 in
/// `r` (its remainder is at most 0.347^11 / 11! = 2.2e-13), and 2^k put together from bits. Only IEEE operations, so
/// every platform gives the same bits.
#[inline(always)]
fn exponential(x: f64) -> f64 {
    /// Adding 1.5 * 2^52 rounds to an integer, which is then found in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    /// ln 2 in two parts; the first has so few bits that its products with `k` are exact.
    const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let x = x.clamp(-MAX_EXPONENT, MAX_EXPONENT);
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = (x - k * LN2_HIGH) - k * LN2_LOW;
    let mut sum = 1.0 / 3_628_800.0;
    for inverse in [
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        sum = sum * r + inverse;
    }
    f64::from_bits(sum.to_bits().wrapping_add(shifted.to_bits() << 52))
}

/// The normal's mass inside [0, 1]; at least 0.34 for centres inside it.
fn inside_mass(centre: f64, bandwidth: f64) -> f64 {
    math::normal_cdf((1.0 - centre) / bandwidth) - math::normal_cdf(-centre / bandwidth)
}

/// The logarithm of what stands before the exponential of a truncated normal density.
fn log_scale(centre: f64, bandwidth: f64) -> f64 {
    -math::ln(bandwidth * (2.0 * PI).sqrt() * inside_mass(centre, bandwidth))
}

/// The logarithm of a truncated normal's mass in the cell around `place`; minus infinity where it is negligible.
fn log_cell(place: f64, cells: u32, centre: f64, bandwidth: f64, inside: f64) -> f64 {
    let half = 0.5 / f64::from(cells);
    // By symmetry, distances are measured to the left, where the distribution function keeps its relative precision.
    let distance = -(place - centre).abs();
    let upper = (distance + half) / bandwidth;
    if 0.5 * upper * upper > NEGLIGIBLE && upper < 0.0 {
        return f64::NEG_INFINITY;
    }
    let lower = (distance - half) / bandwidth;
    math::ln((math::normal_cdf(upper) - math::normal_cdf(lower)) / inside)
}

fn draw_truncated(centre: f64, bandwidth: f64, rng: &mut Rng) -> f64 {
    for _ in 0..MAX_REJECTIONS {
        let place = centre + bandwidth * rng.normal();
        if (0.0..=1.0).contains(&place) {
            return place;
        }
    }
    centre.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_base::Seed;

    fn columns(axes: &[Axis], rows: &[&[f64]]) -> Columns {
        let mut columns = Columns::new(axes.to_vec());
        for row in rows {
            columns.push(row);
        }
        columns
    }

    fn fitted(columns: &Columns) -> Mixture {
        let mut mixture = Mixture::new(columns.axes());
        mixture.refit(columns, |_| true);
        mixture
    }

    #[test]
    fn exponentials_are_precise_over_the_whole_range() {
        for step in -7000..=7000 {
            let x = f64::from(step) / 10.0;
            assert!((exponential(x) / math::exp(x) - 1.0).abs() < 1e-12, "{x}");
        }
        assert_eq!(exponential(0.0), 1.0);
        assert!(exponential(f64::NEG_INFINITY) < 1e-300);
    }

    #[test]
    fn densities_integrate_to_one() {
        let axes = [Axis::Line, Axis::Grid(5), Axis::Options(3)];
        let columns = columns(&axes, &[&[0.1, 0.3, 2.0], &[0.9, 0.9, 0.0], &[0.15, 0.3, 2.0]]);
        let mixture = fitted(&columns);
        let steps = 2000;
        let mut points = Vec::new();
        for step in 0..steps {
            for cell in 0..5 {
                for option in 0..3 {
                    points.push(vec![
                        (f64::from(step) + 0.5) / f64::from(steps),
                        (f64::from(cell) + 0.5) / 5.0,
                        f64::from(option),
                    ]);
                }
            }
        }
        let sum: f64 = mixture.log_densities(&points).iter().map(|log| math::exp(*log)).sum();
        // The midpoint rule's error is far below this with 2000 steps and bandwidths of 0.05 and more.
        assert!((sum / f64::from(steps) - 1.0).abs() < 1e-6, "{sum}");
    }

    #[test]
    fn one_kernel_has_the_density_worked_out_by_hand() {
        // Centres 0.25 and 0.5 (the prior): the bandwidth is the gap 0.25 clipped to at least 1/3.
        let columns = columns(&[Axis::Line], &[&[0.25]]);
        let density = math::exp(fitted(&columns).log_densities(&[vec![0.25]])[0]);
        let normal = |x: f64, centre: f64, width: f64| {
            let z = (x - centre) / width;
            math::exp(-0.5 * z * z) / (width * (2.0 * PI).sqrt()) / inside_mass(centre, width)
        };
        let expected = 0.5 * normal(0.25, 0.25, 1.0 / 3.0) + 0.5 * normal(0.25, 0.5, 1.0);
        assert!((density - expected).abs() < 1e-12, "{density} {expected}");
    }

    #[test]
    fn options_follow_the_smoothed_counts() {
        let columns = columns(&[Axis::Options(2)], &[&[0.0], &[0.0], &[1.0]]);
        let logs = fitted(&columns).log_densities(&[vec![0.0], vec![1.0]]);
        // Four kernels: (4 + 1) / (4 + 2) at the own option, 1 / 6 at the other, 1/2 for the prior; weights 1/4 each.
        let expected = (5.0 / 6.0 + 5.0 / 6.0 + 1.0 / 6.0 + 0.5) / 4.0;
        assert!((math::exp(logs[0]) - expected).abs() < 1e-12);
        assert!((math::exp(logs[0]) + math::exp(logs[1]) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn refitting_gives_the_bits_of_a_fresh_fit() {
        let axes = [Axis::Line, Axis::Grid(7), Axis::Options(3), Axis::Line];
        let mut rng = Seed(2).rng();
        let mut columns = Columns::new(axes.to_vec());
        let mut kept = Mixture::new(&axes);
        for row in 0..150 {
            let cell = (rng.below(7) as f64 + 0.5) / 7.0;
            columns.push(&[rng.uniform(), cell, rng.below(3) as f64, rng.uniform()]);
            let is_member = |index: usize| !(index + row).is_multiple_of(11);
            kept.refit(&columns, is_member);
            let mut fresh = Mixture::new(&axes);
            fresh.refit(&columns, is_member);
            let points: Vec<Vec<f64>> = (0..4).map(|_| fresh.draw(&columns, &mut rng)).collect();
            assert_eq!(kept.log_densities(&points), fresh.log_densities(&points));
        }
    }

    #[test]
    fn draws_follow_the_density() {
        let columns = columns(&[Axis::Grid(4)], &[&[0.125], &[0.125], &[0.625]]);
        let mixture = fitted(&columns);
        let cells: Vec<Vec<f64>> = (0..4).map(|cell| vec![(f64::from(cell) + 0.5) / 4.0]).collect();
        let expected = mixture.log_densities(&cells);
        let mut rng = Seed(9).rng();
        let mut counts = [0.0; 4];
        for _ in 0..20_000 {
            counts[(mixture.draw(&columns, &mut rng)[0] * 4.0) as usize] += 1.0;
        }
        for (count, log) in counts.iter().zip(expected) {
            // Five deviations of a share over 20,000 draws are at most 5 * 0.5 / sqrt(20000) = 0.018.
            assert!((count / 20_000.0 - math::exp(log)).abs() < 0.018, "{count}");
        }
    }
}
