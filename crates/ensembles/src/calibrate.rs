//! Making probabilities mean what they say, and finding out whether they need it.
//!
//! Each calibrator is a few numbers, fitted on out-of-fold probabilities and applied to new ones. For two classes:
//! Platt's sigmoid on log-odds, the beta family and isotonic regression; for any number of classes: temperature.
//! [`choose`] compares them with leaving things alone, on rows that no fit has seen.

use kaizen_base::{Rng, Seed, math};
use kaizen_metrics::{Scores, Truth, log_loss_of};
use rayon::prelude::*;

use crate::error::EnsembleError;
use crate::isotonic::Isotonic;
use crate::logistic::{Row, fit};
use crate::pool::deal_groups;

/// Probabilities are kept this far from 0 and 1 before a logarithm: log-odds then stay within 27.7.
const EDGE: f64 = 1e-12;
/// The logarithm of a temperature lies within this distance of 0: from 1/20 to 20.
const MOST_LOG_TEMPERATURE: f64 = 3.0;
/// Golden sections; each leaves 0.618 of the interval, forty leave 3e-8 of it.
const SECTIONS: usize = 40;
/// Parts of the comparison.
const PARTS: usize = 5;
/// Fewer rows of the rarest class than this cannot show that a calibration helps.
const FEWEST_OF_A_CLASS: usize = 10;
/// A calibration must better the log loss by so many standard errors of the difference over rows.
const DOUBT: f64 = 1.0;

/// How probabilities are corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// Not at all.
    Identity,
    /// One divisor for all logarithms (Guo, Pleiss, Sun and Weinberger 2017): cannot change the most probable class.
    Temperature,
    /// A sigmoid of the log-odds (Platt 1999), two classes.
    Platt,
    /// The beta family (Kull, Silva Filho and Flach 2017), two classes: separate slopes at either end.
    Beta,
    /// The best non-decreasing function (Zadrozny and Elkan 2002), two classes: flexible, but makes ties.
    Isotonic,
}

impl Method {
    /// All methods, from the simplest to the freest.
    pub const ALL: [Self; 5] = [Self::Identity, Self::Temperature, Self::Platt, Self::Beta, Self::Isotonic];

    /// Its name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Temperature => "temperature",
            Self::Platt => "platt",
            Self::Beta => "beta",
            Self::Isotonic => "isotonic",
        }
    }

    /// Whether it can correct so many classes.
    pub fn applies_to(self, classes: usize) -> bool {
        classes == 2 || matches!(self, Self::Identity | Self::Temperature)
    }
}

/// A fitted correction of probabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibrator(Kind);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Identity,
    Temperature(f64),
    /// Slope and intercept on log-odds.
    Platt([f64; 2]),
    /// Exponents of `p` and `1 - p`, both 0 or more, and the intercept.
    Beta([f64; 3]),
    Isotonic(Isotonic),
}

/// Labels and probabilities of one kind, checked: what a calibration is fitted on.
struct Data<'a> {
    labels: &'a [u32],
    values: &'a [f64],
    classes: usize,
    weights: Option<&'a [f64]>,
}

impl<'a> Data<'a> {
    fn new(
        truth: &'a Truth<'_>,
        probabilities: &'a [f64],
        weights: Option<&'a [f64]>,
    ) -> Result<Self, EnsembleError> {
        let classes = truth.class_count().unwrap_or(1);
        let scores = Scores::probabilities(probabilities, classes)?;
        // The metric checks that lengths and weights fit each other.
        kaizen_metrics::by_name("log_loss")?.value(truth, &scores, weights)?;
        let labels = truth.labels().unwrap_or_default();
        Ok(Self { labels, values: probabilities, classes, weights })
    }

    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.classes..(row + 1) * self.classes]
    }
}

impl Calibrator {
    /// The one that changes nothing.
    pub fn identity() -> Self {
        Self(Kind::Identity)
    }

