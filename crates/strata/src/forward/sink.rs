//! The store, and whoever is told onward of what it takes.

use std::sync::Arc;

use strata_forward::Forwarder;
use strata_model::sink::{BoxFuture, Receipt, SinkError};
use strata_model::{Batch, Sink};

/// A sink that tells onward what it takes.
pub(crate) struct ToldOnward {
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) forwarder: Arc<Forwarder>,
}

impl Sink for ToldOnward {
    /// What collectors see is told whatever becomes of it here: a disk that is full here is none there.
    fn offer(&self, batch: Batch) {
        self.forwarder.samples(self.forwarder.write(&batch));
        self.sink.offer(batch);
    }

    /// What others send is told once it is taken. What was there before is not: of two that tell each
    /// other, neither hears its own words for ever.
    fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Receipt, SinkError>> {
        let written = self.forwarder.write(&batch);
        let appended = self.sink.append(batch);
        Box::pin(async move {
            let receipt = appended.await?;
            if receipt.appended > 0 {
                self.forwarder.samples(written);
            }
            Ok(receipt)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use strata_forward::ForwardOptions;
    use strata_model::Labels;
    use strata_model::meter::Meter;

    use super::*;
    use crate::clock::SystemClock;

    /// Takes so many samples of each batch.
    struct Takes(u64);

    impl Sink for Takes {
        fn offer(&self, _batch: Batch) {}

        fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Receipt, SinkError>> {
            let samples = batch.sample_count() as u64;
            let receipt =
                Receipt { appended: self.0, duplicate: samples - self.0, ..Receipt::default() };
            Box::pin(std::future::ready(Ok(receipt)))
        }
    }

    fn batch() -> Batch {
        let mut batch = Batch::new(Arc::from("test"));
        batch.push(&Labels::from_pairs([("__name__", "up")]), 1, 1.0);
        batch
    }

    /// Bytes that wait to be told after a batch was appended to such a store.
    async fn waits(takes: u64) -> usize {
        drop(rustls::crypto::ring::default_provider().install_default());
        let nobody = "http://127.0.0.1:9/api/v1/write".to_owned();
        let options = ForwardOptions { remote_write: Some(nobody), ..ForwardOptions::default() };
        let settings = options.validate().unwrap().unwrap();
        let (clock, meter) = (Arc::new(SystemClock::new()), Meter::default());
        let forwarder = super::super::start(settings, clock, &meter).unwrap();
        let told = ToldOnward { sink: Arc::new(Takes(takes)), forwarder: Arc::clone(&forwarder) };
        told.append(batch()).await.unwrap();
        let bytes = forwarder.states()[0].queued_bytes;
        tokio::time::timeout(Duration::from_secs(5), forwarder.stop()).await.unwrap();
        bytes
    }

    #[tokio::test]
    async fn what_others_sent_is_told_when_it_was_new() {
        assert!(waits(1).await > 0);
        assert_eq!(waits(0).await, 0, "it was there before");
    }
}
