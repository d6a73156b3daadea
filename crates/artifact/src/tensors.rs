//! The entry `tensors.safetensors`: flat arrays under slash-joined paths.
//!
//! A path names the parts down to the tensor, each segment escaped as in JSON pointers (RFC 6901: `~` is `~0`, `/` is
//! `~1`), so that any name is allowed. The header is padded until the data starts at a multiple of 64 bytes; the
//! library orders tensors by falling width, so each one is aligned to its own type.

use std::borrow::Cow;
use std::collections::BTreeMap;

use kaizen_model::{State, Tensor};
use safetensors::{Dtype, SafeTensors, View};

use crate::archive::{ALIGNMENT_BYTES, TENSORS};
use crate::error::ArtifactError;
use crate::limits::Limits;

/// Tensors by path.
pub(crate) type Tensors = BTreeMap<String, Tensor>;

/// Bytes of the length that precedes the header.
const LENGTH_BYTES: usize = 8;

struct Flat<'a> {
    tensor: &'a Tensor,
    shape: [usize; 1],
}

impl<'a> Flat<'a> {
    fn of(tensor: &'a Tensor) -> Self {
        let length = match tensor {
            Tensor::F64(values) => values.len(),
            Tensor::F32(values) => values.len(),
            Tensor::U32(values) => values.len(),
            Tensor::U16(values) => values.len(),
            Tensor::U8(values) => values.len(),
        };
        Self { tensor, shape: [length] }
    }
}

impl View for Flat<'_> {
    fn dtype(&self) -> Dtype {
        match self.tensor {
            Tensor::F64(_) => Dtype::F64,
            Tensor::F32(_) => Dtype::F32,
            Tensor::U32(_) => Dtype::U32,
            Tensor::U16(_) => Dtype::U16,
            Tensor::U8(_) => Dtype::U8,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self.tensor {
            Tensor::F64(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Tensor::F32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Tensor::U32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Tensor::U16(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Tensor::U8(values) => Cow::Borrowed(values),
        }
    }

    fn data_len(&self) -> usize {
        let width = match self.tensor {
            Tensor::F64(_) => 8,
            Tensor::F32(_) | Tensor::U32(_) => 4,
            Tensor::U16(_) => 2,
            Tensor::U8(_) => 1,
        };
        self.shape[0] * width
    }
}

/// Refuses what [`read`] would refuse later.
///
/// # Errors
/// [`ArtifactError::TooLarge`].
pub(crate) fn check_names(tensors: &BTreeMap<String, &Tensor>, limits: &Limits) -> Result<(), ArtifactError> {
    Limits::check("the number of tensors", tensors.len() as u64, limits.tensor_count)?;
    let longest = tensors.keys().map(String::len).max().unwrap_or(0);
    Limits::check("the name of a tensor (bytes)", longest as u64, limits.name_bytes)
}

/// Writes tensors as one safetensors file.
///
/// # Errors
/// [`ArtifactError::Unstorable`] if names take more than the header may.
pub(crate) fn write(tensors: &BTreeMap<String, &Tensor>) -> Result<Vec<u8>, ArtifactError> {
    let views = tensors.iter().map(|(name, tensor)| (name, Flat::of(tensor)));
    let mut bytes = safetensors::serialize(views, None)
        .map_err(|error| ArtifactError::unstorable(TENSORS, error.to_string()))?;
    let (length, _) =
        split_header(&bytes).ok_or_else(|| ArtifactError::unstorable(TENSORS, "the header has no length"))?;
    let header_end = LENGTH_BYTES + length;
    let padded_end = header_end.next_multiple_of(usize::from(ALIGNMENT_BYTES));
    bytes.splice(header_end..header_end, std::iter::repeat_n(b' ', padded_end - header_end));
    bytes[..LENGTH_BYTES].copy_from_slice(&((padded_end - LENGTH_BYTES) as u64).to_le_bytes());
    Ok(bytes)
}

/// The length of the header and the header.
fn split_header(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let length = u64::from_le_bytes(bytes.get(..LENGTH_BYTES)?.try_into().ok()?);
    let length = usize::try_from(length).ok()?;
    Some((length, bytes.get(LENGTH_BYTES..LENGTH_BYTES.checked_add(length)?)?))
}

/// Reads a safetensors file.
///
/// # Errors
/// [`ArtifactError::TooLarge`] or [`ArtifactError::Damaged`].
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Tensors, ArtifactError> {
    let damaged = |why: String| ArtifactError::damaged(TENSORS, why);
    let (_, header) = split_header(bytes).ok_or_else(|| damaged("its header is cut".to_owned()))?;
    limits.check_json(header)?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(error.to_string()))?;
    Limits::check("the number of tensors", file.len() as u64, limits.tensor_count)?;
    let mut tensors = Tensors::new();
    for (name, view) in file.iter() {
        Limits::check("the name of a tensor (bytes)", name.len() as u64, limits.name_bytes)?;
        if view.shape().len() != 1 {
            return Err(damaged(format!("tensor `{name}` is not flat")));
        }
        let tensor = decode(view.dtype(), view.data())
            .ok_or_else(|| damaged(format!("tensor `{name}` has a type that Kaizen does not use")))?;
        tensors.insert(name.to_owned(), tensor);
    }
    Ok(tensors)
}

/// Numbers from little-endian bytes; the library has checked that the length fits the type.
fn decode(dtype: Dtype, data: &[u8]) -> Option<Tensor> {
    fn numbers<const WIDTH: usize, T>(data: &[u8], read: fn([u8; WIDTH]) -> T) -> Vec<T> {
        data.as_chunks().0.iter().map(|&chunk| read(chunk)).collect()
    }
    Some(match dtype {
        Dtype::F64 => Tensor::F64(numbers(data, f64::from_le_bytes)),
        Dtype::F32 => Tensor::F32(numbers(data, f32::from_le_bytes)),
        Dtype::U32 => Tensor::U32(numbers(data, u32::from_le_bytes)),
        Dtype::U16 => Tensor::U16(numbers(data, u16::from_le_bytes)),
        Dtype::U8 => Tensor::U8(data.to_vec()),
        _ => return None,
    })
}

/// Collects the tensors of a state and its parts under `path`.
pub(crate) fn collect<'a>(state: &'a State, path: &str, found: &mut BTreeMap<String, &'a Tensor>) {
    for (name, tensor) in &state.tensors {
        found.insert(join(path, name), tensor);
    }
    for (name, part) in &state.parts {
        collect(part, &join(path, name), found);
    }
}

