//! The values one parameter may take, and their places on the unit interval.

use kaizen_base::{Rng, math};

use crate::error::SpaceError;

/// Larger grids and integers are refused: a place on them must stay exact in an `f64`.
const MAX_GRID_POINTS: f64 = 1e15;

/// The value of one parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A finite number; never minus zero.
    Float(f64),
    /// An integer.
    Int(i64),
    /// The name of an option.
    Choice(String),
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Choice(value.to_string())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Choice(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Choice(value)
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Float(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Choice(option) => write!(f, "{option}"),
        }
    }
}

/// The values that a parameter may take. Intervals are closed.
#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    /// Real numbers.
    Float {
        /// Smallest value; above 0 when `log`.
        low: f64,
        /// Largest value, at least `low`.
        high: f64,
        /// Whether equal ratios count as equal distances.
        log: bool,
        /// Only `low`, `low + step`, … are allowed; not together with `log`.
        step: Option<f64>,
    },
    /// Integers.
    Int {
        /// Smallest value; at least 1 when `log`.
        low: i64,
        /// Largest value, at least `low`.
        high: i64,
        /// Whether equal ratios count as equal distances.
        log: bool,
    },
    /// One of named options.
    Choice {
        /// At least one; all different.
        options: Vec<String>,
        /// Whether neighbours in the list are more alike than others.
        ordered: bool,
    },
}

