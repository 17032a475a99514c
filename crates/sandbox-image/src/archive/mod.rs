//! Compressed streams and the records of tar archives.
