//! k nearest neighbours.
//!
//! The number of neighbours is chosen from a grid by the validation rows where there are some, else by leaving out one
//! training row at a time (a row is never its own neighbour), unless it is given. Shares of classes are drawn towards
//! the overall shares by `smoothing` neighbours' worth, so that no class is impossible.

use kaizen_base::{Card, Flow, Signal};
use kaizen_model::{
    Ctx, Extent, FitError, Fitted, Handles, Inputs, Learner, LoadError, Memory, Model, PredictError,
    Predictions, Sample, Shape, State, Task, Tensor,
};
use kaizen_space::{Config, Param, Space};
use kaizen_table::Table;
use rayon::prelude::*;

use super::search::{Geometry, Neighbour, Points, mismatch};
use crate::features::{Cells, Features, Kind, admit, own_cells};
use crate::linear::design::Encoder;
use crate::outcome::finite;
use crate::parameters::space;
use crate::tasks::{load_task, save_task};

static CARD: Card = Card {
    name: "k_nearest_neighbors",
    summary: "Averages the most similar training rows",
    source: "Cover and Hart 1967; distances of categories scaled after Wilson and Martinez 1997, section 3",
};

/// Stored rows at most; each costs memory and time at every prediction.
const ROW_LIMIT: usize = 20_000;

/// Stored numbers at most, which bounds the model to about 8 MB.
const CELL_LIMIT: usize = 2_000_000;

/// Rows on which the number of neighbours is chosen.
const JUDGE_LIMIT: usize = 2_000;

/// Numbers of neighbours to choose from.
const GRID: [usize; 10] = [1, 3, 5, 8, 12, 20, 30, 50, 75, 100];

/// Asked rows that one task handles; with them a block of stored rows is read once.
const CHUNK: usize = 32;

/// Parameters: `select` (choose the number of neighbours), else `neighbors`; `by_distance` (weigh neighbours by the
/// inverse of their distance); `smoothing`.
#[derive(Debug)]
pub struct NearestNeighbors;

impl Learner for NearestNeighbors {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn handles(&self) -> Handles {
        Handles {
            binary: true,
            multiclass: true,
            regression: true,
            quantile: false,
            inputs: Inputs { missing: true, categories: true, sparse: false, scaled: false },
            weights: true,
            monotone: false,
            readable: false,
        }
    }

    fn space(&self, _shape: &Shape) -> Space {
        space([
            Param::flag("select").starting_at("true"),
            Param::int("neighbors", 1, 200).log().starting_at(5).only_if("select", ["false"]),
            Param::flag("by_distance").starting_at("true"),
            Param::float("smoothing", 0.0, 5.0).starting_at(0.5),
        ])
    }

    fn memory(&self, _config: &Config, extent: &Extent) -> Memory {
        // A number may have the indicator of missing cells beside it.
        let width = (2 * extent.number_count + extent.level_counts.len()).max(1);
        let stored = extent.train_count.min(stored_limit(width));
        let fitted_bytes = (stored * (4 * width + 12)) as u64;
        // Neighbours of the rows that choose their number, and predictions of the validation rows.
        let judged = 8 * JUDGE_LIMIT.min(extent.row_count) * GRID[GRID.len() - 1];
        let working_bytes = fitted_bytes + judged as u64 + extent.row_bytes(2 * extent.task.output_count());
        Memory { working_bytes, shared_bytes: 0, fitted_bytes }
    }