    /// Fits `method` on `probabilities` `[rows, classes]`, row-major, of rows that the model had not seen.
    ///
    /// # Errors
    /// [`EnsembleError::Metric`] for probabilities, lengths or weights that do not fit;
    /// [`EnsembleError::Setting`] when the method cannot correct so many classes.
    ///
    /// ```
    /// use kaizen_ensembles::{Calibrator, Method};
    /// use kaizen_metrics::Truth;
    /// // Says 0.9 where 0.75 is right, and 0.1 where 0.25 is.
    /// let labels: Vec<u32> = (0..400).map(|row| u32::from((row % 4 < 3) == (row < 200))).collect();
    /// let probabilities: Vec<f64> = (0..400).flat_map(|row| if row < 200 { [0.1, 0.9] } else { [0.9, 0.1] }).collect();
    /// let truth = Truth::classes(&labels, 2)?;
    /// let platt = Calibrator::fit(Method::Platt, &truth, &probabilities, None)?;
    /// let mut new = vec![0.1, 0.9];
    /// platt.apply(&mut new, 2);
    /// assert!((new[1] - 0.75).abs() < 0.01);
    /// # Ok::<(), kaizen_ensembles::EnsembleError>(())
    /// ```
    pub fn fit(
        method: Method,
        truth: &Truth<'_>,
        probabilities: &[f64],
        weights: Option<&[f64]>,
    ) -> Result<Self, EnsembleError> {
        let data = Data::new(truth, probabilities, weights)?;
        if !method.applies_to(data.classes) {
            let value = data.classes as f64;
            return Err(EnsembleError::Setting {
                setting: "the number of classes",
                value,
                allowed: "2 for this method",
            });
        }
        let rows: Vec<u32> = (0..data.labels.len() as u32).collect();
        Ok(fit_rows(method, &data, &rows))
    }

    /// The method it was fitted by.
    pub fn method(&self) -> Method {
        match &self.0 {
            Kind::Identity => Method::Identity,
            Kind::Temperature(_) => Method::Temperature,
            Kind::Platt(_) => Method::Platt,
            Kind::Beta(_) => Method::Beta,
            Kind::Isotonic(_) => Method::Isotonic,
        }
    }

    /// Corrects probabilities `[rows, classes]` in place; rows keep their sum of 1. NaN stays NaN.
    ///
    /// # Panics
    /// If the probabilities do not fill whole rows, or there are not two classes where the method needs two.
    pub fn apply(&self, probabilities: &mut [f64], classes: usize) {
        assert!(
            classes > 0 && probabilities.len().is_multiple_of(classes),
            "rows of {classes} probabilities"
        );
        assert!(self.method().applies_to(classes), "{} corrects two classes", self.method().name());
        for row in probabilities.chunks_exact_mut(classes) {
            self.apply_row(row);
        }
    }

    fn apply_row(&self, row: &mut [f64]) {
        let positive = match &self.0 {
            Kind::Identity => return,
            Kind::Temperature(temperature) => {
                for p in row.iter_mut() {
                    *p = math::ln(p.max(EDGE)) / temperature;
                }
                return math::softmax(row);
            }
            Kind::Platt([slope, intercept]) => math::sigmoid(slope * log_odds(row[1]) + intercept),
            Kind::Beta(coefficients) => {
                let features = beta_features(row[1]);
                math::sigmoid(coefficients.iter().zip(features).map(|(c, x)| c * x).sum())
            }
            Kind::Isotonic(steps) => steps.at(row[1]),
        };
        row[0] = 1.0 - positive;
        row[1] = positive;
    }

    /// The fitted numbers, for storage beside [`Method::name`].
    pub fn to_numbers(&self) -> Vec<f64> {
        match &self.0 {
            Kind::Identity => Vec::new(),
            Kind::Temperature(temperature) => vec![*temperature],
            Kind::Platt(coefficients) => coefficients.to_vec(),
            Kind::Beta(coefficients) => coefficients.to_vec(),
            Kind::Isotonic(steps) => steps.to_numbers(),
        }
    }

