//! What a person may choose about boosting, checked once before training.

use crate::error::{Result, TreesError};

/// What the ensemble predicts and the loss that it lowers.
///
/// Raw scores are log-odds for the logistic losses, logarithms of the mean for the count and amount losses, and the
/// value itself for the others.
#[derive(Clone, Debug, PartialEq)]
pub enum Objective {
    /// Half the squared error; the raw score is the mean.
    Squared,
    /// Absolute error; leaves hold medians.
    Absolute,
    /// Huber (1964): squared up to `delta`, absolute beyond.
    Huber {
        /// Where the loss turns linear, > 0, in units of the target.
        delta: f64,
    },
    /// Pinball loss of the `level` quantile, 0 < level < 1.
    Quantile {
        /// Share of the target that should lie below the prediction.
        level: f64,
    },
    /// Poisson deviance with a log link; target >= 0.
    Poisson,
    /// Gamma deviance with a log link; target > 0.
    Gamma,
    /// Tweedie deviance with a log link; target >= 0.
    Tweedie {
        /// Variance power, 1 < power < 2.
        power: f64,
    },
    /// Logistic loss; target is 0 or 1 (a share between them is allowed and counts as a soft label).
    Logistic,
    /// Focal loss (Lin et al. 2017) on log-odds; target is 0 or 1.
    Focal {
        /// Focusing exponent, >= 0; 0 is the logistic loss.
        gamma: f64,
    },
    /// Multinomial logistic loss; target is a class index.
    Softmax {
        /// Number of classes, >= 2.
        classes: u32,
        /// One tree with a vector in each leaf instead of one tree for each class.
        shared: bool,
    },
}

impl Objective {
    /// Number of raw scores of a row.
    pub fn output_count(&self) -> usize {
        match self {
            Self::Softmax { classes, .. } => *classes as usize,
            _ => 1,
        }
    }
}

/// The order and shape in which a tree grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// The leaf with the largest gain is split next (Ke et al. 2017).
    LeafWise {
        /// Largest number of leaves, >= 2.
        leaves: u32,
        /// Largest depth; 0 is no limit.
        max_depth: u32,
    },
    /// All leaves of a level are split before the next level (Chen and Guestrin 2016).
    DepthWise {
        /// Largest depth, 1 to 16.
        depth: u32,
    },
    /// Every node of a level asks the same question (Prokhorenkova et al. 2018).
    Symmetric {
        /// Depth, 1 to 12.
        depth: u32,
    },
}

/// Which rows a tree sees, and with what weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowSampling {
    /// All rows.
    All,
    /// A share of the rows without replacement (Friedman 2002).
    Uniform {
        /// Share of rows, 0 < share <= 1.
        share: f64,
    },
    /// All rows with large gradients and a share of the others, these weighted up (GOSS, Ke et al. 2017, algorithm 2).
    Goss {
        /// Share of rows with the largest gradients.
        top: f64,
        /// Share of (all) rows drawn from the rest.
        other: f64,
    },
    /// All rows with weights (-ln u)^temperature (Bayesian bootstrap, Rubin 1981; as in Prokhorenkova et al. 2018).
    Bayesian {
        /// 0 is equal weights, 1 the Bayesian bootstrap.
        temperature: f64,
    },
    /// Rows drawn in proportion to the regularised size of their gradient, weighted by the inverse probability
    /// (minimal variance sampling, Ibragimov and Gusev 2019).
    Mvs {
        /// Expected share of rows, 0 < share <= 1.
        share: f64,
    },
}

/// How a split is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitScore {
    /// Decrease of the second-order loss, with the objective's second derivatives (Chen and Guestrin 2016, equation 7).
    Newton,
    /// Cosine between the negative gradients and the leaf means, rows weighted by their sample weights only
    /// (Prokhorenkova et al. 2018, section 4, "cosine similarity").
    Cosine,
}

