//! OCI images and bundles, and archives as `docker save` writes them.
