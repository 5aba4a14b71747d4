//! The decoder that `DTA_DECODER` names, under libFuzzer; `DTA_SAMPLES` is a folder for its samples, to begin with.

#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use dta_fuzzing::Decoder;
use libfuzzer_sys::fuzz_target;

static DECODER: LazyLock<&Decoder> = LazyLock::new(|| {
    let wanted = std::env::var("DTA_DECODER").expect("DTA_DECODER names a decoder");
    let all = dta_fuzzing::DECODERS.iter();
    #[cfg(feature = "node")]
    let all = all.chain(milagro_dta::fuzzing::DECODERS);
    let mut found = all.filter(|decoder| decoder.name == wanted);
    found.next().unwrap_or_else(|| panic!("no decoder {wanted}; those of the node need the feature `node`"))
});

fn write_samples(folder: &Path) {
    for (place, sample) in (DECODER.samples)().iter().enumerate() {
        std::fs::write(folder.join(format!("sample-{place}")), sample).expect("a folder for samples");
    }
}

fuzz_target!(
    init: {
        if let Ok(folder) = std::env::var("DTA_SAMPLES") {
            write_samples(folder.as_ref());
        }
    },
    |bytes: &[u8]| (DECODER.run)(bytes)
);
