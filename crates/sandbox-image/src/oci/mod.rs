//! OCI images and bundles, and archives as `docker save` writes them.
//!
//! ```text
//! directory, tar --Layout::open--> Layout --image(tag, platform)--> Image --unpack--> Report
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
mod image;
mod json;
mod layout;
mod media;
mod platform;
mod select;
mod store;
mod types;

pub use app::{Run, WorkingDirectory};
pub use bundle::{
    Bundle, BundleField, Hosts, SeccompArgument, SeccompProfile, SeccompRule, Terminal,
};
pub use digest::{BlobDigest, BlobDigestError};
pub use error::OciError;
pub use image::Image;
pub use layout::Layout;
pub use platform::Platform;
pub use types::{Descriptor, Execution, ImageConfig, Index, Manifest, RootFs};
