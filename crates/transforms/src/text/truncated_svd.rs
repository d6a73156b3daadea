//! Sparse blocks as a few dense columns: their leading singular directions.
//!
//! The range of the training rows is found by random projection with power iterations, then the small problem is solved
//! exactly (Halko, Martinsson and Tropp 2011, algorithms 4.4 and 5.1). Orthonormal bases come from the eigenvectors of
//! the small Gram matrix (Stathopoulos and Wu 2002), which drops directions that the data does not have: a block
//! of low rank gives fewer columns. A block of no rank gives none. The sparse block gives way to
//! `<block>:0`, `<block>:1`, …; signs are fixed so that the largest weight of each direction is positive.

use std::sync::Arc;

use kaizen_base::{Card, Rng, Signal};
use kaizen_model::{
    Ctx, Extent, FitError, FittedTransform, LoadError, PredictError, Sample, Shape, State, Tensor, Transform,
};
use kaizen_space::{Config, Param, Space};
use kaizen_table::{Column, Sparse, Values};
use rayon::prelude::*;

use crate::columns::{ByColumn, PARALLEL_ROWS, Rule, check, number};
use crate::eigen::symmetric_eigen;
use crate::parameters::space;
use crate::step::{Step, StepMemory, Uses};

static CARD: Card = Card {
    name: "truncated_svd",
    summary: "Turns sparse blocks into their leading singular directions",
    source: "Halko, Martinsson and Tropp 2011, algorithms 4.4 and 5.1 (randomised singular value decomposition)",
};

/// Directions drawn beyond those wanted (Halko et al. 2011, section 1.3).
const OVERSAMPLING: usize = 10;

/// Rounds of multiplication with the block and its transpose; two suffice for spectra that decay slowly (section 1.6).
const POWER_ROUNDS: usize = 2;

/// Eigenvalues of a Gram matrix below this share of the largest are rounding errors.
const RANK_TOLERANCE: f64 = 1e-10;

/// Rows handled by one task.
const CHUNK: usize = 1024;

/// Parameters: `components`, the number of directions (at most).
#[derive(Debug)]
pub struct TruncatedSvd;

impl Transform for TruncatedSvd {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn space(&self, _shape: &Shape) -> Space {
        space([Param::int("components", 4, 128).log().starting_at(48)])
    }

    fn fit(
        &self,
        config: &Config,
        sample: Sample<'_>,
        ctx: &Ctx<'_>,
    ) -> Result<Box<dyn FittedTransform>, FitError> {
        let components = config.int("components") as usize;
        let mut rules = Vec::new();
        for column in sample.data.table.columns() {
            if let Values::Sparse(block) = &column.values {
                let mut rng = ctx.seed.child(&column.name, 0).rng();
                let rule = Directions::fit(block, sample.train, components, &mut rng, ctx.signal)?;
                rules.push((column.name.clone(), rule));
            }
        }
        Ok(Box::new(ByColumn::new(rules)))
    }

    fn load(&self, state: &State) -> Result<Box<dyn FittedTransform>, LoadError> {
        Ok(Box::new(ByColumn::<Directions>::load(state)?))
    }
}

impl Step for TruncatedSvd {
    fn uses(&self) -> Uses {
        Uses::Features
    }

    fn memory(&self, config: &Config, extent: &Extent) -> StepMemory {
        let components = config.int("components") as usize;
        let drawn = components + OVERSAMPLING;
        // Blocks are fitted one after the other; that one has all cells is the worst case.
        let used = extent.sparse_width.min(extent.sparse_cells);
        let mut after = extent.clone();
        (after.sparse_count, after.sparse_cells, after.sparse_width) = (0, 0, 0);
        let width = components * extent.sparse_count;
        after.add_numbers(width, 255 * width);
        StepMemory {
            after,
            // The dense block, and its columns.
            made_bytes: 2 * extent.row_bytes(width),
            // The cells by row and by column; bases of rows and of columns, each with its successor.
            working_bytes: 16 * extent.sparse_cells as u64
                + 3 * (extent.train_bytes(drawn) + 8 * (used * drawn) as u64),
            fitted_bytes: 4 * (used * components + extent.sparse_width) as u64,
        }
    }
}

