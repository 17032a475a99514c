//! OCI images and bundles, and archives as `docker save` writes them.
//!
//! ```text
//! directory, tar --Layout::open--> Layout --image(tag, platform)--> Image --unpack--> Run, Report
//! directory with config.json --Bundle::read--> SandboxConfig, and what of it cannot be honoured
//! ```
//!
//! The types are those fields of the image specification (1.1) and the runtime specification (1.x)
//! that mean something here; others are ignored in images, as that specification demands, and named in
//! bundles.

mod app;
mod bundle;
mod digest;
mod error;
mod json;
mod media;
mod platform;
mod types;

pub use app::{Run, WorkingDirectory};
pub use bundle::{
    Bundle, BundleField, Hosts, SeccompArgument, SeccompProfile, SeccompRule, Terminal,
};
pub use digest::{Algorithm, BlobDigest, DigestError};
pub use error::OciError;
pub use platform::Platform;
pub use types::{Descriptor, Execution, ImageConfig, Index, Manifest, RootFs};
