//! A study broken off anywhere goes on as if it had never been.

use kaizen_search::samplers::SAMPLERS;
use kaizen_search::schedulers::SCHEDULERS;
use kaizen_testkit::simulation::{CASES, run};

#[test]
fn continues_from_every_event_as_the_unbroken_run_did() {
    for sampler in SAMPLERS {
        for scheduler in SCHEDULERS {
            for case in &CASES[..2] {
                let go_on = |left| run(case, (sampler.make)(), (scheduler.make)(), 14, 7, left);
                let (unbroken, events) = go_on(Vec::new());
                for count in 0..=events.len() {
                    let (history, again) = go_on(events[..count].to_vec());
                    let pair = (sampler.card.name, scheduler.card.name, case.0);
                    assert!(again == events, "{pair:?} differs after a break at event {count}");
                    assert_eq!(history, unbroken);
                }
            }
        }
    }
}
