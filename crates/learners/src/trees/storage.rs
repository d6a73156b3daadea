//! Ensembles as plain data.

use kaizen_model::{LoadError, State, Tensor};
use kaizen_trees::{Ensemble, EnsembleParts};

/// An ensemble's arrays under their own names.
pub(crate) fn save(ensemble: &Ensemble) -> State {
    let parts = ensemble.to_parts();
    let state = State::new(serde_json::json!({
        "feature_count": parts.feature_count, "output_count": parts.output_count, "scale": parts.scale,
    }))
    .with("base", Tensor::F64(parts.base))
    .with("column_kinds", Tensor::U8(parts.column_kinds))
    .with("source_offsets", Tensor::U32(parts.source_offsets))
    .with("source_features", Tensor::U32(parts.source_features))
    .with("source_levels", Tensor::U32(parts.source_levels))
    .with("edge_offsets", Tensor::U32(parts.edge_offsets))
    .with("edges", Tensor::F64(parts.edges))
    .with("table_offsets", Tensor::U32(parts.table_offsets))
    .with("table_codes", Tensor::U8(parts.table_codes))
    .with("key_offsets", Tensor::U32(parts.key_offsets))
    .with("keys_low", Tensor::U32(parts.keys_low))
    .with("keys_high", Tensor::U32(parts.keys_high))
    .with("unseen_codes", Tensor::U8(parts.unseen_codes))
    .with("tree_symmetric", Tensor::U8(parts.tree_symmetric))
    .with("node_offsets", Tensor::U32(parts.node_offsets))
    .with("value_offsets", Tensor::U32(parts.value_offsets))
    .with("tree_outputs", Tensor::U32(parts.tree_outputs))
    .with("tree_widths", Tensor::U32(parts.tree_widths))
    .with("node_children", Tensor::U32(parts.node_children))
    .with("node_columns", Tensor::U16(parts.node_columns))
    .with("node_bins", Tensor::U8(parts.node_bins))
    .with("node_flags", Tensor::U8(parts.node_flags))
    .with("node_gains", Tensor::F32(parts.node_gains))
    .with("sets", Tensor::U32(parts.sets))
    .with("values", Tensor::F32(parts.values))
    .with("covers", Tensor::F32(parts.covers));
    if !ensemble.has_linear_leaves() {
        return state;
    }
    state
        .with("linear_intercepts", Tensor::F64(parts.linear_intercepts))
        .with("linear_ends", Tensor::U32(parts.linear_ends))
        .with("term_features", Tensor::U32(parts.term_features))
        .with("term_slopes", Tensor::F64(parts.term_slopes))
        .with("term_lows", Tensor::F64(parts.term_lows))
        .with("term_highs", Tensor::F64(parts.term_highs))
}

/// Back from plain data; the engine itself checks that the arrays make an ensemble.
pub(crate) fn load(state: &State) -> Result<Ensemble, LoadError> {
    let small = |name: &str| {
        u32::try_from(state.count(name)?).map_err(|_| LoadError::damaged(name, "larger than 32 bits"))
    };
    let mut parts = EnsembleParts {
        feature_count: small("feature_count")?,
        output_count: small("output_count")?,
        base: state.f64s("base")?.to_vec(),
        scale: state.number("scale")?,
        column_kinds: state.u8s("column_kinds")?.to_vec(),
        source_offsets: state.u32s("source_offsets")?.to_vec(),
        source_features: state.u32s("source_features")?.to_vec(),
        source_levels: state.u32s("source_levels")?.to_vec(),
        edge_offsets: state.u32s("edge_offsets")?.to_vec(),
        edges: state.f64s("edges")?.to_vec(),
        table_offsets: state.u32s("table_offsets")?.to_vec(),
        table_codes: state.u8s("table_codes")?.to_vec(),
        key_offsets: state.u32s("key_offsets")?.to_vec(),
        keys_low: state.u32s("keys_low")?.to_vec(),
        keys_high: state.u32s("keys_high")?.to_vec(),
        unseen_codes: state.u8s("unseen_codes")?.to_vec(),
        tree_symmetric: state.u8s("tree_symmetric")?.to_vec(),
        node_offsets: state.u32s("node_offsets")?.to_vec(),
        value_offsets: state.u32s("value_offsets")?.to_vec(),
        tree_outputs: state.u32s("tree_outputs")?.to_vec(),
        tree_widths: state.u32s("tree_widths")?.to_vec(),
        node_children: state.u32s("node_children")?.to_vec(),
        node_columns: state.u16s("node_columns")?.to_vec(),
        node_bins: state.u8s("node_bins")?.to_vec(),
        node_flags: state.u8s("node_flags")?.to_vec(),
        node_gains: state.f32s("node_gains")?.to_vec(),
        sets: state.u32s("sets")?.to_vec(),
        values: state.f32s("values")?.to_vec(),
        covers: state.f32s("covers")?.to_vec(),
        ..EnsembleParts::default()
    };
    // Ensembles of constants, and all of those written before there were linear leaves, have no such arrays.
    if state.tensors.contains_key("linear_ends") {
        parts.linear_intercepts = state.f64s("linear_intercepts")?.to_vec();
        parts.linear_ends = state.u32s("linear_ends")?.to_vec();
        parts.term_features = state.u32s("term_features")?.to_vec();
        parts.term_slopes = state.f64s("term_slopes")?.to_vec();
        parts.term_lows = state.f64s("term_lows")?.to_vec();
        parts.term_highs = state.f64s("term_highs")?.to_vec();
    }
    Ensemble::from_parts(&parts).map_err(|error| LoadError::damaged("ensemble", error.to_string()))
}
