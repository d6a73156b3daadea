//! Configurations as points of the unit cube, and small moves between them.

use kaizen_base::Rng;

use crate::config::Config;
use crate::domain::{Domain, Value};
use crate::space::Space;

impl Space {
    /// The configuration as a point of the unit cube: one coordinate for each parameter, `None` where inactive.
    ///
    /// See [`Domain::to_unit`] for the places of the values.
    ///
    /// # Panics
    /// If the configuration was made for another space.
    pub fn encode(&self, config: &Config) -> Vec<Option<f64>> {
        let place = |param: &crate::Param| {
            config.get(param.name()).map(|value| {
                assert!(param.domain().accept(value).is_some(), "{config} was made for another space");
                param.domain().to_unit(value)
            })
        };
        self.params().iter().map(place).collect()
    }

    /// The configuration at a point of the unit cube; coordinates of inactive parameters are not looked at.
    ///
    /// Coordinates are clamped to [0, 1]; NaN counts as 0. Discrete values survive [`Space::encode`] and back
    /// exactly, real numbers up to rounding.
    ///
    /// # Panics
    /// If there are not as many coordinates as parameters.
    pub fn decode(&self, point: &[f64]) -> Config {
        assert_eq!(point.len(), self.len(), "a point needs one coordinate for each parameter");
        self.config_by(|index, param| param.domain().from_unit(point[index]))
    }

    /// A configuration that differs from `config` in one active parameter (and in what hangs below it).
    ///
    /// Ordered values move by a normal step of deviation `scale` on the unit interval, reflected at the ends and by at
    /// least one cell; an unordered choice takes another option. Parameters that become active take their starting
    /// value. A space without freedom gives the configuration back.
    pub fn neighbour(&self, config: &Config, scale: f64, rng: &mut Rng) -> Config {
        let movable: Vec<usize> = (0..self.len())
            .filter(|index| {
                let param = &self.params()[*index];
                config.contains(param.name()) && param.domain().value_count() != Some(1)
            })
            .collect();
        if movable.is_empty() {
            return config.clone();
        }
        let moved = movable[rng.below(movable.len())];
        self.config_by(|index, param| match config.get(param.name()) {
            Some(value) if index == moved => moved_value(param.domain(), value, scale, rng),
            Some(value) => value.clone(),
            None => param.start(),
        })
    }
}

fn moved_value(domain: &Domain, value: &Value, scale: f64, rng: &mut Rng) -> Value {
    if let (Domain::Choice { options, ordered: false }, Some(index)) = (domain, domain.index_of(value)) {
        let shift = 1 + rng.below(options.len() - 1);
        return Value::Choice(options[(index as usize + shift) % options.len()].clone());
    }
    let here = domain.to_unit(value);
    let moved = domain.from_unit(reflect(here + scale * rng.normal()));
    match (domain.value_count(), domain.index_of(value)) {
        (Some(count), Some(index)) if moved == *value => {
            let up = index + 1 < count && (index == 0 || rng.uniform() < 0.5);
            domain.value_at(if up { index + 1 } else { index - 1 })
        }
        _ => moved,
    }
}

/// Folds the real line onto [0, 1] so that a step beyond an end comes back by as much.
fn reflect(place: f64) -> f64 {
    let folded = place.abs() % 2.0;
    if folded > 1.0 { 2.0 - folded } else { folded }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Param;
    use kaizen_base::Seed;

    fn space() -> Space {
        Space::new(vec![
            Param::choice("kind", ["a", "b", "c"]),
            Param::float("rate", 1e-4, 1.0).log().only_if("kind", ["a", "b"]),
            Param::int("count", 1, 300).log(),
            Param::ordinal("size", ["s", "m", "l"]),
            Param::float("share", 0.0, 1.0).step(0.25),
        ])
        .unwrap()
    }

    #[test]
    fn points_and_configurations_agree() {
        let space = space();
        let mut rng = Seed(5).rng();
        for _ in 0..300 {
            let config = space.sample(&mut rng);
            let point: Vec<f64> =
                space.encode(&config).iter().map(|place| place.unwrap_or(f64::NAN)).collect();
            let back = space.decode(&point);
            for (name, value) in config.iter() {
                match (value, back.get(name).unwrap()) {
                    (Value::Float(one), Value::Float(two)) => {
                        assert!((one / two - 1.0).abs() < 1e-12 || one == two);
                    }
                    (one, two) => assert_eq!(one, two),
                }
            }
        }
    }

    #[test]
    fn neighbours_differ_in_one_parameter() {
        let space = space();
        let mut rng = Seed(6).rng();
        let mut config = space.start();
        for _ in 0..500 {
            let next = space.neighbour(&config, 0.1, &mut rng);
            let differs = space.params().iter().filter(|param| {
                let (old, new) = (config.get(param.name()), next.get(param.name()));
                old.is_some() && new.is_some() && old != new
            });
            assert_eq!(differs.count(), 1, "{config} -> {next}");
            config = next;
        }
        let fixed = Space::new(vec![Param::choice("only", ["this"])]).unwrap();
        assert_eq!(fixed.neighbour(&fixed.start(), 0.1, &mut rng), fixed.start());
    }

    #[test]
    fn steps_beyond_the_ends_come_back() {
        assert_eq!(reflect(-0.25), 0.25);
        assert_eq!(reflect(1.25), 0.75);
        assert_eq!(reflect(2.5), 0.5);
    }
}
