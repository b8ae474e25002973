use proptest::prelude::*;

use super::*;

fn brief(traces: &[StackTrace]) -> Vec<String> {
    traces
        .iter()
        .map(|trace| {
            let frames: Vec<String> = trace
                .frames
                .iter()
                .map(|f| format!("{}:{} {}", f.path, f.line, f.function.as_deref().unwrap_or("-")))
                .collect();
            format!(
                "{} | {} | {}",
                trace.exception.as_deref().unwrap_or("-"),
                trace.message.as_deref().unwrap_or("-"),
                frames.join(" < ")
            )
        })
        .collect()
}

#[test]
fn python_with_markers_inside_other_text() {
    let text = "exitcode: 1\nCode output: Traceback (most recent call last):\n  File \"/srv/app/run.py\", line 9, in <module>\n    main()\n    ~~~~^^\n  File \"/srv/app/support/tools.py\", line 42, in refund\n    return order[\"total\"]\n           ~~~~~^^^^^^^^^\nKeyError: 'total'\nmore text: here";
    let traces = parse(text);
    assert_eq!(
        brief(&traces),
        ["KeyError | 'total' | /srv/app/support/tools.py:42 refund < /srv/app/run.py:9 <module>"]
    );
    assert_eq!(traces[0].frames[0].text.as_deref(), Some("return order[\"total\"]"));
}

#[test]
fn python_chained_exceptions_stand_cause_first() {
    let text = "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    g()\njson.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"b.py\", line 2, in h\n    f()\nValueError\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n  File \"c.py\", line 3, in i\npkg.errors.AgentError: bad reply";
    assert_eq!(
        brief(&parse(text)),
        [
            "json.decoder.JSONDecodeError | Expecting value: line 1 column 1 (char 0) | a.py:1 f",
            "ValueError | - | b.py:2 h",
            "pkg.errors.AgentError | bad reply | c.py:3 i",
        ]
    );
    assert_eq!(parse(text)[0].class(), Some("JSONDecodeError"));
}

#[test]
fn python_exception_group_and_syntax_error() {
    let group = "  + Exception Group Traceback (most recent call last):\n  |   File \"g.py\", line 5, in main\n  |     run()\n  | ExceptionGroup: two failed (1 sub-exception)\n  +-+---------------- 1 ----------------\n    | Traceback (most recent call last):\n    |   File \"t.py\", line 8, in task\n    |     1 / 0\n    |     ~~^~~\n    | ZeroDivisionError: division by zero\n    +------------------------------------";
    assert_eq!(
        brief(&parse(group)),
        [
            "ExceptionGroup | two failed (1 sub-exception) | g.py:5 main",
            "ZeroDivisionError | division by zero | t.py:8 task"
        ]
    );
    let syntax = "  File \"/app/prompt.py\", line 3\n    x = = 1\n        ^\nSyntaxError: invalid syntax";
    assert_eq!(brief(&parse(syntax)), ["SyntaxError | invalid syntax | /app/prompt.py:3 -"]);
}

#[test]
fn node_rust_go_and_java() {
    let node = "TypeError: Cannot read properties of undefined (reading 'id')\n    at lookup (/srv/app/src/tools.ts:12:9)\n    at async Agent.run [as go] (file:///srv/app/src/agent.js:40:3)\n    at /srv/app/index.js:1:1";
    assert_eq!(
        brief(&parse(node)),
        [
            "TypeError | Cannot read properties of undefined (reading 'id') | /srv/app/src/tools.ts:12 lookup < /srv/app/src/agent.js:40 Agent.run < /srv/app/index.js:1 -"
        ]
    );
    let rust = "thread 'main' panicked at src/tools.rs:7:10:\nindex out of bounds: the len is 2 but the index is 2\nstack backtrace:\n   0: rust_begin_unwind\n             at /rustc/abc/library/std/src/panicking.rs:695:5\n   1: agent::tools::last\n             at ./src/tools.rs:7:10\n   2: agent::main\n             at ./src/main.rs:3:5";
    assert_eq!(
        brief(&parse(rust)),
        [
            "panic | index out of bounds: the len is 2 but the index is 2 | src/tools.rs:7 agent::tools::last < /rustc/abc/library/std/src/panicking.rs:695 rust_begin_unwind < ./src/main.rs:3 agent::main"
        ]
    );
    let go = "panic: runtime error: index out of range [3] with length 3\n\ngoroutine 1 [running]:\nmain.(*Tool).Lookup(0xc0000b2000, 0x3)\n\t/srv/app/tools/lookup.go:17 +0x1d\nmain.main()\n\t/srv/app/main.go:9 +0x20";
    assert_eq!(
        brief(&parse(go)),
        [
            "panic | runtime error: index out of range [3] with length 3 | /srv/app/tools/lookup.go:17 (*Tool).Lookup < /srv/app/main.go:9 main"
        ]
    );
    let java = "Exception in thread \"main\" com.acme.AgentException: failed\n\tat com.acme.Agent.run(Agent.java:10)\nCaused by: java.lang.NullPointerException: order is null\n\tat com.acme.tools.Tools.refund(Tools.java:42)\n\t... 1 more";
    assert_eq!(
        brief(&parse(java)),
        [
            "java.lang.NullPointerException | order is null | com/acme/tools/Tools.java:42 Tools.refund",
            "com.acme.AgentException | failed | com/acme/Agent.java:10 Agent.run"
        ]
    );
}

#[test]
fn deep_recursion_is_bounded_and_keeps_the_innermost_frame() {
    let mut text = "Traceback (most recent call last):\n".to_owned();
    for line in 1..5_000 {
        text.push_str(&format!("  File \"deep.py\", line {line}, in f\n    f()\n"));
    }
    text.push_str("RecursionError: maximum recursion depth exceeded");
    let traces = parse(&text);
    assert_eq!(traces[0].frames.len(), MAX_FRAMES);
    assert_eq!(traces[0].frames[0].line, 4_999);
}

fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("Traceback (most recent call last):\n".to_owned()),
        Just("  File \"a.py\", line 99999999999, in f\n".to_owned()),
        Just("  File \"a.py\", line 3, in f\n    | x\n  ^^^\n".to_owned()),
        Just("thread 'x' panicked at ':1:1', é:\n".to_owned()),
        Just("goroutine 1 [running]:\n\tx.go:1 +0x\n".to_owned()),
        Just("\tat a.b(C.java:1)\n    at (:1:)\n".to_owned()),
        "\\PC{0,40}\n",
        any::<String>(),
    ]
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(parts in prop::collection::vec(fragment(), 0..12)) {
        for trace in parse(&parts.concat()) {
            prop_assert!(trace.frames.len() <= MAX_FRAMES);
        }
    }
}
