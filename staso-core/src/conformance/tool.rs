//! What every [`Tool`] keeps to.
//!
//! [`keeps_the_contract`] runs all checks. [`schema_survives_strict`] looks at the schema alone: it must mean the same to
//! every provider, so it keeps to what the strictest of them take.
//!
//! # Schemas
//! * `OpenAI`'s strict mode wants every property in `required` and `additionalProperties: false` in every object. A client
//!   for it lists all properties as required; so a property that is not required must accept `null`, and `null` must mean
//!   the same as leaving it out. `Option<T>` does; a plain field with `#[serde(default)]` does not.
//! * Everything is inline: no `$ref`, no `$defs`. Choices are `enum` or `anyOf`; `oneOf`, `allOf`, `not`, conditions and
//!   patterns of properties are not taken everywhere.
//! * `Anthropic` wants an object at the root, without a choice around it.
//! * Bounds and annotations (`minimum`, `format`, `default` …) may stand: clients drop what their provider does not take,
//!   so the tool must check them itself.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::agent::{Shown, Tool, ToolError, ToolProblemCode, ToolScope, ToolSpec};
use crate::run::RunContext;
use crate::sandbox::{SandboxError, SandboxSession};
use crate::testing::test_context;

/// How long a tool may go on after cancellation.
const CANCEL_LIMIT: Duration = Duration::from_secs(2);
/// Time that a call of the suite gets.
const CALL_TIME: Duration = Duration::from_secs(60);
/// Longest name and description, in characters, that every provider takes.
const MAX_NAME_CHARS: usize = 64;
const MAX_DESCRIPTION_CHARS: usize = 1_024;
/// Most objects inside each other, and most properties altogether.
const MAX_DEPTH: usize = 5;
const MAX_PROPERTIES: usize = 100;
/// Keywords that not every provider takes.
const REFUSED: [&str; 16] = [
    "$ref",
    "$defs",
    "definitions",
    "oneOf",
    "allOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
    "propertyNames",
    "unevaluatedProperties",
    "unevaluatedItems",
    "prefixItems",
];

/// All checks of the contract, with a session when the tool needs one. No call has arguments that the tool could carry
/// out, unless it takes none.
///
/// # Panics
/// With a sentence that names the broken promise.
pub async fn keeps_the_contract(tool: &dyn Tool, session: Option<&dyn SandboxSession>) {
    schema_survives_strict(tool.spec());
    refuses_odd_arguments(tool, session).await;
    stops_when_cancelled(tool, session).await;
}

/// The description of the tool can be sent to every provider; the rules are those of this module.
///
/// # Panics
/// With all rules that are broken.
pub fn schema_survives_strict(spec: &ToolSpec) {
    let name = &spec.name;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    assert!(
        (1..=MAX_NAME_CHARS).contains(&name.len()) && name.chars().all(plain),
        "{name:?} is no name for a tool"
    );
    let described = spec.description.chars().count();
    assert!(
        (1..=MAX_DESCRIPTION_CHARS).contains(&described),
        "the description of {name} has {described} characters"
    );
    let broken = broken_rules(&spec.parameters);
    assert!(broken.is_empty(), "the schema of {name} breaks rules:\n{}", broken.join("\n"));
}

/// The rules of this module that a schema of arguments breaks, one sentence each.
#[must_use]
pub fn broken_rules(parameters: &Value) -> Vec<String> {
    let mut walk = Walk::default();
    if parameters.get("type").and_then(Value::as_str) != Some("object") {
        walk.breaks("", "the root is no object");
    }
    for choice in ["anyOf", "enum"] {
        if parameters.get(choice).is_some() {
            walk.breaks("", &format!("the root holds {choice}"));
        }
    }
    walk.schema(parameters, "", 0);
    if walk.properties > MAX_PROPERTIES {
        walk.breaks("", &format!("there are {} properties; {MAX_PROPERTIES} are taken", walk.properties));
    }
    walk.broken
}

#[derive(Debug, Default)]
struct Walk {
    broken: Vec<String>,
    properties: usize,
}

impl Walk {
    fn breaks(&mut self, at: &str, what: &str) {
        self.broken.push(format!("at /{}: {what}", at.trim_start_matches('/')));
    }

