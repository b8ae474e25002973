//! The request of a model call as one JSON document, in which the Staso SDKs put instructions, messages and tools.

use serde_json::Value;
use serde_json::value::RawValue;
use staso_core::trace::{Captured, Payload};

/// Instructions that were recorded apart become the first part of the request.
pub(super) fn with_system(input: Captured<Payload>, system: Captured<Payload>) -> Captured<Payload> {
    let Captured::Present(system) = system else { return input };
    let input = if input == Captured::Absent { Captured::Present(Payload::new("[]")) } else { input };
    input.map(|payload| {
        let messages = payload.json().unwrap_or_else(|| payload.as_str().into());
        let system = system.json().unwrap_or_else(|| system.as_str().into());
        let whole = match messages {
            Value::Object(mut request) if !request.contains_key("system") => {
                request.insert("system".to_owned(), system);
                Value::Object(request)
            }
            messages => serde_json::json!({ "system": system, "messages": messages }),
        };
        Payload::new(whole.to_string())
    })
}

/// The request with the definitions of the tools that are offered under `tools`, unless it has its own.
pub(crate) fn with_tools(request: &str, tools: &str) -> String {
    let tools = json_or_text(tools);
    let request = request.trim();
    match serde_json::from_str::<Map<'_>>(request) {
        Ok(fields) if fields.contains_key("tools") => request.to_owned(),
        Ok(fields) => {
            let (comma, open) = (if fields.is_empty() { "" } else { "," }, request.strip_suffix('}'));
            format!("{}{comma}\"tools\":{tools}}}", open.unwrap_or("{"))
        }
        Err(_) => format!("{{\"messages\":{},\"tools\":{tools}}}", json_or_text(request)),
    }
}

type Map<'t> = std::collections::BTreeMap<std::borrow::Cow<'t, str>, &'t RawValue>;

/// JSON as it stands, and other text as a JSON string. Text that is a JSON string already is taken for other text, so
/// that reading gives back exactly what was written.
pub(crate) fn json_or_text(text: &str) -> String {
    let is_json = !text.starts_with('"')
        && text.trim().len() == text.len()
        && serde_json::from_str::<&RawValue>(text).is_ok();
    if is_json { text.to_owned() } else { Value::from(text).to_string() }
}

/// What a tool returned: texts without quotes, everything else as JSON.
pub(super) fn unquoted(output: Payload) -> Payload {
    match serde_json::from_str::<String>(output.as_str()) {
        Ok(text) if !text.is_empty() => Payload::new(text),
        _ => output,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_join_a_request_of_any_form() {
        let cases = [
            (r#"{"b": 1, "a": 2}"#, r#"{"b": 1, "a": 2,"tools":[1]}"#),
            ("{ }", r#"{ "tools":[1]}"#),
            (r#"{"tools":[]}"#, r#"{"tools":[]}"#),
            ("[0]", r#"{"messages":[0],"tools":[1]}"#),
            ("hello", r#"{"messages":"hello","tools":[1]}"#),
        ];
        for (request, whole) in cases {
            assert_eq!(with_tools(request, "[1]"), whole);
        }
        assert_eq!(with_tools("{}", "[cut"), r#"{"tools":"[cut"}"#);
    }
}
