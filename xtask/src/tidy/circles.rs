//! No file imports, directly or through others, from one that imports from it.

use std::collections::BTreeMap;

use super::modules::{Imports, imports};
use super::tree::{Finding, Tree};

/// Folders of a package whose files are each the root of a crate.
const ROOTS: [&str; 4] = ["benches/", "examples/", "fuzz_targets/", "tests/"];

/// No crate has a circle of imports.
pub(super) fn circles(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for root in roots(tree) {
        match imports(tree, root) {
            Ok(imports) => findings.extend(components(&imports).into_iter().map(|circle| {
                let place = circle.first().cloned().unwrap_or_default();
                Finding::new(place, describe(&circle, &imports))
            })),
            Err((file, error)) => findings.push(Finding::new(file, format!("cannot be parsed: {error}"))),
        }
    }
    findings
}

/// The roots of all crates: of each package its library, its programs, tests and examples.
fn roots(tree: &Tree) -> Vec<&str> {
    let manifests = tree.texts.keys().filter_map(|path| path.strip_suffix("Cargo.toml"));
    let folders: Vec<&str> = manifests.collect();
    let is_root = |path: &str| {
        folders.iter().filter_map(|folder| path.strip_prefix(folder)).any(|path| {
            let own = ROOTS.iter().find_map(|folder| path.strip_prefix(folder));
            own.is_some_and(|name| !name.contains('/')) || matches!(path, "src/lib.rs" | "src/main.rs")
        })
    };
    tree.sources().map(|(path, _)| path.as_str()).filter(|path| is_root(path)).collect()
}

/// The files of a circle and what ties each to the next.
fn describe(circle: &[String], imports: &Imports) -> String {
    let mut text = format!("{} files import from one another", circle.len());
    for from in circle {
        for (to, names) in imports.get(from).into_iter().flatten().filter(|(to, _)| circle.contains(to)) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            text.push_str(&format!("\n         {from} needs {} of {to}", names.join(", ")));
        }
    }
    text
}

/// The strongly connected components of more than one file, each sorted: Tarjan's algorithm.
fn components(imports: &Imports) -> Vec<Vec<String>> {
    let mut search = Search { imports, marks: BTreeMap::new(), stack: Vec::new(), found: Vec::new() };
    for file in imports.keys() {
        if !search.marks.contains_key(file.as_str()) {
            search.visit(file);
        }
    }
    search.found.sort();
    search.found
}

struct Search<'a> {
    imports: &'a Imports,
    /// When each file was first met, and the earliest file that it leads to.
    marks: BTreeMap<&'a str, (usize, usize)>,
    stack: Vec<&'a str>,
    found: Vec<Vec<String>>,
}

impl<'a> Search<'a> {
    /// Visits a file and all that it leads to. Returns the earliest file on the stack that it leads to.
    fn visit(&mut self, file: &'a str) -> usize {
        let number = self.marks.len();
        self.marks.insert(file, (number, number));
        self.stack.push(file);
        let mut low = number;
        for next in self.imports.get(file).into_iter().flat_map(BTreeMap::keys) {
            match self.marks.get(next.as_str()) {
                None => low = low.min(self.visit(next)),
                Some(&(number, _)) if self.stack.contains(&next.as_str()) => low = low.min(number),
                Some(_) => {}
            }
        }
        self.marks.insert(file, (number, low));
        if low == number {
            let start = self.stack.iter().position(|open| *open == file).unwrap_or_default();
            let mut component: Vec<String> = self.stack.drain(start..).map(str::to_owned).collect();
            if component.len() > 1 {
                component.sort();
                self.found.push(component);
            }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The findings in a crate of these files.
    fn found(files: &[(&str, &str)]) -> Vec<Finding> {
        let mut tree = Tree::of(files);
        tree.texts.insert("Cargo.toml".to_owned(), String::new());
        circles(&tree)
    }

    #[test]
    fn two_files_that_import_from_one_another_are_a_circle() {
        let found = found(&[
            ("src/lib.rs", "mod a; mod b;"),
            ("src/a.rs", "use crate::b::B; pub struct A(B);"),
            ("src/b.rs", "use super::a; pub struct B; fn f(_: a::A) {}"),
        ]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "src/a.rs");
        assert!(found[0].what.contains("src/b.rs needs A of src/a.rs"), "{}", found[0]);
    }

    #[test]
    fn a_circle_of_three_through_re_exports_and_globs_is_found() {
        let found = found(&[
            ("src/lib.rs", "mod a; mod b; mod c;"),
            ("src/a/mod.rs", "mod inner; pub use inner::Inner;"),
            ("src/a/inner.rs", "use crate::b::*; pub struct Inner(B);"),
            ("src/b.rs", "pub struct B; fn f() { crate::c::go() }"),
            ("src/c.rs", "use crate::a::Inner as I; pub fn go() {}"),
        ]);
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains("3 files"), "{}", found[0]);
    }

    #[test]
    fn a_child_and_its_parent_are_a_circle_where_each_needs_the_other() {
        let parent = "mod child; pub struct P; fn f() { child::go(&P) }";
        let child = "use super::P; pub fn go(_: &P) {}";
        let found = found(&[("src/lib.rs", parent), ("src/child.rs", child)]);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn a_parent_that_declares_and_hands_on_is_none() {
        let parent = "mod child; pub use child::go; pub struct P;";
        let child = "use super::P; pub fn go(_: &P) {}\n#[cfg(test)] mod tests { use super::*; }";
        assert_eq!(found(&[("src/lib.rs", parent), ("src/child.rs", child)]), []);
    }

    #[test]
    fn tests_do_not_count() {
        let a = "pub struct A; #[cfg(test)] mod tests { use crate::b::B; } #[cfg(test)] impl A { fn t(_: crate::b::B) {} }";
        let b = "use crate::a::A; pub struct B(A);";
        assert_eq!(found(&[("src/lib.rs", "mod a; mod b;"), ("src/a.rs", a), ("src/b.rs", b)]), []);
    }

    #[test]
    fn a_file_that_is_no_rust_is_said() {
        assert_eq!(found(&[("src/lib.rs", "fn {")]).len(), 1);
    }
}
