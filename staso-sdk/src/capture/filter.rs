//! Which callsites the layer looks at.

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata};
use tracing_subscriber::layer::{Context, Filter};

use super::layer::is_failure_event;

/// Spans at INFO and above, and events that say why a span failed. Applies to this layer alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CaptureFilter;

fn is_wanted(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO && (metadata.is_span() || is_failure_event(metadata))
}

impl<S> Filter<S> for CaptureFilter {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        is_wanted(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_wanted(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }
}
