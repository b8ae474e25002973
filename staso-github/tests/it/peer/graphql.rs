//! GitHub's GraphQL API as its schema says it: what is wrong with a document, with its variables, and what an answer may
//! look like.
//!
//! It reads the part of the language that is used here and refuses the rest: one operation with variables, and fields whose
//! arguments are variables. No aliases, fragments, directives, literals, defaults or comments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../official/graphql.json")).expect("the vendored schema")
});

/// An operation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// The type that its fields are of: `Query` or `Mutation`.
    root: &'static str,
    /// Names and types.
    variables: Vec<(String, String)>,
    fields: Vec<Field>,
}

#[derive(Debug, PartialEq, Eq)]
struct Field {
    name: String,
    /// Names, and the variables that they are.
    arguments: Vec<(String, String)>,
    fields: Vec<Self>,
}

/// What contradicts the schema in the body of a request.
pub(crate) fn violations(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let Some(members) = body.as_object() else { return vec!["the body is no object".to_owned()] };
    for unknown in
        members.keys().filter(|key| !["query", "variables", "operationName"].contains(&key.as_str()))
    {
        found.push(format!("the body has {unknown}"));
    }
    match Document::parse(body["query"].as_str().unwrap_or_default()) {
        Err(error) => found.push(format!("the document cannot be read: {error}")),
        Ok(document) => {
            found.extend(document.violations());
            let none = Map::new();
            document.check_values(body["variables"].as_object().unwrap_or(&none), &mut found);
        }
    }
    found
}

impl Document {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut words = Words::of(text)?;
        let root = match words.next()?.as_str() {
            "query" => "Query",
            "mutation" => "Mutation",
            other => return Err(format!("{other:?} is no operation that is known here")),
        };
        if words.peek() != "(" && words.peek() != "{" {
            words.name()?;
        }
        let mut variables = Vec::new();
        if words.take("(") {
            while !words.take(")") {
                words.expect("$")?;
                let name = words.name()?;
                words.expect(":")?;
                variables.push((name, words.type_name()?));
            }
        }
        let fields = words.selection()?;
        if words.peek().is_empty() { Ok(Self { root, variables, fields }) } else { Err(words.unexpected()) }
    }

    /// What contradicts the schema.
    pub(crate) fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut used = BTreeSet::new();
        check_fields(self.root, &self.fields, &self.variables, &mut used, &mut found);
        let mut names = BTreeSet::new();
        for (name, kind) in &self.variables {
            if !names.insert(name) {
                found.push(format!("${name} is declared twice"));
            }
            if !used.contains(name) {
                found.push(format!("${name} is not used"));
            }
            let known = SCHEMA[named(kind)]["kind"].as_str().unwrap_or("unknown");
            if !["SCALAR", "ENUM", "INPUT_OBJECT"].contains(&known) {
                found.push(format!("${name}: {kind} is {known}, not a type of input"));
            }
        }
        found
    }

    fn check_values(&self, values: &Map<String, Value>, found: &mut Vec<String>) {
        for name in values.keys().filter(|name| !self.variables.iter().any(|(known, _)| known == *name)) {
            found.push(format!("there is no variable ${name}"));
        }
        for (name, kind) in &self.variables {
            check_value(&format!("${name}"), kind, values.get(name).unwrap_or(&Value::Null), true, found);
        }
    }

    /// An answer of the shape that the schema gives to this document. Each of its scalars is named by its place, e.g.
    /// `/createCommitOnBranch/commit/oid`; a place of an object may be `null`.
    pub(crate) fn answer(&self, values: &BTreeMap<String, Value>) -> Value {
        let mut used = BTreeSet::new();
        let data = compose(self.root, &self.fields, "", values, &mut used);
        let unused: Vec<_> = values.keys().filter(|place| !used.contains(*place)).collect();
        assert!(unused.is_empty(), "the answer has nothing at {unused:?}");
        json!({ "data": data })
    }
}

