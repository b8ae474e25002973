//! A call of a tool.

use std::error::Error;
use std::fmt::Display;
use std::future::Future;
use std::panic::Location;

use serde::Serialize;
use serde_json::Value;
use tracing::{Instrument, Span, field, info_span};

use super::outcome::{Caller, Extra, Watch, json, record_display, record_error};

/// Records a call of the tool `name`: its arguments, and its result or its error with type and causes.
///
/// ```
/// # use std::collections::BTreeMap;
/// # async fn lookup(order: &str) -> Result<BTreeMap<String, u32>, std::io::Error> { Ok(BTreeMap::new()) }
/// # async fn example() -> Result<(), std::io::Error> {
/// let args = BTreeMap::from([("order", "A-1")]);
/// let order = staso::tool("lookup_order").call_id("call_1").args(&args).scope(async { lookup("A-1").await }).await?;
/// # Ok(()) }
/// ```
#[track_caller]
pub fn tool(name: impl Into<String>) -> ToolScope {
    ToolScope {
        name: name.into(),
        call_id: None,
        args: None,
        extra: Extra::default(),
        caller: Caller(Location::caller()),
    }
}

/// A tool call that has not begun.
#[derive(Debug)]
#[must_use = "nothing is recorded before `scope` is awaited"]
pub struct ToolScope {
    name: String,
    call_id: Option<String>,
    args: Option<String>,
    extra: Extra,
    caller: Caller,
}

impl ToolScope {
    /// The id that the model gave to the call.
    pub fn call_id(mut self, id: impl Into<String>) -> Self {
        self.call_id = Some(id.into());
        self
    }

    /// What the tool is called with. Content of category *tool arguments*.
    pub fn args(mut self, args: &(impl Serialize + ?Sized)) -> Self {
        self.args = Some(json(args));
        self
    }

    /// Any further attribute. With requests switched off, it is not sent.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(name, value);
        self
    }

    /// Runs the tool. When the future is dropped before it is ready, the span says so.
    ///
    /// # Errors
    /// What the future returns.
    pub async fn scope<T, E, F>(self, call: F) -> Result<T, E>
    where
        T: Serialize,
        E: Error + 'static,
        F: Future<Output = Result<T, E>>,
    {
        self.run(call, record_error).await
    }

    /// Like [`scope`](Self::scope), for error types that do not implement [`Error`], such as `String` and
    /// `anyhow::Error`.
    ///
    /// # Errors
    /// What the future returns.
    pub async fn scope_display<T, E, F>(self, call: F) -> Result<T, E>
    where
        T: Serialize,
        E: Display,
        F: Future<Output = Result<T, E>>,
    {
        self.run(call, record_display).await
    }

    /// Runs a tool that does not wait for anything asynchronously.
    ///
    /// # Errors
    /// What the function returns.
    pub fn in_scope<T, E>(self, call: impl FnOnce() -> Result<T, E>) -> Result<T, E>
    where
        T: Serialize,
        E: Error + 'static,
    {
        let span = self.span();
        let result = span.in_scope(call);
        record(&span, &result, record_error);
        result
    }

    async fn run<T, E, F>(self, call: F, on_error: fn(&Span, &E)) -> Result<T, E>
    where
        T: Serialize,
        F: Future<Output = Result<T, E>>,
    {
        let span = self.span();
        let watch = Watch::new(span.clone());
        let result = call.instrument(span.clone()).await;
        record(&span, &result, on_error);
        watch.done();
        result
    }

    fn span(&self) -> Span {
        info_span!(
            target: "staso",
            "tool",
            otel.name = self.name.as_str(),
            gen_ai.operation.name = "execute_tool",
            gen_ai.tool.name = self.name.as_str(),
            gen_ai.tool.call.id = self.call_id.as_deref(),
            gen_ai.tool.call.arguments = self.args.as_deref(),
            staso.attributes = self.extra.text().as_deref(),
            code.file.path = self.caller.file(),
            code.line.number = self.caller.line(),
            gen_ai.tool.call.result = field::Empty,
            staso.unfinished = field::Empty,
            "exception.type" = field::Empty,
            exception.message = field::Empty,
        )
    }
}

fn record<T: Serialize, E>(span: &Span, result: &Result<T, E>, on_error: fn(&Span, &E)) {
    match result {
        Ok(output) if !span.is_disabled() => {
            span.record("gen_ai.tool.call.result", json(output).as_str());
        }
        Ok(_) => {}
        Err(error) => on_error(span, error),
    }
}
