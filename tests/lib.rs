//! Whole-product tests live in `tests/tests/`. The README's example is a test too.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