fn check_fields(
    parent: &str,
    fields: &[Field],
    variables: &[(String, String)],
    used: &mut BTreeSet<String>,
    found: &mut Vec<String>,
) {
    let mut names = BTreeSet::new();
    for field in fields {
        let name = &field.name;
        if !names.insert(name) {
            found.push(format!("{parent}.{name} is asked for twice"));
        }
        let Some(official) = SCHEMA[parent]["fields"].get(name) else {
            found.push(format!("{parent} has no field {name}"));
            continue;
        };
        check_arguments(&format!("{parent}.{name}"), field, &official["args"], variables, found);
        used.extend(field.arguments.iter().map(|(_, variable)| variable.clone()));
        let inner = named(official["type"].as_str().unwrap_or_default());
        match (SCHEMA[inner].get("fields").is_some(), field.fields.is_empty()) {
            (true, true) => found.push(format!("{parent}.{name} is {inner}: its fields have to be named")),
            (false, false) => found.push(format!("{parent}.{name} is {inner}, which has no fields")),
            (true, false) => check_fields(inner, &field.fields, variables, used, found),
            (false, true) => {}
        }
    }
}

fn check_arguments(
    place: &str,
    field: &Field,
    official: &Value,
    variables: &[(String, String)],
    found: &mut Vec<String>,
) {
    let mut names = BTreeSet::new();
    for (name, variable) in &field.arguments {
        if !names.insert(name) {
            found.push(format!("{place} gets the argument {name} twice"));
        }
        let Some(wanted) = official[name].as_str() else {
            found.push(format!("{place} has no argument {name}"));
            continue;
        };
        match variables.iter().find(|(known, _)| known == variable) {
            None => found.push(format!("${variable} is not declared")),
            // What is never null fits where null is allowed.
            Some((_, kind)) if kind == wanted || kind.strip_suffix('!') == Some(wanted) => {}
            Some((_, kind)) => {
                found.push(format!("{place}({name}:) is {wanted}, but ${variable} is {kind}"));
            }
        }
    }
    for (name, wanted) in official.as_object().into_iter().flatten() {
        let required = wanted.as_str().is_some_and(|wanted| wanted.ends_with('!'));
        if required && !field.arguments.iter().any(|(given, _)| given == name) {
            found.push(format!("{place} needs the argument {name}"));
        }
    }
}

/// The name inside a type: `A` of `[A!]!`.
fn named(kind: &str) -> &str {
    kind.trim_matches(['[', ']', '!'])
}

/// Holds a value against a type, of input or of an answer.
fn check_value(place: &str, kind: &str, value: &Value, input: bool, found: &mut Vec<String>) {
    let (kind, required) = kind.strip_suffix('!').map_or((kind, false), |kind| (kind, true));
    if value.is_null() {
        if required {
            found.push(format!("{place} is missing: it is {kind}!"));
        }
        return;
    }
    if let Some(inner) = kind.strip_prefix('[').and_then(|kind| kind.strip_suffix(']')) {
        let Some(items) = value.as_array() else { return found.push(format!("{place} is no list")) };
        for (index, item) in items.iter().enumerate() {
            check_value(&format!("{place}[{index}]"), inner, item, input, found);
        }
        return;
    }
    let official = &SCHEMA[kind];
    match official["kind"].as_str() {
        Some("SCALAR") if !is_scalar(kind, value) => found.push(format!("{place}: {value} is no {kind}")),
        Some("SCALAR") => {}
        Some("ENUM") => {
            if !official["enumValues"].as_array().is_some_and(|known| known.contains(value)) {
                found.push(format!("{place}: {value} is no {kind}"));
            }
        }
        Some("INPUT_OBJECT") if input => check_input(place, kind, value, found),
        _ => found.push(format!("{place}: {kind} is no type of a value")),
    }
}

fn check_input(place: &str, kind: &str, value: &Value, found: &mut Vec<String>) {
    let Some(members) = value.as_object() else { return found.push(format!("{place} is no {kind}")) };
    let official = SCHEMA[kind]["inputFields"].as_object().expect("fields of an input type");
    for unknown in members.keys().filter(|name| !official.contains_key(*name)) {
        found.push(format!("{place}: {kind} has no field {unknown}"));
    }
    for (name, wanted) in official {
        let given = members.get(name).unwrap_or(&Value::Null);
        check_value(&format!("{place}.{name}"), wanted.as_str().unwrap_or_default(), given, true, found);
    }
    // Said in the description of the type: all its fields may be null, yet a branch has to be named, in one way.
    if kind == "CommittableBranch" {
        let has = |name: &str| members.get(name).is_some_and(|value| !value.is_null());
        let by_name = (has("repositoryNameWithOwner"), has("branchName"));
        if !matches!((has("id"), by_name), (true, (false, false)) | (false, (true, true))) {
            found.push(format!(
                "{place} names a branch by its id, or by repositoryNameWithOwner and branchName"
            ));
        }
    }
}

