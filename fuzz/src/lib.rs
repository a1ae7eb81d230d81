//! What several fuzz targets share.

use strata_collect::exposition::{Arrival, Format};
use strata_collect::scrape::{PageReader, ScrapeOptions, SourceRules, Target};

/// Read a page twice with one reader, and say of each reading which samples it gave: the second goes
/// the way of known series.
pub fn read_page_twice(format: Format, page: &[u8]) -> [Vec<String>; 2] {
    let options = ScrapeOptions {
        job: "fuzz".to_owned(),
        targets: vec!["127.0.0.1:1".to_owned()],
        ..ScrapeOptions::default()
    };
    let settings = options.validate().expect("the options are good");
    let target = Target::of(&settings, "127.0.0.1:1", &Default::default()).expect("a good target");
    let mut reader = PageReader::new(&settings, &target, SourceRules::default());
    [(); 2].map(|()| match reader.read(format, page, Arrival::Whole, 1_000) {
        Ok(harvest) => {
            let batch = harvest.batch;
            let floats = batch.samples.iter().map(|sample| {
                let bits = sample.value.to_bits();
                format!("{} {bits:x} {}", batch.labels(sample.series), sample.at_ms)
            });
            let natives = batch.histograms.iter().map(|sample| {
                format!("{} {:?} {}", batch.labels(sample.series), sample.histogram, sample.at_ms)
            });
            floats.chain(natives).collect()
        }
        Err(error) => vec![error.fault.code.name().to_owned()],
    })
}