impl Domain {
    /// Refuses what holds no value or cannot be computed with.
    pub(crate) fn check(&self, param: &str) -> Result<(), SpaceError> {
        let refuse = |reason: String| Err(SpaceError::Domain { param: param.to_owned(), reason });
        match self {
            Self::Float { low, high, log, step } => {
                if !low.is_finite() || !high.is_finite() || !(high - low).is_finite() {
                    return refuse(format!("{low} to {high} is not a finite interval"));
                }
                if low > high {
                    return refuse(format!("{low} to {high} is empty"));
                }
                if *log && *low <= 0.0 {
                    return refuse(format!("a logarithmic interval starts above 0, not at {low}"));
                }
                match step {
                    Some(_) if *log => refuse("a step and a logarithmic scale exclude each other".to_owned()),
                    // Negated, so that NaN is refused too.
                    Some(step) if !(*step > 0.0 && (high - low) / step < MAX_GRID_POINTS) => {
                        refuse(format!("a step of {step} does not divide {low} to {high}"))
                    }
                    _ => Ok(()),
                }
            }
            Self::Int { low, high, log } => {
                if low > high {
                    return refuse(format!("{low} to {high} is empty"));
                }
                if *log && *low < 1 {
                    return refuse(format!(
                        "a logarithmic interval of integers starts at 1 or above, not at {low}"
                    ));
                }
                if low.unsigned_abs().max(high.unsigned_abs()) as f64 > MAX_GRID_POINTS {
                    return refuse(format!("{low} to {high} goes beyond {MAX_GRID_POINTS:e}"));
                }
                Ok(())
            }
            Self::Choice { options, .. } => {
                if options.is_empty() {
                    return refuse("there is no option to choose".to_owned());
                }
                let mut sorted: Vec<&String> = options.iter().collect();
                sorted.sort();
                match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
                    Some(pair) => refuse(format!("the option `{}` stands there twice", pair[0])),
                    None => Ok(()),
                }
            }
        }
    }

    /// Number of different values; `None` for an interval of real numbers.
    pub fn value_count(&self) -> Option<u64> {
        match self {
            Self::Float { low, high, step: None, .. } => (low == high).then_some(1),
            Self::Float { low, high, step: Some(step), .. } => Some(grid_last(*low, *high, *step) as u64 + 1),
            Self::Int { low, high, .. } => Some((high - low) as u64 + 1),
            Self::Choice { options, .. } => Some(options.len() as u64),
        }
    }

    /// The value with this index in ascending order (options in the order of their list).
    ///
    /// # Panics
    /// If the domain has no such index, or is an interval of real numbers.
    pub fn value_at(&self, index: u64) -> Value {
        let count = self.value_count();
        assert!(count.is_some_and(|count| index < count), "no value {index} among {count:?}");
        match self {
            Self::Float { low, high, step, .. } => {
                Value::Float(step.map_or(*low, |step| grid_value(*low, *high, step, index as f64)))
            }
            Self::Int { low, .. } => Value::Int(low + index as i64),
            Self::Choice { options, .. } => Value::Choice(options[index as usize].clone()),
        }
    }

    /// The index of a value that [`Domain::accept`] returned; `None` for an interval of real numbers.
    pub fn index_of(&self, value: &Value) -> Option<u64> {
        match (self, value) {
            (Self::Float { low, step: Some(step), .. }, Value::Float(value)) => {
                Some(((value - low) / step).round() as u64)
            }
            (Self::Float { low, high, .. }, Value::Float(_)) => (low == high).then_some(0),
            (Self::Int { low, .. }, Value::Int(value)) => Some((value - low) as u64),
            (Self::Choice { options, .. }, Value::Choice(value)) => {
                options.iter().position(|option| option == value).map(|index| index as u64)
            }
            _ => None,
        }
    }

    /// The value as this domain holds it, or `None` if it lies outside.
    ///
    /// Whole floats become integers where the domain wants them and integers floats; a value within a millionth of a
    /// step of a grid point is put onto it. NaN and infinities lie outside.
    pub fn accept(&self, value: &Value) -> Option<Value> {
        match (self, value) {
            (Self::Float { low, high, step, .. }, Value::Float(_) | Value::Int(_)) => {
                let number = match value {
                    Value::Int(number) => *number as f64,
                    Value::Float(number) => *number,
                    Value::Choice(_) => return None,
                };
                if !(*low..=*high).contains(&number) {
                    return None;
                }
                let Some(step) = step else {
                    // Adding zero turns minus zero into zero, so that equal numbers have equal digests.
                    return Some(Value::Float(number + 0.0));
                };
                let place = (number - low) / step;
                ((place - place.round()).abs() <= 1e-6)
                    .then(|| Value::Float(grid_value(*low, *high, *step, place.round())))
            }
            (Self::Int { low, high, .. }, Value::Int(number)) => {
                (low..=high).contains(&number).then_some(Value::Int(*number))
            }
            (Self::Int { low, high, .. }, Value::Float(number)) => {
                let whole = number.is_finite() && number.fract() == 0.0 && number.abs() < 9e18;
                (whole && (*low..=*high).contains(&(*number as i64))).then_some(Value::Int(*number as i64))
            }
            (Self::Choice { options, .. }, Value::Choice(option)) => {
                options.contains(option).then(|| value.clone())
            }
            _ => None,
        }
    }

    /// The place of a value on the unit interval; equal lengths are equally likely under [`Domain::sample`].
    ///
    /// A discrete domain cuts the interval into one cell for each value, and a value's place is the middle of its cell
    /// (on the scale of the domain). A constant lies at one half.
    pub fn to_unit(&self, value: &Value) -> f64 {
        let (low, high) = self.scale();
        match (self, value) {
            (Self::Choice { .. }, _) => {
                let count = self.value_count().unwrap_or(1) as f64;
                (self.index_of(value).unwrap_or(0) as f64 + 0.5) / count
            }
            (_, Value::Float(number)) if high > low => {
                ((self.scaled(*number) - low) / (high - low)).clamp(0.0, 1.0)
            }
            (_, Value::Int(number)) if high > low => {
                ((self.scaled(*number as f64) - low) / (high - low)).clamp(0.0, 1.0)
            }
            _ => 0.5,
        }
    }

    /// The value whose cell holds `unit` (clamped to [0, 1]; NaN counts as 0).
    pub fn from_unit(&self, unit: f64) -> Value {
        let unit = if unit.is_nan() { 0.0 } else { unit.clamp(0.0, 1.0) };
        let (scale_low, scale_high) = self.scale();
        let scaled = scale_low + unit * (scale_high - scale_low);
        match self {
            Self::Float { low, high, log, step } => {
                let number = if *log { math::exp(scaled) } else { scaled };
                Value::Float(match step {
                    Some(step) => grid_value(*low, *high, *step, ((number - low) / step).round()),
                    None => number.clamp(*low, *high) + 0.0,
                })
            }
            Self::Int { low, high, log } => {
                let number = if *log { math::exp(scaled) } else { scaled };
                Value::Int((number.round() as i64).clamp(*low, *high))
            }
            Self::Choice { options, .. } => {
                let index = ((unit * options.len() as f64) as usize).min(options.len() - 1);
                Value::Choice(options[index].clone())
            }
        }
    }

    /// A value drawn uniformly on the domain's scale.
    pub fn sample(&self, rng: &mut Rng) -> Value {
        self.from_unit(rng.uniform())
    }

    /// The value from which a search starts when nothing else is said: the middle of the scale, or the first option.
    pub fn middle(&self) -> Value {
        match self {
            Self::Choice { options, .. } => Value::Choice(options[0].clone()),
            _ => self.from_unit(0.5),
        }
    }

    /// The ends of the scale on which distances are measured: logarithms where asked for, and discrete domains
    /// widened by half a step at either end, so that the outermost values own whole cells.
    fn scale(&self) -> (f64, f64) {
        match self {
            Self::Float { low, high, step: Some(step), .. } => {
                let last = low + grid_last(*low, *high, *step) * step;
                (low - step / 2.0, last + step / 2.0)
            }
            Self::Float { low, high, .. } => (self.scaled(*low), self.scaled(*high)),
            Self::Int { low, high, .. } => (self.scaled(*low as f64 - 0.5), self.scaled(*high as f64 + 0.5)),
            Self::Choice { .. } => (0.0, 1.0),
        }
    }

    fn scaled(&self, number: f64) -> f64 {
        match self {
            Self::Float { log: true, .. } | Self::Int { log: true, .. } => math::ln(number),
            _ => number,
        }
    }
}

