//! The nesting of steps, so that questions about it take constant time, also in traces that nest deeply.

use crate::id::SpanId;
use crate::trace::{Span, TraceView};

/// Where each step stands in a walk through the tree; by canonical position.
#[derive(Debug)]
pub(super) struct Tree {
    places: Vec<Place>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    depth: usize,
    entered: usize,
    left: usize,
}

impl Tree {
    /// Walks through the tree. Steps whose parents form a cycle stand outside of it.
    pub(super) fn new(trace: &TraceView<'_>) -> Self {
        let mut places = vec![Place::default(); trace.spans().len()];
        let mut clock = 0;
        for root in trace.spans().iter().filter(|span| trace.parent(span).is_none()) {
            // Entries with `true` mark the way back out of a step.
            let mut open: Vec<(SpanId, usize, bool)> = vec![(root.span_id, 0, false)];
            while let Some((id, depth, leaves)) = open.pop() {
                clock += 1;
                let Some(place) = trace.position(id).and_then(|at| places.get_mut(at)) else { continue };
                if leaves {
                    place.left = clock;
                    continue;
                }
                (place.depth, place.entered) = (depth, clock);
                open.push((id, depth, true));
                open.extend(trace.children(id).map(|child| (child.span_id, depth + 1, false)));
            }
        }
        Self { places }
    }

    /// How many steps enclose the one at this position.
    pub(super) fn depth(&self, position: usize) -> usize {
        self.places.get(position).map_or(0, |place| place.depth)
    }

    /// Whether the step at one position lies inside the step at the other.
    pub(super) fn is_inside(&self, inner: usize, outer: usize) -> bool {
        match (self.places.get(inner), self.places.get(outer)) {
            (Some(inner), Some(outer)) => outer.entered < inner.entered && inner.left < outer.left,
            _ => false,
        }
    }
}

/// The enclosing steps, innermost first, found one at a time.
pub(super) fn outward<'t>(trace: &TraceView<'t>, span: &Span) -> impl Iterator<Item = &'t Span> {
    let start = span.span_id;
    let next = |span: &&'t Span| trace.parent(span);
    std::iter::successors(trace.parent(span), next)
        .take_while(move |outer| outer.span_id != start)
        .take(trace.spans().len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TraceId;
    use crate::trace::{SourceRevision, SpanKind, Timestamp, Trace, TraceLimits};

    fn span(number: u64, parent: u64) -> Span {
        let at = Timestamp::from_nanos(i64::try_from(number).unwrap());
        let mut span = Span::new(SpanId::from_u64(number), "s", SpanKind::Chain, at);
        span.parent_span_id = (parent > 0).then(|| SpanId::from_u64(parent));
        span
    }

    #[test]
    fn nesting_is_known_and_cycles_do_no_harm() {
        let spans = vec![span(1, 0), span(2, 1), span(3, 2), span(4, 1), span(5, 6), span(6, 5)];
        let id = TraceId::from_bytes([1; 16]);
        let trace = Trace::new(id, SourceRevision::default(), spans, TraceLimits::default()).unwrap();
        let view = TraceView::new(&trace);
        let tree = Tree::new(&view);
        let at = |number| view.position(SpanId::from_u64(number)).unwrap();
        assert!(tree.is_inside(at(3), at(1)) && tree.is_inside(at(3), at(2)));
        assert!(
            !tree.is_inside(at(3), at(4)) && !tree.is_inside(at(1), at(1)) && !tree.is_inside(at(5), at(6))
        );
        assert_eq!(tree.depth(at(3)), 2);
        let around: Vec<_> = outward(&view, &trace.spans()[at(3)]).map(at_id).collect();
        assert_eq!(around, [2, 1]);
        assert_eq!(outward(&view, &trace.spans()[at(5)]).count(), 1);
    }

    fn at_id(span: &Span) -> u64 {
        (1..10).find(|number| SpanId::from_u64(*number) == span.span_id).unwrap()
    }
}
