//! Texts as sparse rows of weighted terms.
//!
//! Terms are hashed word and character n-grams. A term that occurs c times in a text of the training rows'
//! vocabulary weighs (1 + ln c) · (ln((1 + n) / (1 + d)) + 1), where d of n training texts have it; each row is then
//! brought to Euclidean length 1. Terms of fewer than `min_texts` training texts weigh nothing. The text column gives
//! way to one sparse block `<column>:terms` of 2^bits columns.
//!
//! Categories with many levels of several words ("title", "product name") are text in disguise; with `wordy` they are
//! treated alike and keep their category column. Counts of a data set's texts depend on no fold and are shared through
//! its memo, so a fold pays only for its weights.

use std::sync::Arc;

use kaizen_base::{Card, math};
use kaizen_model::{
    Ctx, Extent, FitError, FittedTransform, LoadError, Memo, PredictError, Sample, Shape, State, Tensor,
    Transform,
};
use kaizen_space::{Config, Param, Space};
use kaizen_table::{Category, Column, Sparse, Table, Text, Values};
use rayon::prelude::*;

use super::tokens::{Cut, Scratch};
use crate::columns::{ByColumn, PARALLEL_ROWS, Rule, assemble, check};
use crate::parameters::space;
use crate::step::{Step, StepMemory, Uses};

static CARD: Card = Card {
    name: "tf_idf",
    summary: "Turns texts into sparse rows of weighted word and character n-grams",
    source: "Salton and Buckley 1988, section 3 (sub-linear term frequency, inverse document frequency, cosine norm); hashing as in Weinberger et al. 2009",
};

/// Parameters: `words` (longest word n-gram), `characters` (`none`, or lengths of character n-grams), `bits`,
/// `min_texts`, `wordy` (treat categories of many wordy levels as text too).
#[derive(Debug)]
pub struct TfIdf;

/// A category is wordy from this many levels on, if its levels have this many blanks on average.
const WORDY: (usize, f64) = (50, 1.0);

/// Bytes of a word with the blank behind it, at least: half of the mean of English prose, so that the estimate of
/// memory errs upwards.
const WORD_BYTES: usize = 3;

/// Texts counted by one task: large enough to amortise its buffers, small enough to spread over threads.
const CHUNK: usize = 256;

impl Transform for TfIdf {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn space(&self, shape: &Shape) -> Space {
        // About four columns for each row: collisions stay rare and small tables stay small.
        let bits = (shape.row_count.max(1) as u64 * 4).ilog2().clamp(14, 18);
        space([
            Param::int("words", 0, 3).starting_at(2),
            Param::ordinal("characters", ["none", "3-4", "3-5", "2-5"]).starting_at("none"),
            Param::int("bits", 10, 20).starting_at(i64::from(bits)),
            Param::int("min_texts", 1, 20).log().starting_at(2),
            Param::flag("wordy").starting_at("true"),
        ])
    }

    fn fit(
        &self,
        config: &Config,
        sample: Sample<'_>,
        ctx: &Ctx<'_>,
    ) -> Result<Box<dyn FittedTransform>, FitError> {
        Ok(Box::new(fit(config, sample, ctx)?))
    }

    fn load(&self, state: &State) -> Result<Box<dyn FittedTransform>, LoadError> {
        Ok(Box::new(ByColumn::<Terms>::load(state)?))
    }
}

impl Step for TfIdf {
    fn uses(&self) -> Uses {
        Uses::Features
    }

