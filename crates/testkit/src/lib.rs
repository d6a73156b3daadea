//! Conformance suites and simulated problems.