impl std::fmt::Display for Domain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Float { low, high, step: None, .. } => write!(f, "a number from {low} to {high}"),
            Self::Float { low, high, step: Some(step), .. } => {
                write!(f, "a number from {low} to {high} in steps of {step}")
            }
            Self::Int { low, high, .. } => write!(f, "an integer from {low} to {high}"),
            Self::Choice { options, .. } => write!(f, "one of {}", options.join(", ")),
        }
    }
}

/// Index of the last grid point; the allowance lets 0 to 1 in steps of 0.1 have eleven points despite rounding.
fn grid_last(low: f64, high: f64, step: f64) -> f64 {
    ((high - low) / step + 1e-9).floor()
}

fn grid_value(low: f64, high: f64, step: f64, index: f64) -> f64 {
    let index = index.clamp(0.0, grid_last(low, high, step));
    (low + index * step).min(high) + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_base::Seed;

    fn float(low: f64, high: f64, log: bool, step: Option<f64>) -> Domain {
        Domain::Float { low, high, log, step }
    }

    #[test]
    fn every_discrete_value_owns_its_cell() {
        let domains = [
            Domain::Int { low: -3, high: 9, log: false },
            Domain::Int { low: 1, high: 1000, log: true },
            float(0.0, 1.0, false, Some(0.1)),
            float(-1.0, 0.35, false, Some(0.2)),
            Domain::Choice { options: ["a", "b", "c"].map(str::to_owned).to_vec(), ordered: false },
        ];
        for domain in domains {
            for index in 0..domain.value_count().unwrap() {
                let value = domain.value_at(index);
                assert_eq!(domain.from_unit(domain.to_unit(&value)), value, "{domain}");
                assert_eq!(domain.index_of(&value), Some(index), "{domain}");
                assert_eq!(domain.accept(&value), Some(value.clone()), "{domain}");
            }
        }
        assert_eq!(float(0.0, 1.0, false, Some(0.1)).value_count(), Some(11));
        assert_eq!(float(-1.0, 0.35, false, Some(0.2)).value_at(6), Value::Float(0.20000000000000018));
    }

    #[test]
    fn ends_of_the_unit_interval_are_the_ends_of_the_domain() {
        let domain = float(1e-5, 0.1, true, None);
        assert_eq!((domain.from_unit(0.0), domain.from_unit(1.0)), (Value::Float(1e-5), Value::Float(0.1)));
        assert_eq!(domain.from_unit(f64::NAN), Value::Float(1e-5));
        let Value::Float(middle) = domain.middle() else { panic!("not a float") };
        assert!((middle / 1e-3 - 1.0).abs() < 1e-12, "{middle}");
    }

    #[test]
    fn values_outside_are_not_accepted() {
        let domain = Domain::Int { low: 1, high: 5, log: false };
        assert_eq!(domain.accept(&Value::Float(3.0)), Some(Value::Int(3)));
        for value in [Value::Float(3.5), Value::Int(6), Value::Float(f64::NAN), Value::Choice("3".into())] {
            assert_eq!(domain.accept(&value), None, "{value}");
        }
        let grid = float(0.0, 1.0, false, Some(0.25));
        assert_eq!(grid.accept(&Value::Float(0.3)), None);
        assert_eq!(grid.accept(&Value::Int(1)), Some(Value::Float(1.0)));
        let zero = float(-1.0, 1.0, false, None).accept(&Value::Float(-0.0)).unwrap();
        assert!(matches!(zero, Value::Float(zero) if zero.is_sign_positive()));
    }

    #[test]
    fn unusable_domains_are_refused() {
        let bad = [
            float(1.0, 0.0, false, None),
            float(f64::NAN, 1.0, false, None),
            float(f64::MIN, f64::MAX, false, None),
            float(0.0, 1.0, true, None),
            float(0.0, 1.0, false, Some(0.0)),
            float(0.0, 1.0, false, Some(f64::NAN)),
            float(1.0, 2.0, true, Some(0.5)),
            Domain::Int { low: 0, high: 9, log: true },
            Domain::Int { low: i64::MIN, high: i64::MAX, log: false },
            Domain::Choice { options: vec![], ordered: false },
            Domain::Choice { options: vec!["a".into(), "a".into()], ordered: false },
        ];
        for domain in bad {
            assert!(matches!(domain.check("p"), Err(SpaceError::Domain { .. })), "{domain:?}");
        }
    }

    #[test]
    fn sampling_is_uniform_on_the_scale() {
        let domain = Domain::Int { low: 1, high: 4, log: false };
        let mut rng = Seed(3).rng();
        let mut counts = [0; 4];
        for _ in 0..8000 {
            let Value::Int(value) = domain.sample(&mut rng) else { panic!("not an integer") };
            counts[value as usize - 1] += 1;
        }
        // Each count is binomial with mean 2000 and deviation 39; the bound is five deviations.
        assert!(counts.iter().all(|count| (1800..=2200).contains(count)), "{counts:?}");
    }
}