/// How categories take part in splits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Categories {
    /// Levels sorted by their gradient statistic and cut into two sets (Fisher 1958; Ke et al. 2017).
    Sets {
        /// Added to the denominator of the statistic by which levels are sorted.
        smooth: f64,
        /// Additional L2 of a split on a category.
        l2: f64,
        /// Largest number of levels in the smaller set.
        max_threshold: u32,
    },
    /// Levels replaced by target statistics of the rows that come earlier in a random order
    /// (ordered target statistics, Prokhorenkova et al. 2018, section 3.2).
    Ordered(OrderedParams),
}

/// How ordered target statistics are computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrderedParams {
    /// Number of random orders, 1 to 8; each tree learns its structure on one of them.
    pub permutations: u32,
    /// Largest number of categories combined into one, 1 to 4.
    pub max_combination: u32,
    /// Number of borders of a statistic, 1 to 254.
    pub borders: u32,
    /// Categories with at most this many levels are split by level instead.
    pub one_hot_levels: u32,
}

impl Default for OrderedParams {
    /// Three orders, pairs, 15 borders, up to ten levels one-hot.
    fn default() -> Self {
        Self { permutations: 3, max_combination: 2, borders: 15, one_hot_levels: 10 }
    }
}

/// How rounds are dropped while the next one learns (DART, Vinayak and Gilad-Bachrach 2015, algorithm 1).
///
/// Rounds of an ensemble that training continues from are never dropped. A round costs a pass of the dropped trees over
/// all rows, so training is quadratic in rounds up to `limit`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// Chance of each earlier round to be dropped, 0 < chance <= 1; one is dropped if chance picks none.
    pub chance: f64,
    /// Chance that a round drops nothing, 0 <= skip < 1.
    pub skip: f64,
    /// Rounds dropped at once at most, >= 1.
    pub limit: u32,
}

impl Default for Dropout {
    /// As LightGBM: a tenth, every second round, 50 at most.
    fn default() -> Self {
        Self { chance: 0.1, skip: 0.5, limit: 50 }
    }
}

/// How leaves are kept in order under monotone constraints. Both keep every prediction in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MonotoneBound {
    /// The two sides of a constrained split stay on their side of the middle of their values: cheap, and the further from
    /// the best fit the deeper the tree.
    Middle,
    /// Each leaf lies between the present values of the leaves that it touches along a constrained feature (after Auguste,
    /// Malory and Smirnov 2020). Costs a look at these leaves, and a new search in those whose bounds moved, at each split.
    Neighbours,
}

/// How linear leaves are fitted (Shi, Li and Li 2019): each leaf holds a ridge regression of the gradients on the numbers
/// asked on its path instead of a constant.
///
/// A row whose leaf looks at a missing or infinite value gets the leaf's constant; values beyond those of the leaf's
/// training rows count as the nearest of them. Training needs [`TrainInput::values`], prediction [`Ensemble::predict`].
///
/// [`TrainInput::values`]: crate::TrainInput::values
/// [`Ensemble::predict`]: crate::Ensemble::predict
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearLeaves {
    /// Penalty on the slope of a feature standardised in the leaf, in units of second derivatives as `l2`; >= 0.
    pub ridge: f64,
}

