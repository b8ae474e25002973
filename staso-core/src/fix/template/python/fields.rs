//! Which keys a program and its data have for the objects that it reads.

use std::collections::{BTreeMap, BTreeSet};

use super::super::records::{Kind, Record};
use super::super::syntax::Node;
use super::Site;
use super::literal::plain_value;

/// Keys by the text of the object that they are read from.
pub(super) type Keys<'s> = BTreeMap<&'s str, BTreeSet<&'s str>>;

/// Further objects of a file are not looked at.
const MAX_OBJECTS: usize = 200;
/// Longer texts of objects are not looked at, in bytes.
const MAX_OBJECT_BYTES: usize = 64;

/// The keys that a file reads, by object. The same name in two functions is taken for the same kind of object.
pub(super) fn keys_of_file(root: Node<'_>) -> Keys<'_> {
    let mut keys = Keys::new();
    for node in root.subtree() {
        let Some((object, key)) = read(node) else { continue };
        let (object, key) = (object.text(), plain_value(key));
        let (Some(key), true) = (key, object.len() <= MAX_OBJECT_BYTES) else { continue };
        if keys.len() < MAX_OBJECTS || keys.contains_key(object) {
            keys.entry(object).or_default().insert(key);
        }
    }
    keys
}

/// The object and the key of `object["key"]` and `object.get("key", …)`.
fn read(node: Node<'_>) -> Option<(Node<'_>, Node<'_>)> {
    match node.kind() {
        "subscript" => Some((node.child("value")?, node.child("subscript")?)),
        "call" => {
            let callee = node.child("function")?;
            let gets = callee.child("attribute").is_some_and(|name| name.text() == "get");
            let object = callee.child("object").filter(|_| gets)?;
            Some((object, node.child("arguments")?.named().next()?))
        }
        _ => None,
    }
}

/// The object from which a key is read, given the node of the key.
pub(super) fn object_of<'s>(key: Node<'s>) -> Option<Node<'s>> {
    key.ancestors().take(2).filter_map(read).find(|(_, read)| *read == key).map(|(object, _)| object)
}

/// What is known of an object.
#[derive(Debug)]
pub(super) struct Known<'r> {
    /// The keys that the file reads from it.
    pub(super) read: BTreeSet<&'r str>,
    /// The objects in the data that it may be.
    pub(super) records: Vec<&'r Record>,
}

impl Site<'_, '_> {
    /// What is known of an object when one of its keys is in doubt.
    pub(super) fn known_of(&self, object: &str, doubtful: Option<&str>) -> Known<'_> {
        let mut read: BTreeSet<&str> = self.function.keys.get(object).cloned().unwrap_or_default();
        if let Some(doubtful) = doubtful {
            read.remove(doubtful);
        }
        let records = self.records.with(&read);
        Known { read, records }
    }
}

impl<'r> Known<'r> {
    /// All keys that are known, each once.
    pub(super) fn keys(&self) -> BTreeSet<&'r str> {
        let recorded = self.records.iter().flat_map(|record| record.keys());
        self.read.iter().copied().chain(recorded).collect()
    }

    /// Whether some of the data has a key and some has it not.
    pub(super) fn is_optional(&self, key: &str) -> bool {
        self.has(key) && self.records.iter().any(|record| !record.has(key))
    }

    /// Whether some of the data has a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.records.iter().any(|record| record.has(key))
    }

    /// Whether a value of some kind stands under a key in the data.
    pub(super) fn holds(&self, key: &str, kind: Kind) -> bool {
        self.records.iter().any(|record| record.holds(key, kind))
    }
}

/// Whether the data has `null`, or nothing, for what a name was last given before a node.
pub(super) fn may_be_none(site: &Site<'_, '_>, name: Node<'_>) -> bool {
    let assigned = site.function.nodes().filter(|node| {
        node.kind() == "assignment"
            && node.start() < name.start()
            && node.child("left").is_some_and(|left| left.text() == name.text())
    });
    let value = match name.kind() {
        "identifier" => assigned.last().and_then(|node| node.child("right")),
        _ => Some(name),
    };
    let last = std::iter::successors(value, |value| {
        value.child("right").filter(|_| value.kind() == "boolean_operator")
    });
    let Some((object, key)) = last.last().and_then(read) else { return false };
    let Some(key) = plain_value(key) else { return false };
    let known = site.known_of(object.text(), None);
    known.holds(key, Kind::Null)
}
