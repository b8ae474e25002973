//! Which of the documented answers to an operation is given.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use serde_json::{Value, json};

use super::description::{Description, Operation};
use super::official::Asked;
use super::server::{Answer, Reply};

/// Values for fields of an example, by JSON pointer.
pub(crate) type Values = Vec<(String, Value)>;
type Compute = Arc<dyn Fn(&Asked) -> Values + Send + Sync>;

/// An answer: an official example, a documented error, or a fault.
#[derive(Clone)]
pub(crate) struct Choice {
    kind: Kind,
    headers: Vec<(String, String)>,
    values: Values,
    lists: Vec<(String, Vec<Values>)>,
    compute: Option<Compute>,
}

#[derive(Debug, Clone)]
enum Kind {
    /// An example of the documented success, by name, the first without one.
    Example(Option<String>),
    /// A documented list without entries.
    Empty,
    /// A documented status that is no success.
    Status { status: u16, body: Value },
    /// Anything that is no success.
    Fault(Reply),
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Choice")
            .field("kind", &self.kind)
            .field("values", &self.values)
            .finish_non_exhaustive()
    }
}

impl Choice {
    const fn new(kind: Kind) -> Self {
        Self { kind, headers: Vec::new(), values: Vec::new(), lists: Vec::new(), compute: None }
    }

    /// The official example of the success; of several `default`, or the one with the shortest name.
    pub(crate) const fn example() -> Self {
        Self::new(Kind::Example(None))
    }

    /// The official example of this name.
    pub(crate) fn example_named(name: &str) -> Self {
        Self::new(Kind::Example(Some(name.to_owned())))
    }

    /// A list without entries.
    pub(crate) const fn empty() -> Self {
        Self::new(Kind::Empty)
    }

    /// A documented status that is no success. Errors have a body of the documented form with GitHub's usual message.
    pub(crate) fn status(status: u16) -> Self {
        let message = match status {
            301 => "Moved Permanently",
            401 => "Bad credentials",
            403 => "Resource not accessible by integration",
            404 => "Not Found",
            409 => "Conflict",
            410 => "Gone",
            422 => "Validation Failed",
            _ => "Server Error",
        };
        let url = "https://docs.github.com/rest";
        let body = json!({"message": message, "documentation_url": url, "status": status.to_string()});
        assert!(!(200..300).contains(&status), "a success is an official example");
        Self::new(Kind::Status { status, body })
    }

    /// What is no success and not documented: any error, or an answer that is broken.
    pub(crate) fn fault(reply: Reply) -> Self {
        if let Reply::Answer(answer) = &reply {
            let sound = serde_json::from_slice::<Value>(&answer.body).is_ok();
            assert!(!(200..300).contains(&answer.status) || !sound, "a success is an official example");
        }
        Self::new(Kind::Fault(reply))
    }

    /// An error that the description does not name, such as 429 or 502.
    pub(crate) fn undocumented(status: u16, message: &str) -> Self {
        let body = json!({"message": message}).to_string();
        let answer = Answer::new(status, body).with_header("content-type", "application/json; charset=utf-8");
        Self::fault(Reply::Answer(answer))
    }

    /// Another message in an error.
    pub(crate) fn message(mut self, message: &str) -> Self {
        if let Kind::Status { body, .. } = &mut self.kind {
            body["message"] = json!(message);
        }
        self
    }

