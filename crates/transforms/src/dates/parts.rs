//! Moments as elapsed days, calendar parts and positions on their cycles.
//!
//! Of the parts (year, month, day, weekday, hour, day of the year, weekend) only those are made that vary among all
//! rows of the table that was fitted on. The calendar is that of the stored seconds (UTC). Month, weekday, hour and
//! day of the year also become points on a circle, so that December lies beside January for models that add things up.

use std::sync::Arc;

use kaizen_base::{Card, math};
use kaizen_model::{
    Ctx, FitError, FittedTransform, LoadError, PredictError, Sample, Shape, State, Transform,
};
use kaizen_space::{Config, Param, Space};
use kaizen_table::column::{civil_from_days, days_from_civil};
use kaizen_table::{Column, Values};
use serde::{Deserialize, Serialize};

use crate::columns::{ByColumn, Rule, number};
use crate::parameters::space;
use crate::step::{Step, Uses};

static CARD: Card = Card {
    name: "date_parts",
    summary: "Turns moments into elapsed days, calendar parts and positions on their cycles",
    source: "Hinnant 2013 (civil calendar); sine and cosine pairs as in Bliss 1958, periodic regression",
};

/// Parameters: `cycles` adds sine and cosine of each cyclic part.
#[derive(Debug)]
pub struct DateParts;

impl Transform for DateParts {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn space(&self, _shape: &Shape) -> Space {
        space([Param::flag("cycles").starting_at("true")])
    }

    fn fit(
        &self,
        config: &Config,
        sample: Sample<'_>,
        ctx: &Ctx<'_>,
    ) -> Result<Box<dyn FittedTransform>, FitError> {
        let cycles = config.flag("cycles");
        let fitted = ByColumn::fit(&sample.data.table, ctx.signal, |column| {
            let Values::Time(time) = &column.values else { return None };
            let parts = Part::ALL.into_iter().filter(|part| varies(&time.seconds, *part)).collect();
            Some(Parts { parts, cycles })
        })?;
        Ok(Box::new(fitted))
    }

    fn load(&self, state: &State) -> Result<Box<dyn FittedTransform>, LoadError> {
        Ok(Box::new(ByColumn::<Parts>::load(state)?))
    }
}

impl Step for DateParts {
    fn uses(&self) -> Uses {
        Uses::Types
    }
}

/// A number read from a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    /// Days since 1970, with their fraction.
    Days,
    Year,
    /// 1 to 12.
    Month,
    /// 1 to 31.
    Day,
    /// 0 (Monday) to 6.
    Weekday,
    /// 0 to 24, with its fraction.
    Hour,
    /// 1 to 366.
    DayOfYear,
    /// 1 on Saturday and Sunday.
    Weekend,
}

const DAY_SECONDS: f64 = 86_400.0;

/// Beyond this many days the calendar no longer fits its integers; such moments count as missing.
const DAY_LIMIT: f64 = 1e9;

impl Part {
    const ALL: [Self; 8] = [
        Self::Days,
        Self::Year,
        Self::Month,
        Self::Day,
        Self::Weekday,
        Self::Hour,
        Self::DayOfYear,
        Self::Weekend,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Days => "days",
            Self::Year => "year",
            Self::Month => "month",
            Self::Day => "day",
            Self::Weekday => "weekday",
            Self::Hour => "hour",
            Self::DayOfYear => "day_of_year",
            Self::Weekend => "weekend",
        }
    }

    /// Length and first value of the cycle, if it is one.
    fn cycle(self) -> Option<(f64, f64)> {
        match self {
            Self::Month => Some((12.0, 1.0)),
            Self::Weekday => Some((7.0, 0.0)),
            Self::Hour => Some((24.0, 0.0)),
            Self::DayOfYear => Some((365.25, 1.0)),
            _ => None,
        }
    }

    fn of(self, seconds: f64) -> f64 {
        let days = seconds / DAY_SECONDS;
        if days.is_nan() || days.abs() > DAY_LIMIT {
            return f64::NAN;
        }
        let whole = days.floor() as i64;
        // 1970-01-01 was a Thursday.
        let weekday = (whole + 3).rem_euclid(7);
        match self {
            Self::Days => days,
            Self::Year => civil_from_days(whole).0 as f64,
            Self::Month => f64::from(civil_from_days(whole).1),
            Self::Day => f64::from(civil_from_days(whole).2),
            Self::Weekday => weekday as f64,
            Self::Hour => seconds.rem_euclid(DAY_SECONDS) / 3600.0,
            Self::DayOfYear => (whole - days_from_civil(civil_from_days(whole).0, 1, 1) + 1) as f64,
            Self::Weekend => f64::from(u8::from(weekday >= 5)),
        }
    }
}

fn varies(seconds: &[f64], part: Part) -> bool {
    let mut present = seconds.iter().map(|&moment| part.of(moment)).filter(|value| !value.is_nan());
    let first = present.next();
    present.any(|value| Some(value) != first)
}

struct Parts {
    parts: Vec<Part>,
    cycles: bool,
}

impl Rule for Parts {
    fn change(&self, column: &Arc<Column>) -> Result<Vec<Arc<Column>>, PredictError> {
        let Values::Time(time) = &column.values else {
            return Err(PredictError::Type { name: column.name.clone(), expected: "a time" });
        };
        let mut made = Vec::new();
        for &part in &self.parts {
            let values: Vec<f64> = time.seconds.iter().map(|&moment| part.of(moment)).collect();
            let name = format!("{}:{}", column.name, part.name());
            if let Some((length, first)) = part.cycle().filter(|_| self.cycles) {
                let angle = |value: f64| (value - first) / length * 2.0 * std::f64::consts::PI;
                let on_circle = |f: fn(f64) -> f64| values.iter().map(|&value| f(angle(value))).collect();
                made.push(number(format!("{name}_sin"), on_circle(math::sin)));
                made.push(number(format!("{name}_cos"), on_circle(math::cos)));
            }
            made.push(number(name, values));
        }
        Ok(made)
    }

    fn save(&self) -> State {
        State::new(serde_json::json!({ "parts": self.parts, "cycles": self.cycles }))
    }

    fn load(state: &State) -> Result<Self, LoadError> {
        let parts: Vec<Part> = state.read("parts")?;
        let repeated = (1..parts.len()).any(|index| parts[..index].contains(&parts[index]));
        if repeated {
            return Err(LoadError::damaged("parts", "a part stands twice"));
        }
        Ok(Self { parts, cycles: state.read("cycles")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_known_moment() {
        // 2024-02-29T18:30:00Z, a Thursday, the 60th day of its year.
        let moment = 1_709_231_400.0;
        let parts: Vec<f64> = Part::ALL.iter().map(|part| part.of(moment)).collect();
        assert_eq!(parts[1..], [2024.0, 2.0, 29.0, 3.0, 18.5, 60.0, 0.0]);
        assert!((parts[0] - 19_782.770_833_333_33).abs() < 1e-8);
        assert!(Part::Year.of(f64::NAN).is_nan() && Part::Year.of(1e300).is_nan());
    }

    #[test]
    fn only_parts_that_vary_are_made() {
        // Two mornings of one month, nine days apart.
        let seconds = [0.0, 9.0 * DAY_SECONDS];
        let varying: Vec<&str> =
            Part::ALL.iter().filter(|part| varies(&seconds, **part)).map(|part| part.name()).collect();
        assert_eq!(varying, ["days", "day", "weekday", "day_of_year", "weekend"]);
    }
}
