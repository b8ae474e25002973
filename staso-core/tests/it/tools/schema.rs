//! What a model is told of the tools, and what they accept.

use serde_json::{Value, json};
use staso_core::agent::tools::{Bash, ListFiles, ReadFile, SearchCode};
use staso_core::agent::{Tool, ToolProblemCode};
use staso_core::conformance::tool::keeps_the_contract;

use super::{Bench, PROJECT};

const TOOLS: [&dyn Tool; 4] = [&Bash, &ListFiles, &ReadFile, &SearchCode];

#[test]
fn the_schemas_are_small_and_closed() {
    for tool in TOOLS {
        let spec = tool.spec();
        assert!(spec.size_bytes() < 1_600, "{}: {} bytes", spec.name, spec.size_bytes());
        assert_eq!(spec.parameters["type"], "object");
        assert_eq!(spec.parameters["additionalProperties"], Value::Bool(false), "{}", spec.name);
        assert!(!spec.parameters.to_string().contains("$ref"), "{}", spec.name);
    }
    let limits = |tool: &dyn Tool, name: &str| tool.spec().parameters["properties"][name].clone();
    assert_eq!(
        (limits(&ReadFile, "lines")["default"].clone(), limits(&ReadFile, "lines")["maximum"].clone()),
        (json!(200), json!(400))
    );
    assert_eq!(
        (limits(&ListFiles, "max")["default"].clone(), limits(&ListFiles, "max")["maximum"].clone()),
        (json!(200), json!(500))
    );
    assert_eq!(
        (limits(&SearchCode, "max")["default"].clone(), limits(&SearchCode, "max")["maximum"].clone()),
        (json!(50), json!(100))
    );
    assert_eq!(
        (limits(&Bash, "timeout_s")["default"].clone(), limits(&Bash, "timeout_s")["maximum"].clone()),
        (json!(60), json!(300))
    );
}

#[tokio::test]
async fn the_tools_keep_the_contract() {
    let bench = Bench::new(&PROJECT).await;
    for tool in TOOLS {
        keeps_the_contract(tool, Some(&*bench.session)).await;
    }
}

#[tokio::test]
async fn null_means_the_same_as_left_out() {
    let bench = Bench::new(&PROJECT).await;
    let left_out = [
        (&ReadFile as &dyn Tool, json!({"path": "README.md"}), vec!["start_line", "lines"]),
        (&ListFiles, json!({}), vec!["path", "glob", "max"]),
        (&SearchCode, json!({"pattern": "total"}), vec!["path", "glob", "context", "max"]),
    ];
    for (tool, short, names) in left_out {
        let mut full = short.clone();
        for name in names {
            full[name] = Value::Null;
        }
        assert_eq!(bench.text(tool, short).await, bench.text(tool, full).await);
    }
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_explained() {
    let bench = Bench::new(&PROJECT).await;
    let wrong = [
        json!({}),
        json!({"path": 1, "pattern": 1, "command": 1}),
        json!({"unknown": true}),
        json!({"path": "a", "lines": -1}),
        json!([]),
        json!("README.md"),
        Value::Null,
    ];
    for tool in TOOLS {
        for arguments in &wrong {
            // Everything of list_files may be left out.
            if [json!({}), json!([])].contains(arguments) && tool.spec().name == "list_files" {
                continue;
            }
            let problem = bench.problem(tool, arguments.clone()).await;
            assert_eq!(problem.code, ToolProblemCode::BadArgs, "{arguments}");
            assert!(problem.hint.contains("schema"), "{arguments}: {problem:?}");
        }
    }
}

#[tokio::test]
async fn nothing_outside_of_the_checkout_is_accepted() {
    let bench = Bench::new(&PROJECT).await;
    let outside = [
        "/etc/passwd",
        "/proc/1/environ",
        "/proc/self/environ",
        "/",
        "..",
        "../canary",
        "src/../../canary",
        "/workspace/../etc/passwd",
        "/workspacex/README.md",
        ".git/config",
        "src/.GIT/config",
    ];
    for given in outside {
        let calls: [(&dyn Tool, Value); 3] = [
            (&ReadFile, json!({ "path": given })),
            (&ListFiles, json!({ "path": given })),
            (&SearchCode, json!({ "path": given, "pattern": "root" })),
        ];
        for (tool, arguments) in calls {
            let problem = bench.problem(tool, arguments).await;
            assert_eq!(problem.code, ToolProblemCode::Denied, "{given}: {problem:?}");
        }
    }
    for given in ["src\\app.py", "src/app\n.py", "src/\0"] {
        let problem = bench.problem(&ReadFile, json!({ "path": given })).await;
        assert_eq!(problem.code, ToolProblemCode::BadArgs, "{given:?}: {problem:?}");
    }
}

#[tokio::test]
async fn a_path_as_the_session_sees_it_is_accepted() {
    let bench = Bench::new(&PROJECT).await;
    for given in
        ["README.md", "./README.md", "src/../README.md", "/workspace/README.md", "/workspace//./README.md"]
    {
        let text = bench.text(&ReadFile, json!({ "path": given })).await;
        assert!(text.contains("# Orders"), "{given}: {text}");
    }
    let text = bench.text(&ListFiles, json!({ "path": "/workspace" })).await;
    assert!(text.contains("README.md"), "{text}");
}

#[tokio::test]
async fn without_a_session_every_tool_says_so() {
    let bench = Bench::new(&PROJECT).await;
    let scope = staso_core::agent::ToolScope::new("t1", &bench.shown, std::time::Duration::from_secs(1));
    for tool in TOOLS {
        let arguments = match tool.spec().name.as_str() {
            "bash" => json!({"command": "true"}),
            "search_code" => json!({"pattern": "x"}),
            _ => json!({"path": "README.md"}),
        };
        let refused = tool.call(arguments, &scope, &bench.ctx).await.unwrap_err().to_string();
        assert_eq!(refused, "there is no sandbox in this run");
    }
}
