//! Whole-product tests live in `tests/tests/`. The examples of these pages are tests too.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../crates/sandbox-luc/README.md")]
struct LucReadme;