    fn memory(&self, config: &Config, extent: &Extent) -> StepMemory {
        let (cut, ..) = settings(config);
        let (shortest, longest) = cut.characters;
        let lengths = if longest == 0 { 0 } else { longest + 1 - shortest };
        // Each length of character n-grams has a term for each byte at most, each length of word n-grams one for each word.
        let terms = extent.text_bytes * lengths + extent.text_bytes / WORD_BYTES * cut.words;
        let mut after = extent.clone();
        (after.text_count, after.text_bytes) = (0, 0);
        after.sparse_count += extent.text_count;
        after.sparse_cells += terms;
        after.sparse_width += extent.text_count << cut.bits;
        let cells = 8 * terms as u64 + extent.row_bytes(extent.text_count);
        StepMemory {
            after,
            // Weighted terms, and the counts behind them that all fits share.
            made_bytes: 2 * cells,
            // Parts are joined.
            working_bytes: cells,
            fitted_bytes: (4 * extent.text_count as u64) << cut.bits,
        }
    }

    fn fit_apply(
        &self,
        config: &Config,
        sample: Sample<'_>,
        ctx: &Ctx<'_>,
    ) -> Result<(Box<dyn FittedTransform>, Table), FitError> {
        let fitted = fit(config, sample, ctx)?;
        let (cut, _, wordy) = settings(config);
        let columns: Result<Vec<_>, FitError> = sample
            .data
            .table
            .columns()
            .par_iter()
            .map(|column| {
                check(ctx.signal)?;
                Ok(match (fitted.rule(&column.name), Source::of(column, wordy)) {
                    (Some(rule), Some(source)) => {
                        let counts = shared_counts(&sample.data.memo, &column.name, &source, cut);
                        (rule.columns(column, &source, &counts), true)
                    }
                    _ => (vec![Arc::clone(column)], false),
                })
            })
            .collect();
        let table = assemble(columns?, sample.data.table.row_count());
        Ok((Box::new(fitted), table))
    }
}

fn settings(config: &Config) -> (Cut, u32, bool) {
    let characters = match config.choice("characters") {
        "3-4" => (3, 4),
        "3-5" => (3, 5),
        "2-5" => (2, 5),
        _ => (0, 0),
    };
    // Terms of some kind there must be.
    let words = config.int("words").max(i64::from(characters.1 == 0)) as usize;
    let cut = Cut { words, characters, bits: config.int("bits") as u32 };
    (cut, config.int("min_texts") as u32, config.flag("wordy"))
}

fn fit(config: &Config, sample: Sample<'_>, ctx: &Ctx<'_>) -> Result<ByColumn<Terms>, FitError> {
    let (cut, min_texts, wordy) = settings(config);
    ByColumn::fit(&sample.data.table, ctx.signal, |column| {
        let source = Source::of(column, wordy)?;
        let counts = shared_counts(&sample.data.memo, &column.name, &source, cut);
        let mut texts = vec![0_u32; 1 << cut.bits];
        let mut present = 0_u32;
        for &row in sample.train {
            if let Some(entry) = source.entry(row as usize) {
                present += 1;
                for &term in counts.row(entry).0 {
                    texts[term as usize] += 1;
                }
            }
        }
        // A rule for tiny samples: a term can hardly occur twice among three texts.
        let min_texts = min_texts.min(present.div_ceil(10)).max(1);
        let weight = |count: u32| {
            if count < min_texts {
                return 0.0;
            }
            (math::ln((1.0 + f64::from(present)) / (1.0 + f64::from(count))) + 1.0) as f32
        };
        let weights = texts.into_iter().map(weight).collect();
        Some(Terms { cut, wordy, weights })
    })
}

/// The distinct texts behind a column and which of them each row has.
enum Source<'a> {
    Text(&'a Text),
    Category(&'a Category),
}

impl<'a> Source<'a> {
    fn of(column: &'a Column, wordy: bool) -> Option<Self> {
        match &column.values {
            Values::Text(text) => Some(Self::Text(text)),
            Values::Category(category) if wordy && is_wordy(category) => Some(Self::Category(category)),
            _ => None,
        }
    }

    /// Number of distinct texts.
    fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Category(category) => category.levels.len(),
        }
    }

    fn text(&self, entry: usize) -> &'a str {
        match self {
            Self::Text(text) => text.get(entry).unwrap_or(""),
            Self::Category(category) => &category.levels[entry],
        }
    }

    /// The text of a row, `None` when missing.
    fn entry(&self, row: usize) -> Option<usize> {
        match self {
            Self::Text(text) => text.get(row).map(|_| row),
            Self::Category(category) => {
                Some(category.codes[row] as usize).filter(|&code| code < category.levels.len())
            }
        }
    }

    fn row_count(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Category(category) => category.codes.len(),
        }
    }
}