    fn schema(&mut self, schema: &Value, at: &str, depth: usize) {
        let Some(schema) = schema.as_object() else {
            return self.breaks(at, "this takes anything; say what it takes");
        };
        for keyword in REFUSED.iter().filter(|keyword| schema.contains_key(**keyword)) {
            self.breaks(at, &format!("{keyword} is not taken everywhere"));
        }
        if !["type", "enum", "const", "anyOf"].iter().any(|keyword| schema.contains_key(*keyword)) {
            self.breaks(at, "this takes anything; say what it takes");
        }
        if has_type(schema, "object") {
            self.object(schema, at, depth + 1);
        }
        if has_type(schema, "array") {
            match schema.get("items") {
                Some(items) => self.schema(items, &format!("{at}/items"), depth),
                None => self.breaks(at, "a list does not say what it holds"),
            }
        }
        let choices = schema.get("anyOf").and_then(Value::as_array);
        for (number, choice) in choices.into_iter().flatten().enumerate() {
            self.schema(choice, &format!("{at}/anyOf/{number}"), depth);
        }
    }

    fn object(&mut self, schema: &Map<String, Value>, at: &str, depth: usize) {
        if depth > MAX_DEPTH {
            return self.breaks(at, &format!("more than {MAX_DEPTH} objects inside each other"));
        }
        if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
            self.breaks(at, "an object must have additionalProperties: false");
        }
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let properties = schema.get("properties").and_then(Value::as_object);
        for name in required.iter().filter(|name| properties.is_none_or(|all| !all.contains_key(**name))) {
            self.breaks(at, &format!("{name} is required but no property"));
        }
        for (name, property) in properties.into_iter().flatten() {
            self.properties += 1;
            let at = format!("{at}/properties/{name}");
            if !required.contains(&name.as_str()) && !takes_null(property) {
                self.breaks(&at, "neither required nor nullable");
            }
            self.schema(property, &at, depth);
        }
    }
}

fn has_type(schema: &Map<String, Value>, wanted: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(name)) => name == wanted,
        Some(Value::Array(names)) => names.iter().any(|name| name == wanted),
        _ => false,
    }
}

fn takes_null(schema: &Value) -> bool {
    let Some(object) = schema.as_object() else { return false };
    let choices = object.get("anyOf").and_then(Value::as_array);
    // With an enum beside the type, null must be in both.
    let listed =
        object.get("enum").and_then(Value::as_array).is_none_or(|values| values.contains(&Value::Null));
    (has_type(object, "null") && listed) || choices.is_some_and(|choices| choices.iter().any(takes_null))
}

/// Arguments that do not fit the schema are a problem that the model reads.
///
/// # Panics
/// When they are carried out, or end the agent.
pub async fn refuses_odd_arguments(tool: &dyn Tool, session: Option<&dyn SandboxSession>) {
    let odd = [Value::Null, json!([]), json!("text"), json!({ "no_such_argument_3f9a": 1 })];
    for arguments in odd {
        let name = &tool.spec().name;
        match call(tool, session, arguments.clone(), &test_context()).await {
            Some(Err(ToolError::Problem(problem))) => assert!(
                problem.code == ToolProblemCode::BadArgs,
                "{name} calls {arguments} {:?}: {problem}",
                problem.code
            ),
            Some(Err(error)) => panic!("{name} ends the agent over {arguments}: {error}"),
            Some(Ok(_)) => panic!("{name} carries out {arguments}"),
            None => panic!("{name} takes too long over {arguments}"),
        }
    }
}

/// A cancelled run waits for no tool.
///
/// # Panics
/// When the tool goes on.
pub async fn stops_when_cancelled(tool: &dyn Tool, session: Option<&dyn SandboxSession>) {
    let token = CancellationToken::new();
    token.cancel();
    let ctx = test_context().with_cancellation(token);
    let name = &tool.spec().name;
    let ended = tokio::time::timeout(CANCEL_LIMIT, call(tool, session, json!({}), &ctx)).await;
    match ended {
        Ok(Some(
            Ok(_)
            | Err(ToolError::Cancelled | ToolError::Problem(_) | ToolError::Sandbox(SandboxError::Cancelled)),
        )) => {}
        Ok(Some(Err(error))) => panic!("{name} fails when it is cancelled: {error}"),
        Ok(None) | Err(_) => panic!("{name} goes on after it was cancelled"),
    }
}

/// `None` when it takes too long.
async fn call(
    tool: &dyn Tool,
    session: Option<&dyn SandboxSession>,
    arguments: Value,
    ctx: &RunContext,
) -> Option<Result<crate::agent::ToolReply, ToolError>> {
    let shown = Shown::default();
    let scope = ToolScope::new("t1", &shown, CALL_TIME).with_session(session);
    tokio::time::timeout(CALL_TIME, tool.call(arguments, &scope, ctx)).await.ok()
}