    /// Restores what [`Calibrator::to_numbers`] gave.
    ///
    /// # Errors
    /// [`EnsembleError::Numbers`] when such numbers cannot have come from the method.
    pub fn from_numbers(method: Method, numbers: &[f64]) -> Result<Self, EnsembleError> {
        let wrong = || EnsembleError::Numbers { kind: method.name(), found: numbers.len() };
        if numbers.iter().any(|number| !number.is_finite()) {
            return Err(wrong());
        }
        let kind = match (method, numbers) {
            (Method::Identity, []) => Kind::Identity,
            (Method::Temperature, [temperature]) if *temperature > 0.0 => Kind::Temperature(*temperature),
            (Method::Platt, [slope, intercept]) => Kind::Platt([*slope, *intercept]),
            (Method::Beta, [a, b, c]) => Kind::Beta([*a, *b, *c]),
            (Method::Isotonic, numbers) => Kind::Isotonic(Isotonic::from_numbers(numbers).ok_or_else(wrong)?),
            _ => return Err(wrong()),
        };
        Ok(Self(kind))
    }
}

/// Whether probabilities should be corrected, and what says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// The best calibrator, fitted on all rows; the identity where none is better beyond doubt.
    pub calibrator: Calibrator,
    /// Log loss as it is.
    pub loss_before: f64,
    /// Log loss of the chosen method on rows that its fits had not seen.
    pub loss_after: f64,
}

impl Calibration {
    /// Whether anything is corrected.
    pub fn helps(&self) -> bool {
        self.calibrator.method() != Method::Identity
    }
}

/// Chooses among `methods` by cross-validated log loss over five parts, class by class. A method counts only if it betters
/// the uncorrected log loss by more than one standard error of the difference; with fewer than ten rows of a class
/// none does. Methods that cannot correct so many classes are passed over. Rows with one number in `groups` `[rows]` stay
/// in one part.
///
/// # Errors
/// [`EnsembleError::Metric`] for probabilities, lengths or weights that do not fit; [`EnsembleError::Groups`].
pub fn choose(
    truth: &Truth<'_>,
    probabilities: &[f64],
    weights: Option<&[f64]>,
    groups: Option<&[u32]>,
    methods: &[Method],
    seed: Seed,
) -> Result<Calibration, EnsembleError> {
    let data = Data::new(truth, probabilities, weights)?;
    let rows = data.labels.len();
    if let Some(groups) = groups.filter(|groups| groups.len() != rows) {
        return Err(EnsembleError::Groups { found: groups.len(), expected: rows });
    }
    let total: f64 = (0..rows).map(|row| data.weight(row)).sum();
    let before: Vec<f64> =
        (0..rows).map(|row| log_loss_of(data.row(row)[data.labels[row] as usize])).collect();
    let mean = |losses: &[f64]| {
        losses.iter().enumerate().map(|(row, loss)| data.weight(row) * loss).sum::<f64>() / total
    };
    let loss_before = mean(&before);
    let mut best = (Method::Identity, loss_before);
    let (part_of_row, rarest) = deal(&data, groups, &mut seed.child("calibration", 0).rng());
    if rarest >= FEWEST_OF_A_CLASS {
        let open: Vec<Method> =
            methods.iter().copied().filter(|method| method.applies_to(data.classes)).collect();
        let measured: Vec<Vec<f64>> =
            open.par_iter().map(|&method| held_out_losses(method, &data, &part_of_row)).collect();
        for (&method, after) in open.iter().zip(&measured) {
            let gains: Vec<f64> = before.iter().zip(after).map(|(before, after)| before - after).collect();
            let gain = mean(&gains);
            let squares: Vec<f64> = gains.iter().map(|other| (other - gain) * (other - gain)).collect();
            let error = (mean(&squares) / rows as f64).sqrt();
            if gain > DOUBT * error && loss_before - gain < best.1 {
                best = (method, loss_before - gain);
            }
        }
    }
    let all: Vec<u32> = (0..rows as u32).collect();
    Ok(Calibration { calibrator: fit_rows(best.0, &data, &all), loss_before, loss_after: best.1 })
}

