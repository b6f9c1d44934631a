//! From a JSON pointer to its place in a text.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use crate::domain::item::RepoPath;
use crate::domain::source::{MAX_FINDINGS, Position, Problem, quote, show};

/// How many values of a text are remembered. A file at its size limit could
/// hold twice as many; what lies behind has no place.
const MAX_NODES: usize = 250_000;

/// Which part of an object's member is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Its name: for a member that should not be there, or has a wrong name.
    /// The whole document and the elements of a list have no name; their value
    /// is meant.
    Key,
    /// Its value.
    Value,
}

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where it begins, in bytes from 0, a byte order mark not counted.
    pub offset: usize,
    /// Where it begins for people.
    pub position: Position,
    /// How many characters it takes on its first line, at least 1. Of an
    /// object or a list that goes on: its opening bracket.
    pub length: u32,
}

/// What a value of the text looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// An object in brackets.
    Object,
    /// A list in brackets.
    List,
    /// A YAML mapping without brackets.
    BlockObject,
    /// A YAML sequence without brackets.
    BlockList,
    /// A scalar as it stands: a number, a literal, YAML's plain text.
    Plain,
    /// A scalar in quotes, a block of text, an alias, a tagged scalar.
    Text,
}

impl Shape {
    fn is_object(self) -> bool {
        matches!(self, Self::Object | Self::BlockObject)
    }

    fn is_list(self) -> bool {
        matches!(self, Self::List | Self::BlockList)
    }
}

#[derive(Debug, Clone)]
struct Key<'a> {
    name: Cow<'a, str>,
    range: Range<usize>,
}

#[derive(Debug)]
struct Node<'a> {
    key: Option<Key<'a>>,
    range: Range<usize>,
    shape: Shape,
    first_child: Option<usize>,
    next: Option<usize>,
}

/// Where the values of a text stand. Made once, asked often.
#[derive(Debug)]
pub struct Outline<'a> {
    text: &'a str,
    nodes: Vec<Node<'a>>,
    /// The brackets that were still open when the text ended.
    unclosed: Option<Range<usize>>,
}

impl<'a> Outline<'a> {
    /// The outline that a scanner built.
    pub(super) fn of(text: &'a str, builder: Builder<'a>) -> Self {
        let unclosed = builder
            .open
            .last()
            .and_then(|frame| builder.nodes.get(frame.node?))
            .map(|n| n.range.clone());
        Self { text, nodes: builder.nodes, unclosed }
    }

    /// The place of the value that `pointer` (RFC 6901) names.
    pub fn find(&self, pointer: &str, place: Place) -> Option<Span> {
        let range = self.range(self.node(pointer)?, place);
        Some(self.span(range))
    }

    /// The place of that value, or of the nearest one around it that exists.
    pub fn nearest(&self, pointer: &str) -> Option<Span> {
        Some(self.span(self.range(self.node_around(pointer)?, Place::Value)))
    }

    fn node_around(&self, pointer: &str) -> Option<&Node<'a>> {
        let mut around = pointer;
        loop {
            match (self.node(around), around.rfind('/')) {
                (None, Some(slash)) => around = around.get(..slash).unwrap_or_default(),
                (found, _) => return found,
            }
        }
    }

    /// A problem at that place, or at the nearest place above it that exists.
    pub fn problem(
        &self,
        path: &RepoPath,
        pointer: &str,
        place: Place,
        message: impl Into<String>,
    ) -> Problem {
        let problem = match self.node_around(pointer) {
            Some(node) => Problem::at(path, self.text, self.range(node, place), message),
            None => Problem::of_file(path, message),
        };
        problem.pointer(pointer)
    }

    /// The bracket that is never closed, if there is one.
    pub(super) fn unclosed(&self) -> Option<Range<usize>> {
        self.unclosed.clone()
    }

    /// Whether there is no value at all, or only YAML's empty one.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.first().is_none_or(|node| node.shape == Shape::Plain && node.range.is_empty())
    }

    /// A problem for each key that its object already holds.
    pub(super) fn duplicate_keys(&self, path: &RepoPath) -> Vec<Problem> {
        let mut problems = Vec::new();
        for node in self.nodes.iter().filter(|node| node.shape.is_object()) {
            let mut seen = HashMap::new();
            for key in self.children(node).filter_map(|child| child.key.as_ref()) {
                let Some(first) = seen.insert(key.name.as_ref(), key.range.start) else {
                    continue;
                };
                seen.insert(key.name.as_ref(), first);
                let line = show::position(self.text, first).line;
                let message = format!(
                    "the key {} stands twice in one object, first in line {line}",
                    quote(&key.name)
                );
                let hint = "remove one of the two; no reader could tell which one counts";
                problems.push(Problem::at(path, self.text, key.range.clone(), message).hint(hint));
                if problems.len() >= MAX_FINDINGS {
                    return problems;
                }
            }
        }
        problems
    }

    /// A problem for each integer that neither `i64` nor `u64` can hold: it
    /// would lose digits.
    pub(super) fn wide_integers(&self, path: &RepoPath) -> Vec<Problem> {
        let wide = |node: &&Node<'_>| {
            let text = self.text.get(node.range.clone()).unwrap_or_default();
            let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
            node.shape == Shape::Plain
                && !digits.is_empty()
                && digits.bytes().all(|byte| byte.is_ascii_digit())
                && text.parse::<i64>().is_err()
                && text.parse::<u64>().is_err()
        };
        let problem = |node: &Node<'_>| {
            let text = self.text.get(node.range.clone()).unwrap_or_default();
            Problem::at(path, self.text, node.range.clone(), "the integer does not fit into 64 bits")
                .expected(format!("an integer from {} to {}", i64::MIN, u64::MAX))
                .found(text)
                .hint("put it in quotes if it is a name; write it with a decimal point if it may be rounded")
        };
        self.nodes.iter().filter(wide).take(MAX_FINDINGS).map(problem).collect()
    }

    fn children(&self, node: &Node<'a>) -> impl Iterator<Item = &Node<'a>> {
        let mut next = node.first_child;
        std::iter::from_fn(move || {
            let child = self.nodes.get(next?)?;
            next = child.next;
            Some(child)
        })
    }

    fn node(&self, pointer: &str) -> Option<&Node<'a>> {
        let mut node = self.nodes.first()?;
        let Some(steps) = pointer.strip_prefix('/') else {
            return pointer.is_empty().then_some(node);
        };
        for step in steps.split('/') {
            node = if node.shape.is_list() {
                self.children(node).nth(step.parse().ok()?)?
            } else {
                let name = unescape(step);
                self.children(node)
                    .find(|child| child.key.as_ref().is_some_and(|key| key.name == name))?
            };
        }
        Some(node)
    }

    fn range(&self, node: &Node<'a>, place: Place) -> Range<usize> {
        let line_end = show::line_of(self.text, node.range.start).end;
        match (&node.key, node.shape) {
            (Some(key), _) if place == Place::Key => key.range.clone(),
            // Its first line is that of its first child: the name says more.
            (Some(key), Shape::BlockObject | Shape::BlockList) => key.range.clone(),
            (None, Shape::BlockObject | Shape::BlockList) => node.range.start..node.range.start + 1,
            (_, Shape::Object | Shape::List) if node.range.end > line_end => {
                node.range.start..node.range.start + 1
            }
            _ => node.range.clone(),
        }
    }

    fn span(&self, range: Range<usize>) -> Span {
        let line_end = show::line_of(self.text, range.start).end;
        let end = show::floor(self.text, range.end).min(line_end);
        let length = self.text.get(range.start..end).unwrap_or_default().chars().count();
        Span {
            offset: range.start,
            position: show::position(self.text, range.start),
            length: show::number(length.max(1)),
        }
    }
}

