//! Every artifact that a release has written loads for ever.

use kaizen_artifact::{Limits, from_bytes, to_bytes, verify};

use crate::sample;

const V1: &[u8] = include_bytes!("../golden/v1.kaizen");

#[test]
fn format_1_loads_with_the_same_values() {
    assert_eq!(from_bytes(V1, &Limits::default()).unwrap(), sample::artifact());
    assert!(verify(V1, &sample::key().verifying_key()).is_ok());
}

/// The same contents give the same bytes on every machine, by any build. When format 2 comes, this test moves to its
/// golden; the one above stays.
#[test]
fn format_1_is_written_byte_for_byte() {
    let packed = to_bytes(&sample::artifact(), Some(&sample::key())).unwrap();
    assert!(packed.bytes == V1, "the writer has changed; a changed format needs a new format version");
}
