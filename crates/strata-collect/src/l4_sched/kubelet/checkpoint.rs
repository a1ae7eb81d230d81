//! The kubelet's checkpoint of its device plugins: who was given which device, by UID of the pod.
//!
//! An internal file of the kubelet that any release may change; it is read where PodResources cannot
//! be asked, and for the UIDs, which PodResources does not have.

use serde_json::Value as Json;

/// Entries of one file: 128 devices and network functions of a node, many times over.
const ENTRIES_MAX: usize = 4096;

/// A device of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) pod_uid: String,
    pub(super) container: String,
    pub(super) resource: String,
    pub(super) device_id: String,
}

/// Why a checkpoint says nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum CheckpointError {
    #[error("the device plugins' checkpoint is not JSON")]
    Json(#[source] serde_json::Error),
    #[error("the device plugins' checkpoint has no PodDeviceEntries")]
    Entries,
}

/// Read the file. Device ids are lists by NUMA node since Kubernetes 1.20, one list before.
pub(super) fn parse(file: &[u8]) -> Result<Vec<Entry>, CheckpointError> {
    let file: Json = serde_json::from_slice(file).map_err(CheckpointError::Json)?;
    let entries = &file["Data"]["PodDeviceEntries"];
    if entries.is_null() && file["Data"]["RegisteredDevices"].is_object() {
        return Ok(Vec::new()); // No pod has a device: Go writes an empty list as null.
    }
    let entries = entries.as_array().ok_or(CheckpointError::Entries)?;
    let mut found = Vec::new();
    for entry in entries {
        let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let lists: Vec<&Json> = match &entry["DeviceIDs"] {
            Json::Object(by_numa) => by_numa.values().collect(),
            list => vec![list],
        };
        let ids = lists.into_iter().filter_map(Json::as_array).flatten().filter_map(Json::as_str);
        for id in ids {
            if found.len() == ENTRIES_MAX {
                return Ok(found);
            }
            found.push(Entry {
                pod_uid: text("PodUID"),
                container: text("ContainerName"),
                resource: text("ResourceName"),
                device_id: id.to_owned(),
            });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_layouts_are_read_and_other_files_are_refused() {
        let check = |file: &str, expected: Result<&[&str], &str>| {
            let got = parse(file.as_bytes()).map_err(|error| error.to_string());
            let got = got.map(|entries| {
                let words = |one: &Entry| {
                    format!("{} {} {} {}", one.pod_uid, one.container, one.resource, one.device_id)
                };
                entries.iter().map(words).collect::<Vec<_>>()
            });
            let expected = expected.map(|lines| lines.iter().map(|line| (*line).to_owned()));
            let expected = expected.map(Iterator::collect::<Vec<_>>).map_err(str::to_owned);
            assert_eq!(got, expected, "{file}");
        };
        check(
            r#"{"Data":{"PodDeviceEntries":[{"PodUID":"u1","ContainerName":"c","ResourceName":
               "nvidia.com/gpu","DeviceIDs":{"0":["GPU-a"],"-1":["GPU-b"]},"AllocResp":"x"}],
               "RegisteredDevices":{}},"Checksum":1}"#,
            Ok(&["u1 c nvidia.com/gpu GPU-a", "u1 c nvidia.com/gpu GPU-b"]),
        );
        check(
            r#"{"Data":{"PodDeviceEntries":[{"PodUID":"u","ContainerName":"c","ResourceName":"r",
               "DeviceIDs":["GPU-a"]}]}}"#,
            Ok(&["u c r GPU-a"]),
        );
        check(r#"{"Data":{"PodDeviceEntries":null,"RegisteredDevices":{}}}"#, Ok(&[]));
        check("{}", Err("the device plugins' checkpoint has no PodDeviceEntries"));
        check("{", Err("the device plugins' checkpoint is not JSON"));
    }

    proptest! {
        #[test]
        fn any_file_is_survived(file: Vec<u8>) {
            drop(parse(&file));
        }
    }
}
