//! What a reader is ready to believe, checked before anything is allocated.

use crate::error::ArtifactError;

/// Upper limits for reading; the defaults hold everything that the writer makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole file; at most 4 GiB - 1, for the format has no zip64.
    pub size_bytes: u64,
    /// Bytes of one JSON text that is parsed (manifest, card, bundle, header of the tensors).
    pub json_bytes: u64,
    /// Values in one JSON text. A parsed value takes up to 32 bytes, whatever its text takes.
    pub json_value_count: u64,
    /// Nesting of one JSON text, in brackets.
    pub json_depth: u64,
    /// Nesting of the pipeline graph, in parts.
    pub state_depth: u64,
    /// Number of tensors.
    pub tensor_count: u64,
    /// Bytes of the path of one tensor.
    pub name_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            size_bytes: 2 << 30,
            json_bytes: 64 << 20,
            json_value_count: 4 << 20,
            // serde_json itself stops at 128.
            json_depth: 100,
            // A part takes two brackets, its own and that of its list of parts.
            state_depth: 24,
            tensor_count: 1 << 20,
            name_bytes: 4096,
        }
    }
}

impl Limits {
    /// Answers whether `found` keeps to `limit`.
    ///
    /// # Errors
    /// [`ArtifactError::TooLarge`].
    pub(crate) fn check(what: &'static str, found: u64, limit: u64) -> Result<(), ArtifactError> {
        if found > limit { Err(ArtifactError::TooLarge { what, found, limit }) } else { Ok(()) }
    }

    /// Counts values and nesting of a JSON text without parsing it, in one pass and no memory.
    ///
    /// The counts are exact for valid JSON; for anything else they are some number and the parser refuses later.
    ///
    /// # Errors
    /// [`ArtifactError::TooLarge`].
    pub(crate) fn check_json(&self, text: &[u8]) -> Result<(), ArtifactError> {
        Self::check("a JSON text (bytes)", text.len() as u64, self.json_bytes)?;
        let (mut depth, mut deepest, mut value_count) = (0u64, 0u64, 1u64);
        let mut bytes = text.iter();
        while let Some(byte) = bytes.next() {
            match byte {
                b'[' | b'{' => {
                    depth += 1;
                    deepest = deepest.max(depth);
                    value_count += 1;
                }
                b']' | b'}' => depth = depth.saturating_sub(1),
                b',' => value_count += 1,
                b'"' => skip_string(&mut bytes),
                _ => {}
            }
        }
        Self::check("a JSON text (nesting)", deepest, self.json_depth)?;
        Self::check("a JSON text (values)", value_count, self.json_value_count)
    }
}

/// Moves past the end of a string whose opening quote has been read.
fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'"' => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_and_values_are_counted_outside_strings_only() {
        let limits = Limits { json_depth: 2, json_value_count: 4, ..Limits::default() };
        assert!(limits.check_json(br#"{"a":["[[[[,,,,\"[[["]}"#).is_ok());
        assert!(matches!(
            limits.check_json(b"[[[]]]"),
            Err(ArtifactError::TooLarge { what: "a JSON text (nesting)", found: 3, limit: 2 })
        ));
        assert!(matches!(
            limits.check_json(b"[1,2,3,4,5]"),
            Err(ArtifactError::TooLarge { what: "a JSON text (values)", found: 6, .. })
        ));
        let short = Limits { json_bytes: 3, ..Limits::default() };
        assert!(short.check_json(b"[1]").is_ok());
        assert!(short.check_json(b"[12]").is_err());
    }
}
