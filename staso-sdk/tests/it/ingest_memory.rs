//! What a body costs, whatever is in it: about 100 MiB at most beside the body itself, however large it is.

use staso::ingest::{IngestLimits, parse_otlp_json, parse_staso};

use crate::child;

const NAME: &str = "ingest_memory::hostile_bodies_take_bounded_memory";
const BODY_BYTES: usize = 16 << 20;
/// Beside the body.
const MOST_MIB: u64 = 160;

fn filled(start: &str, element: &str, end: &str) -> Vec<u8> {
    let room = BODY_BYTES - start.len() - end.len();
    let mut body = start.as_bytes().to_vec();
    body.reserve_exact(room + end.len());
    for _ in 0..room / element.len() {
        body.extend_from_slice(element.as_bytes());
    }
    body.pop();
    body.extend_from_slice(end.as_bytes());
    body
}

const TRACE: &str = r#"{"trace_id":"00000000-0000-0000-0000-000000000001","spans":["#;
const SPAN: &str = r#"{"span_id":"0000000000000001","timestamp":"2026-01-01T00:00:00Z""#;
const OTLP: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":["#;
const OTLP_SPAN: &str =
    r#"{"traceId":"00000000000000000000000000000001","spanId":"0000000000000001","startTimeUnixNano":"1""#;

/// Bodies that are small for what they may become.
fn body(case: &str) -> Vec<u8> {
    let ten_thousand = |element: &str| format!("{element},").repeat(9_999) + element;
    match case {
        "spans" => {
            let trace = format!("{TRACE}{}]}},", ten_thousand(&format!("{SPAN}}}")));
            filled("{\"traces\":[", &trace, "]}")
        }
        "lists" => filled(&format!("{{\"traces\":[{TRACE}{SPAN},\"input\":["), "0,", "]}]}]}"),
        "attributes" => {
            let list = "0,".repeat(50_000) + "0";
            let attributes = format!("{SPAN},\"attributes\":\"{{\\\"a\\\":[{list}]}}\"}},");
            let trace = format!("{TRACE}{}]}},", attributes.repeat(50).trim_end_matches(','));
            filled("{\"traces\":[", &trace, "]}")
        }
        "otlp spans" => {
            let resource = format!("{{\"scopeSpans\":[{{\"spans\":[{}]}}]}},", ten_thousand("{}"));
            filled("{\"resourceSpans\":[", &resource, "]}")
        }
        "otlp values" => {
            let values = format!(
                "{{\"key\":\"a\",\"value\":{{\"arrayValue\":{{\"values\":[{}]}}}}}}",
                ten_thousand("{}")
            );
            filled(&format!("{OTLP}{OTLP_SPAN},\"attributes\":["), &format!("{values},"), "]}]}]}]}")
        }
        "otlp many values" => {
            let values = format!(
                "{{\"key\":\"a\",\"value\":{{\"arrayValue\":{{\"values\":[{}]}}}}}}",
                ten_thousand("{}")
            );
            filled(OTLP, &format!("{OTLP_SPAN},\"attributes\":[{values}]}},"), "]}]}]}")
        }
        "otlp events" => {
            let events = format!("{OTLP_SPAN},\"events\":[{}]}},", "{},".repeat(998) + "{}");
            filled(OTLP, &events, "]}]}]}")
        }
        "otlp resource" => {
            let value = "x".repeat(100_000);
            let resource =
                format!("{{\"attributes\":[{{\"key\":\"a\",\"value\":{{\"stringValue\":\"{value}\"}}}}]}}");
            let start = format!("{{\"resourceSpans\":[{{\"resource\":{resource},\"scopeSpans\":[");
            let scope = format!("{{\"spans\":[{}]}},", ten_thousand(&format!("{OTLP_SPAN}}}")));
            filled(&start, &scope, "]}]}")
        }
        other => panic!("no case {other}"),
    }
}

const CASES: [&str; 8] = [
    "spans",
    "lists",
    "attributes",
    "otlp spans",
    "otlp values",
    "otlp many values",
    "otlp events",
    "otlp resource",
];

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
}

#[cfg(target_os = "linux")]
#[test]
fn hostile_bodies_take_bounded_memory() {
    if let Some(case) = child::argument(NAME) {
        let (body, limits) = (body(&case), IngestLimits::default());
        let before = peak_mib();
        let parsed = if case.starts_with("otlp") {
            parse_otlp_json(&body, &limits)
                .map(|parts| format!("{} parts, {} refused", parts.parts.len(), parts.refused.len()))
        } else {
            parse_staso(&body, &limits).map(|parts| format!("{} parts", parts.len()))
        };
        #[expect(clippy::print_stdout, reason = "the parent reads it")]
        let () = println!("peak={} before={before} {parsed:?}", peak_mib());
        return;
    }
    std::thread::scope(|scope| {
        for case in CASES {
            scope.spawn(move || {
                let output = child::start(NAME, case).wait_with_output().unwrap();
                let text = String::from_utf8(output.stdout).unwrap();
                let line = text.lines().find_map(|line| line.split_once("peak=")).expect(&text).1;
                let number =
                    |name: &str| line.split(name).nth(1).unwrap().split(' ').next().unwrap().parse::<u64>();
                let beside =
                    line.split(' ').next().unwrap().parse::<u64>().unwrap() - number("before=").unwrap();
                assert!(beside <= MOST_MIB, "{case}: {beside} MiB, {line}");
            });
        }
    });
}