/// The part of each row, dealt class by class, or group by group where there are groups; and the rows of the rarest class
/// that occurs.
fn deal(data: &Data<'_>, groups: Option<&[u32]>, rng: &mut Rng) -> (Vec<usize>, usize) {
    let mut part_of_row = vec![0; data.labels.len()];
    let (mut dealt, mut rarest) = (0, usize::MAX);
    for class in 0..data.classes as u32 {
        let mut rows: Vec<usize> = (0..data.labels.len()).filter(|&row| data.labels[row] == class).collect();
        if !rows.is_empty() {
            rarest = rarest.min(rows.len());
        }
        rng.shuffle(&mut rows);
        for row in rows {
            part_of_row[row] = dealt % PARTS;
            dealt += 1;
        }
    }
    if let Some(groups) = groups {
        let parts = deal_groups(groups, PARTS, rng);
        if parts.iter().filter(|rows| !rows.is_empty()).count() < 2 {
            // Nothing can be held out, so nothing can be shown to help.
            return (part_of_row, 0);
        }
        for (part, rows) in parts.into_iter().enumerate() {
            for row in rows {
                part_of_row[row as usize] = part;
            }
        }
    }
    (part_of_row, rarest)
}

fn held_out_losses(method: Method, data: &Data<'_>, part_of_row: &[usize]) -> Vec<f64> {
    let mut losses = vec![0.0; part_of_row.len()];
    for part in 0..PARTS {
        let inside: Vec<u32> =
            (0..part_of_row.len() as u32).filter(|&row| part_of_row[row as usize] != part).collect();
        let calibrator = fit_rows(method, data, &inside);
        for row in (0..part_of_row.len()).filter(|&row| part_of_row[row] == part) {
            let mut corrected = data.row(row).to_vec();
            calibrator.apply_row(&mut corrected);
            losses[row] = log_loss_of(corrected[data.labels[row] as usize]);
        }
    }
    losses
}

fn fit_rows(method: Method, data: &Data<'_>, rows: &[u32]) -> Calibrator {
    Calibrator(match method {
        Method::Identity => Kind::Identity,
        Method::Temperature => Kind::Temperature(fit_temperature(data, rows)),
        Method::Platt => {
            let rows = binary_rows(data, rows, |p| [log_odds(p), 1.0]);
            Kind::Platt(fit(&rows, [1.0, 0.0]))
        }
        Method::Beta => Kind::Beta(fit_beta(data, rows)),
        Method::Isotonic => {
            let points = rows.iter().map(|&row| {
                let row = row as usize;
                (data.row(row)[1], f64::from(data.labels[row]), data.weight(row))
            });
            Kind::Isotonic(Isotonic::fit(points.collect()))
        }
    })
}

/// Rows of a binary fit, with Platt's targets: a little inside 0 and 1, as if each class had one more row of the other (Platt
/// 1999, section 2.2), which keeps few rows from certainty.
fn binary_rows<const D: usize>(
    data: &Data<'_>,
    rows: &[u32],
    features: impl Fn(f64) -> [f64; D],
) -> Vec<Row<D>> {
    let mut sums = [0.0, 0.0];
    for &row in rows {
        sums[(data.labels[row as usize] & 1) as usize] += data.weight(row as usize);
    }
    let targets = [1.0 / (sums[0] + 2.0), (sums[1] + 1.0) / (sums[1] + 2.0)];
    rows.iter()
        .map(|&row| {
            let row = row as usize;
            let target = targets[(data.labels[row] & 1) as usize];
            Row { features: features(data.row(row)[1]), target, weight: data.weight(row) }
        })
        .collect()
}

fn log_odds(p: f64) -> f64 {
    let p = p.clamp(EDGE, 1.0 - EDGE);
    math::ln(p) - math::log1p(-p)
}