/// Everything about one run of boosting.
///
/// Start from [`BoostParams::leaf_wise`] or [`BoostParams::symmetric`] and change fields.
#[derive(Clone, Debug, PartialEq)]
pub struct BoostParams {
    /// What is predicted.
    pub objective: Objective,
    /// How trees grow.
    pub growth: Growth,
    /// Number of rounds, >= 1; a round is one tree, or one for each class.
    pub rounds: u32,
    /// Shrinkage of each tree, 0 < rate <= 1; `None` chooses by rows and rounds (see [`automatic_rate`]).
    ///
    /// [`automatic_rate`]: crate::automatic_rate
    pub learning_rate: Option<f64>,
    /// L1 penalty on leaf values, >= 0.
    pub l1: f64,
    /// L2 penalty on leaf values, >= 0.
    pub l2: f64,
    /// Least sum of second derivatives in a leaf.
    pub min_child_weight: f64,
    /// Least number of rows in a leaf (estimated from second derivatives for non-constant ones).
    pub min_rows: u32,
    /// Least gain of a split.
    pub min_gain: f64,
    /// How splits are scored (symmetric growth only; the others always use Newton).
    pub score: SplitScore,
    /// Newton steps on the finished tree's leaves, 1 to 20 (Logistic and Focal; others use 1).
    pub leaf_steps: u32,
    /// Which rows a tree sees.
    pub row_sampling: RowSampling,
    /// Share of features a tree may use.
    pub column_share_tree: f64,
    /// Share of these that a node (a level of a symmetric tree) may use.
    pub column_share_node: f64,
    /// Scale of the normal noise on split scores, in units of what pure noise would score; fades as trees are added
    /// (Prokhorenkova et al. 2018, "random strength").
    pub random_strength: f64,
    /// One random threshold a feature and node instead of all (Geurts et al. 2006).
    pub random_thresholds: bool,
    /// For each feature -1, 0 or +1: the prediction never rises, is free, never falls. Empty is all free. Obeyed for
    /// numbers by leaf-wise and depth-wise growth with one output; symmetric growth refuses constraints.
    pub monotone: Vec<i8>,
    /// How leaves are kept in order where some feature has a sign.
    pub monotone_bound: MonotoneBound,
    /// Sets of features that may meet on one path; empty is no constraint. A feature in no set is alone.
    pub interactions: Vec<Vec<u32>>,
    /// How categories take part.
    pub categories: Categories,
    /// Linear models in the leaves; `None` is constants. Refused with symmetric growth, vector leaves, leaves that hold
    /// quantiles, several Newton steps and monotone constraints.
    pub linear: Option<LinearLeaves>,
    /// Rounds dropped while the next one learns; `None` is plain boosting.
    pub dropout: Option<Dropout>,
    /// Rounds without improvement on the validation rows after which training ends; `None` never ends early.
    pub patience: Option<u32>,
}

impl BoostParams {
    /// Leaf-wise boosting with LightGBM's defaults: 100 rounds, rate 0.1, 31 leaves, 20 rows a leaf.
    pub fn leaf_wise(objective: Objective) -> Self {
        Self {
            objective,
            growth: Growth::LeafWise { leaves: 31, max_depth: 0 },
            rounds: 100,
            learning_rate: Some(0.1),
            l1: 0.0,
            l2: 0.0,
            min_child_weight: 1e-3,
            min_rows: 20,
            min_gain: 0.0,
            score: SplitScore::Newton,
            leaf_steps: 1,
            row_sampling: RowSampling::All,
            column_share_tree: 1.0,
            column_share_node: 1.0,
            random_strength: 0.0,
            random_thresholds: false,
            monotone: Vec::new(),
            monotone_bound: MonotoneBound::Neighbours,
            interactions: Vec::new(),
            categories: Categories::Sets { smooth: 10.0, l2: 10.0, max_threshold: 32 },
            linear: None,
            dropout: None,
            patience: None,
        }
    }

    /// Symmetric boosting in the manner of CatBoost's defaults: 1000 rounds, automatic rate, depth 6, L2 of 3, random
    /// strength 1, ordered statistics of categories.
    pub fn symmetric(objective: Objective) -> Self {
        let row_sampling = match objective {
            Objective::Softmax { .. } => RowSampling::Bayesian { temperature: 1.0 },
            _ => RowSampling::Mvs { share: 0.8 },
        };
        // Measured on small tables with several classes, Newton scores are clearly better there.
        let is_softmax = matches!(objective, Objective::Softmax { .. });
        let score = if is_softmax { SplitScore::Newton } else { SplitScore::Cosine };
        let leaf_steps =
            if matches!(objective, Objective::Logistic | Objective::Focal { .. }) { 10 } else { 1 };
        Self {
            growth: Growth::Symmetric { depth: 6 },
            rounds: 1000,
            learning_rate: None,
            l2: 3.0,
            min_child_weight: 0.0,
            min_rows: 1,
            score,
            leaf_steps,
            row_sampling,
            random_strength: 1.0,
            categories: Categories::Ordered(OrderedParams::default()),
            ..Self::leaf_wise(objective)
        }
    }

