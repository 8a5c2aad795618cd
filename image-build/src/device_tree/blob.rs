//! A device tree as the kernel is given it (Devicetree Specification 0.4, chapter 5), read to look things up in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::fault::Fault;

/// Nodes by their paths, with their properties.
#[derive(Debug, Default)]
pub struct Tree(BTreeMap<String, BTreeMap<String, Vec<u8>>>);

impl Tree {
    /// Reads a file.
    pub fn read(file: &Path) -> Result<Self, Fault> {
        let bytes = fs::read(file).map_err(|e| Fault::read(file, e))?;
        let wrong = || Fault::Tool(format!("{} is no device tree", file.display()));
        Self::parse(&bytes).ok_or_else(wrong)
    }

    /// Reads bytes; none if they are no whole device tree.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let cell = |at: usize| cell(bytes.get(at..at.checked_add(4)?)?);
        let text = |at: usize| {
            let rest = bytes.get(at..)?;
            std::str::from_utf8(&rest[..rest.iter().position(|byte| *byte == 0)?]).ok()
        };
        if cell(0)? != MAGIC {
            return None;
        }
        let (mut at, strings) = (cell(8)? as usize, cell(12)? as usize);
        let (mut tree, mut path) = (Self::default(), Vec::new());
        loop {
            let token = cell(at)?;
            at += 4;
            match token {
                BEGIN_NODE => {
                    let name = text(at)?;
                    at = (at + name.len() + 1).next_multiple_of(4);
                    path.push(name);
                    tree.0.entry(path_of(&path)).or_default();
                }
                END_NODE => drop(path.pop()?),
                PROPERTY => {
                    let size = cell(at)? as usize;
                    let name = text(strings.checked_add(cell(at + 4)? as usize)?)?;
                    let value = bytes.get(at + 8..(at + 8).checked_add(size)?)?;
                    tree.0.get_mut(&path_of(&path))?.insert(name.into(), value.into());
                    at = (at + 8 + size).next_multiple_of(4);
                }
                NOTHING => {}
                END => return path.is_empty().then_some(tree),
                _ => return None,
            }
        }
    }

    /// Paths of all nodes.
    pub fn nodes(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether there is such a node.
    pub fn has(&self, node: &str) -> bool {
        self.0.contains_key(node)
    }

    /// Whether a node is there and neither it nor one above it is switched off.
    pub fn is_enabled(&self, node: &str) -> bool {
        let ends = node.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0);
        ends.chain([node.len()]).all(|end| {
            let status = self.texts(&node[..end], "status");
            self.has(&node[..end]) && (status.is_empty() || ["okay", "ok"].contains(&status[0]))
        })
    }

    /// A property as strings; none if it is not there.
    pub fn texts(&self, node: &str, property: &str) -> Vec<&str> {
        let text = std::str::from_utf8(self.property(node, property)).unwrap_or_default();
        match text.strip_suffix('\0') {
            Some(text) => text.split('\0').collect(),
            None => Vec::new(),
        }
    }

    /// A property as numbers; none if it is not there.
    pub fn cells(&self, node: &str, property: &str) -> Vec<u32> {
        self.property(node, property).chunks_exact(4).filter_map(cell).collect()
    }

    /// The node of a phandle.
    pub fn node_of(&self, handle: u32) -> Option<&str> {
        self.nodes().find(|node| self.cells(node, "phandle") == [handle])
    }

    fn property(&self, node: &str, property: &str) -> &[u8] {
        self.0.get(node).and_then(|of| of.get(property)).map_or(&[], Vec::as_slice)
    }
}

fn cell(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_be_bytes)
}

/// The root has an empty name.
fn path_of(names: &[&str]) -> String {
    match names {
        [_, below @ ..] if !below.is_empty() => format!("/{}", below.join("/")),
        _ => "/".into(),
    }
}

const MAGIC: u32 = 0xd00d_feed;
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const NOTHING: u32 = 4;
const END: u32 = 9;
