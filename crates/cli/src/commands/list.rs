//! `kaizen list`: every plug-in, read from the tables.

use kaizen_base::Card;
use serde_json::json;

use crate::failure::Failure;
use crate::output::print;
use crate::table::render;

pub(crate) fn run(as_json: bool) -> Result<(), Failure> {
    let tables = tables();
    if as_json {
        let json: serde_json::Map<String, serde_json::Value> = tables
            .iter()
            .map(|(kind, cards)| {
                let rows: Vec<_> = cards
                    .iter()
                    .map(|card| json!({ "name": card.name, "summary": card.summary, "source": card.source }))
                    .collect();
                ((*kind).to_owned(), json!(rows))
            })
            .collect();
        return print(&format!("{:#}", serde_json::Value::Object(json)));
    }
    for (kind, cards) in tables {
        print(kind)?;
        let rows: Vec<Vec<String>> =
            cards.iter().map(|card| vec![format!("  {}", card.name), card.summary.to_owned()]).collect();
        print(&format!("{}\n", render(&rows, &[])))?;
    }
    Ok(())
}

fn tables() -> Vec<(&'static str, Vec<Card>)> {
    vec![
        ("learners", kaizen_learners::LEARNERS.iter().map(|learner| *learner.card()).collect()),
        ("transforms", kaizen_transforms::TRANSFORMS.iter().map(|transform| *transform.card()).collect()),
        ("metrics", kaizen_metrics::all().map(|metric| metric.card).collect()),
        ("samplers", kaizen_search::samplers::SAMPLERS.iter().map(|row| row.card).collect()),
        ("schedulers", kaizen_search::schedulers::SCHEDULERS.iter().map(|row| row.card).collect()),
    ]
}
