//! A decision tree that a person can read.
//!
//! Grown best split first to at most `leaves` leaves; where there are validation rows, only as many splits are kept as
//! predict them best. [`text`] writes a saved tree down.

use kaizen_base::Card;
use kaizen_model::{
    Ctx, Extent, FitError, Fitted, Handles, Inputs, Learner, LoadError, Memory, Model, PredictError,
    Predictions, Sample, Shape, State, Task, Tensor, View,
};
use kaizen_space::{Config, Param, Space};
use kaizen_table::{MISSING_CODE, Table};

use super::boosting::TreeTarget;
use super::cart::{Ground, Limits, Node, Rule, Split};
use crate::features::{Cells, Features, Kind, admit, own_cells};
use crate::outcome::{Classes, finite};
use crate::parameters::space;
use crate::tasks::{load_task, save_task};

static CARD: Card = Card {
    name: "decision_tree",
    summary: "One small tree of questions that a person can read",
    source: "Breiman, Friedman, Olshen and Stone 1984",
};

/// Parameters: `leaves`, `depth`, `min_rows` (least rows of a leaf).
#[derive(Debug)]
pub struct DecisionTree;

impl Learner for DecisionTree {
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
            readable: true,
        }
    }

    fn space(&self, shape: &Shape) -> Space {
        let most = (shape.row_count / 10).clamp(2, 200) as i64;
        space([
            Param::int("leaves", 2, 64).log().starting_at(16),
            Param::int("depth", 1, 10).starting_at(6),
            Param::int("min_rows", 1, most).log().starting_at(most.min(5)),
        ])
    }

    fn memory(&self, config: &Config, extent: &Extent) -> Memory {
        // A byte for each cell; targets, weights and places of rows, in the tree and again for pruning.
        let codes = (extent.train_count * extent.column_count()) as u64;
        let node_bytes = 8 * (16 + extent.score_count() as u64) + 4 * extent.level_total() as u64;
        Memory {
            working_bytes: codes + extent.row_bytes(6),
            shared_bytes: 0,
            fitted_bytes: 2 * config.int("leaves") as u64 * node_bytes,
        }
    }

    fn fit(&self, config: &Config, sample: Sample<'_>, ctx: &Ctx<'_>) -> Result<Fitted, FitError> {
        let features = admit(self.handles(), sample)?;
        let cells = own_cells(&features, &sample.data.table)?;
        if ctx.signal.flow() == kaizen_base::Flow::Stop {
            return Err(FitError::Stopped);
        }
        let target = TreeTarget::of(sample);
        let values = target.values(sample);
        // Binary classes are places only if both occur; a class alone makes a tree without splits.
        let place = |row: u32| match sample.data.task {
            Task::Binary => target.classes.place(values[row as usize]).unwrap_or(0) as f64,
            _ => values[row as usize],
        };
        let fitted: Vec<f64> = sample.train.iter().map(|&row| place(row)).collect();
        let weights: Vec<f64> = sample.train.iter().map(|&row| sample.data.weight(row)).collect();
        let ground = Ground {
            cells: &cells,
            rows: sample.train,
            weights: &weights,
            target: &fitted,
            classes: target.classes.list().len(),
        };
        let limits = Limits {
            leaves: config.int("leaves") as usize,
            depth: config.int("depth") as usize,
            min_rows: config.int("min_rows") as usize,
        };
        let (nodes, cut_short) = ground.grow(limits, ctx.signal)?;
        let mut model = ReadableTree {
            features,
            task: sample.data.task.clone(),
            classes: target.classes.clone(),
            target_scale: target.scale,
            nodes,
        };
        if let Some(rows) = sample.valid.filter(|rows| !rows.is_empty()) {
            model.prune(&cells, rows, place, |row| sample.data.weight(row));
        }
        let valid_predictions = sample.valid.map(|rows| model.predict_cells(&cells, rows));
        Ok(Fitted { model: Box::new(model), valid_predictions, cut_short })
    }

    fn load(&self, state: &State) -> Result<Box<dyn Model>, LoadError> {
        Ok(Box::new(ReadableTree::load(state)?))
    }
}

/// The tree of a saved model as indented lines: questions, and at the leaves the prediction with the weight of the
/// training rows behind it. `class_names` are in class order and unused for numbers.
///
/// # Errors
/// [`LoadError`] if the state is not that of a decision tree.
pub fn text(state: &State, class_names: &[String]) -> Result<String, LoadError> {
    let tree = ReadableTree::load(state)?;
    let mut lines = Vec::new();
    tree.write(0, 0, class_names, &mut lines);
    Ok(lines.join("\n"))
}