/// A step of a pointer as it is spelt in the document (RFC 6901 §4).
fn unescape(step: &str) -> Cow<'_, str> {
    if step.contains('~') { step.replace("~1", "/").replace("~0", "~").into() } else { step.into() }
}

/// Takes the values of a text in its order.
#[derive(Debug, Default)]
pub(super) struct Builder<'a> {
    nodes: Vec<Node<'a>>,
    open: Vec<Frame<'a>>,
}

/// An object or a list that is not closed yet.
#[derive(Debug)]
struct Frame<'a> {
    /// `None`: it stands where a key should, or one further up does, or the
    /// limit is reached.
    node: Option<usize>,
    last_child: Option<usize>,
    is_object: bool,
    is_key: bool,
    key: Option<Key<'a>>,
    start: usize,
}

impl<'a> Builder<'a> {
    /// Whether the next value of this text is a key.
    fn at_key(&self) -> bool {
        self.open.last().is_some_and(|frame| frame.is_object && frame.key.is_none())
    }

    /// An object or a list begins.
    pub(super) fn begin(&mut self, shape: Shape, range: Range<usize>) {
        let is_key = self.at_key();
        let start = range.start;
        let node = if is_key { None } else { self.add(shape, range) };
        self.open.push(Frame {
            node,
            last_child: None,
            is_object: shape.is_object(),
            is_key,
            key: None,
            start,
        });
    }

    /// The last one that began ends.
    pub(super) fn end(&mut self, end: usize) {
        let Some(frame) = self.open.pop() else { return };
        if let Some(node) = frame.node.and_then(|node| self.nodes.get_mut(node)) {
            node.range.end = end.max(node.range.end);
        }
        if frame.is_key
            && let Some(parent) = self.open.last_mut()
        {
            parent.key = Some(Key { name: Cow::Borrowed(""), range: frame.start..end });
        }
    }

    /// A scalar: the name of a member, or a value.
    pub(super) fn scalar(
        &mut self,
        shape: Shape,
        range: Range<usize>,
        name: impl FnOnce() -> Cow<'a, str>,
    ) {
        if self.at_key()
            && let Some(frame) = self.open.last_mut()
        {
            frame.key = Some(Key { name: name(), range });
        } else {
            self.add(shape, range);
        }
    }

    fn add(&mut self, shape: Shape, range: Range<usize>) -> Option<usize> {
        let index = self.nodes.len();
        let mut key = None;
        if let Some(frame) = self.open.last_mut() {
            key = frame.key.take();
            let parent = frame.node?;
            if index >= MAX_NODES {
                return None;
            }
            let previous = frame.last_child.replace(index);
            match previous.and_then(|previous| self.nodes.get_mut(previous)) {
                Some(previous) => previous.next = Some(index),
                None => self.nodes.get_mut(parent)?.first_child = Some(index),
            }
        } else if index > 0 {
            // A second document; there is only one.
            return None;
        }
        self.nodes.push(Node { key, range, shape, first_child: None, next: None });
        Some(index)
    }
}
