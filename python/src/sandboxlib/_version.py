"""The version of this package; that of the original ended with 0.4."""

VERSION = "1.0.0"