    /// The list of what is wrong in a 422.
    pub(crate) fn errors(mut self, errors: Value) -> Self {
        if let Kind::Status { body, .. } = &mut self.kind {
            body["errors"] = errors;
        }
        self
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts another scalar at a place of the example, which has to be there: shape and all else stay official.
    pub(crate) fn with(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        self.values.push((pointer.to_owned(), value.into()));
        self
    }

    /// The same, with values that depend on the request.
    pub(crate) fn with_computed(
        mut self,
        compute: impl Fn(&Asked) -> Values + Send + Sync + 'static,
    ) -> Self {
        self.compute = Some(Arc::new(compute));
        self
    }

    /// Makes the list at a place of the example as long as `entries`: each is the example's first entry with other
    /// scalars.
    pub(crate) fn with_entries(mut self, pointer: &str, entries: Vec<Values>) -> Self {
        self.lists.push((pointer.to_owned(), entries));
        self
    }

    /// Panics when this is no answer to the operation.
    pub(crate) fn check(&self, operation: &Operation) {
        match &self.kind {
            Kind::Example(name) => {
                let media = operation.media(operation.success());
                let known = |name: &str| {
                    media.iter().any(|media| {
                        operation.examples(operation.success(), media).iter().any(|(one, _)| *one == name)
                    })
                };
                assert!(
                    name.as_deref().is_none_or(known),
                    "{}: no official example is called {name:?}",
                    operation.name
                );
                assert!(operation.success() < 400, "{} has no success", operation.name);
            }
            Kind::Empty => {
                let schema = operation.schema(operation.success(), "application/json").expect("JSON");
                let found = Description::get().violations(schema, &json!([]));
                assert_eq!(found, Vec::<String>::new(), "{} answers with no list", operation.name);
            }
            Kind::Status { status, body } => {
                let documented = operation.statuses().any(|one| one == *status);
                assert!(documented, "{}: status {status} is not documented", operation.name);
                if let Some(schema) = operation.schema(*status, "application/json") {
                    let found = Description::get().violations(schema, body);
                    assert_eq!(found, Vec::<String>::new(), "{} {status}", operation.name);
                }
            }
            Kind::Fault(_) => {}
        }
    }

    /// The answer to a request of the operation.
    pub(crate) fn reply(&self, operation: &Operation, asked: &Asked) -> Reply {
        let answer = match &self.kind {
            Kind::Fault(Reply::Answer(answer)) => answer.clone(),
            Kind::Fault(reply) => return reply.clone(),
            Kind::Example(name) => self.example_answer(operation, name.as_deref(), asked),
            Kind::Empty => json_answer(operation.success(), &json!([])),
            Kind::Status { status, .. } if operation.media(*status).is_empty() => Answer::new(*status, ""),
            Kind::Status { status, body } => json_answer(*status, body),
        };
        let headers = self.headers.iter();
        Reply::Answer(headers.fold(answer, |answer, (name, value)| answer.with_header(name, value)))
    }

    fn example_answer(&self, operation: &Operation, name: Option<&str>, asked: &Asked) -> Answer {
        let status = operation.success();
        let accept = asked.accept();
        let known = operation.media(status);
        if known.is_empty() {
            return Answer::new(status, "");
        }
        let media = known.iter().find(|media| **media == accept).copied().unwrap_or("application/json");
        let examples = operation.examples(status, media).into_iter();
        let found = match name {
            Some(name) => examples.filter(|(one, _)| one.starts_with(name)).min_by_key(|(one, _)| one.len()),
            // `default` where there is one; of the contents of a repository a file.
            None => examples.min_by_key(|(one, _)| (!one.starts_with("default"), one.len())),
        };
        let (_, official) = found.unwrap_or_else(|| panic!("{}: no example {name:?}", operation.name));
        if media != "application/json" && official.is_string() {
            let text = official.as_str().unwrap_or_default().to_owned();
            return Answer::new(status, text).with_header("content-type", &format!("{media}; charset=utf-8"));
        }
        let schema = operation.schema(status, media).expect("a schema");
        let body = self.substituted(operation, schema, &official, asked);
        if accept == "application/vnd.github.raw" {
            return raw(status, &body);
        }
        json_answer(status, &body)
    }

    /// The example with other scalars; it must contradict the schema no more than it did.
    fn substituted(&self, operation: &Operation, schema: &Value, official: &Value, asked: &Asked) -> Value {
        let mut body = official.clone();
        for (pointer, entries) in &self.lists {
            let list =
                body.pointer_mut(pointer).and_then(Value::as_array_mut).expect("a list in the example");
            let first = list.first().expect("an entry in the example").clone();
            *list = entries
                .iter()
                .map(|values| {
                    let mut entry = first.clone();
                    substitute(operation, &mut entry, values);
                    entry
                })
                .collect();
        }
        substitute(operation, &mut body, &self.values);
        if let Some(compute) = &self.compute {
            substitute(operation, &mut body, &compute(asked));
        }
        if body != *official {
            let before = Description::get().violations(schema, official).len();
            let after = Description::get().violations(schema, &body);
            assert!(after.len() <= before, "{}: {after:?}", operation.name);
        }
        body
    }
}

fn substitute(operation: &Operation, body: &mut Value, values: &Values) {
    for (pointer, value) in values {
        let scalar = |value: &Value| !value.is_array() && !value.is_object();
        let place = body
            .pointer_mut(pointer)
            .unwrap_or_else(|| panic!("{}: the example has nothing at {pointer}", operation.name));
        assert!(
            scalar(value) && (scalar(place) || value.is_null()),
            "{}: {pointer} is no scalar",
            operation.name
        );
        *place = value.clone();
    }
}

fn json_answer(status: u16, body: &Value) -> Answer {
    Answer::new(status, body.to_string()).with_header("content-type", "application/json; charset=utf-8")
}

/// The bytes of a file, which the example has in base64.
fn raw(status: u16, body: &Value) -> Answer {
    // The official example has its line ends escaped twice.
    let content = body["content"].as_str().unwrap_or_default().replace("\\n", "");
    let content: String = content.split_whitespace().collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(content).expect("an example in base64");
    Answer::new(status, bytes).with_header("content-type", "application/vnd.github.raw; charset=utf-8")
}