    /// Checks every range that does not depend on the data.
    ///
    /// # Errors
    /// [`TreesError::Parameter`] naming the first field out of range.
    pub fn check(&self) -> Result<()> {
        let share = |value: f64| value > 0.0 && value <= 1.0;
        let not_negative = |value: f64| value >= 0.0 && value.is_finite();
        ensure(self.rounds >= 1, "rounds", f64::from(self.rounds), ">= 1")?;
        let rate = self.learning_rate.unwrap_or(0.1);
        ensure(share(rate), "learning_rate", rate, "0 < rate <= 1")?;
        for (name, value) in [
            ("l1", self.l1),
            ("l2", self.l2),
            ("min_child_weight", self.min_child_weight),
            ("min_gain", self.min_gain),
            ("random_strength", self.random_strength),
        ] {
            ensure(not_negative(value), name, value, "finite, >= 0")?;
        }
        for (name, value) in
            [("column_share_tree", self.column_share_tree), ("column_share_node", self.column_share_node)]
        {
            ensure(share(value), name, value, "0 < share <= 1")?;
        }
        ensure((1..=20).contains(&self.leaf_steps), "leaf_steps", f64::from(self.leaf_steps), "1 to 20")?;
        self.check_growth()?;
        self.check_objective()?;
        self.check_sampling()?;
        if let Some(bad) = self.monotone.iter().find(|sign| !(-1..=1).contains(*sign)) {
            return ensure(false, "monotone", f64::from(*bad), "-1, 0 or 1");
        }
        // A constraint that cannot be kept is refused rather than ignored.
        let symmetric = matches!(self.growth, Growth::Symmetric { .. });
        let vector = matches!(self.objective, Objective::Softmax { .. });
        let quantile = self.objective.leaf_quantile().is_some();
        if let Some(sign) = self.monotone.iter().find(|sign| **sign != 0) {
            let allowed = "0 with symmetric growth, several classes or leaves that hold quantiles";
            ensure(!(symmetric || vector || quantile), "monotone", f64::from(*sign), allowed)?;
        }
        self.check_linear()?;
        if let Some(Dropout { chance, skip, limit }) = self.dropout {
            ensure(share(chance), "dropout chance", chance, "0 < chance <= 1")?;
            ensure((0.0..1.0).contains(&skip), "dropout skip", skip, "0 <= skip < 1")?;
            ensure(limit >= 1, "dropout limit", f64::from(limit), ">= 1")?;
        }
        let sets = self.interactions.len();
        ensure(!symmetric || sets == 0, "interactions", sets as f64, "none with symmetric growth")
    }

    fn check_linear(&self) -> Result<()> {
        let Some(linear) = self.linear else { return Ok(()) };
        let ridge = linear.ridge;
        ensure(ridge >= 0.0 && ridge.is_finite(), "ridge", ridge, "finite, >= 0")?;
        let symmetric = matches!(self.growth, Growth::Symmetric { .. });
        let vector = matches!(self.objective, Objective::Softmax { shared: true, .. });
        let quantile = self.objective.leaf_quantile().is_some();
        let bound = self.monotone.iter().any(|sign| *sign != 0);
        let fits = !(symmetric || vector || quantile || bound || self.leaf_steps > 1);
        let allowed =
            "none with symmetric growth, vector or quantile leaves, several leaf steps or monotone signs";
        ensure(fits, "linear", ridge, allowed)
    }

    fn check_growth(&self) -> Result<()> {
        match self.growth {
            Growth::LeafWise { leaves, .. } => {
                ensure((2..=65_536).contains(&leaves), "leaves", f64::from(leaves), "2 to 65536")
            }
            Growth::DepthWise { depth } => {
                ensure((1..=16).contains(&depth), "depth", f64::from(depth), "1 to 16")
            }
            Growth::Symmetric { depth } => {
                ensure((1..=12).contains(&depth), "depth", f64::from(depth), "1 to 12")
            }
        }
    }

