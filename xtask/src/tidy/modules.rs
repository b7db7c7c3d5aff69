//! The module tree of a crate, and the files that each file's paths lead to.
//!
//! Names are resolved as far as the check for circular imports needs it: `use` declarations with their aliases and globs,
//! re-exports, and paths in code, in macro calls and in serde's attributes. Code for tests alone (`#[cfg(test)]`) is left
//! out. Names from other crates, and methods, resolve to nothing.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::{Attribute, Item, UseTree, Visibility};

use super::paths::{Mentions, Path, mentions, plain};
use super::tree::Tree;

/// For each file, the files that it depends on, each with the names that tie them.
pub(super) type Imports = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// A module of a crate, as a place in [`Crate::modules`].
type Id = usize;

/// The modules of one crate. The first is the root.
#[derive(Debug, Default)]
struct Crate {
    modules: Vec<Module>,
}

#[derive(Debug, Default)]
struct Module {
    parent: Option<Id>,
    file: String,
    /// The meanings of a name here: a module, an item and an import may share one.
    names: BTreeMap<String, Vec<Meaning>>,
    /// Imports of all names of a module.
    globs: Vec<Path>,
    /// Paths that the module's own code goes through.
    used: Vec<Path>,
    /// Paths that it only hands on: `pub use`.
    handed_on: Vec<Path>,
}

#[derive(Clone, Debug)]
enum Meaning {
    Module(Id),
    Item,
    Import(Path),
}

/// The target of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Module(Id),
    /// An item of a module, by name.
    Item(Id, String),
}

/// The imports between the files of the crate whose root is `root`.
///
/// # Errors
/// The file that cannot be parsed, and why.
pub(super) fn imports(tree: &Tree, root: &str) -> Result<Imports, (String, syn::Error)> {
    let mut found = Crate::default();
    let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
    found.add_file(tree, None, root, folder)?;
    Ok(found.imports())
}

impl Crate {
    /// Parses a file as a module; the files of its child modules lie in `folder`.
    fn add_file(
        &mut self,
        tree: &Tree,
        parent: Option<Id>,
        file: &str,
        folder: &str,
    ) -> Result<Id, (String, syn::Error)> {
        let text = tree.texts.get(file).map_or("", String::as_str);
        let parsed = syn::parse_file(text).map_err(|error| (file.to_owned(), error))?;
        self.add_module(tree, parent, file, folder, parsed.items)
    }

    fn add_module(
        &mut self,
        tree: &Tree,
        parent: Option<Id>,
        file: &str,
        folder: &str,
        items: Vec<Item>,
    ) -> Result<Id, (String, syn::Error)> {
        let id = self.modules.len();
        self.modules.push(Module { parent, file: file.to_owned(), ..Module::default() });
        for item in items {
            if is_test(attributes(&item)) {
                continue;
            }
            match item {
                Item::Mod(module) => {
                    let name = plain(&module.ident);
                    let below = format!("{folder}/{name}");
                    let child = match module.content {
                        Some((_, items)) => self.add_module(tree, Some(id), file, &below, items)?,
                        None => {
                            let flat = format!("{below}.rs");
                            let path =
                                if tree.texts.contains_key(&flat) { flat } else { format!("{below}/mod.rs") };
                            self.add_file(tree, Some(id), &path, &below)?
                        }
                    };
                    self.define(id, name, Meaning::Module(child));
                }
                Item::Use(item) => {
                    let is_public = !matches!(item.vis, Visibility::Inherited);
                    self.add_import(id, &item.tree, is_public);
                }
                item => self.add_item(id, item),
            }
        }
        Ok(id)
    }

    fn add_item(&mut self, module: Id, mut item: Item) {
        if let Some(name) = name(&item) {
            self.define(module, name, Meaning::Item);
        }
        if let Item::Impl(block) = &mut item {
            block.items.retain(|item| match item {
                syn::ImplItem::Fn(function) => !is_test(&function.attrs),
                syn::ImplItem::Const(constant) => !is_test(&constant.attrs),
                _ => true,
            });
        }
        let mut found = Mentions::default();
        mentions(item.into_token_stream(), &mut found);
        for import in found.imports {
            self.add_import(module, &import.tree, false);
        }
        if let Some(module) = self.modules.get_mut(module) {
            module.used.extend(found.paths);
        }
    }

    fn add_import(&mut self, module: Id, tree: &UseTree, is_public: bool) {
        let mut leaves = Vec::new();
        flatten(tree, &mut Vec::new(), &mut leaves);
        for (path, name) in leaves {
            if let Some(module) = self.modules.get_mut(module) {
                match name {
                    Leaf::Glob => module.globs.push(path),
                    Leaf::Nameless => module.used.push(path),
                    Leaf::Named(name) => {
                        let paths = if is_public { &mut module.handed_on } else { &mut module.used };
                        paths.push(path.clone());
                        module.names.entry(name).or_default().push(Meaning::Import(path));
                    }
                }
            }
        }
    }

    fn define(&mut self, module: Id, name: String, meaning: Meaning) {
        if let Some(module) = self.modules.get_mut(module) {
            module.names.entry(name).or_default().push(meaning);
        }
    }