struct Directions {
    /// Columns of the block.
    width: usize,
    /// Number of directions.
    count: usize,
    /// Columns of the block that have weights, ascending.
    used: Vec<u32>,
    /// [used, count].
    weights: Vec<f32>,
    /// Place of each column in `used`; `u32::MAX` for none.
    places: Vec<u32>,
}

impl Directions {
    fn fit(
        block: &Sparse,
        rows: &[u32],
        components: usize,
        rng: &mut Rng,
        signal: &Signal,
    ) -> Result<Self, FitError> {
        let matrix = Matrix::new(block, rows);
        let wanted = (components + OVERSAMPLING).min(rows.len()).min(matrix.used.len());
        let start: Vec<f64> = (0..matrix.used.len() * wanted).map(|_| rng.normal()).collect();
        let mut basis = orthonormal(Tall { width: wanted, values: matrix.times(&start, wanted) });
        for _ in 0..POWER_ROUNDS {
            check(signal)?;
            let turned = orthonormal(Tall { width: basis.width, values: matrix.transposed_times(&basis) });
            let values = matrix.times(&turned.values, turned.width);
            basis = orthonormal(Tall { width: turned.width, values });
        }
        check(signal)?;
        let small = Tall { width: basis.width, values: matrix.transposed_times(&basis) };
        let (squares, vectors) = symmetric_eigen(gram(&small), small.width);
        let floor = squares.first().map_or(0.0, |largest| largest * RANK_TOLERANCE);
        let count =
            squares.iter().take(components).take_while(|&&square| square > floor && square > 0.0).count();
        let mut weights = vec![0.0_f64; matrix.used.len() * count];
        for (column, out) in weights.chunks_exact_mut(count.max(1)).enumerate() {
            let row = &small.values[column * small.width..(column + 1) * small.width];
            for (direction, weight) in out.iter_mut().enumerate() {
                let vector = &vectors[direction * small.width..(direction + 1) * small.width];
                let product: f64 = row.iter().zip(vector).map(|(a, b)| a * b).sum();
                *weight = product / squares[direction].sqrt();
            }
        }
        fix_signs(&mut weights, count);
        let weights = weights.into_iter().map(|weight| weight as f32).collect();
        Ok(Self {
            width: block.width(),
            count,
            places: places(&matrix.used, block.width()),
            used: matrix.used,
            weights,
        })
    }

    fn project(&self, block: &Sparse, row: usize, out: &mut [f64]) {
        let (columns, values) = block.row(row);
        for (&column, &value) in columns.iter().zip(values) {
            let place = self.places.get(column as usize).copied().unwrap_or(u32::MAX);
            if place != u32::MAX {
                let weights = &self.weights[place as usize * self.count..(place as usize + 1) * self.count];
                for (sum, &weight) in out.iter_mut().zip(weights) {
                    *sum += f64::from(value) * f64::from(weight);
                }
            }
        }
    }
}

fn places(used: &[u32], width: usize) -> Vec<u32> {
    let mut places = vec![u32::MAX; width];
    for (place, &column) in used.iter().enumerate() {
        places[column as usize] = place as u32;
    }
    places
}

fn fix_signs(weights: &mut [f64], count: usize) {
    for direction in 0..count {
        let largest =
            weights.iter().skip(direction).step_by(count).fold(0.0_f64, |largest, &weight| {
                if weight.abs() > largest.abs() { weight } else { largest }
            });
        if largest < 0.0 {
            weights.iter_mut().skip(direction).step_by(count).for_each(|weight| *weight = -*weight);
        }
    }
}

/// A dense matrix of few columns, row by row.
struct Tall {
    width: usize,
    values: Vec<f64>,
}

/// The training rows of a block with its empty columns left out, both by row and by column.
struct Matrix {
    used: Vec<u32>,
    row_starts: Vec<usize>,
    row_cells: Vec<(u32, f32)>,
    column_starts: Vec<usize>,
    column_cells: Vec<(u32, f32)>,
}

