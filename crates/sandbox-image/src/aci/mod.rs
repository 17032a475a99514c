//! App Container images (specification 0.8.11).
//!
//! ```text
//! manifest bytes --manifest--> ImageManifest --app--> App
//!                                   |
//!                       dependencies: which images --render--> what is unpacked, in order
//! entry names --layout--> what belongs to the root file system
//! ```
//!
//! What a manifest may say is what the specification's own validator (`actool`) lets pass, where the text
//! of the specification does not ask for more.

pub mod app;
pub mod build;
mod check;
pub mod dependencies;
mod error;
mod isolators;
mod json;
pub mod layout;
pub mod manifest;
pub mod platform;
pub mod pod_manifest;
mod quantity;
pub mod render;
mod text;
pub mod types;

pub use error::{Field, ManifestError};
pub use json::{MAX_DEPTH, MAX_MANIFEST};
pub use manifest::ImageManifest;
pub use pod_manifest::PodManifest;
pub use quantity::{Quantity, QuantityError};
