//! What clients altered in the settings of this broker, or of all brokers, while it ran.

use std::collections::BTreeMap;

use redb::{ReadableDatabase, TableDefinition, TableError, WriteTransaction};

use super::Metadata;
use crate::config::Scope;
use crate::storage::{Error, Result};

/// Scope to a map of keys and values as JSON. A file of an older Cutaway has no such table.
const SETTINGS: TableDefinition<'_, &str, &str> = TableDefinition::new("settings");

impl Metadata {
    /// What was altered in a scope.
    pub fn altered(&self, scope: Scope) -> Result<BTreeMap<String, String>> {
        let text = self.with_database("read", |database| {
            let table = match database.begin_read()?.open_table(SETTINGS) {
                Err(TableError::TableDoesNotExist(_)) => return Ok(None),
                table => table?,
            };
            Ok(table.get(name(scope))?.map(|text| text.value().to_owned()))
        })?;
        let damaged = |what: String| Error::Damaged { path: self.path.clone(), position: 0, what };
        let parse = |text: String| {
            serde_json::from_str(&text).map_err(|error| damaged(format!("settings of the {}: {error}", name(scope))))
        };
        text.map_or_else(|| Ok(BTreeMap::new()), parse)
    }

    /// Keeps what is altered in a scope from now on.
    pub fn put_altered(&self, scope: Scope, values: &BTreeMap<String, String>) -> Result<()> {
        self.change(|transaction| put(transaction, scope, values))
    }
}

/// Puts what is altered in a scope among the changes of a commit.
pub(super) fn put(
    transaction: &WriteTransaction,
    scope: Scope,
    values: &BTreeMap<String, String>,
) -> std::result::Result<(), redb::Error> {
    let text = serde_json::to_string(values).expect("a map with texts as keys is always JSON");
    transaction.open_table(SETTINGS)?.insert(name(scope), text.as_str())?;
    Ok(())
}

fn name(scope: Scope) -> &'static str {
    match scope {
        Scope::Cluster => "cluster",
        Scope::Broker => "broker",
    }
}