    /// The dependencies of each file on others. Handing on what a module below has is none.
    fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for (id, module) in self.modules.iter().enumerate() {
            let used = module.used.iter().map(|path| (path, false));
            let handed_on = module.handed_on.iter().map(|path| (path, true));
            for (path, is_handed_on) in used.chain(handed_on) {
                for target in self.resolve(id, path, &mut Vec::new()) {
                    let Target::Item(owner, name) = target else { continue };
                    let Some(other) = self.modules.get(owner) else { continue };
                    if other.file != module.file && !(is_handed_on && self.is_below(owner, id)) {
                        let from = imports.entry(module.file.clone()).or_default();
                        from.entry(other.file.clone()).or_default().insert(name);
                    }
                }
            }
        }
        imports
    }

    fn is_below(&self, module: Id, ancestor: Id) -> bool {
        let mut above = self.parent(module);
        while let Some(id) = above {
            if id == ancestor {
                return true;
            }
            above = self.parent(id);
        }
        false
    }

    fn parent(&self, module: Id) -> Option<Id> {
        self.modules.get(module)?.parent
    }

    /// The targets of a path in a module. `open` holds the imports that are being followed, so that one which leads back to
    /// itself ends.
    fn resolve(&self, module: Id, path: &[String], open: &mut Vec<(Id, String)>) -> Vec<Target> {
        let Some((first, mut rest)) = path.split_first() else {
            return Vec::new();
        };
        let mut targets = match first.as_str() {
            "crate" => vec![Target::Module(0)],
            "self" => vec![Target::Module(module)],
            "super" => self.parent(module).map(Target::Module).into_iter().collect(),
            name => self.look_up(module, name, open),
        };
        while let Some((segment, after)) = rest.split_first() {
            // A function may have a module's name; only the module has something below it.
            if targets.iter().any(|target| matches!(target, Target::Module(_))) {
                targets.retain(|target| matches!(target, Target::Module(_)));
            }
            targets = targets
                .into_iter()
                .flat_map(|target| match target {
                    Target::Module(id) if segment == "super" => {
                        self.parent(id).map(Target::Module).into_iter().collect()
                    }
                    Target::Module(id) => self.look_up(id, segment, open),
                    // What follows is a variant or an associated item.
                    item @ Target::Item(..) => vec![item],
                })
                .collect();
            rest = after;
        }
        targets
    }

    /// The targets of a name in a module.
    fn look_up(&self, module: Id, name: &str, open: &mut Vec<(Id, String)>) -> Vec<Target> {
        let Some(found) = self.modules.get(module) else {
            return Vec::new();
        };
        let key = (module, name.to_owned());
        let is_open = open.contains(&key);
        open.push(key);
        let mut targets = Vec::new();
        for meaning in found.names.get(name).map(Vec::as_slice).unwrap_or_default() {
            match meaning {
                Meaning::Module(id) => targets.push(Target::Module(*id)),
                Meaning::Item => targets.push(Target::Item(module, name.to_owned())),
                Meaning::Import(path) if !is_open => targets.extend(self.resolve(module, path, open)),
                Meaning::Import(_) => {}
            }
        }
        if targets.is_empty() && !is_open {
            for path in &found.globs {
                for target in self.resolve(module, path, open) {
                    if let Target::Module(id) = target {
                        targets.extend(self.look_up(id, name, open));
                    }
                }
            }
        }
        open.pop();
        targets
    }
}

/// The end of an import.
enum Leaf {
    Named(String),
    /// `as _`.
    Nameless,
    Glob,
}

/// The paths of an import, each with the name that it gives.
fn flatten(tree: &UseTree, before: &mut Path, leaves: &mut Vec<(Path, Leaf)>) {
    let whole = |name: &str| {
        let mut path = before.clone();
        // `a::{self}` means `a`.
        if name != "self" || path.is_empty() {
            path.push(name.to_owned());
        }
        path
    };
    match tree {
        UseTree::Path(path) => {
            before.push(plain(&path.ident));
            flatten(&path.tree, before, leaves);
            before.pop();
        }
        UseTree::Name(item) => {
            let path = whole(&plain(&item.ident));
            let name = path.last().cloned().unwrap_or_default();
            leaves.push((path, Leaf::Named(name)));
        }
        UseTree::Rename(item) => {
            let alias = plain(&item.rename);
            let leaf = if alias == "_" { Leaf::Nameless } else { Leaf::Named(alias) };
            leaves.push((whole(&plain(&item.ident)), leaf));
        }
        UseTree::Glob(_) => leaves.push((before.clone(), Leaf::Glob)),
        UseTree::Group(group) => group.items.iter().for_each(|item| flatten(item, before, leaves)),
    }
}

/// The name that an item defines.
fn name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(plain(ident))
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether these attributes keep an item for tests.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute.meta.require_list().is_ok_and(|list| is_test_configuration(list.tokens.clone()))
    })
}

/// `test` alone, or `all(test, …)`.
fn is_test_configuration(tokens: TokenStream) -> bool {
    let text = tokens.to_string();
    text == "test" || text.strip_prefix("all").is_some_and(|all| all.contains("test") && !all.contains("not"))
}
