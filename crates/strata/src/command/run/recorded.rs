//! Records of requests in the running program: their store, their doors, who is told of them.

use std::sync::Arc;

use anyhow::{Context, Result};
use strata_collect::receive::otlp::records::RecordRules;
use strata_model::Clock;
use strata_model::meter::Meter;
use strata_model::record::Onward;
use strata_query::MetricsEngine;
use strata_serve::Records;
use strata_store::RecordStore;

use super::House;
use crate::config::{RECORDS_DIR, Settings};
use crate::ledger::LedgerService;
use crate::records::RecordService;
use crate::sql_pages::SqlDoor;

impl House {
    /// Where records are told onward.
    pub(super) fn onward(&self) -> Option<Arc<dyn Onward>> {
        self.forwarder.clone().map(|forwarder| -> Arc<dyn Onward> { forwarder })
    }

    /// Where the Explore page asks in SQL.
    pub(super) fn sql_door(&self, settings: &Settings) -> SqlDoor {
        match &self.records {
            Some(store) => SqlDoor::open(Arc::new(store.clone()), &settings.records),
            None => SqlDoor::Shut {
                why: "records are switched off",
                hint: "set enabled = true under [records] in the configuration",
            },
        }
    }

    /// What answers questions over many requests.
    pub(super) fn requests(
        &self,
        engine: &Arc<dyn MetricsEngine>,
        ledger: Option<Arc<LedgerService>>,
        settings: &Settings,
    ) -> Option<Arc<RecordService>> {
        let store = Arc::new(self.records.clone()?);
        let currency = settings.cost.ledger.currency.clone();
        let (engine, clock) = (Arc::clone(engine), Arc::clone(&self.clock));
        let less = settings.records.less_is_better.iter().cloned().collect();
        Some(Arc::new(RecordService::new(store, engine, clock, ledger, currency, less)))
    }

    /// Where records come in and are listed.
    pub(super) fn record_doors(&self, settings: &Settings) -> Option<Records> {
        let store = self.records.clone()?;
        let (spans, comments) = (settings.records.spans, settings.records.feedback_comments);
        let rules = RecordRules { spans, comments };
        Some(Records { sink: Arc::new(store.clone()), source: Arc::new(store), rules })
    }
}

/// Open the records, beside the series: the data directory may come from a flag.
pub(super) fn records(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    meter: &Meter,
) -> Result<Option<RecordStore>> {
    let mut records = settings.records.clone();
    if !records.enabled {
        return Ok(None);
    }
    records.dir = settings.store.dir.join(RECORDS_DIR);
    let dir = records.dir.display().to_string();
    let store = RecordStore::open(records, Arc::clone(clock), meter);
    store.map(Some).with_context(|| format!("cannot open the records in {dir}"))
}
