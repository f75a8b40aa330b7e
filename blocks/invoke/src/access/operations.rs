//! Rules by operation: a tree of the segments of their paths, which may have wildcards.
use super::is_allow;
use foundation_resources::Operation;
use http::Method;
use std::collections::BTreeMap;

/// One segment, or none, at the end of a path.
const ONE: &str = "*";
/// All that follows.
const ALL: &str = "**";

/// All operations that a policy names.
#[derive(Clone, Debug, Default)]
pub(super) struct Operations(Vec<Node>);

/// A segment and what lies below it, in the order in which the policy names them.
#[derive(Clone, Debug)]
struct Node {
    segment: String,
    rule: Option<Rule>,
    below: Vec<Node>,
}

/// What a policy says of an operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) allow: bool,
    verbs: BTreeMap<String, bool>,
}

impl Rule {
    /// What is said of an HTTP verb.
    pub(super) fn of_verb(&self, verb: &Method) -> Option<bool> {
        self.verbs.get(verb.as_str()).or_else(|| self.verbs.get("*")).copied()
    }
}

impl Operations {
    /// The rules of a policy. Where an operation is named twice, the first one counts.
    pub(super) fn new(operations: &[Operation], ignore_case: bool) -> Self {
        let mut all = Self::default();
        for Operation { name, http_verb, action } in operations {
            let path = if ignore_case { name.to_lowercase() } else { name.clone() };
            let allow = is_allow(action);
            let verbs = http_verb.iter().map(|verb| (verb.clone(), allow)).collect();
            all.add(path.strip_prefix('/').unwrap_or(&path), Rule { allow, verbs });
        }
        all
    }

    /// The rule for an operation. In each segment the first node that fits is taken, and a rule on the way there is one
    /// for all that lies below, too.
    pub(super) fn find(&self, operation: &str) -> Option<&Rule> {
        let mut segments = operation.strip_prefix('/').unwrap_or(operation).split('/').peekable();
        let mut nodes = &self.0;
        loop {
            let segment = segments.next()?;
            let last = segments.peek().is_none();
            let node = fitting(nodes, segment, last)?;
            match &node.rule {
                Some(rule) if last || node.segment != ONE => return Some(rule),
                None if last => return fitting(&node.below, ONE, true)?.rule.as_ref(),
                _ => nodes = &node.below,
            }
        }
    }

    fn add(&mut self, path: &str, rule: Rule) {
        let mut nodes = &mut self.0;
        let mut segments = path.split('/').peekable();
        while let Some(segment) = segments.next() {
            let index = nodes.iter().position(|node| node.segment == segment).unwrap_or(nodes.len());
            if index == nodes.len() {
                nodes.push(Node { segment: segment.to_owned(), rule: None, below: Vec::new() });
            }
            let node = &mut nodes[index];
            if segments.peek().is_none() {
                node.rule.get_or_insert(rule);
                return;
            }
            nodes = &mut node.below;
        }
    }
}

fn fitting<'a>(nodes: &'a [Node], segment: &str, last: bool) -> Option<&'a Node> {
    nodes.iter().find(|node| match node.segment.as_str() {
        own if own == segment => true,
        ONE => last,
        ALL => true,
        pattern => matches(segment, pattern),
    })
}

/// Whether a text fits a pattern in which each `*` stands for any text or none.
fn matches(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(end) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(index) => rest = &rest[index + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(end)
}
