//! The file `model.kaizen`: everything that a fitted engine is, as plain data that any tool can open.
//!
//! One zip, stored and not deflated, so that a reader can map the tensors where they lie:
//!
//! | entry | what it holds |
//! |---|---|
//! | `manifest.json` | format version, task, target, schema of the inputs, pipeline graph, metrics, seeds, data digests, and the digest of every other entry |
//! | `tensors.safetensors` | every tensor of the pipeline and every long category map, 64-byte aligned |
//! | `report.html`, `card.json`, `history.jsonl` | what people and auditors read |
//! | `bundle.json` | OpenSSF Model Signing 1.0: a Sigstore bundle over the digests of all other entries |
//!
//! Nothing in it can be executed. A file comes from anywhere, so reading believes nothing: sizes, counts, nesting and
//! digests are checked before anything is allocated from them ([`Limits`]), and hostile bytes end in an
//! [`ArtifactError`], never in a panic. Equal contents and key give equal bytes on every machine: entries are sorted,
//! time stamps fixed, and ECDSA nonces follow RFC 6979.
//!
//! What is not here: how a [`kaizen_model::State`] becomes a model (its own crate knows), and any opinion on whose key
//! to trust (the caller passes the key to [`verify`]).
//!
//! The road not taken: one flat safetensors file with the manifest in its header is simpler, but then a report or a
//! card could not be taken out with `unzip`, nor the whole be checked by the field's stock signature tools.

//!
//! ```
//! use kaizen_artifact::{Artifact, Limits, Manifest, from_bytes, to_bytes};
//! use kaizen_model::{State, Task, Tensor};
//!
//! let artifact = Artifact {
//!     manifest: Manifest::new(Task::Regression, "price"),
//!     state: State::default().with("weights", Tensor::F64(vec![0.5, -2.0])),
//!     report_html: String::new(),
//!     card: serde_json::json!({"purpose": "an example"}),
//!     history: String::new(),
//! };
//! let packed = to_bytes(&artifact, None)?;
//! assert_eq!(from_bytes(&packed.bytes, &Limits::default())?, artifact);
//! assert!(from_bytes(&packed.bytes[1..], &Limits::default()).is_err());
//! # Ok::<(), kaizen_artifact::ArtifactError>(())
//! ```

mod archive;
mod artifact;
mod error;
mod key;
mod limits;
mod manifest;
mod signature;
mod tensors;
mod wire;

pub use artifact::{Artifact, Packed, from_bytes, read, to_bytes, write};
pub use error::{ArtifactError, KeyError};
pub use key::{SigningKey, VerifyingKey};
pub use limits::Limits;
pub use manifest::{DataSource, Manifest, Score};
pub use signature::{SignatureError, verify};

/// The format written by this version; older ones are migrated when read.
pub const FORMAT_VERSION: u32 = 1;
