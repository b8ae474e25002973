//! What the layer hands spans to: all pipelines of one client.

use std::time::{Duration, Instant};

use super::pipeline::Pipeline;
use super::report::DeliveryReport;
use crate::capture::Recorded;

/// An `Instant` cannot hold every sum.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The pipelines of one client. Without any it is disabled.
#[derive(Debug)]
pub(crate) struct Recorder {
    pipelines: Vec<Pipeline>,
    process: u32,
}

impl Recorder {
    pub(crate) fn new(pipelines: Vec<Pipeline>) -> Self {
        Self { pipelines, process: std::process::id() }
    }

    pub(crate) const fn is_enabled(&self) -> bool {
        !self.pipelines.is_empty()
    }

    /// False in a process that was forked off: the delivery threads stayed behind, and a lock may be held by one that no
    /// longer runs. Costs a system call, so it is asked where a trace begins, not for every span.
    pub(crate) fn is_recording(&self) -> bool {
        self.is_enabled() && self.process == std::process::id()
    }

    pub(crate) fn record(&self, recorded: Recorded) {
        let Some((last, others)) = self.pipelines.split_last() else { return };
        for pipeline in others {
            pipeline.push(recorded.clone());
        }
        last.push(recorded);
    }

    pub(crate) fn report(&self) -> DeliveryReport {
        self.pipelines
            .iter()
            .map(Pipeline::report)
            .reduce(DeliveryReport::merge)
            .unwrap_or(DeliveryReport::disabled())
    }

    pub(crate) fn flush(&self, timeout: Duration) -> DeliveryReport {
        if !self.is_recording() {
            return DeliveryReport::disabled();
        }
        let deadline = Instant::now() + timeout.min(LONGEST_WAIT);
        let targets: Vec<_> = self.pipelines.iter().map(Pipeline::begin_flush).collect();
        self.pipelines
            .iter()
            .zip(targets)
            .map(|(pipeline, target)| pipeline.finish_flush(target, deadline))
            .reduce(DeliveryReport::merge)
            .unwrap_or(DeliveryReport::disabled())
    }

    pub(crate) fn shutdown(&self, timeout: Duration) -> DeliveryReport {
        if !self.is_recording() {
            return DeliveryReport::disabled();
        }
        self.pipelines.iter().for_each(Pipeline::close);
        let report = self.flush(timeout);
        self.pipelines.iter().for_each(Pipeline::stop);
        report
    }
}