struct ReadableTree {
    features: Features,
    task: Task,
    classes: Classes,
    target_scale: (f64, f64),
    nodes: Vec<Node>,
}

impl ReadableTree {
    fn goes_left(split: &Split, cells: &[Cells<'_>], row: usize) -> bool {
        match (&cells[split.feature as usize], &split.rule) {
            (Cells::Number(values), Rule::AtMost(_) | Rule::Missing) if values[row].is_nan() => {
                split.missing_left
            }
            (Cells::Number(values), Rule::AtMost(limit)) => values[row] <= *limit,
            (Cells::Category(codes), Rule::OneOf(_) | Rule::Missing) if codes[row] == MISSING_CODE => {
                split.missing_left
            }
            (Cells::Category(codes), Rule::OneOf(levels)) => levels.binary_search(&codes[row]).is_ok(),
            (_, Rule::Missing) => !split.missing_left,
            _ => split.missing_left,
        }
    }

    fn leaf(&self, cells: &[Cells<'_>], row: usize) -> &Node {
        let mut node = &self.nodes[0];
        while let Some(split) = &node.split {
            // Children stand behind their parents (checked when loaded), so that this ends.
            node = &self.nodes
                [if Self::goes_left(split, cells, row) { split.left } else { split.right } as usize];
        }
        node
    }

    fn predict_cells(&self, cells: &[Cells<'_>], rows: &[u32]) -> Predictions {
        let width = self.task.output_count();
        let mut values = vec![0.0; rows.len() * width];
        for (&row, out) in rows.iter().zip(values.chunks_exact_mut(width)) {
            let leaf = self.leaf(cells, row as usize);
            if self.task.is_classification() {
                self.classes.spread(&leaf.value, out);
            } else {
                out[0] = finite(self.target_scale.0 + self.target_scale.1 * leaf.value[0]);
            }
        }
        Predictions::new(width, values)
    }

    /// Keeps the number of splits under which the weighted loss of `rows` is least; fewer where equal.
    fn prune(
        &mut self,
        cells: &[Cells<'_>],
        rows: &[u32],
        target: impl Fn(u32) -> f64,
        weight: impl Fn(u32) -> f64,
    ) {
        let loss = |node: &Node, row: u32| {
            let loss = if self.task.is_classification() {
                -kaizen_base::math::ln(node.value[target(row) as usize])
            } else {
                (node.value[0] - target(row)) * (node.value[0] - target(row))
            };
            weight(row) * loss
        };
        let mut held: Vec<Vec<u32>> = vec![Vec::new(); self.nodes.len()];
        held[0] = rows.to_vec();
        // Splits in the order in which they were made: that of their children.
        let mut splits: Vec<(usize, &Split)> = self
            .nodes
            .iter()
            .map(|node| node.split.as_ref())
            .enumerate()
            .filter_map(|(index, split)| Some((index, split?)))
            .collect();
        splits.sort_by_key(|(_, split)| split.left);
        let (mut change, mut least, mut kept) = (0.0, 0.0, 0);
        for (count, (index, split)) in splits.iter().enumerate() {
            for row in std::mem::take(&mut held[*index]) {
                let child = if Self::goes_left(split, cells, row as usize) { split.left } else { split.right }
                    as usize;
                change += loss(&self.nodes[child], row) - loss(&self.nodes[*index], row);
                held[child].push(row);
            }
            if change < least {
                (least, kept) = (change, count + 1);
            }
        }
        self.nodes.truncate(1 + 2 * kept);
        let count = self.nodes.len() as u32;
        for node in &mut self.nodes {
            node.split = node.split.take().filter(|split| split.right < count);
        }
    }

    fn write(&self, index: usize, depth: usize, class_names: &[String], lines: &mut Vec<String>) {
        let node = &self.nodes[index];
        let indent = "  ".repeat(depth);
        let Some(split) = &node.split else {
            let said = if self.task.is_classification() {
                let best = (0..node.value.len())
                    .max_by(|&a, &b| node.value[a].total_cmp(&node.value[b]).then(b.cmp(&a)))
                    .unwrap_or(0);
                let class = self.classes.list().get(best).copied().unwrap_or(0);
                let name =
                    class_names.get(class as usize).cloned().unwrap_or_else(|| format!("class {class}"));
                format!("{name} ({:.0} %)", node.value.get(best).unwrap_or(&1.0) * 100.0)
            } else {
                format!("{:.6}", self.target_scale.0 + self.target_scale.1 * node.value[0])
            };
            lines.push(format!("{indent}-> {said}, weight {:.0}", node.weight));
            return;
        };
        let feature = &self.features.list()[split.feature as usize];
        let (with, without) = if split.missing_left { (" or missing", "") } else { ("", " or missing") };
        let (yes, no) = match (&split.rule, &feature.kind) {
            (Rule::AtMost(limit), _) => (format!("<= {limit}{with}"), format!("> {limit}{without}")),
            (Rule::OneOf(levels), Kind::Category(names)) => {
                let names: Vec<&str> = levels
                    .iter()
                    .filter_map(|&level| names.list().get(level as usize))
                    .map(String::as_str)
                    .collect();
                (format!("is one of {}{with}", names.join(", ")), format!("is another{without}"))
            }
            _ if split.missing_left => ("is missing".to_owned(), "is there".to_owned()),
            _ => ("is there".to_owned(), "is missing".to_owned()),
        };
        for (answer, child) in [(yes, split.left), (no, split.right)] {
            lines.push(format!("{indent}{} {answer}", feature.name));
            self.write(child as usize, depth + 1, class_names, lines);
        }
    }

    fn load(state: &State) -> Result<Self, LoadError> {
        let features = Features::load(state.part("features")?)?;
        let task = load_task(state)?;
        let classes = Classes::load(state, &task)?;
        if matches!(task, Task::Quantile { .. }) {
            return Err(LoadError::damaged("task", "quantiles of one tree"));
        }
        let width = if task.is_classification() { classes.list().len() } else { 1 };
        let (values, weights) = (state.f64s("values")?, state.f64s("weights")?);
        let (columns, kinds) = (state.u32s("columns")?, state.u8s("kinds")?);
        let (children, limits, gains) =
            (state.u32s("children")?, state.f64s("limits")?, state.f64s("gains")?);
        let (set_lengths, levels) = (state.u32s("set_lengths")?, state.u32s("levels")?);
        let count = weights.len();
        let lengths =
            [columns.len(), kinds.len(), children.len(), limits.len(), gains.len(), set_lengths.len()];
        let even =
            lengths.iter().all(|&length| length == count) && values.len() == count * width && count > 0;
        let sums = !task.is_classification()
            || values.chunks_exact(width.max(1)).all(|value| {
                value.iter().all(|share| (0.0..=1.0).contains(share))
                    && (value.iter().sum::<f64>() - 1.0).abs() < 1e-9
            });
        let finite =
            [values, weights, limits, gains].iter().all(|list| list.iter().all(|number| number.is_finite()));
        if !even || !sums || !finite {
            return Err(LoadError::damaged("values", "not one sound prediction for each node"));
        }
        let mut rest = levels;
        let mut nodes = Vec::with_capacity(count);
        for index in 0..count {
            let (set, after) = rest
                .split_at_checked(set_lengths[index] as usize)
                .ok_or_else(|| LoadError::damaged("set_lengths", "longer than the levels"))?;
            rest = after;
            let rule = match kinds[index] & 3 {
                0 => None,
                1 => Some(Rule::AtMost(limits[index])),
                2 => Some(Rule::OneOf(set.to_vec())),
                _ => Some(Rule::Missing),
            };
            let split = rule.map(|rule| Split {
                feature: columns[index],
                rule,
                missing_left: kinds[index] & 4 != 0,
                left: children[index],
                right: children[index].saturating_add(1),
                gain: gains[index],
            });
            let value = values[index * width..(index + 1) * width].to_vec();
            nodes.push(Node { split, value, weight: weights[index] });
        }
        for (index, node) in nodes.iter().enumerate() {
            let Some(split) = &node.split else { continue };
            let ascending = match &split.rule {
                Rule::OneOf(levels) => levels.windows(2).all(|pair| pair[0] < pair[1]),
                _ => true,
            };
            let inside = (split.feature as usize) < features.list().len() && (split.right as usize) < count;
            if !inside || split.left as usize <= index || !ascending {
                return Err(LoadError::damaged("children", "not behind their parents"));
            }
        }
        // Recursion and walks are bounded by the number of nodes; no learner makes more.
        if count > NODE_LIMIT || !rest.is_empty() {
            return Err(LoadError::damaged("values", "more than a readable tree has"));
        }
        let target_scale = (state.number("target_mean")?, state.number("target_spread")?);
        Ok(Self { features, task, classes, target_scale, nodes })
    }
}

/// Nodes of the largest tree of the search space, and some.
const NODE_LIMIT: usize = 1 << 10;

impl Model for ReadableTree {
    fn predict(&self, table: &Table) -> Result<Predictions, PredictError> {
        let cells = self.features.read(table)?;
        let rows: Vec<u32> = (0..table.row_count() as u32).collect();
        Ok(self.predict_cells(&cells, &rows))
    }

    fn view(&self) -> View<'_> {
        let mut gains: Vec<(String, f64)> =
            self.features.list().iter().map(|feature| (feature.name.clone(), 0.0)).collect();
        for split in self.nodes.iter().filter_map(|node| node.split.as_ref()) {
            gains[split.feature as usize].1 += split.gain;
        }
        View::Trees { gains, tree_count: 1, rounds: vec![1] }
    }

    fn save(&self) -> State {
        let splits: Vec<Option<&Split>> = self.nodes.iter().map(|node| node.split.as_ref()).collect();
        let of_splits =
            |take: fn(&Split) -> u32| splits.iter().map(|split| split.map_or(0, take)).collect::<Vec<u32>>();
        let kind = |split: Option<&Split>| {
            split.map_or(0, |split| {
                let rule = match split.rule {
                    Rule::AtMost(_) => 1,
                    Rule::OneOf(_) => 2,
                    Rule::Missing => 3,
                };
                rule + if split.missing_left { 4 } else { 0 }
            })
        };
        let set =
            |split: &Split| if let Rule::OneOf(levels) = &split.rule { levels.clone() } else { Vec::new() };
        let limit = |split: &Split| if let Rule::AtMost(limit) = split.rule { limit } else { 0.0 };
        let (mean, spread) = self.target_scale;
        let mut state = State::new(serde_json::json!({ "target_mean": mean, "target_spread": spread }));
        save_task(&self.task, &mut state);
        self.classes.save(&mut state);
        state
            .with(
                "values",
                Tensor::F64(self.nodes.iter().flat_map(|node| node.value.iter().copied()).collect()),
            )
            .with("weights", Tensor::F64(self.nodes.iter().map(|node| node.weight).collect()))
            .with("columns", Tensor::U32(of_splits(|split| split.feature)))
            .with("children", Tensor::U32(of_splits(|split| split.left)))
            .with("kinds", Tensor::U8(splits.iter().copied().map(kind).collect()))
            .with("limits", Tensor::F64(splits.iter().map(|split| split.map_or(0.0, limit)).collect()))
            .with(
                "gains",
                Tensor::F64(splits.iter().map(|split| split.map_or(0.0, |split| split.gain)).collect()),
            )
            .with(
                "set_lengths",
                Tensor::U32(
                    splits.iter().map(|split| split.map_or(0, |split| set(split).len() as u32)).collect(),
                ),
            )
            .with("levels", Tensor::U32(splits.iter().flatten().flat_map(|split| set(split)).collect()))
            .with_part("features", self.features.save())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_base::{Seed, Signal};
    use kaizen_model::Dataset;
    use kaizen_table::Column;
    use std::sync::Arc;

    #[test]
    fn a_tree_is_written_as_a_person_would() {
        let table =
            Table::from_columns(vec![Column::number("age", vec![1.0, 2.0, 8.0, 9.0, 8.5, 1.5])]).unwrap();
        let target = Arc::new(vec![0.0, 0.0, 1.0, 1.0, 1.0, 0.0]);
        let data = Dataset::new(table, Task::Binary, target, None);
        let shape =
            Shape { row_count: 6, column_count: 1, category_count: 0, text_count: 0, task: Task::Binary };
        let config = Config::new(
            &DecisionTree.space(&shape),
            [("leaves", 4.into()), ("depth", 2.into()), ("min_rows", 1.into())],
        );
        let sample = Sample { data: &data, train: &[0, 1, 2, 3, 4, 5], valid: None };
        let ctx = Ctx { seed: Seed(1), signal: &Signal::new() };
        let model = DecisionTree.fit(&config.unwrap(), sample, &ctx).unwrap().model;
        let said = text(&model.save(), &["child".to_owned(), "adult".to_owned()]).unwrap();
        let lines: Vec<&str> = said.lines().map(str::trim_start).collect();
        assert_eq!(
            lines,
            ["age <= 5 or missing", "-> child (88 %), weight 3", "age > 5", "-> adult (88 %), weight 3"],
            "{said}"
        );
    }
}
