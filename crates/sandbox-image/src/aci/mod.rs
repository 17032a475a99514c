//! App Container images (specification 0.8.11).