    fn check_objective(&self) -> Result<()> {
        match self.objective {
            Objective::Huber { delta } => {
                ensure(delta > 0.0 && delta.is_finite(), "delta", delta, "finite, > 0")
            }
            Objective::Quantile { level } => {
                ensure(level > 0.0 && level < 1.0, "level", level, "between 0 and 1, exclusive")
            }
            Objective::Tweedie { power } => {
                ensure(power > 1.0 && power < 2.0, "power", power, "between 1 and 2, exclusive")
            }
            Objective::Focal { gamma } => ensure((0.0..=10.0).contains(&gamma), "gamma", gamma, "0 to 10"),
            Objective::Softmax { classes, .. } => {
                ensure((2..=10_000).contains(&classes), "classes", f64::from(classes), "2 to 10000")
            }
            _ => Ok(()),
        }
    }

    fn check_sampling(&self) -> Result<()> {
        match self.row_sampling {
            RowSampling::All => {}
            RowSampling::Uniform { share } | RowSampling::Mvs { share } => {
                ensure(share > 0.0 && share <= 1.0, "row share", share, "0 < share <= 1")?;
            }
            RowSampling::Goss { top, other } => {
                ensure(
                    top > 0.0 && other > 0.0 && top + other <= 1.0,
                    "goss shares",
                    top + other,
                    "0 < sum <= 1",
                )?;
            }
            RowSampling::Bayesian { temperature } => {
                ensure((0.0..=10.0).contains(&temperature), "temperature", temperature, "0 to 10")?;
            }
        }
        if let Categories::Ordered(ordered) = self.categories {
            let range = |name, value: u32, high: u32, allowed| {
                ensure((1..=high).contains(&value), name, f64::from(value), allowed)
            };
            range("permutations", ordered.permutations, 8, "1 to 8")?;
            range("max_combination", ordered.max_combination, 4, "1 to 4")?;
            range("borders", ordered.borders, 254, "1 to 254")?;
        }
        Ok(())
    }
}

fn ensure(holds: bool, name: &'static str, value: f64, allowed: &'static str) -> Result<()> {
    if holds { Ok(()) } else { Err(TreesError::Parameter { name, value, allowed }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_pass_and_each_range_is_checked() {
        let good = BoostParams::leaf_wise(Objective::Squared);
        assert!(good.check().is_ok());
        assert!(BoostParams::symmetric(Objective::Softmax { classes: 3, shared: true }).check().is_ok());
        let bad = [
            BoostParams { rounds: 0, ..good.clone() },
            BoostParams { learning_rate: Some(f64::NAN), ..good.clone() },
            BoostParams { l2: -1.0, ..good.clone() },
            BoostParams { column_share_tree: 0.0, ..good.clone() },
            BoostParams { growth: Growth::LeafWise { leaves: 1, max_depth: 0 }, ..good.clone() },
            BoostParams { objective: Objective::Quantile { level: 1.0 }, ..good.clone() },
            BoostParams { row_sampling: RowSampling::Goss { top: 0.9, other: 0.2 }, ..good.clone() },
            BoostParams { growth: Growth::Symmetric { depth: 3 }, monotone: vec![1], ..good.clone() },
            BoostParams { dropout: Some(Dropout { chance: 0.0, ..Dropout::default() }), ..good.clone() },
            BoostParams { dropout: Some(Dropout { skip: 1.0, ..Dropout::default() }), ..good.clone() },
            BoostParams { linear: Some(LinearLeaves { ridge: -1.0 }), ..good.clone() },
            BoostParams {
                linear: Some(LinearLeaves { ridge: 1.0 }),
                objective: Objective::Absolute,
                ..good.clone()
            },
            BoostParams { linear: Some(LinearLeaves { ridge: 1.0 }), monotone: vec![1], ..good.clone() },
            BoostParams { monotone: vec![0, 2], ..good },
        ];
        for params in bad {
            assert!(matches!(params.check(), Err(TreesError::Parameter { .. })), "{params:?}");
        }
    }
}