impl Matrix {
    fn new(block: &Sparse, rows: &[u32]) -> Self {
        let mut counts = vec![0_usize; block.width()];
        for &row in rows {
            block.row(row as usize).0.iter().for_each(|&column| counts[column as usize] += 1);
        }
        let used: Vec<u32> = (0..counts.len() as u32).filter(|&column| counts[column as usize] > 0).collect();
        let place = places(&used, block.width());
        let mut column_starts = vec![0];
        for &column in &used {
            column_starts.push(column_starts[column_starts.len() - 1] + counts[column as usize]);
        }
        let mut next = column_starts.clone();
        let stored = column_starts[used.len()];
        let mut column_cells = vec![(0, 0.0); stored];
        let (mut row_starts, mut row_cells) = (vec![0], Vec::with_capacity(stored));
        for (index, &row) in rows.iter().enumerate() {
            let (columns, values) = block.row(row as usize);
            for (&column, &value) in columns.iter().zip(values) {
                let place = place[column as usize];
                row_cells.push((place, value));
                column_cells[next[place as usize]] = (index as u32, value);
                next[place as usize] += 1;
            }
            row_starts.push(row_cells.len());
        }
        Self { used, row_starts, row_cells, column_starts, column_cells }
    }

    /// This times `right` [used, width].
    fn times(&self, right: &[f64], width: usize) -> Vec<f64> {
        sparse_times(&self.row_starts, &self.row_cells, right, width)
    }

    /// The transpose of this times `right` [rows, width].
    fn transposed_times(&self, right: &Tall) -> Vec<f64> {
        sparse_times(&self.column_starts, &self.column_cells, &right.values, right.width)
    }
}

/// Each output row is summed by one task in a fixed order.
fn sparse_times(starts: &[usize], cells: &[(u32, f32)], right: &[f64], width: usize) -> Vec<f64> {
    let mut product = vec![0.0; (starts.len() - 1) * width];
    if width == 0 {
        return product;
    }
    product.par_chunks_mut(CHUNK * width).enumerate().for_each(|(chunk, out)| {
        for (offset, sums) in out.chunks_exact_mut(width).enumerate() {
            let line = chunk * CHUNK + offset;
            for &(index, value) in &cells[starts[line]..starts[line + 1]] {
                let factors = &right[index as usize * width..(index as usize + 1) * width];
                for (sum, factor) in sums.iter_mut().zip(factors) {
                    *sum += f64::from(value) * factor;
                }
            }
        }
    });
    product
}

/// The Gram matrix [width, width] of the columns, summed over fixed chunks of rows.
fn gram(tall: &Tall) -> Vec<f64> {
    let width = tall.width;
    if width == 0 {
        return Vec::new();
    }
    let parts: Vec<Vec<f64>> = tall
        .values
        .par_chunks(CHUNK * width)
        .map(|rows| {
            let mut sums = vec![0.0; width * width];
            for row in rows.chunks_exact(width) {
                for (i, &a) in row.iter().enumerate() {
                    for (sum, &b) in sums[i * width..=i * width + i].iter_mut().zip(row) {
                        *sum += a * b;
                    }
                }
            }
            sums
        })
        .collect();
    let mut total = vec![0.0; width * width];
    for part in parts {
        total.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
    }
    for i in 0..width {
        for j in 0..i {
            total[j * width + i] = total[i * width + j];
        }
    }
    total
}