fn is_scalar(kind: &str, value: &Value) -> bool {
    let text = value.as_str();
    match kind {
        "Int" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        "Float" => value.is_number(),
        "Boolean" => value.is_boolean(),
        "ID" => value.is_string() || value.is_i64(),
        "Base64String" => text.is_some_and(|text| STANDARD.decode(text).is_ok()),
        "GitObjectID" => {
            text.is_some_and(|text| text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        }
        "String" => text.is_some(),
        // Not used here; whoever does says first what they look like.
        _ => false,
    }
}

fn compose(
    parent: &str,
    fields: &[Field],
    place: &str,
    values: &BTreeMap<String, Value>,
    used: &mut BTreeSet<String>,
) -> Value {
    let mut made = Map::new();
    for field in fields {
        let place = format!("{place}/{}", field.name);
        let kind = SCHEMA[parent]["fields"][&field.name]["type"].as_str().expect("a field of the schema");
        let value = match values.get(&place) {
            Some(value) => {
                used.insert(place.clone());
                let mut found = Vec::new();
                check_value(&place, kind, value, false, &mut found);
                assert!(found.is_empty(), "no answer of GitHub: {found:?}");
                value.clone()
            }
            None if field.fields.is_empty() => panic!("the test names no value for {place}"),
            None => compose(named(kind), &field.fields, &place, values, used),
        };
        made.insert(field.name.clone(), value);
    }
    Value::Object(made)
}

/// What a document consists of: names, and signs of one character.
#[derive(Debug)]
struct Words {
    words: Vec<String>,
    next: usize,
}

impl Words {
    fn of(text: &str) -> Result<Self, String> {
        let mut words: Vec<String> = Vec::new();
        let mut inside = false;
        for character in text.chars() {
            let part_of_name = character.is_ascii_alphanumeric() || character == '_';
            match character {
                _ if part_of_name && inside => words.last_mut().expect("a word").push(character),
                _ if part_of_name => words.push(character.to_string()),
                ' ' | '\n' | '\r' | '\t' | ',' => {}
                '{' | '}' | '(' | ')' | '[' | ']' | '!' | ':' | '$' => words.push(character.to_string()),
                other => return Err(format!("{other:?} is not known here")),
            }
            inside = part_of_name;
        }
        Ok(Self { words, next: 0 })
    }

    /// Nothing at the end.
    fn peek(&self) -> &str {
        self.words.get(self.next).map_or("", String::as_str)
    }

    fn unexpected(&self) -> String {
        format!("{:?} is not expected as word {}", self.peek(), self.next + 1)
    }

    fn next(&mut self) -> Result<String, String> {
        let word = self.words.get(self.next).cloned().ok_or_else(|| self.unexpected())?;
        self.next += 1;
        Ok(word)
    }

    fn take(&mut self, word: &str) -> bool {
        let taken = self.peek() == word;
        self.next += usize::from(taken);
        taken
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        if self.take(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn name(&mut self) -> Result<String, String> {
        if self.peek().starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
            self.next()
        } else {
            Err(self.unexpected())
        }
    }

    fn type_name(&mut self) -> Result<String, String> {
        let inner = if self.take("[") {
            let inner = self.type_name()?;
            self.expect("]")?;
            format!("[{inner}]")
        } else {
            self.name()?
        };
        Ok(if self.take("!") { format!("{inner}!") } else { inner })
    }

    fn selection(&mut self) -> Result<Vec<Field>, String> {
        self.expect("{")?;
        let mut fields = Vec::new();
        while !self.take("}") {
            let name = self.name()?;
            let mut arguments = Vec::new();
            if self.take("(") {
                while !self.take(")") {
                    let argument = self.name()?;
                    self.expect(":")?;
                    self.expect("$")?;
                    arguments.push((argument, self.name()?));
                }
            }
            let inner = if self.peek() == "{" { self.selection()? } else { Vec::new() };
            fields.push(Field { name, arguments, fields: inner });
        }
        if fields.is_empty() { Err("a selection without fields".to_owned()) } else { Ok(fields) }
    }
}