    fn fit(&self, config: &Config, sample: Sample<'_>, ctx: &Ctx<'_>) -> Result<Fitted, FitError> {
        let features = admit(self.handles(), sample)?;
        let cells = own_cells(&features, &sample.data.table)?;
        if ctx.signal.flow() == Flow::Stop {
            return Err(FitError::Stopped);
        }
        let geometry = geometry(&features, &cells, sample);
        let kept = kept_rows(sample.train, &geometry, ctx);
        let points = geometry.points(&cells, &kept);
        let mut model = NeighborModel {
            task: sample.data.task.clone(),
            targets: kept.iter().map(|&row| sample.data.target[row as usize]).collect(),
            weights: kept.iter().map(|&row| sample.data.weight(row) as f32).collect(),
            features,
            geometry,
            points,
            neighbors: GRID[2],
            by_distance: config.flag("by_distance"),
            smoothing: config.float("smoothing"),
            prior: Vec::new(),
        };
        model.prior = model.overall();
        let mut cut_short = false;
        if config.contains("neighbors") {
            model.neighbors = config.int("neighbors") as usize;
        } else {
            cut_short = !model.select(&cells, sample, &kept, ctx)?;
        }
        model.neighbors = model.neighbors.clamp(1, kept.len());
        let valid_predictions = match sample.valid {
            Some(rows) => Some(model.predict_cells(&cells, rows, Some(ctx.signal))?),
            None => None,
        };
        Ok(Fitted { model: Box::new(model), valid_predictions, cut_short })
    }

    fn load(&self, state: &State) -> Result<Box<dyn Model>, LoadError> {
        Ok(Box::new(NeighborModel::load(state)?))
    }
}

