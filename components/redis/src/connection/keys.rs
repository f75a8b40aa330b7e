//! All keys of a server or of a cluster, in steps that do not hold up others.
use super::{Connections, Request};
use component_api::Result;
use redis::Value;
use std::collections::{BTreeMap, BTreeSet};

/// About how many keys the server looks at in one step.
const STEP: u32 = 1000;

impl Connections {
    /// All keys that match, in order and once each. What is no text is none of ours.
    pub(crate) async fn keys(&self, glob: &str) -> Result<Vec<String>> {
        let mut found = BTreeSet::new();
        if self.is_cluster {
            for slot in self.masters().await? {
                self.scan(Some(slot), glob, &mut found).await?;
            }
        } else {
            self.scan(None, glob, &mut found).await?;
        }
        Ok(found.into_iter().collect())
    }

    async fn scan(&self, slot: Option<u16>, glob: &str, found: &mut BTreeSet<String>) -> Result<()> {
        let mut cursor = 0_u64;
        loop {
            let scan = redis::cmd("SCAN").arg(cursor).arg("MATCH").arg(glob).arg("COUNT").arg(STEP).to_owned();
            let request = slot.map_or(Request::Command(&scan), |slot| Request::OnSlot(&scan, slot));
            let (next, keys): (u64, Vec<Vec<u8>>) = self.run(request).await?;
            found.extend(keys.into_iter().filter_map(|key| String::from_utf8(key).ok()));
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// A slot of each master of a cluster.
    async fn masters(&self) -> Result<Vec<u16>> {
        let ranges: Vec<Vec<Value>> = self.run(redis::cmd("CLUSTER").arg("SLOTS")).await?;
        let masters: BTreeMap<_, _> = ranges.iter().filter_map(|range| master(range)).collect();
        Ok(masters.into_values().collect())
    }
}

/// A range has its first slot, its last one, and its nodes; a node has its address, its port and its id.
fn master(range: &[Value]) -> Option<(Vec<u8>, u16)> {
    let [Value::Int(first), _, Value::Array(master), ..] = range else { return None };
    let [_, _, Value::BulkString(id), ..] = master.as_slice() else { return None };
    Some((id.clone(), u16::try_from(*first).ok()?))
}
