//! Archives that mean harm, or are broken: each is a clear error, and nothing outside is touched.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside #[test] functions"
)]

mod budget;
mod entries;
mod fixture;
mod kept;
mod laws;
mod layers;
mod limits;
mod links;
mod streams;
mod user;