fn geometry(features: &Features, cells: &[Cells<'_>], sample: Sample<'_>) -> Geometry {
    let terms = Encoder::fit(features, cells, sample.train, |_| 1.0, true).dense;
    let (mut categories, mut distances) = (Vec::new(), Vec::new());
    for (index, (feature, cells)) in features.list().iter().zip(cells).enumerate() {
        if let (Kind::Category(levels), Cells::Category(codes)) = (&feature.kind, cells) {
            categories.push(index as u32);
            distances.push(mismatch(codes, sample.train, levels.count()));
        }
    }
    Geometry { terms, categories, mismatch: distances }
}

/// Rows of so many numbers and categories that are stored at most.
fn stored_limit(width: usize) -> usize {
    ROW_LIMIT.min((CELL_LIMIT / width).max(200))
}

fn kept_rows(train: &[u32], geometry: &Geometry, ctx: &Ctx<'_>) -> Vec<u32> {
    let width = (geometry.terms.len() + geometry.categories.len()).max(1);
    let limit = stored_limit(width);
    if train.len() <= limit {
        return train.to_vec();
    }
    let places = ctx.seed.child("neighbors", 0).rng().sample_sorted(train.len(), limit);
    places.into_iter().map(|place| train[place as usize]).collect()
}

struct NeighborModel {
    features: Features,
    task: Task,
    geometry: Geometry,
    points: Points,
    /// Class index or value of each stored row.
    targets: Vec<f64>,
    weights: Vec<f32>,
    neighbors: usize,
    by_distance: bool,
    smoothing: f64,
    /// What all stored rows together predict.
    prior: Vec<f64>,
}

impl NeighborModel {
    /// Shares of classes, or the mean, of all stored rows.
    fn overall(&self) -> Vec<f64> {
        let all: Vec<Neighbour> =
            (0..self.points.count as u32).map(|place| Neighbour { distance: 1.0, place }).collect();
        let mut prior = vec![0.0; self.task.output_count()];
        // Half a row's worth of every class.
        let uniform = vec![1.0 / prior.len() as f64; prior.len()];
        self.average(&all, &uniform, 0.5, &mut prior);
        prior
    }

    /// Average of neighbours, drawn towards `towards` by `smoothing` neighbours' worth (classes only).
    fn average(&self, neighbours: &[Neighbour], towards: &[f64], smoothing: f64, out: &mut [f64]) {
        // Under inverse distances, rows at no distance outweigh all others.
        let exact = self.by_distance && neighbours.iter().any(|neighbour| neighbour.distance == 0.0);
        let weight = |neighbour: &Neighbour| {
            let own = f64::from(self.weights[neighbour.place as usize]);
            match (self.by_distance, exact) {
                (false, _) => own,
                (true, true) => own * f64::from(u8::from(neighbour.distance == 0.0)),
                (true, false) => own / f64::from(neighbour.distance).sqrt(),
            }
        };
        let total: f64 = neighbours.iter().map(weight).sum();
        let count = neighbours.len() as f64;
        out.fill(0.0);
        for neighbour in neighbours {
            let share =
                if total > 0.0 && total.is_finite() { weight(neighbour) / total } else { 1.0 / count };
            let target = self.targets[neighbour.place as usize];
            if self.task.is_classification() {
                out[target as usize] += share;
            } else {
                out[0] += share * target;
            }
        }
        if self.task.is_classification() && smoothing > 0.0 {
            for (share, towards) in out.iter_mut().zip(towards) {
                *share = (*share * count + smoothing * towards) / (count + smoothing);
            }
        } else if !self.task.is_classification() {
            out[0] = finite(out[0]);
        }
    }

    /// Chooses the number of neighbours; whether there was time for it.
    fn select(
        &mut self,
        cells: &[Cells<'_>],
        sample: Sample<'_>,
        kept: &[u32],
        ctx: &Ctx<'_>,
    ) -> Result<bool, FitError> {
        let most = GRID[GRID.len() - 1].min(kept.len());
        let thinned = |count: usize| {
            let mut rng = ctx.seed.child("neighbors", 1).rng();
            rng.sample_sorted(count, count.min(JUDGE_LIMIT))
        };
        let judged: Vec<(u32, Option<u32>)> = match sample.valid.filter(|rows| !rows.is_empty()) {
            Some(rows) => thinned(rows.len()).into_iter().map(|place| (rows[place as usize], None)).collect(),
            None => {
                thinned(kept.len()).into_iter().map(|place| (kept[place as usize], Some(place))).collect()
            }
        };
        if ctx.signal.flow() == Flow::Finish || most < 2 {
            return Ok(most < 2);
        }
        let losses: Vec<Vec<f64>> = judged
            .par_chunks(CHUNK)
            .map(|chunk| self.chunk_losses(cells, sample, chunk, most, ctx.signal))
            .collect::<Result<_, FitError>>()?;
        let total = |index: usize| losses.iter().map(|losses| losses[index]).sum::<f64>();
        let best = (0..GRID.len())
            .filter(|&index| GRID[index] <= most)
            .min_by(|&a, &b| total(a).total_cmp(&total(b)))
            .unwrap_or(0);
        self.neighbors = GRID[best];
        Ok(true)
    }

    /// For each number of the grid the weighted loss of some rows.
    fn chunk_losses(
        &self,
        cells: &[Cells<'_>],
        sample: Sample<'_>,
        chunk: &[(u32, Option<u32>)],
        most: usize,
        signal: &Signal,
    ) -> Result<Vec<f64>, FitError> {
        if signal.flow() == Flow::Stop {
            return Err(FitError::Stopped);
        }
        let rows: Vec<u32> = chunk.iter().map(|(row, _)| *row).collect();
        let themselves: Option<Vec<u32>> = chunk.iter().map(|(_, place)| *place).collect();
        let asked = self.geometry.points(cells, &rows);
        let found = self.geometry.nearest(&self.points, &asked, themselves.as_deref(), most);
        let mut out = vec![0.0; self.task.output_count()];
        let mut losses = vec![0.0; GRID.len()];
        for (neighbours, &row) in found.iter().zip(&rows) {
            let target = sample.data.target[row as usize];
            for (loss, &count) in losses.iter_mut().zip(&GRID) {
                let nearest = &neighbours[..count.min(neighbours.len())];
                self.average(nearest, &self.prior, self.smoothing, &mut out);
                *loss += sample.data.weight(row)
                    * if self.task.is_classification() {
                        -kaizen_base::math::ln(out[target as usize].max(1e-6))
                    } else {
                        (out[0] - target).abs().min(1e150)
                    };
            }
        }
        Ok(losses)
    }

    fn predict_cells(
        &self,
        cells: &[Cells<'_>],
        rows: &[u32],
        signal: Option<&Signal>,
    ) -> Result<Predictions, FitError> {
        let width = self.task.output_count();
        let mut values = vec![0.0; rows.len() * width];
        let work = |(rows, out): (&[u32], &mut [f64])| {
            if signal.is_some_and(|signal| signal.flow() == Flow::Stop) {
                return Err(FitError::Stopped);
            }
            let asked = self.geometry.points(cells, rows);
            let found = self.geometry.nearest(&self.points, &asked, None, self.neighbors);
            for (neighbours, out) in found.iter().zip(out.chunks_exact_mut(width)) {
                self.average(neighbours, &self.prior, self.smoothing, out);
            }
            Ok(())
        };
        if rows.len() <= CHUNK {
            work((rows, &mut values))?;
        } else {
            rows.par_chunks(CHUNK).zip(values.par_chunks_mut(CHUNK * width)).try_for_each(work)?;
        }
        Ok(Predictions::new(width, values))
    }

    fn load(state: &State) -> Result<Self, LoadError> {
        let features = Features::load(state.part("features")?)?;
        let encoder = Encoder::load(state.part("encoder")?, &features)?;
        let task = load_task(state)?;
        let is_category = |index: &u32| {
            features
                .list()
                .get(*index as usize)
                .is_some_and(|feature| matches!(feature.kind, Kind::Category(_)))
        };
        let (categories, mismatch) = (state.u32s("categories")?.to_vec(), state.f32s("mismatch")?.to_vec());
        if mismatch.len() != categories.len()
            || !categories.iter().all(is_category)
            || !mismatch.iter().all(|distance| (0.0..=1e6).contains(distance))
        {
            return Err(LoadError::damaged("categories", "not distances of category columns"));
        }
        let targets = state.f64s("targets")?.to_vec();
        let weights = state.f32s("weights")?.to_vec();
        let (numbers, codes) = (state.f32s("numbers")?.to_vec(), state.u32s("codes")?.to_vec());
        let count = targets.len();
        let fits = count > 0
            && weights.len() == count
            && Some(numbers.len()) == count.checked_mul(encoder.dense.len())
            && Some(codes.len()) == count.checked_mul(categories.len())
            && numbers.iter().all(|value| value.abs() <= 1e16)
            && weights.iter().all(|weight| *weight >= 0.0 && weight.is_finite());
        let class =
            |target: &f64| target.fract() == 0.0 && (0.0..task.output_count() as f64).contains(target);
        let known = targets
            .iter()
            .all(|target| if task.is_classification() { class(target) } else { target.is_finite() });
        let neighbors = state.count("neighbors")?;
        let smoothing = state.number("smoothing")?;
        if !fits || !known || neighbors == 0 || neighbors > count || !(0.0..=1e6).contains(&smoothing) {
            return Err(LoadError::damaged("targets", "not stored rows of this task"));
        }
        if matches!(task, Task::Quantile { .. }) {
            return Err(LoadError::damaged("task", "quantiles of neighbours"));
        }
        let mut model = Self {
            features,
            task,
            geometry: Geometry { terms: encoder.dense, categories, mismatch },
            points: Points { count, numbers, codes },
            targets,
            weights,
            neighbors,
            by_distance: state.read("by_distance")?,
            smoothing,
            prior: Vec::new(),
        };
        model.prior = model.overall();
        Ok(model)
    }
}

impl Model for NeighborModel {
    fn predict(&self, table: &Table) -> Result<Predictions, PredictError> {
        let cells = self.features.read(table)?;
        let rows: Vec<u32> = (0..table.row_count() as u32).collect();
        #[expect(clippy::expect_used, reason = "without a signal nothing can stop a prediction")]
        Ok(self.predict_cells(&cells, &rows, None).expect("nothing stops it"))
    }

    fn save(&self) -> State {
        let mut state = State::new(serde_json::json!({
            "neighbors": self.neighbors, "by_distance": self.by_distance, "smoothing": self.smoothing,
        }));
        save_task(&self.task, &mut state);
        let encoder = Encoder::of_terms(&self.features, self.geometry.terms.clone());
        state
            .with("categories", Tensor::U32(self.geometry.categories.clone()))
            .with("mismatch", Tensor::F32(self.geometry.mismatch.clone()))
            .with("numbers", Tensor::F32(self.points.numbers.clone()))
            .with("codes", Tensor::U32(self.points.codes.clone()))
            .with("targets", Tensor::F64(self.targets.clone()))
            .with("weights", Tensor::F32(self.weights.clone()))
            .with_part("features", self.features.save())
            .with_part("encoder", encoder.save())
    }
}
