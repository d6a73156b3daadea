//! Columns as terms of a weighted sum.
//!
//! A number becomes one term, centred and divided by its standard deviation over the training rows, and a second one
//! where training cells are missing (the indicator of that; the first term is then 0). A category becomes one term for
//! each level that occurs in training and one for missing cells, none of them ever stored as a column of zeros and
//! ones: a cell is an index. A sparse block becomes one term for each of its columns that occurs. Levels and columns
//! that did not occur in training have no term and so contribute nothing.

use kaizen_model::{LoadError, State, Tensor};
use kaizen_table::MISSING_CODE;
use rayon::prelude::*;

use crate::features::{Cells, Features, Kind};
use crate::moments::moments;

/// Rows that one task handles; sums run over such chunks in order, so that the number of threads changes nothing.
pub(crate) const CHUNK: usize = 2048;

/// Below this many multiplications the threads cost more than they bring.
const PARALLEL_WORK: usize = 1 << 16;

/// The largest magnitude of a standardised number. Only wild extrapolation gets there, and nothing overflows after it.
const STANDARD_LIMIT: f64 = 1e15;

/// A number on the common scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct DenseTerm {
    /// Which feature.
    pub(crate) feature: u32,
    /// Whether this is the indicator of a missing cell instead of the number itself.
    pub(crate) missing: bool,
    /// Subtracted first.
    pub(crate) centre: f64,
    /// Divided by; positive.
    pub(crate) spread: f64,
}

/// How cells become terms.
#[derive(Clone, Debug)]
pub(crate) struct Encoder {
    pub(crate) dense: Vec<DenseTerm>,
    /// Raw number of the first cell of each feature among the indexed ones; features of numbers take no place.
    offsets: Vec<usize>,
    /// Raw numbers that have a term, ascending.
    pub(crate) used: Vec<u32>,
    /// Place in `used` of each raw number; `u32::MAX` for none.
    places: Vec<u32>,
}

/// Rows as terms: dense ones column by column, indexed ones row by row.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub(crate) count: usize,
    /// [dense terms, rows].
    pub(crate) dense: Vec<f64>,
    pub(crate) starts: Vec<usize>,
    /// Place of the term among the indexed ones, and its value.
    pub(crate) cells: Vec<(u32, f32)>,
}

/// Training rows, by row and by term.
#[derive(Debug)]
pub(crate) struct Design {
    pub(crate) rows: Rows,
    pub(crate) dense_count: usize,
    column_starts: Vec<usize>,
    column_cells: Vec<(u32, f32)>,
}

impl DenseTerm {
    /// The standardised value of a cell.
    #[inline]
    pub(crate) fn value(&self, x: f64) -> f64 {
        if self.missing {
            return (f64::from(u8::from(x.is_nan())) - self.centre) / self.spread;
        }
        if x.is_nan() {
            return 0.0;
        }
        // Halves first: the difference of two extremes may overflow, that of their halves cannot.
        let half = (x * 0.5 - self.centre * 0.5) / self.spread;
        (half * 2.0).clamp(-STANDARD_LIMIT, STANDARD_LIMIT)
    }
}

