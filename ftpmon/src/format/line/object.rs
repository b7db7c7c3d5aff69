//! Lines that are JSON objects.

use core::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::Number;

use super::share;
use crate::format::json;
use ftpmon_event::text::is_disruptive;

/// Texts that are cut are longer than one of these; the smaller one where the larger one is not enough.
const LONG: [usize; 2] = [128, 16];
/// The fields beside a member that was cut, its name twice not counted.
const MARKS: usize = ",\"truncated\":true,\"_bytes\":18446744073709551615".len();
const TRUNCATED: &str = "truncated";
const HEX: &str = "_hex";

/// A JSON value with its members in their order.
enum Node {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// `line` with its longest texts and lists cut, so that it has `room` bytes at most where that can be; none if it is no
/// JSON object.
pub(super) fn cut(line: &[u8], room: usize) -> Option<Vec<u8>> {
    let mut written = Vec::new();
    for long in LONG {
        let mut node: Node =
            serde_json::from_slice(line).ok().filter(|node| matches!(node, Node::Object(_)))?;
        let mut lengths = Vec::new();
        node.long_lengths(long, 0, &mut lengths);
        let others = line.len().saturating_sub(lengths.iter().sum::<usize>());
        let cap = share::cap(&mut lengths, room.saturating_sub(others));
        node.shorten(long, cap);
        written.clear();
        json::value(&node, &mut written);
        if written.len() <= room {
            break;
        }
    }
    Some(written)
}

impl Node {
    /// Bytes of the value as JSON.
    fn written(&self) -> usize {
        match self {
            Self::Null => 4,
            Self::Bool(_) => 5,
            Self::Number(number) => number.to_string().len(),
            Self::Text(text) => 2 + text.chars().map(written).sum::<usize>(),
            Self::List(items) => 2 + items.iter().map(|item| item.written() + 1).sum::<usize>(),
            Self::Object(members) => {
                2 + members.iter().map(|(name, value)| name.len() + 4 + value.written()).sum::<usize>()
            }
        }
    }

    /// Collects the lengths of texts and lists that are longer than `long`, with the marks that they have when they are
    /// cut. `name`: the length of the member's name.
    fn long_lengths(&self, long: usize, name: usize, lengths: &mut Vec<usize>) {
        match self {
            Self::Object(members) => {
                members.iter().for_each(|(name, value)| value.long_lengths(long, name.len(), lengths));
            }
            Self::Text(_) | Self::List(_) => {
                lengths.extend(Some(self.written()).filter(|&written| written > long + MARKS + name));
            }
            _ => {}
        }
    }

    /// Cuts texts and lists that are longer than `long` to `cap` bytes, marks included.
    fn shorten(&mut self, long: usize, cap: usize) {
        let Self::Object(members) = self else { return };
        let mut marks = Vec::new();
        for (name, value) in members.iter_mut() {
            if matches!(value, Self::Object(_)) {
                value.shorten(long, cap);
                continue;
            }
            let bounds = MARKS + name.len();
            if !matches!(value, Self::Text(_) | Self::List(_)) || value.written() <= cap.max(long + bounds) {
                continue;
            }
            let room = cap.saturating_sub(bounds);
            match value {
                Self::Text(text) if name.ends_with(HEX) => {
                    text.truncate((room.saturating_sub(2) / 2) * 2);
                }
                Self::Text(text) => {
                    marks.push((format!("{name}_bytes"), Self::Number(text.len().into())));
                    cut_text(text, room.saturating_sub(2));
                }
                Self::List(items) => {
                    marks.push((format!("{name}_count"), Self::Number(items.len().into())));
                    cut_list(items, room.saturating_sub(2));
                }
                _ => {}
            }
            marks.push((TRUNCATED.to_owned(), Self::Bool(true)));
        }
        for (name, value) in marks {
            match members.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = value,
                None => members.push((name, value)),
            }
        }
    }
}

fn cut_list(items: &mut Vec<Node>, mut room: usize) {
    let mut kept = 0;
    for item in items.iter_mut() {
        let written = item.written() + 1;
        if written <= room {
            room -= written;
            kept += 1;
            continue;
        }
        if let Node::Text(text) = item
            && room > 3
        {
            cut_text(text, room - 3);
            kept += 1;
        }
        break;
    }
    items.truncate(kept);
}

fn cut_text(text: &mut String, room: usize) {
    let mut used = 0;
    let end = text.char_indices().find(|&(_, character)| {
        used += written(character);
        used > room
    });
    if let Some((end, _)) = end {
        text.truncate(end);
    }
}

/// Bytes of a character in a JSON string.
const fn written(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        other if is_disruptive(other) => 6,
        other => other.len_utf8(),
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) => value.serialize(serializer),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(members) => {
                serializer.collect_map(members.iter().map(|(name, value)| (name, value)))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Number::from_f64(value).map_or(Node::Null, Node::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Node, E> {
        Ok(Node::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = entries.next_entry()? {
            members.push(member);
        }
        Ok(Node::Object(members))
    }
}
