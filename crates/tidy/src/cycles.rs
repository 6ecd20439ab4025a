//! Import cycles: no module may import itself through another.
//!
//! A module is a file. It imports what its `use` lines and paths name inside its own crate; `mod`
//! declarations and test code do not count.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Meta, Path, UseTree};

use crate::source::{Source, Violation};

/// Path of a module below its crate, without `crate` itself: `worker::control`.
type ModulePath = Vec<String>;

/// Finds the import cycles of all crates.
pub fn check(sources: &[Source]) -> Vec<Violation> {
    let mut crates: BTreeMap<&str, BTreeMap<ModulePath, &Source>> = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        if let Some(module) = module_path(&source.path) {
            crates
                .entry(source.crate_name())
                .or_default()
                .insert(module, source);
        }
    }
    crates.values().flat_map(check_crate).collect()
}

/// Finds the cycles among the modules of one crate.
fn check_crate(modules: &BTreeMap<ModulePath, &Source>) -> Vec<Violation> {
    let mut graph = DiGraph::<&ModulePath, ()>::new();
    let nodes: BTreeMap<_, _> = modules.keys().map(|it| (it, graph.add_node(it))).collect();
    for (module, source) in modules {
        for imported in imports(module, source, modules) {
            if let (Some(&from), Some(&to)) = (nodes.get(module), nodes.get(&imported)) {
                graph.add_edge(from, to, ());
            }
        }
    }
    let path_of = |node| {
        let module = graph.node_weight(node)?;
        modules.get(*module).map(|source| source.path.as_str())
    };
    let cycles = tarjan_scc(&graph);
    let cycles = cycles.iter().filter(|members| members.len() > 1);
    let violation = |members: &Vec<NodeIndex>| {
        let edges = graph.edge_references();
        let inside =
            edges.filter(|it| members.contains(&it.source()) && members.contains(&it.target()));
        let mut imports: Vec<_> = inside
            .filter_map(|it| Some((path_of(it.source())?, path_of(it.target())?)))
            .collect();
        imports.sort_unstable();
        let (path, _) = imports.first()?;
        let listed = imports
            .iter()
            .map(|(from, to)| format!("\n    {from} -> {to}"));
        Some(Violation {
            path: (*path).to_owned(),
            line: 1,
            rule: format!("import cycle:{}", listed.collect::<String>()),
        })
    };
    cycles.filter_map(violation).collect()
}

/// Returns the module that a file below `src` is; binaries are the root of their crate.
fn module_path(path: &str) -> Option<ModulePath> {
    let (_, inside) = path.split_once("/src/")?;
    let name = inside.strip_suffix(".rs")?;
    if name == "lib" || name == "main" {
        return Some(Vec::new());
    }
    Some(name.split('/').map(str::to_owned).collect())
}

/// Returns the other modules of its crate that a module names.
fn imports(
    module: &ModulePath,
    source: &Source,
    modules: &BTreeMap<ModulePath, &Source>,
) -> BTreeSet<ModulePath> {
    let Ok(file) = syn::parse_file(&source.text) else {
        return BTreeSet::new();
    };
    let children = file
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Mod(child) if child.content.is_none() => Some(child.ident.to_string()),
            _ => None,
        })
        .collect();
    let mut collector = Collector {
        module,
        children,
        depth: 0,
        named: Vec::new(),
    };
    collector.visit_file(&file);
    let resolve = |mut path: ModulePath| {
        while !modules.contains_key(&path) {
            path.pop()?;
        }
        Some(path)
    };
    let named = collector.named.into_iter().filter_map(resolve);
    named.filter(|imported| imported != module).collect()
}

/// Collects the absolute paths that a file names inside its crate.
struct Collector<'a> {
    /// Module of the file.
    module: &'a ModulePath,
    /// Modules it declares, which paths may begin with.
    children: BTreeSet<String>,
    /// Number of inline modules around the item being visited.
    depth: usize,
    /// What was found, items included.
    named: Vec<ModulePath>,
}

impl Collector<'_> {
    /// Makes a path absolute; records nothing for paths that begin elsewhere.
    fn record(&mut self, segments: &[String]) {
        let mut base = self.module.clone();
        let mut depth = self.depth;
        let is_relative = |first: &String| first == "self" || first == "super";
        match segments.first() {
            Some(first) if first == "crate" => base.clear(),
            Some(first) if is_relative(first) || self.children.contains(first) => {}
            _ => return,
        }
        for segment in segments {
            match segment.as_str() {
                "crate" | "self" => {}
                "super" if depth > 0 => depth -= 1,
                "super" => {
                    base.pop();
                }
                name => base.push(name.to_owned()),
            }
        }
        self.named.push(base);
    }

    fn record_tree(&mut self, prefix: &mut Vec<String>, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.record_tree(prefix, &path.tree);
                prefix.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.record_tree(prefix, tree);
                }
            }
            UseTree::Name(_) | UseTree::Rename(_) | UseTree::Glob(_) => {
                let mut segments = prefix.clone();
                match tree {
                    UseTree::Name(name) if name.ident != "self" => {
                        segments.push(name.ident.to_string());
                    }
                    UseTree::Rename(rename) if rename.ident != "self" => {
                        segments.push(rename.ident.to_string());
                    }
                    _ => {}
                }
                self.record(&segments);
            }
        }
    }
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test_item(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        self.depth += usize::from(module.content.is_some());
        visit::visit_item_mod(self, module);
        self.depth -= usize::from(module.content.is_some());
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.record_tree(&mut Vec::new(), &item.tree);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if path.segments.len() > 1 {
            let segments: Vec<_> = path
                .segments
                .iter()
                .map(|it| it.ident.to_string())
                .collect();
            self.record(&segments);
        }
        visit::visit_path(self, path);
    }
}

/// Returns whether an item is compiled for tests only.
fn is_test_item(item: &Item) -> bool {
    let attributes = match item {
        Item::Mod(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        _ => return false,
    };
    attributes.iter().any(is_cfg_test)
}

fn is_cfg_test(attribute: &Attribute) -> bool {
    match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    }
}