impl Encoder {
    /// Learns scales and occurring levels from `rows`.
    pub(crate) fn fit(
        features: &Features,
        cells: &[Cells<'_>],
        rows: &[u32],
        weight: impl Fn(u32) -> f64,
        standardise: bool,
    ) -> Self {
        let mut dense = Vec::new();
        for (index, cells) in cells.iter().enumerate() {
            let Cells::Number(values) = cells else { continue };
            let found = moments(values, rows, &weight);
            let term = |missing, centre, deviation: f64| DenseTerm {
                feature: index as u32,
                missing,
                centre,
                spread: if standardise && deviation.is_finite() { deviation } else { 1.0 },
            };
            // A spread of rounding errors is no spread.
            if found.deviation > found.mean.abs() * 1e-13 {
                dense.push(term(false, found.mean, found.deviation));
            }
            if found.present > 0 && found.present < rows.len() {
                let marks: Vec<f64> =
                    rows.iter().map(|&row| f64::from(u8::from(values[row as usize].is_nan()))).collect();
                let all: Vec<u32> = (0..rows.len() as u32).collect();
                let marked = moments(&marks, &all, |place| weight(rows[place as usize]));
                if marked.deviation > 0.0 {
                    dense.push(term(true, marked.mean, marked.deviation));
                }
            }
        }
        let mut encoder = Self { dense, offsets: offsets(features), used: Vec::new(), places: Vec::new() };
        let mut seen = vec![false; raw_count(features)];
        for &row in rows {
            encoder.raw_cells(cells, row as usize, |raw, _| seen[raw] = true);
        }
        encoder.used = (0..seen.len() as u32).filter(|&raw| seen[raw as usize]).collect();
        encoder.places = places(&encoder.used, seen.len());
        encoder
    }

    /// An encoder of numbers alone.
    pub(crate) fn of_terms(features: &Features, dense: Vec<DenseTerm>) -> Self {
        let places = places(&[], raw_count(features));
        Self { dense, offsets: offsets(features), used: Vec::new(), places }
    }

    /// Number of terms.
    pub(crate) fn term_count(&self) -> usize {
        self.dense.len() + self.used.len()
    }

    /// Calls `take` with raw number and value of each indexed cell of a row.
    #[inline]
    fn raw_cells(&self, cells: &[Cells<'_>], row: usize, mut take: impl FnMut(usize, f32)) {
        for (index, cells) in cells.iter().enumerate() {
            let (offset, end) = (self.offsets[index], self.offsets[index + 1]);
            match cells {
                Cells::Number(_) => {}
                Cells::Category(codes) => {
                    // Levels, then missing cells; an unseen level is nothing.
                    let missing = end - offset - 1;
                    match codes[row] {
                        MISSING_CODE => take(end - 1, 1.0),
                        code if (code as usize) < missing => take(offset + code as usize, 1.0),
                        _ => {}
                    }
                }
                Cells::Sparse(block) => {
                    let (columns, values) = block.row(row);
                    for (&column, &value) in columns.iter().zip(values) {
                        take(offset + column as usize, value);
                    }
                }
            }
        }
    }

    /// The terms of some rows.
    pub(crate) fn encode(&self, cells: &[Cells<'_>], rows: &[u32]) -> Rows {
        let mut dense = vec![0.0; self.dense.len() * rows.len()];
        let fill = |(term, out): (&DenseTerm, &mut [f64])| {
            if let Cells::Number(values) = &cells[term.feature as usize] {
                for (value, &row) in out.iter_mut().zip(rows) {
                    *value = term.value(values[row as usize]);
                }
            }
        };
        if dense.len() < PARALLEL_WORK {
            self.dense.iter().zip(dense.chunks_mut(rows.len().max(1))).for_each(fill);
        } else {
            self.dense.par_iter().zip(dense.par_chunks_mut(rows.len().max(1))).for_each(fill);
        }
        let (mut starts, mut indexed) = (Vec::with_capacity(rows.len() + 1), Vec::new());
        starts.push(0);
        for &row in rows {
            if !self.used.is_empty() {
                self.raw_cells(cells, row as usize, |raw, value| {
                    let place = self.places[raw];
                    if place != u32::MAX {
                        indexed.push((place, value));
                    }
                });
            }
            starts.push(indexed.len());
        }
        Rows { count: rows.len(), dense, starts, cells: indexed }
    }

    /// Feature and index within it (level or column; one past the levels is the missing cell) of an indexed term.
    pub(crate) fn origin(&self, place: usize) -> (usize, usize) {
        let raw = self.used[place] as usize;
        // Features of numbers have no width: the last feature that starts at or below is the one.
        let feature = self.offsets.partition_point(|&offset| offset <= raw) - 1;
        (feature, raw - self.offsets[feature])
    }

    /// Keeps only these indexed terms (places in `used`, ascending).
    pub(crate) fn keep(&mut self, kept: &[usize]) {
        self.used = kept.iter().map(|&place| self.used[place]).collect();
        self.places = places(&self.used, self.places.len());
    }

    /// As plain data.
    pub(crate) fn save(&self) -> State {
        let column = |take: fn(&DenseTerm) -> f64| Tensor::F64(self.dense.iter().map(take).collect());
        let places = self.dense.iter().map(|term| term.feature * 2 + u32::from(term.missing)).collect();
        State::default()
            .with("dense", Tensor::U32(places))
            .with("centres", column(|term| term.centre))
            .with("spreads", column(|term| term.spread))
            .with("used", Tensor::U32(self.used.clone()))
    }

    /// Back from plain data that nobody vouches for.
    pub(crate) fn load(state: &State, features: &Features) -> Result<Self, LoadError> {
        let (codes, centres, spreads) =
            (state.u32s("dense")?, state.f64s("centres")?, state.f64s("spreads")?);
        if centres.len() != codes.len() || spreads.len() != codes.len() {
            return Err(LoadError::damaged("dense", "not one scale for each number"));
        }
        let mut dense = Vec::new();
        for ((&code, &centre), &spread) in codes.iter().zip(centres).zip(spreads) {
            let feature = code / 2;
            let number =
                features.list().get(feature as usize).is_some_and(|it| matches!(it.kind, Kind::Number));
            let scale = centre.is_finite() && spread > 0.0 && spread.is_finite();
            if !number || !scale {
                return Err(LoadError::damaged("dense", "not a scale of a number column"));
            }
            dense.push(DenseTerm { feature, missing: code % 2 == 1, centre, spread });
        }
        let (used, raw) = (state.u32s("used")?.to_vec(), raw_count(features));
        let ascending = used.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || used.last().is_some_and(|&last| last as usize >= raw) {
            return Err(LoadError::damaged("used", "not ascending terms of the columns"));
        }
        let places = places(&used, raw);
        Ok(Self { dense, offsets: offsets(features), used, places })
    }
}

/// Where each feature's raw numbers start, and the end of the last.
fn offsets(features: &Features) -> Vec<usize> {
    let mut offsets = vec![0];
    for feature in features.list() {
        let width = match &feature.kind {
            Kind::Number => 0,
            Kind::Category(levels) => levels.count() + 1,
            Kind::Sparse(width) => *width,
        };
        offsets.push(offsets[offsets.len() - 1] + width);
    }
    offsets
}

fn raw_count(features: &Features) -> usize {
    offsets(features).last().copied().unwrap_or(0)
}

fn places(used: &[u32], raw_count: usize) -> Vec<u32> {
    let mut places = vec![u32::MAX; raw_count];
    for (place, &raw) in used.iter().enumerate() {
        places[raw as usize] = place as u32;
    }
    places
}

impl Rows {
    /// Scores [rows, outputs] of weights [1 + terms, outputs], the first row of which is the intercept.
    ///
    /// A row's score is summed in the order intercept, dense terms, indexed terms, whatever rows stand beside it.
    pub(crate) fn scores(&self, weights: &[f64], outputs: usize, scores: &mut [f64]) {
        let dense_count = self.dense.len() / self.count.max(1);
        let work =
            |(chunk, out): (usize, &mut [f64])| self.chunk_scores(weights, outputs, dense_count, chunk, out);
        if (self.dense.len() + self.cells.len()) * outputs < PARALLEL_WORK {
            scores.chunks_mut(CHUNK * outputs).enumerate().for_each(work);
        } else {
            scores.par_chunks_mut(CHUNK * outputs).enumerate().for_each(work);
        }
    }

    fn chunk_scores(
        &self,
        weights: &[f64],
        outputs: usize,
        dense_count: usize,
        chunk: usize,
        out: &mut [f64],
    ) {
        let first = chunk * CHUNK;
        let rows = out.len() / outputs;
        for row in out.chunks_exact_mut(outputs) {
            row.copy_from_slice(&weights[..outputs]);
        }
        for term in 0..dense_count {
            let values = &self.dense[term * self.count + first..term * self.count + first + rows];
            let factors = &weights[(1 + term) * outputs..(2 + term) * outputs];
            if let [factor] = factors {
                if *factor != 0.0 {
                    out.iter_mut().zip(values).for_each(|(score, value)| *score += factor * value);
                }
            } else {
                for (row, value) in out.chunks_exact_mut(outputs).zip(values) {
                    row.iter_mut().zip(factors).for_each(|(score, factor)| *score += factor * value);
                }
            }
        }
        let indexed = &weights[(1 + dense_count) * outputs..];
        for (offset, row) in out.chunks_exact_mut(outputs).enumerate() {
            for &(place, value) in &self.cells[self.starts[first + offset]..self.starts[first + offset + 1]] {
                let factors = &indexed[place as usize * outputs..(place as usize + 1) * outputs];
                row.iter_mut().zip(factors).for_each(|(score, factor)| *score += factor * f64::from(value));
            }
        }
    }
}

impl Design {
    /// Adds the view by term to rows.
    pub(crate) fn new(encoder: &Encoder, rows: Rows) -> Self {
        let mut column_starts = vec![0; encoder.used.len() + 1];
        for &(place, _) in &rows.cells {
            column_starts[place as usize + 1] += 1;
        }
        for place in 0..encoder.used.len() {
            column_starts[place + 1] += column_starts[place];
        }
        let mut next = column_starts.clone();
        let mut column_cells = vec![(0, 0.0); rows.cells.len()];
        for row in 0..rows.count {
            for &(place, value) in &rows.cells[rows.starts[row]..rows.starts[row + 1]] {
                column_cells[next[place as usize]] = (row as u32, value);
                next[place as usize] += 1;
            }
        }
        Self { rows, dense_count: encoder.dense.len(), column_starts, column_cells }
    }

    /// Number of terms.
    pub(crate) fn term_count(&self) -> usize {
        self.dense_count + self.column_starts.len() - 1
    }

    /// Cost of going over all cells once.
    pub(crate) fn cell_count(&self) -> usize {
        self.rows.dense.len() + self.rows.cells.len()
    }

    /// A dense term's values.
    pub(crate) fn dense_column(&self, term: usize) -> &[f64] {
        &self.rows.dense[term * self.rows.count..(term + 1) * self.rows.count]
    }

    /// Rows and values of an indexed term.
    pub(crate) fn indexed_column(&self, place: usize) -> &[(u32, f32)] {
        &self.column_cells[self.column_starts[place]..self.column_starts[place + 1]]
    }

    /// For each term (the intercept first) the sum over rows of its value times `residuals` [rows, outputs]; each sum
    /// is one task's, in row order.
    pub(crate) fn transposed(&self, residuals: &[f64], outputs: usize, sums: &mut [f64]) {
        let (head, indexed) = sums.split_at_mut((1 + self.dense_count) * outputs);
        let dense_work = |(term, out): (usize, &mut [f64])| {
            if term == 0 {
                sum_rows(residuals, outputs, out);
            } else {
                weigh_rows(self.dense_column(term - 1), residuals, outputs, out);
            }
        };
        let indexed_work = |(place, out): (usize, &mut [f64])| {
            out.fill(0.0);
            for &(row, value) in self.indexed_column(place) {
                let from = &residuals[row as usize * outputs..(row as usize + 1) * outputs];
                out.iter_mut().zip(from).for_each(|(sum, residual)| *sum += f64::from(value) * residual);
            }
        };
        if self.cell_count() * outputs < PARALLEL_WORK {
            head.chunks_mut(outputs).enumerate().for_each(dense_work);
            indexed.chunks_mut(outputs).enumerate().for_each(indexed_work);
        } else {
            head.par_chunks_mut(outputs).enumerate().for_each(dense_work);
            indexed.par_chunks_mut(outputs).enumerate().with_min_len(64).for_each(indexed_work);
        }
    }

    /// For each term (the intercept first) the sum over rows of its squared value times the row's weight.
    pub(crate) fn squares(&self, weights: &[f64]) -> Vec<f64> {
        let dense = (0..self.dense_count).map(|term| {
            self.dense_column(term).iter().zip(weights).map(|(value, weight)| value * value * weight).sum()
        });
        let indexed = (0..self.term_count() - self.dense_count).map(|place| {
            let square =
                |&(row, value): &(u32, f32)| f64::from(value) * f64::from(value) * weights[row as usize];
            self.indexed_column(place).iter().map(square).sum()
        });
        std::iter::once(weights.iter().sum()).chain(dense).chain(indexed).collect()
    }
}

fn sum_rows(residuals: &[f64], outputs: usize, out: &mut [f64]) {
    out.fill(0.0);
    for row in residuals.chunks_exact(outputs) {
        out.iter_mut().zip(row).for_each(|(sum, residual)| *sum += residual);
    }
}

fn weigh_rows(values: &[f64], residuals: &[f64], outputs: usize, out: &mut [f64]) {
    if outputs == 1 {
        out[0] = dot(values, residuals);
        return;
    }
    out.fill(0.0);
    for (value, row) in values.iter().zip(residuals.chunks_exact(outputs)) {
        out.iter_mut().zip(row).for_each(|(sum, residual)| *sum += value * residual);
    }
}

/// The inner product in eight interleaved sums, a fixed order that compilers can keep in vector registers.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a_chunks, b_chunks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_model::Inputs;
    use kaizen_table::{Column, Table};

    const ALL: Inputs = Inputs { missing: true, categories: true, sparse: true, scaled: false };

    #[test]
    fn terms_are_those_done_by_hand() {
        let table = Table::from_columns(vec![
            Column::number("x", vec![1.0, 3.0, f64::NAN, 99.0]),
            Column::number("constant", vec![5.0, 5.0, 5.0, 6.0]),
            Column::category("c", &[Some("a"), None, Some("a"), Some("b")]),
        ])
        .unwrap();
        let features = Features::of(&table, ALL).unwrap();
        let cells = features.read(&table).unwrap();
        let encoder = Encoder::fit(&features, &cells, &[0, 1, 2], |_| 1.0, true);
        assert_eq!(encoder.dense.len(), 2, "x and its indicator");
        assert_eq!(encoder.used.len(), 2, "level a and missing");
        let rows = encoder.encode(&cells, &[0, 1, 2, 3]);
        assert_eq!(rows.dense[..3], [-1.0, 1.0, 0.0]);
        assert_eq!(rows.cells, [(0, 1.0), (1, 1.0), (0, 1.0)], "level b has no term");
        assert_eq!(encoder.origin(1), (2, 2));
        let mut scores = vec![0.0; 4];
        // Intercept 10, x 2, indicator 0, level a 100, missing 1000.
        rows.scores(&[10.0, 2.0, 0.0, 100.0, 1000.0], 1, &mut scores);
        assert_eq!(scores[..3], [108.0, 1012.0, 110.0]);
        let again = Encoder::load(&encoder.save(), &features).unwrap();
        assert_eq!(again.save(), encoder.save());
    }

    #[test]
    fn the_transpose_agrees_with_the_rows() {
        let table = Table::from_columns(vec![
            Column::number("x", vec![1.0, 3.0, 4.0]),
            Column::category("c", &[Some("a"), None, Some("b")]),
        ])
        .unwrap();
        let features = Features::of(&table, ALL).unwrap();
        let cells = features.read(&table).unwrap();
        let encoder = Encoder::fit(&features, &cells, &[0, 1, 2], |_| 1.0, true);
        let design = Design::new(&encoder, encoder.encode(&cells, &[0, 1, 2]));
        let (weights, residuals) = ([0.5, -1.0, 2.0, 3.0, 4.0], [1.0, -2.0, 0.25]);
        let mut scores = vec![0.0; 3];
        design.rows.scores(&weights, 1, &mut scores);
        let mut sums = vec![0.0; 5];
        design.transposed(&residuals, 1, &mut sums);
        // <X w, r> = <w, X' r>.
        assert!((dot(&scores, &residuals) - dot(&weights, &sums)).abs() < 1e-12);
        assert_eq!(design.squares(&[1.0; 3])[0], 3.0);
    }
}
