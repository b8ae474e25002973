//! Who stands in for github.com. None of them makes a success up; each lies somewhere, and says where.
//!
//! | peer | true | where it lies |
//! |---|---|---|
//! | [`official`] | every parameter, body, header and status of a request; shape and contents of the examples | no state: what one request does the next does not see; examples agree neither with each other nor with git, unless a test puts its scalars in; messages of errors are ours; official examples contradict the schemas in 13 places; the base64 of the example of a file has its line ends escaped twice; `/repositories/{id}` is not documented |
//! | [`graphql`], within the former | every field, argument, variable and type of a document and its values | an answer has the shape of the schema, and the scalars that the test names: no example of one is published; refusals are ours |
//! | [`recorded`] | what api.github.com answered, headers too, in 2017 and later | ids, dates and tokens are normalised; a scenario is played once |
//! | [`git_http`] | git's protocol, hooks, settings, ids | texts of 401, 403 and 404; no rules of branches but hooks; bodies in memory |
//! | [`emulate`] | state, apps, tokens, permissions, git's ids | see there |
//! | [`files`], before the former | bytes of files and archives, from `emulate` and git | an archive is answered, where GitHub leads to another host |
//! | [`prism`] | a second opinion on every request | see there |
//! | [`fault`] | what breaks on the way | it only breaks |
//! | [`script`] | bytes | all of it is the test's own |
//!
//! All but `emulate` and `prism` are in process and always run. `.ci/peers` starts these two, from npm packages.

pub(crate) mod ask;
pub(crate) mod choice;
pub(crate) mod clock;
pub(crate) mod description;
pub(crate) mod emulate;
pub(crate) mod environment;
pub(crate) mod fault;
pub(crate) mod files;
pub(crate) mod git_http;
pub(crate) mod graphql;
pub(crate) mod official;
pub(crate) mod prism;
pub(crate) mod recorded;
pub(crate) mod script;
pub(crate) mod server;
