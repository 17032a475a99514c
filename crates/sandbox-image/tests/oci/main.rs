//! OCI images: made by hand and by other tools, and unpacked as these do.

mod build;
mod hand;
mod saved;
mod tools;
mod tree;
mod wrong;
