//! Promises that hold for every space: five hundred random ones are gone through.

#![allow(clippy::unwrap_used, reason = "a failing test may panic wherever it stands")]

use kaizen_base::{Rng, Seed};
use kaizen_space::{Config, Domain, Param, Space, Value};

/// A random space of up to eight parameters, with conditions on earlier choices.
fn random_space(rng: &mut Rng) -> Space {
    let mut params: Vec<Param> = Vec::new();
    for index in 0..rng.below(9) {
        let name = format!("p{index}");
        let low = rng.between(-10.0, 10.0);
        let mut param = match rng.below(7) {
            0 => Param::float(name, low, low + rng.between(0.0, 5.0)),
            1 => Param::float(name, 1e-6, rng.between(1e-3, 1e3)).log(),
            2 => Param::float(name, low, low + 3.0).step(rng.between(0.05, 2.0)),
            3 => Param::int(name, -5, rng.below(40) as i64 - 5),
            4 => Param::int(name, 1, 1 + rng.below(100_000) as i64).log(),
            5 => Param::choice(name, (0..=rng.below(4)).map(|option| format!("o{option}"))),
            _ => Param::ordinal(name, (0..=rng.below(6)).map(|option| format!("o{option}"))),
        };
        for earlier in &params {
            if let Domain::Choice { options, .. } = earlier.domain()
                && rng.uniform() < 0.3
            {
                let allowed = options.iter().filter(|_| rng.uniform() < 0.6).cloned();
                let allowed: Vec<String> = allowed.chain([options[0].clone()]).collect();
                param = param.only_if(earlier.name(), allowed);
            }
        }
        params.push(param);
    }
    Space::new(params).unwrap()
}

fn is_close(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::Float(one), Value::Float(two)) => (one - two).abs() <= 1e-9 * one.abs().max(1.0),
        (one, two) => one == two,
    }
}

#[test]
fn every_way_of_making_a_configuration_gives_one_that_fits() {
    let mut rng = Seed(1).rng();
    for round in 0..500 {
        let space = random_space(&mut rng);
        assert_eq!(space.check(&space.start()), Ok(()), "round {round}");
        assert_eq!(Config::filled(&space, Vec::<(String, Value)>::new()), Ok(space.start()));
        let mut config = space.sample(&mut rng);
        for _ in 0..10 {
            assert_eq!(space.check(&config), Ok(()), "round {round}");
            let pairs = config.iter().map(|(name, value)| (name, value.clone()));
            assert_eq!(Config::new(&space, pairs).unwrap(), config);
            config = space.neighbour(&config, 0.3, &mut rng);
        }
    }
}

#[test]
fn text_digest_and_cube_keep_what_they_are_given() {
    let mut rng = Seed(2).rng();
    for round in 0..500 {
        let space = random_space(&mut rng);
        assert_eq!(Space::from_json(&space.to_json()).unwrap(), space, "round {round}");
        let config = space.sample(&mut rng);
        let again = Config::from_json(&space, &config.to_json()).unwrap();
        assert_eq!((again.digest(), &again), (config.digest(), &config));
        let point: Vec<f64> =
            space.encode(&config).into_iter().map(|place| place.unwrap_or(f64::NAN)).collect();
        let back = space.decode(&point);
        assert_eq!(back.iter().count(), config.iter().count());
        for ((name, one), (_, two)) in config.iter().zip(back.iter()) {
            assert!(is_close(one, two), "round {round}: `{name}` was {one} and came back as {two}");
        }
    }
}

#[test]
fn parameters_of_one_group_are_active_together() {
    let mut rng = Seed(3).rng();
    for _ in 0..200 {
        let space = random_space(&mut rng);
        let groups = space.groups();
        assert_eq!(groups.iter().map(Vec::len).sum::<usize>(), space.len());
        for _ in 0..20 {
            let config = space.sample(&mut rng);
            for group in &groups {
                let active =
                    group.iter().filter(|index| config.contains(space.params()[**index].name())).count();
                assert!(active == 0 || active == group.len());
            }
        }
    }
}

#[test]
fn finite_spaces_list_what_sampling_finds() {
    let mut rng = Seed(4).rng();
    let mut checked = 0;
    for _ in 0..300 {
        let space = random_space(&mut rng);
        let Some(all) = space.configs() else { continue };
        let digests: Vec<_> = all.take(2000).map(|config| config.digest()).collect();
        if digests.len() == 2000 {
            continue;
        }
        let unique: std::collections::BTreeSet<_> = digests.iter().copied().collect();
        assert_eq!(unique.len(), digests.len());
        for _ in 0..50 {
            assert!(unique.contains(&space.sample(&mut rng).digest()));
        }
        checked += 1;
    }
    assert!(checked > 20, "only {checked} spaces were finite");
}