fn beta_features(p: f64) -> [f64; 3] {
    let p = p.clamp(EDGE, 1.0 - EDGE);
    [math::ln(p), -math::log1p(-p), 1.0]
}

/// Where an exponent would turn negative, and the function not monotone, it is set to 0 and the others fitted anew
/// (Kull, Silva Filho and Flach 2017, section 4).
fn fit_beta(data: &Data<'_>, rows: &[u32]) -> [f64; 3] {
    let [a, b, c] = fit(&binary_rows(data, rows, beta_features), [1.0, 1.0, 0.0]);
    if a >= 0.0 && b >= 0.0 {
        return [a, b, c];
    }
    let only = |index: usize| move |p: f64| [beta_features(p)[index], 1.0];
    let fitted = if a < 0.0 {
        let [b, c] = fit(&binary_rows(data, rows, only(1)), [1.0, 0.0]);
        [0.0, b, c]
    } else {
        let [a, c] = fit(&binary_rows(data, rows, only(0)), [1.0, 0.0]);
        [a, 0.0, c]
    };
    // Probabilities that order the wrong way round are worth no more than their mean.
    if fitted[0] < 0.0 || fitted[1] < 0.0 {
        let [c] = fit(&binary_rows(data, rows, |_| [1.0]), [0.0]);
        return [0.0, 0.0, c];
    }
    fitted
}

