//! Recorded traces that are not part of the repository.

use std::path::PathBuf;

use staso::ingest::{IngestLimits, parse_any, parse_staso};
use staso_core::trace::{Trace, TraceLimits};

#[expect(clippy::disallowed_methods, reason = "the place of the shared data is a fact of the test machine")]
fn shared_data() -> PathBuf {
    std::env::var_os("STASO_SHARED_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")),
        PathBuf::from,
    )
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test must not look like a passed one")]
fn every_recorded_trace_is_read_and_assembled() {
    let folder = shared_data().join("whowhen/traces");
    let Ok(files) = std::fs::read_dir(&folder) else {
        eprintln!("SKIPPED: {} is not there; set STASO_SHARED_DATA to run this test", folder.display());
        return;
    };
    let mut read = 0;
    for file in files {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let limits = IngestLimits::default();
        let parts =
            parse_staso(&bytes, &limits).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(parts, parse_any(&bytes, &limits).unwrap());
        for part in parts {
            let spans = part.spans.len();
            let trace = Trace::assemble(part.trace_id, [part], TraceLimits::default()).unwrap();
            assert_eq!(trace.spans().len(), spans, "{}", path.display());
            assert!(trace.conversation_id.is_some(), "{}", path.display());
        }
        read += 1;
    }
    assert!(read > 0, "{} is empty", folder.display());
}
