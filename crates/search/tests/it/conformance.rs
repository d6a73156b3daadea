//! Every row of every table keeps its contract.

use std::collections::BTreeSet;

use kaizen_search::samplers::SAMPLERS;
use kaizen_search::schedulers::SCHEDULERS;
use kaizen_testkit::{samplers, schedulers};

#[test]
fn every_sampler_conforms() {
    SAMPLERS.iter().for_each(samplers::check);
}

#[test]
fn every_scheduler_conforms() {
    SCHEDULERS.iter().for_each(schedulers::check);
}

#[test]
fn names_are_unique_and_in_snake_case() {
    for names in [
        SAMPLERS.iter().map(|row| row.card.name).collect::<Vec<_>>(),
        SCHEDULERS.iter().map(|row| row.card.name).collect(),
    ] {
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        let is_snake =
            |name: &&str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        assert!(names.iter().all(is_snake), "{names:?}");
    }
}