/// The temperature of least log loss: the loss is convex in its inverse, so golden sections find it (Kiefer 1953).
fn fit_temperature(data: &Data<'_>, rows: &[u32]) -> f64 {
    let logarithms: Vec<f64> =
        rows.iter().flat_map(|&row| data.row(row as usize).iter().map(|p| math::ln(p.max(EDGE)))).collect();
    let loss_at = |log_temperature: f64| {
        let inverse = math::exp(-log_temperature);
        let lines = rows.iter().zip(logarithms.chunks_exact(data.classes));
        lines
            .map(|(&row, line)| {
                let largest = line.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = line.iter().map(|l| math::exp(inverse * (l - largest))).sum();
                let label = data.labels[row as usize] as usize;
                data.weight(row as usize) * (math::ln(sum) - inverse * (line[label] - largest))
            })
            .sum::<f64>()
    };
    let golden = 0.5 * (5.0_f64.sqrt() - 1.0);
    let (mut low, mut high) = (-MOST_LOG_TEMPERATURE, MOST_LOG_TEMPERATURE);
    let (mut left, mut right) = (high - golden * (high - low), low + golden * (high - low));
    let (mut loss_left, mut loss_right) = (loss_at(left), loss_at(right));
    for _ in 0..SECTIONS {
        if loss_left <= loss_right {
            (high, right, loss_right) = (right, left, loss_left);
            left = high - golden * (high - low);
            loss_left = loss_at(left);
        } else {
            (low, left, loss_left) = (left, right, loss_right);
            right = low + golden * (high - low);
            loss_right = loss_at(right);
        }
    }
    math::exp(0.5 * (low + high))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Labels drawn from true probabilities, and what a model says that distorts them by `distort` on log-odds.
    fn distorted(seed: u64, rows: usize, distort: impl Fn(f64) -> f64) -> (Vec<u32>, Vec<f64>, Vec<f64>) {
        let mut rng = Seed(seed).rng();
        let odds: Vec<f64> = (0..rows).map(|_| 1.5 * rng.normal()).collect();
        let labels = odds.iter().map(|z| u32::from(rng.uniform() < math::sigmoid(*z))).collect();
        let said = odds.iter().map(|z| math::sigmoid(distort(*z)));
        let said = said.flat_map(|p| [1.0 - p, p]).collect();
        (labels, said, odds.iter().map(|z| math::sigmoid(*z)).collect())
    }

    #[test]
    fn parametric_fits_find_the_distortion() {
        // Log-odds twice too large and shifted: undone by slope 1/2 and intercept -1/4.
        let (labels, said, _) = distorted(1, 40_000, |z| 2.0 * z + 0.5);
        let truth = Truth::classes(&labels, 2).unwrap();
        let platt = Calibrator::fit(Method::Platt, &truth, &said, None).unwrap().to_numbers();
        // Standard errors are about 0.01.
        assert!((platt[0] - 0.5).abs() < 0.04 && (platt[1] + 0.25).abs() < 0.05, "{platt:?}");
        let beta = Calibrator::fit(Method::Beta, &truth, &said, None).unwrap().to_numbers();
        assert!((beta[0] - 0.5).abs() < 0.06 && (beta[1] - 0.5).abs() < 0.06, "{beta:?}");
        let (labels, said, _) = distorted(2, 40_000, |z| 2.0 * z);
        let truth = Truth::classes(&labels, 2).unwrap();
        let temperature = Calibrator::fit(Method::Temperature, &truth, &said, None).unwrap().to_numbers();
        assert!((temperature[0] - 2.0).abs() < 0.08, "{temperature:?}");
    }

    #[test]
    fn isotonic_finds_any_rising_distortion() {
        let (labels, said, right) = distorted(3, 40_000, |z| z * z * z + if z > 0.0 { 2.0 } else { 0.0 });
        let truth = Truth::classes(&labels, 2).unwrap();
        let isotonic = Calibrator::fit(Method::Isotonic, &truth, &said, None).unwrap();
        let mut corrected = said.clone();
        isotonic.apply(&mut corrected, 2);
        let distance = |values: &[f64]| {
            values.chunks_exact(2).zip(&right).map(|(row, p)| (row[1] - p).abs()).sum::<f64>()
                / right.len() as f64
        };
        let (before, after) = (distance(&said), distance(&corrected));
        assert!(after < 0.02 && after < 0.2 * before, "{before} {after}");
    }

    #[test]
    fn the_choice_helps_where_help_is_needed_and_only_there() {
        let (labels, said, _) = distorted(4, 2_000, |z| 3.0 * z);
        let truth = Truth::classes(&labels, 2).unwrap();
        let chosen = choose(&truth, &said, None, None, &Method::ALL, Seed(1)).unwrap();
        assert!(chosen.helps() && chosen.loss_after < chosen.loss_before - 0.1, "{chosen:?}");
        // On honest probabilities a method may pass by chance: one standard error lets 16 % through, for each of four
        // related methods.
        let helped = (0..40).filter(|&seed| {
            let (labels, said, _) = distorted(100 + seed, 500, |z| z);
            let truth = Truth::classes(&labels, 2).unwrap();
            choose(&truth, &said, None, None, &Method::ALL, Seed(seed)).unwrap().helps()
        });
        let helped = helped.count();
        assert!(helped <= 14, "{helped} of 40");
        let (labels, said, _) = distorted(5, 12, |z| 5.0 * z);
        let truth = Truth::classes(&labels, 2).unwrap();
        assert!(!choose(&truth, &said, None, None, &Method::ALL, Seed(1)).unwrap().helps());
    }

    #[test]
    fn rows_of_one_group_are_no_evidence_for_each_other() {
        let (labels, said, _) = distorted(4, 2_000, |z| 3.0 * z);
        let truth = Truth::classes(&labels, 2).unwrap();
        let with = |groups: &[u32]| choose(&truth, &said, None, Some(groups), &Method::ALL, Seed(1));
        let many: Vec<u32> = (0..2_000).map(|row| row / 100).collect();
        assert!(with(&many).unwrap().helps());
        assert!(!with(&[3; 2_000]).unwrap().helps());
        assert_eq!(with(&[0; 7]).err(), Some(EnsembleError::Groups { found: 7, expected: 2_000 }));
    }

    #[test]
    fn temperature_serves_many_classes_and_keeps_the_order() {
        let mut rng = Seed(6).rng();
        let (mut labels, mut said) = (Vec::new(), Vec::new());
        for _ in 0..6_000 {
            let scores: Vec<f64> = (0..4).map(|_| rng.normal()).collect();
            let mut right = scores.clone();
            math::softmax(&mut right);
            let mut draw = rng.uniform();
            let class = right.iter().position(|p| {
                draw -= p;
                draw < 0.0
            });
            labels.push(class.unwrap_or(3) as u32);
            let mut sharp: Vec<f64> = scores.iter().map(|score| 2.5 * score).collect();
            math::softmax(&mut sharp);
            said.extend(sharp);
        }
        let truth = Truth::classes(&labels, 4).unwrap();
        let chosen = choose(&truth, &said, None, None, &Method::ALL, Seed(1)).unwrap();
        assert_eq!(chosen.calibrator.method(), Method::Temperature);
        assert!((chosen.calibrator.to_numbers()[0] - 2.5).abs() < 0.2, "{:?}", chosen.calibrator);
        let mut corrected = said.clone();
        chosen.calibrator.apply(&mut corrected, 4);
        for (before, after) in said.chunks_exact(4).zip(corrected.chunks_exact(4)) {
            assert_eq!(kaizen_metrics::most_probable(before), kaizen_metrics::most_probable(after));
            assert!((after.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
        let error = Calibrator::fit(Method::Platt, &truth, &said, None).unwrap_err();
        assert!(matches!(error, EnsembleError::Setting { .. }), "{error}");
    }

    #[test]
    fn numbers_restore_the_calibrator_and_weights_are_repetitions() {
        let (labels, said, _) = distorted(7, 300, |z| 2.0 * z - 1.0);
        let weights: Vec<f64> = (0..300).map(|row| f64::from(row % 3)).collect();
        let repeated: Vec<usize> = (0..300).flat_map(|row| vec![row; row % 3]).collect();
        let labels_again: Vec<u32> = repeated.iter().map(|&row| labels[row]).collect();
        let said_again: Vec<f64> =
            repeated.iter().flat_map(|&row| [said[2 * row], said[2 * row + 1]]).collect();
        let (truth, again) = (Truth::classes(&labels, 2).unwrap(), Truth::classes(&labels_again, 2).unwrap());
        for method in Method::ALL {
            let weighted = Calibrator::fit(method, &truth, &said, Some(&weights)).unwrap();
            let plain = Calibrator::fit(method, &again, &said_again, None).unwrap();
            let restored = Calibrator::from_numbers(method, &weighted.to_numbers()).unwrap();
            assert_eq!(restored, weighted);
            for step in 0..=100 {
                let mut a = [1.0 - f64::from(step) / 100.0, f64::from(step) / 100.0];
                let mut b = a;
                weighted.apply(&mut a, 2);
                plain.apply(&mut b, 2);
                assert!(
                    (a[1] - b[1]).abs() < 1e-6 && (0.0..=1.0).contains(&a[1]),
                    "{}: {a:?} {b:?}",
                    method.name()
                );
            }
        }
        assert!(Calibrator::from_numbers(Method::Temperature, &[-1.0]).is_err());
        assert!(Calibrator::from_numbers(Method::Platt, &[1.0, f64::NAN]).is_err());
        assert!(Calibrator::from_numbers(Method::Beta, &[1.0]).is_err());
    }

    #[test]
    fn probabilities_that_order_the_wrong_way_round_become_flat() {
        let (labels, said, _) = distorted(8, 5_000, |z| -z);
        let truth = Truth::classes(&labels, 2).unwrap();
        let beta = Calibrator::fit(Method::Beta, &truth, &said, None).unwrap().to_numbers();
        assert_eq!((beta[0], beta[1]), (0.0, 0.0));
        let isotonic = Calibrator::fit(Method::Isotonic, &truth, &said, None).unwrap();
        let mut ends = [0.99, 0.01, 0.01, 0.99];
        isotonic.apply(&mut ends, 2);
        assert!((ends[3] - ends[1]).abs() < 0.2, "{ends:?}");
    }
}