/// Puts tensors whose path starts at `root` back into the parts that the manifest names.
///
/// # Errors
/// [`ArtifactError::Damaged`] for a tensor of a part that does not exist.
pub(crate) fn distribute(tensors: Tensors, root: &str, state: &mut State) -> Result<(), ArtifactError> {
    for (path, tensor) in tensors {
        let stray = || ArtifactError::damaged(TENSORS, format!("tensor `{path}` belongs to no part"));
        let mut segments = path.split('/');
        let (Some(first), Some(last)) = (segments.next(), segments.next_back()) else {
            return Err(stray());
        };
        if first != root {
            return Err(stray());
        }
        let mut owner = &mut *state;
        for segment in segments {
            owner = owner.parts.get_mut(unescape(segment).as_ref()).ok_or_else(stray)?;
        }
        owner.tensors.insert(unescape(last).into_owned(), tensor);
    }
    Ok(())
}

/// `path/name` with the name escaped.
pub(crate) fn join(path: &str, name: &str) -> String {
    if name.contains(['~', '/']) {
        format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"))
    } else {
        format!("{path}/{name}")
    }
}

fn unescape(segment: &str) -> Cow<'_, str> {
    if segment.contains('~') {
        Cow::Owned(segment.replace("~1", "/").replace("~0", "~"))
    } else {
        Cow::Borrowed(segment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested() -> State {
        State::default()
            .with("plain", Tensor::F64(vec![1.5, f64::NEG_INFINITY, -0.0]))
            .with("empty", Tensor::U16(Vec::new()))
            .with_part(
                "a/b~1",
                State::default()
                    .with("c~/", Tensor::U8(vec![0, 255]))
                    .with("thresholds", Tensor::F32(vec![0.1]))
                    .with("", Tensor::U32(vec![u32::MAX, 7])),
            )
    }

    fn pack(state: &State) -> Vec<u8> {
        let mut found = BTreeMap::new();
        collect(state, "state", &mut found);
        write(&found).unwrap()
    }

    #[test]
    fn tensors_of_every_type_and_name_come_back() {
        let state = nested();
        let bytes = pack(&state);
        let tensors = read(&bytes, &Limits::default()).unwrap();
        let mut back = State::default().with_part("a/b~1", State::default());
        distribute(tensors, "state", &mut back).unwrap();
        assert_eq!(back, state);
    }

    #[test]
    fn data_starts_aligned() {
        let bytes = pack(&nested());
        let (length, _) = split_header(&bytes).unwrap();
        assert_eq!((LENGTH_BYTES + length) % usize::from(ALIGNMENT_BYTES), 0);
    }

    #[test]
    fn strays_and_limits_are_refused() {
        let bytes = pack(&nested());
        let tensors = read(&bytes, &Limits::default()).unwrap();
        assert!(distribute(tensors.clone(), "state", &mut State::default()).is_err());
        assert!(distribute(tensors, "other", &mut nested()).is_err());
        let few = Limits { tensor_count: 2, ..Limits::default() };
        assert!(matches!(read(&bytes, &few), Err(ArtifactError::TooLarge { .. })));
        let short = Limits { name_bytes: 8, ..Limits::default() };
        assert!(matches!(read(&bytes, &short), Err(ArtifactError::TooLarge { .. })));
        assert!(read(&u64::MAX.to_le_bytes(), &Limits::default()).is_err());
        assert!(read(b"", &Limits::default()).is_err());
    }
}