/// An orthonormal basis of the columns; twice, because squaring in the Gram matrix costs half of the digits.
fn orthonormal(mut tall: Tall) -> Tall {
    for _ in 0..2 {
        let width = tall.width;
        let (squares, vectors) = symmetric_eigen(gram(&tall), width);
        let floor = squares.first().map_or(0.0, |largest| largest * RANK_TOLERANCE);
        let kept = squares.iter().take_while(|&&square| square > floor && square > 0.0).count();
        // [width, kept], columns scaled to give unit length.
        let mut turn = vec![0.0; width * kept];
        for direction in 0..kept {
            let scale = 1.0 / squares[direction].sqrt();
            for from in 0..width {
                turn[from * kept + direction] = vectors[direction * width + from] * scale;
            }
        }
        if kept == 0 {
            return Tall { width: 0, values: Vec::new() };
        }
        let rows = tall.values.len() / width;
        let mut values = vec![0.0; rows * kept];
        values.par_chunks_mut(CHUNK * kept).zip(tall.values.par_chunks(CHUNK * width)).for_each(
            |(out, rows)| {
                for (sums, row) in out.chunks_exact_mut(kept).zip(rows.chunks_exact(width)) {
                    for (from, &value) in row.iter().enumerate() {
                        for (sum, factor) in sums.iter_mut().zip(&turn[from * kept..(from + 1) * kept]) {
                            *sum += value * factor;
                        }
                    }
                }
            },
        );
        tall = Tall { width: kept, values };
    }
    tall
}

impl Rule for Directions {
    fn change(&self, column: &Arc<Column>) -> Result<Vec<Arc<Column>>, PredictError> {
        let Values::Sparse(block) = &column.values else {
            return Err(PredictError::Type { name: column.name.clone(), expected: "a sparse block" });
        };
        let rows = block.row_count();
        let mut dense = vec![0.0; rows * self.count];
        if self.count > 0 {
            let fill = |(chunk, out): (usize, &mut [f64])| {
                for (offset, row) in out.chunks_exact_mut(self.count).enumerate() {
                    self.project(block, chunk * CHUNK + offset, row);
                }
            };
            if rows < PARALLEL_ROWS {
                dense.chunks_mut(CHUNK * self.count).enumerate().for_each(fill);
            } else {
                dense.par_chunks_mut(CHUNK * self.count).enumerate().for_each(fill);
            }
        }
        Ok((0..self.count)
            .map(|direction| {
                let values = dense.iter().skip(direction).step_by(self.count).copied().collect();
                number(format!("{}:{direction}", column.name), values)
            })
            .collect())
    }

    fn save(&self) -> State {
        State::new(serde_json::json!({ "width": self.width, "count": self.count }))
            .with("used", Tensor::U32(self.used.clone()))
            .with("weights", Tensor::F32(self.weights.clone()))
    }

    fn load(state: &State) -> Result<Self, LoadError> {
        let (width, count) = (state.count("width")?, state.count("count")?);
        let (used, weights) = (state.u32s("used")?.to_vec(), state.f32s("weights")?.to_vec());
        // The widest block that hashing makes.
        let sound = width <= 1 << 24
            && used.iter().all(|&column| (column as usize) < width)
            && used.len().checked_mul(count) == Some(weights.len())
            && weights.iter().all(|weight| weight.is_finite())
            && count <= 1 << 16;
        if !sound {
            return Err(LoadError::damaged("weights", "not one row for each used column of the block"));
        }
        Ok(Self { width, count, places: places(&used, width), used, weights })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_base::Seed;

    #[test]
    fn singular_values_of_a_known_matrix_are_found() {
        // Rows on two orthogonal lines: singular values sqrt(1+4+9) * 1 and sqrt(2) * 3.
        let mut block = Sparse::new(10);
        for scale in [1.0, 2.0, 3.0] {
            block.push_row([(7, scale)]);
        }
        for _ in 0..2 {
            block.push_row([(2, -3.0)]);
        }
        let rows: Vec<u32> = (0..5).collect();
        let found = Directions::fit(&block, &rows, 4, &mut Seed(1).rng(), &Signal::new()).unwrap();
        assert_eq!((found.count, found.used.as_slice()), (2, [2, 7].as_slice()));
        let mut out = vec![0.0; 2];
        found.project(&block, 3, &mut out);
        assert!((out[0] - -3.0).abs() < 1e-6 && out[1].abs() < 1e-6, "{out:?}");
    }

    #[test]
    fn an_empty_block_gives_no_column() {
        let mut block = Sparse::new(4);
        block.push_row([]);
        let found = Directions::fit(&block, &[0], 3, &mut Seed(1).rng(), &Signal::new()).unwrap();
        assert_eq!(found.count, 0);
    }
}
