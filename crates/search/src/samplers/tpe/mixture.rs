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

/// Kernels below the largest one by this much (natural logarithm) are left out: e^-37 is below a rounding error.
const NEGLIGIBLE: f64 = 37.0;

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
    /// [row, axis]: bandwidth and the logarithm of the kernel's scale there; NaN before the first fit.
    bandwidths: Vec<f64>,
    log_scales: Vec<f64>,
    /// [row]: sum of the logarithms of the scales over lines; minus infinity for rows that are not members.
    heights: Vec<f64>,
    /// [row, line]: centre and 1 / (bandwidth sqrt 2).
    normals: Vec<[f64; 2]>,
    /// [row, grid]: which of the different kernels of the grid, an index into `grid_kernels`.
    slots: Vec<u32>,
    /// [grid][slot]: centre and bandwidth.
    grid_kernels: Vec<Vec<(f64, f64)>>,
    /// [row, option axis].
    choices: Vec<u32>,
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

impl Mixture {
    pub(super) fn new(axes: &[Axis]) -> Self {
        let select = |wanted: fn(&Axis) -> bool| -> Vec<usize> {
            axes.iter().enumerate().filter(|(_, axis)| wanted(axis)).map(|(index, _)| index).collect()
        };
        let grids = select(|axis| matches!(axis, Axis::Grid(_)));
        Self {
            axes: axes.to_vec(),
            lines: select(|axis| matches!(axis, Axis::Line)),
            options: select(|axis| matches!(axis, Axis::Options(_))),
            option_logs: Vec::new(),
            grid_kernels: vec![Vec::new(); grids.len()],
            grids,
            bandwidths: Vec::new(),
            log_scales: Vec::new(),
            heights: Vec::new(),
            normals: Vec::new(),
            slots: Vec::new(),
            choices: Vec::new(),
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
        let line_count = self.lines.len();
        for row in 0..columns.row_count {
            // Summed afresh, not brought forward: the bits must not depend on the way that led here.
            self.heights[row] = if self.weights[row] > 0.0 {
                self.log_scales[row * line_count..(row + 1) * line_count].iter().sum()
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
        let mut scratch: Vec<(f64, f64)> = Vec::new();
        let densities = points.iter().enumerate().map(|(index, point)| {
            let on_lines: Vec<f64> = self.lines.iter().map(|axis| point[*axis]).collect();
            let on_options: Vec<u32> = self.options.iter().map(|axis| point[*axis] as u32).collect();
            let tables: Vec<&[f64]> = tables.iter().map(|table| table[index].as_slice()).collect();
            let prior = self.log_prior(point);
            let mut largest = prior;
            scratch.clear();
            for row in 0..self.heights.len() {
                let kernel = self.log_kernel(row, &on_lines, &on_options, &tables, largest - NEGLIGIBLE);
                if kernel > largest - NEGLIGIBLE {
                    largest = largest.max(kernel);
                    scratch.push((kernel, self.weights[row]));
                }
            }
            let sum: f64 = scratch.iter().map(|(kernel, weight)| weight * math::exp(kernel - largest)).sum();
            largest + math::ln((sum + math::exp(prior - largest)) / self.weight_sum)
        });
        densities.collect()
    }

    /// The logarithm of a row's kernel, or anything below `floor` once it is certain to end below it.
    #[inline]
    fn log_kernel(
        &self,
        row: usize,
        on_lines: &[f64],
        on_options: &[u32],
        tables: &[&[f64]],
        floor: f64,
    ) -> f64 {
        let mut kernel = self.heights[row];
        if kernel < floor {
            // Among them are all rows that are not members, whose other figures may be out of date.
            return kernel;
        }
        let count = on_lines.len();
        for ([centre, inverse], place) in self.normals[row * count..(row + 1) * count].iter().zip(on_lines) {
            let distance = (place - centre) * inverse;
            kernel -= distance * distance;
            if kernel < floor {
                return kernel;
            }
        }
        for (slot, table) in self.slots[row * tables.len()..].iter().zip(tables) {
            kernel += table[*slot as usize];
        }
        let count = on_options.len();
        let pairs = self.choices[row * count..].iter().zip(on_options);
        for ((choice, chosen), (hit, miss)) in pairs.zip(&self.option_logs) {
            kernel += if choice == chosen { hit } else { miss };
        }
        kernel
    }

    /// Makes room for rows that have come since the last fit.
    fn grow(&mut self, columns: &Columns) {
        let (rows, lines) = (columns.row_count, self.lines.len());
        for row in self.heights.len()..rows {
            let choices = self.options.iter().map(|axis| columns.places[*axis][row] as u32);
            self.choices.extend(choices);
        }
        self.bandwidths.resize(rows * lines, f64::NAN);
        self.log_scales.resize(rows * lines, f64::NAN);
        self.normals.resize(rows * lines, [f64::NAN; 2]);
        self.slots.resize(rows * self.grids.len(), 0);
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
        let lines = self.lines.len();
        for (row, centre, bandwidth) in self.bandwidths_on(self.lines[line], columns) {
            let place = row * lines + line;
            if self.bandwidths[place].to_bits() == bandwidth.to_bits() {
                continue;
            }
            self.bandwidths[place] = bandwidth;
            self.log_scales[place] = log_scale(centre, bandwidth);
            self.normals[place] = [centre, 1.0 / (bandwidth * SQRT_2)];
        }
    }

    fn fit_grid(&mut self, grid: usize, columns: &Columns) {
        let grids = self.grids.len();
        let mut kernels: Vec<(f64, f64)> = Vec::new();
        for (row, centre, bandwidth) in self.bandwidths_on(self.grids[grid], columns) {
            if kernels.last() != Some(&(centre, bandwidth)) {
                kernels.push((centre, bandwidth));
            }
            self.slots[row * grids + grid] = (kernels.len() - 1) as u32;
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
                let (lines, line) = (self.lines.len(), index_in(&self.lines));
                let kernel = row.map(|row| row * lines + line);
                let centre = kernel.map_or(PRIOR_CENTRE, |place| self.normals[place][0]);
                draw_truncated(centre, kernel.map_or(PRIOR_BANDWIDTH, |place| self.bandwidths[place]), rng)
            }
            Axis::Grid(cells) => {
                let (grids, grid) = (self.grids.len(), index_in(&self.grids));
                let kernel = row.map(|row| self.grid_kernels[grid][self.slots[row * grids + grid] as usize]);
                let (centre, bandwidth) = kernel.unwrap_or((PRIOR_CENTRE, PRIOR_BANDWIDTH));
                let cells = f64::from(cells);
                let cell = (draw_truncated(centre, bandwidth, rng) * cells).floor().min(cells - 1.0);
                (cell + 0.5) / cells
            }
            Axis::Options(count) => {
                let option = index_in(&self.options);
                let own = row.map(|row| self.choices[row * self.options.len() + option]);
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
