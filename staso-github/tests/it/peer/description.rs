//! GitHub's OpenAPI description: which operation a request is, what is wrong with it, and what an answer may look like.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

static DESCRIPTION: LazyLock<Description> = LazyLock::new(|| {
    let text = include_str!("../../official/api.github.com.json");
    Description::new(&serde_json::from_str(text).expect("the vendored description"))
});

/// The vendored part of the description.
#[derive(Debug)]
pub(crate) struct Description {
    document: Value,
    operations: Vec<Operation>,
    /// Compiled schemas by their text.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// One operation.
#[derive(Debug)]
pub(crate) struct Operation {
    /// Method and path, e.g. `GET /repos/{owner}/{repo}`.
    pub(crate) name: String,
    method: String,
    segments: Vec<Segment>,
    parameters: Vec<Value>,
    body: Option<Value>,
    responses: BTreeMap<u16, Value>,
}

#[derive(Debug)]
enum Segment {
    Word(String),
    Parameter(String),
    /// Takes slashes, and may be empty.
    Rest(String),
}

/// An operation, and the values in the request's path.
#[derive(Debug)]
pub(crate) struct Match<'a> {
    pub(crate) operation: &'a Operation,
    pub(crate) parameters: BTreeMap<String, String>,
}

impl Description {
    pub(crate) fn get() -> &'static Self {
        &DESCRIPTION
    }

    fn new(source: &Value) -> Self {
        let document = json_schema(source.clone());
        // Sorted: other crates of a build choose the order in which the parser keeps keys.
        let mut operations = BTreeMap::new();
        for (path, methods) in object(&document["paths"]) {
            for (method, operation) in object(methods) {
                let operation = Operation::new(&document, path, method, operation);
                operations.insert((path.clone(), method.clone()), operation);
            }
        }
        let operations = operations.into_values().collect();
        Self { document, operations, validators: Mutex::default() }
    }

    pub(crate) fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The operation of a name.
    pub(crate) fn operation(&self, name: &str) -> &Operation {
        let found = self.operations.iter().find(|operation| operation.name == name);
        found.unwrap_or_else(|| panic!("{name} is not in tests/official: add it to .ci/official"))
    }

    /// Which operation a request is. `path` is percent-encoded.
    pub(crate) fn find(&self, method: &str, path: &str) -> Option<Match<'_>> {
        let matches = self.operations.iter().filter(|operation| operation.method == method);
        matches
            .filter_map(|operation| {
                operation.parameters_of(path).map(|parameters| Match { operation, parameters })
            })
            .max_by_key(|found| found.operation.words())
    }

    /// What contradicts a schema of the document in a value.
    pub(crate) fn violations(&self, schema: &Value, value: &Value) -> Vec<String> {
        let validator = self.validator(schema);
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let key = schema.to_string();
        let mut validators = self.validators.lock().expect("no thread panicked");
        let make = || {
            let root =
                json!({"allOf": [schema], "components": {"schemas": self.document["components"]["schemas"]}});
            Arc::new(jsonschema::draft4::new(&root).expect("a schema"))
        };
        Arc::clone(validators.entry(key).or_insert_with(make))
    }

    /// The example behind a `value` or a reference.
    fn example(&self, example: &Value) -> Value {
        resolve(&self.document, example)["value"].clone()
    }
}

impl Operation {
    fn new(document: &Value, path: &str, method: &str, operation: &Value) -> Self {
        let parameters: Vec<Value> = operation["parameters"]
            .as_array()
            .map(|list| list.iter().map(|one| resolve(document, one).clone()).collect())
            .unwrap_or_default();
        let method = method.to_ascii_uppercase();
        let responses = object(&operation["responses"])
            .map(|(status, response)| {
                (status.parse().expect("a status"), resolve(document, response).clone())
            })
            .collect();
        let segments = path.split('/').skip(1).map(|word| Segment::new(word, &parameters)).collect();
        let body = operation.get("requestBody").cloned();
        Self { name: format!("{method} {path}"), method, segments, parameters, body, responses }
    }

    fn words(&self) -> usize {
        self.segments.iter().filter(|segment| matches!(segment, Segment::Word(_))).count()
    }

    fn parameters_of(&self, path: &str) -> Option<BTreeMap<String, String>> {
        let mut rest = path.strip_prefix('/')?.split('/');
        let mut parameters = BTreeMap::new();
        for segment in &self.segments {
            let (name, value) = match segment {
                Segment::Word(word) if rest.next()? == word => continue,
                Segment::Word(_) => return None,
                Segment::Parameter(name) => (name, rest.next().filter(|value| !value.is_empty())?.to_owned()),
                Segment::Rest(name) => (name, rest.by_ref().collect::<Vec<_>>().join("/")),
            };
            let value = percent_decode_str(&value).decode_utf8().ok()?.into_owned();
            parameters.insert(name.clone(), value);
        }
        rest.next().is_none().then_some(parameters)
    }

