//! Where a topic lies on this machine's disk, if the broker that was asked is a Cutaway here.

use std::path::{Path, PathBuf};

use crate::cli::arguments::FolderOptions;
use crate::cli::control;

/// The folder of a partition, when the broker on the data folder is of this cluster: two brokers may hold topics of
/// the same name.
pub(super) async fn find(
    options: &FolderOptions,
    cluster_id: Option<&str>,
    topic: &str,
    partition: i32,
) -> Option<PathBuf> {
    let folder = options.data_folder().ok()?;
    // Nobody asked for the folder: a broker that does not answer on it is no failure.
    let status = control::status(&folder).await.ok()??;
    (Some(status.cluster_id.as_str()) == cluster_id)
        .then(|| Path::new(&status.data_folder).join(format!("{topic}-{partition}")))
}
