//! What the user calls DATA: a path, a glob, standard input, or the address of a database.

use std::path::PathBuf;

use crate::error::{DataError, path_text};

/// Where rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Files of one kind; their rows are put one after the other, matched by column name.
    Files {
        /// The path or pattern as it was given.
        text: String,
        /// The files in ascending order of their names.
        paths: Vec<PathBuf>,
    },
    /// Standard input.
    Stdin,
}

impl Source {
    /// Reads what the user typed. A path that exists is taken as it is, even with `*`, `?` or `[` in its name.
    ///
    /// # Errors
    /// [`DataError::Unsupported`] for addresses of databases and of the web, [`DataError::NotFound`],
    /// [`DataError::NoMatch`].
    pub fn parse(text: &str) -> Result<Self, DataError> {
        if text == "-" {
            return Ok(Self::Stdin);
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            return Self::parse_address(text, scheme, rest);
        }
        let path = PathBuf::from(text);
        if path.exists() {
            if path.is_dir() {
                return Err(DataError::Unsupported {
                    source_text: text.to_owned(),
                    what: "a folder".to_owned(),
                    advice: "name the files with a pattern such as 'folder/*.parquet'",
                });
            }
            return Ok(Self::Files { text: text.to_owned(), paths: vec![path] });
        }
        if !text.contains(['*', '?', '[']) {
            return Err(DataError::NotFound { path: text.to_owned() });
        }
        let no_match = || DataError::NoMatch { pattern: text.to_owned() };
        let mut paths = Vec::new();
        for entry in glob::glob(text).map_err(|_| no_match())? {
            let entry = entry.map_err(|error| {
                let path = path_text(error.path());
                DataError::io(&path, error.into())
            })?;
            if entry.is_file() {
                paths.push(entry);
            }
        }
        paths.sort();
        if paths.is_empty() { Err(no_match()) } else { Ok(Self::Files { text: text.to_owned(), paths }) }
    }

    /// The source as the user typed it.
    pub fn text(&self) -> &str {
        match self {
            Self::Files { text, .. } => text,
            Self::Stdin => "-",
        }
    }

    fn parse_address(text: &str, scheme: &str, rest: &str) -> Result<Self, DataError> {
        let unsupported = |what: &str, advice| {
            Err(DataError::Unsupported { source_text: text.to_owned(), what: what.to_owned(), advice })
        };
        match scheme.to_ascii_lowercase().as_str() {
            "file" => Self::parse(rest),
            "postgres" | "postgresql" | "sqlite" | "mysql" | "mariadb" | "mssql" | "duckdb" => unsupported(
                "a database",
                "export the query to csv or parquet first; databases are not supported yet",
            ),
            "http" | "https" | "s3" | "gs" | "az" | "abfs" | "ftp" => unsupported(
                "a remote address",
                "download the file first; Kaizen never opens the network by itself",
            ),
            _ => unsupported(
                "an address of an unknown kind",
                "give a path, a pattern, or - for standard input",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_refused_with_advice() {
        let error = Source::parse("postgres://user@host/db").unwrap_err();
        assert!(!error.is_environment());
        assert!(error.to_string().contains("export the query to csv or parquet"), "{error}");
        assert!(Source::parse("https://a/b.csv").unwrap_err().to_string().contains("download"));
    }

    #[test]
    fn globs_are_sorted_and_must_match() {
        let folder = std::env::temp_dir().join(format!("kaizen-data-source-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for name in ["b.csv", "a.csv", "c.txt"] {
            std::fs::write(folder.join(name), "x\n1\n").unwrap();
        }
        let pattern = format!("{}/*.csv", folder.display());
        let Source::Files { paths, .. } = Source::parse(&pattern).unwrap() else { panic!("files") };
        assert_eq!(paths, [folder.join("a.csv"), folder.join("b.csv")]);
        let none = format!("{}/*.zip", folder.display());
        assert!(matches!(Source::parse(&none), Err(DataError::NoMatch { .. })));
        assert!(matches!(Source::parse("no-such-file.csv"), Err(DataError::NotFound { .. })));
        assert_eq!(Source::parse("-").unwrap(), Source::Stdin);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