    /// Documented statuses.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = u16> + '_ {
        self.responses.keys().copied()
    }

    /// The documented success.
    pub(crate) fn success(&self) -> u16 {
        *self.responses.keys().next().expect("an operation has an answer")
    }

    /// What is wrong with the query of a request. Gives the values.
    pub(crate) fn query(&self, query: &str, violations: &mut Vec<String>) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode =
                |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
            let (name, value) = (decode(name), decode(value));
            match self.parameters.iter().find(|one| one["in"] == "query" && one["name"] == *name) {
                None => violations.push(format!("no query parameter is called {name}")),
                Some(parameter) => {
                    let typed = match parameter["schema"]["type"].as_str() {
                        Some("integer" | "boolean") => {
                            serde_json::from_str(&value).unwrap_or_else(|_| json!(value))
                        }
                        _ => json!(value),
                    };
                    let found = Description::get().violations(&parameter["schema"], &typed);
                    violations.extend(found.into_iter().map(|text| format!("query parameter {name}{text}")));
                }
            }
            values.insert(name, value);
        }
        for parameter in &self.parameters {
            let name = parameter["name"].as_str().unwrap_or_default();
            if parameter["in"] == "query" && parameter["required"] == true && !values.contains_key(name) {
                violations.push(format!("query parameter {name} is missing"));
            }
        }
        values
    }

    /// What is wrong with the body of a request.
    pub(crate) fn body(&self, body: &[u8], violations: &mut Vec<String>) -> Option<Value> {
        let Some(description) = &self.body else {
            if !body.is_empty() {
                violations.push("a body where none is documented".to_owned());
            }
            return None;
        };
        if body.is_empty() {
            if description["required"] == true {
                violations.push("the body is missing".to_owned());
            }
            return None;
        }
        let Ok(value) = serde_json::from_slice(body) else {
            violations.push("the body is no JSON".to_owned());
            return None;
        };
        let schema = &description["content"]["application/json"]["schema"];
        let found = Description::get().violations(schema, &value);
        violations.extend(found.into_iter().map(|text| format!("body{text}")));
        Some(value)
    }

    /// The official example of a request's body.
    pub(crate) fn example_body(&self) -> Option<Value> {
        let examples = &self.body.as_ref()?["content"]["application/json"]["examples"];
        examples.as_object()?.values().next().map(|example| Description::get().example(example))
    }

    /// The media types of a status, none for an answer without a body.
    pub(crate) fn media(&self, status: u16) -> Vec<&str> {
        let content = self.responses.get(&status).map(|response| object(&response["content"]));
        content.into_iter().flatten().map(|(media, _)| media.as_str()).collect()
    }

    /// The schema of an answer's body.
    pub(crate) fn schema(&self, status: u16, media: &str) -> Option<&Value> {
        self.responses.get(&status)?["content"].get(media)?.get("schema")
    }

    /// The official examples of an answer's body, by name, in the order of names.
    pub(crate) fn examples(&self, status: u16, media: &str) -> Vec<(&str, Value)> {
        let examples = self.responses.get(&status).map(|response| &response["content"][media]["examples"]);
        let examples = examples.map(object).into_iter().flatten();
        examples.map(|(name, example)| (name.as_str(), Description::get().example(example))).collect()
    }
}

impl Segment {
    fn new(word: &str, parameters: &[Value]) -> Self {
        let Some(name) = word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) else {
            return Self::Word(word.to_owned());
        };
        let many = parameters.iter().any(|one| one["name"] == name && one["x-multi-segment"] == true);
        if many { Self::Rest(name.to_owned()) } else { Self::Parameter(name.to_owned()) }
    }
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let pointer = value.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
    pointer.map_or(value, |pointer| document.pointer(pointer).expect("what is referred to"))
}

/// OpenAPI 3.0 says `nullable: true` where JSON Schema says `{"type": "null"}`. Examples are left as they are.
fn json_schema(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(json_schema).collect(),
        Value::Object(map) => {
            let nullable = map.get("nullable") == Some(&Value::Bool(true));
            let is_example = |name: &str| matches!(name, "value" | "default" | "enum" | "nullable");
            let converted: Map<String, Value> = map
                .into_iter()
                .filter(|(name, value)| !(name == "nullable" && value.is_boolean()))
                .map(|(name, value)| {
                    // `properties` may hold fields of these names, whose schemas are objects.
                    let keep = is_example(&name) && !value.get("type").is_some_and(Value::is_string);
                    let value = if keep { value } else { json_schema(value) };
                    (name, value)
                })
                .collect();
            if nullable { json!({"anyOf": [{"type": "null"}, converted]}) } else { Value::Object(converted) }
        }
        other => other,
    }
}
