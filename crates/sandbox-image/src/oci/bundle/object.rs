//! An object of `config.json`, from which fields are taken until only those are left that are not
//! honoured.

use std::fmt;

use sandbox_core::ConfigError;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::super::error::OciError;
use super::{FILE, Told};

/// A field of a bundle, with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct BundleField {
    /// Where it is: `mounts[6].options[2]`.
    pub field: String,
    /// Its value.
    pub value: Value,
}

impl fmt::Display for BundleField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.to_string();
        let short: String = value.chars().take(100).collect();
        let more = if short.len() < value.len() { "…" } else { "" };
        write!(f, "{} = {short}{more}", self.field)
    }
}

pub(super) struct Object {
    path: String,
    fields: Map<String, Value>,
}

impl Object {
    pub(super) fn new(path: String, value: Value) -> Result<Self, OciError> {
        let fields = read(if path.is_empty() { "." } else { &path }, value)?;
        Ok(Self { path, fields })
    }

    /// The path of one of its fields.
    pub(super) fn field(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Takes a field out. `null` is as good as nothing.
    pub(super) fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, OciError> {
        match self.fields.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(&self.field(name), value).map(Some),
        }
    }

    /// Takes a field out that has to be there.
    pub(super) fn need<T: DeserializeOwned>(
        &mut self,
        name: &str,
        expected: &'static str,
    ) -> Result<T, OciError> {
        let field = self.field(name);
        let file = FILE.to_owned();
        self.take(name)?.ok_or(OciError::NoField { file, field, expected })
    }

    /// Takes an object out; an empty one where there is none.
    pub(super) fn object(&mut self, name: &str) -> Result<Self, OciError> {
        Ok(Self { path: self.field(name), fields: self.take(name)?.unwrap_or_default() })
    }

    /// What is left is not supported, if it says anything: each field, and of a list each item that is
    /// more than a word.
    pub(super) fn finish(self, told: &mut Told) {
        for (name, value) in &self.fields {
            let field = self.field(name);
            match value {
                Value::Null => {}
                Value::Object(fields) if fields.is_empty() => {}
                Value::Array(items) if items.iter().any(Value::is_object) => {
                    for (index, item) in items.iter().enumerate() {
                        told.unsupported(format!("{field}[{index}]"), item.clone());
                    }
                }
                Value::Array(items) if items.is_empty() => {}
                value => told.unsupported(field, value.clone()),
            }
        }
    }
}

/// A value of the file.
pub(super) fn read<T: DeserializeOwned>(path: &str, value: Value) -> Result<T, OciError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let field = match error.path().to_string().as_str() {
            "." => path.to_owned(),
            index if index.starts_with('[') => format!("{path}{index}"),
            inner => format!("{path}.{inner}"),
        };
        OciError::Json { file: FILE.to_owned(), field, source: error.into_inner() }
    })
}

pub(super) fn wrong(field: &str, value: String, expected: &'static str) -> OciError {
    OciError::Field { file: FILE.to_owned(), field: field.to_owned(), value, expected }
}

/// Names the field that the core refuses.
pub(super) fn config(field: &str) -> impl FnOnce(ConfigError) -> OciError {
    let (file, field) = (FILE.to_owned(), field.to_owned());
    move |source| OciError::Config { file, field, source }
}
