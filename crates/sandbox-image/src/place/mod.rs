//! Where images are unpacked: private directories, and a cache.
