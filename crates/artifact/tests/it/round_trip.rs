//! What goes in comes out, and what does not fit is refused when writing, not when reading.

use kaizen_artifact::{Artifact, ArtifactError, Limits, Manifest, from_bytes, read, to_bytes, write};
use kaizen_base::Digest;
use kaizen_model::{State, Task, Tensor};
use proptest::prelude::*;

use crate::sample;

#[test]
fn everything_comes_back_from_a_file() {
    let folder = std::env::temp_dir().join(format!("kaizen-artifact-round-trip-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("model.kaizen");
    let artifact = sample::artifact();
    let signed = write(&artifact, &path, Some(&sample::key())).unwrap();
    assert_eq!(read(&path).unwrap(), artifact);
    let unsigned = write(&artifact, &path, None).unwrap();
    assert_eq!(read(&path).unwrap(), artifact);
    assert_eq!(signed, unsigned, "the signature must not change the digest of the contents");
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(matches!(read(&path), Err(ArtifactError::Io { .. })));
}

#[test]
fn the_content_digest_sees_every_part() {
    let digest = |change: fn(&mut Artifact)| -> Digest {
        let mut artifact = sample::artifact();
        change(&mut artifact);
        to_bytes(&artifact, None).unwrap().content
    };
    let changes: [fn(&mut Artifact); 6] = [
        |_| {},
        |artifact| artifact.history.push('\n'),
        |artifact| artifact.report_html.push('x'),
        |artifact| artifact.card = serde_json::json!(null),
        |artifact| artifact.manifest.target.push('x'),
        |artifact| {
            artifact.state.tensors.insert("bytes".to_owned(), Tensor::U8(vec![0, 1, 254]));
        },
    ];
    let mut digests: Vec<Digest> = changes.map(digest).to_vec();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), changes.len());
}

#[test]
fn nan_bits_survive_in_tensors() {
    let odd = f64::from_bits(0x7ff8_dead_beef_0001);
    let mut artifact = sample::artifact();
    artifact.state = State::default().with("odd", Tensor::F64(vec![odd]));
    let bytes = to_bytes(&artifact, None).unwrap().bytes;
    let back = from_bytes(&bytes, &Limits::default()).unwrap();
    assert_eq!(back.state.f64s("odd").unwrap()[0].to_bits(), odd.to_bits());
}

#[test]
fn what_readers_would_refuse_is_not_written() {
    let mut without_names = sample::artifact();
    without_names.manifest.classes.pop();
    assert!(matches!(to_bytes(&without_names, None), Err(ArtifactError::Unstorable { .. })));

    let nested =
        |depth: usize| (1..depth).fold(State::default(), |inner, _| State::default().with_part("p", inner));
    let limit = Limits::default().state_depth as usize;
    let mut artifact = sample::artifact();
    artifact.state = nested(limit);
    let bytes = to_bytes(&artifact, None).unwrap().bytes;
    assert_eq!(from_bytes(&bytes, &Limits::default()).unwrap(), artifact);
    artifact.state = nested(limit + 1);
    assert!(matches!(to_bytes(&artifact, None), Err(ArtifactError::Unstorable { .. })));

    let mut long = sample::artifact();
    long.state.tensors.insert("n".repeat(5000), Tensor::U8(Vec::new()));
    assert!(matches!(to_bytes(&long, None), Err(ArtifactError::TooLarge { .. })));
}

#[test]
fn limits_are_kept_when_reading() {
    let bytes = to_bytes(&sample::artifact(), Some(&sample::key())).unwrap().bytes;
    let defaults = Limits::default;
    let tight = [
        Limits { size_bytes: bytes.len() as u64 - 1, ..defaults() },
        Limits { json_bytes: 100, ..defaults() },
        Limits { json_value_count: 10, ..defaults() },
        Limits { json_depth: 2, ..defaults() },
        Limits { state_depth: 2, ..defaults() },
        Limits { tensor_count: 3, ..defaults() },
        Limits { name_bytes: 10, ..defaults() },
    ];
    for limits in tight {
        let found = from_bytes(&bytes, &limits);
        assert!(matches!(found, Err(ArtifactError::TooLarge { .. })), "{limits:?}: {found:?}");
    }
}

fn tensor() -> impl Strategy<Value = Tensor> {
    prop_oneof![
        proptest::collection::vec(any::<i32>().prop_map(f64::from), 0..20).prop_map(Tensor::F64),
        proptest::collection::vec(any::<i16>().prop_map(f32::from), 0..20).prop_map(Tensor::F32),
        proptest::collection::vec(any::<u32>(), 0..20).prop_map(Tensor::U32),
        proptest::collection::vec(any::<u16>(), 0..20).prop_map(Tensor::U16),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(Tensor::U8),
    ]
}

fn state() -> impl Strategy<Value = State> {
    let name = "[a-z/~. ü]{0,4}";
    let leaf = (proptest::collection::btree_map(name, tensor(), 0..4), any::<i64>())
        .prop_map(|(tensors, meta)| State { meta: meta.into(), tensors, ..State::default() });
    leaf.prop_recursive(4, 24, 3, move |inner| {
        let tensors = proptest::collection::btree_map(name, tensor(), 0..3);
        let parts = proptest::collection::btree_map(name, inner, 0..3);
        (tensors, parts).prop_map(|(tensors, parts)| State { meta: serde_json::Value::Null, tensors, parts })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn any_state_comes_back(state in state(), target in ".{0,20}") {
        let artifact = Artifact {
            manifest: Manifest::new(Task::Regression, target),
            state,
            report_html: String::new(),
            card: serde_json::Value::Null,
            history: String::new(),
        };
        let packed = to_bytes(&artifact, None).unwrap();
        prop_assert_eq!(from_bytes(&packed.bytes, &Limits::default()).unwrap(), artifact);
    }
}
