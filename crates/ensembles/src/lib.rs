//! ensembles