fn is_wordy(category: &Category) -> bool {
    let (least_levels, least_blanks) = WORDY;
    if category.levels.len() < least_levels {
        return false;
    }
    let blanks: usize = category.levels.iter().map(|level| level.trim().matches(' ').count()).sum();
    blanks as f64 >= least_blanks * category.levels.len() as f64
}

/// Term counts of every text of a data set's column, computed once.
///
/// The memo's first caller computes while others wait, so the work may not go through the shared thread pool: a worker
/// that helped out could pick up another fold, ask for the same key and wait for itself. Plain threads cannot.
fn shared_counts(memo: &Memo, column: &str, source: &Source<'_>, cut: Cut) -> Arc<Sparse> {
    let Cut { words, characters: (shortest, longest), bits } = cut;
    let key = format!("tf_idf/{words}/{shortest}-{longest}/{bits}/{column}");
    memo.get_or_make(&key, || {
        let entries: Vec<usize> = (0..source.len()).collect();
        let threads = rayon::current_num_threads().min(entries.len() / CHUNK + 1);
        let share = entries.len().div_ceil(threads).max(1);
        let parts: Vec<Sparse> = std::thread::scope(|scope| {
            let running: Vec<_> = entries
                .chunks(share)
                .map(|part| scope.spawn(move || count_terms(source, part, cut)))
                .collect();
            running
                .into_iter()
                .map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        concatenate(cut, &parts)
    })
}

fn count_terms(source: &Source<'_>, entries: &[usize], cut: Cut) -> Sparse {
    let mut scratch = Scratch::default();
    let mut counts = Sparse::new(1 << cut.bits);
    for &entry in entries {
        counts.push_row(cut.counts(source.text(entry), &mut scratch));
    }
    counts
}

fn concatenate(cut: Cut, parts: &[Sparse]) -> Sparse {
    let mut whole = Sparse::new(1 << cut.bits);
    for part in parts {
        for row in 0..part.row_count() {
            let (terms, values) = part.row(row);
            whole.push_row(terms.iter().copied().zip(values.iter().copied()));
        }
    }
    whole
}

struct Terms {
    cut: Cut,
    wordy: bool,
    /// Inverse document frequency of each column, 0 for those left out.
    weights: Vec<f32>,
}

impl Terms {
    fn weighted(&self, terms: &[u32], counts: &[f32], row: &mut Vec<(u32, f32)>) {
        row.clear();
        let mut squares = 0.0_f64;
        for (&term, &count) in terms.iter().zip(counts) {
            let weight = self.weights[term as usize];
            if weight > 0.0 {
                // Most terms occur once, and the logarithm of one is nothing.
                let often = if count == 1.0 { 1.0 } else { 1.0 + math::ln(f64::from(count)) as f32 };
                squares += f64::from(often * weight) * f64::from(often * weight);
                row.push((term, often * weight));
            }
        }
        let scale = if squares > 0.0 { (1.0 / squares.sqrt()) as f32 } else { 0.0 };
        for (_, value) in row {
            *value *= scale;
        }
    }

    fn columns(&self, column: &Arc<Column>, source: &Source<'_>, counts: &Sparse) -> Vec<Arc<Column>> {
        let rows: Vec<usize> = (0..source.row_count()).collect();
        let chunk_rows = |chunk: &[usize]| {
            let mut block = Sparse::new(1 << self.cut.bits);
            let mut cells = Vec::new();
            for &row in chunk {
                cells.clear();
                if let Some(entry) = source.entry(row) {
                    let (terms, counts) = counts.row(entry);
                    self.weighted(terms, counts, &mut cells);
                }
                block.push_row(cells.iter().copied());
            }
            block
        };
        let blocks: Vec<Sparse> = if rows.len() < PARALLEL_ROWS {
            rows.chunks(CHUNK).map(chunk_rows).collect()
        } else {
            rows.par_chunks(CHUNK).map(chunk_rows).collect()
        };
        let values = Values::Sparse(concatenate(self.cut, &blocks));
        let block = Arc::new(Column { name: format!("{}:terms", column.name), values });
        match source {
            Source::Text(_) => vec![block],
            Source::Category(_) => vec![Arc::clone(column), block],
        }
    }
}

impl Rule for Terms {
    fn change(&self, column: &Arc<Column>) -> Result<Vec<Arc<Column>>, PredictError> {
        let source = match &column.values {
            Values::Text(text) => Source::Text(text),
            Values::Category(category) => Source::Category(category),
            _ => return Err(PredictError::Type { name: column.name.clone(), expected: "text" }),
        };
        let entries: Vec<usize> = (0..source.len()).collect();
        if let (Source::Category(category), true) = (&source, source.row_count() < source.len()) {
            // A few rows of a column with many levels: count the terms of these rows only.
            let cells: Vec<Option<&str>> = (0..category.codes.len()).map(|row| category.level(row)).collect();
            let Values::Text(text) = Column::text("", cells).values else {
                return Ok(vec![Arc::clone(column)]);
            };
            let source = Source::Text(&text);
            let rows: Vec<usize> = (0..text.len()).collect();
            let counts = count_terms(&source, &rows, self.cut);
            let mut made = self.columns(column, &source, &counts);
            made.insert(0, Arc::clone(column));
            return Ok(made);
        }
        let counts = if entries.len() < PARALLEL_ROWS {
            count_terms(&source, &entries, self.cut)
        } else {
            let parts: Vec<Sparse> =
                entries.par_chunks(CHUNK).map(|part| count_terms(&source, part, self.cut)).collect();
            concatenate(self.cut, &parts)
        };
        Ok(self.columns(column, &source, &counts))
    }

    fn save(&self) -> State {
        let used: Vec<u32> =
            (0..self.weights.len() as u32).filter(|&term| self.weights[term as usize] > 0.0).collect();
        let weights = used.iter().map(|&term| self.weights[term as usize]).collect();
        let Cut { words, characters: (shortest, longest), bits } = self.cut;
        State::new(serde_json::json!({
            "words": words, "shortest": shortest, "longest": longest, "bits": bits, "wordy": self.wordy,
        }))
        .with("terms", Tensor::U32(used))
        .with("weights", Tensor::F32(weights))
    }

    fn load(state: &State) -> Result<Self, LoadError> {
        let small = |name: &str, most: usize| {
            state.count(name).and_then(|count| {
                if count <= most { Ok(count) } else { Err(LoadError::damaged(name, "too large")) }
            })
        };
        let cut = Cut {
            words: small("words", 8)?,
            characters: (small("shortest", 16)?, small("longest", 16)?),
            bits: small("bits", 24)? as u32,
        };
        if cut.bits == 0 || cut.characters.0 > cut.characters.1 {
            return Err(LoadError::damaged("bits", "not a way to cut text"));
        }
        let (terms, values) = (state.u32s("terms")?, state.f32s("weights")?);
        let mut weights = vec![0.0; 1 << cut.bits];
        if terms.len() != values.len() {
            return Err(LoadError::damaged("weights", "not one for each term"));
        }
        for (&term, &weight) in terms.iter().zip(values) {
            match weights.get_mut(term as usize) {
                Some(place) if weight.is_finite() => *place = weight,
                _ => {
                    return Err(LoadError::damaged(
                        "terms",
                        "outside the block, or its weight is not finite",
                    ));
                }
            }
        }
        Ok(Self { cut, wordy: state.read("wordy")?, weights })
    }
}
