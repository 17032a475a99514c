//! From the entries of an archive to files, below a directory.
