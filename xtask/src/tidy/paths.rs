//! The paths that a piece of code mentions, read off its tokens, so that macro calls count as well.

use proc_macro2::{Delimiter, Ident, Spacing, TokenStream, TokenTree};
use syn::ItemUse;

/// A path, segment by segment.
pub(super) type Path = Vec<String>;

/// The paths that a piece of code mentions.
#[derive(Default)]
pub(super) struct Mentions {
    /// Paths of any length, names of variables and the like included.
    pub(super) paths: Vec<Path>,
    /// Imports within function bodies.
    pub(super) imports: Vec<ItemUse>,
}

/// Adds what `tokens` mention.
pub(super) fn mentions(tokens: TokenStream, found: &mut Mentions) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Group(group) => {
                if is_attribute(&tokens, at) && group.delimiter() == Delimiter::Bracket {
                    attribute(group.stream(), found);
                } else {
                    mentions(group.stream(), found);
                }
                at += 1;
            }
            TokenTree::Ident(ident) if ident == "use" => {
                let end = tokens.iter().skip(at).position(|token| is_punct(Some(token), ';'));
                let end = end.map_or(tokens.len(), |end| at + end + 1);
                let import: TokenStream = tokens.get(at..end).unwrap_or_default().iter().cloned().collect();
                // `use<'a>` in a type is no import.
                match syn::parse2(import) {
                    Ok(import) => {
                        found.imports.push(import);
                        at = end;
                    }
                    Err(_) => at += 1,
                }
            }
            TokenTree::Ident(_) => {
                let (path, end) = path(&tokens, at);
                let is_field_name =
                    path.len() == 1 && is_punct(tokens.get(end), ':') && !is_punct(tokens.get(end + 1), ':');
                if !is_field_name && !continues(&tokens, at) {
                    found.paths.push(path);
                }
                at = end;
            }
            _ => at += 1,
        }
    }
}

/// The path that begins at `at`, and the place behind it.
fn path(tokens: &[TokenTree], mut at: usize) -> (Path, usize) {
    let mut path = Path::new();
    while let Some(TokenTree::Ident(ident)) = tokens.get(at) {
        path.push(plain(ident));
        at += 1;
        let goes_on = is_punct(tokens.get(at), ':')
            && is_punct(tokens.get(at + 1), ':')
            && matches!(tokens.get(at + 2), Some(TokenTree::Ident(_)));
        if !goes_on {
            break;
        }
        at += 2;
    }
    (path, at)
}

/// Whether the name at `at` is no path of its own: a field or method, a lifetime, an associated item, a function's name.
fn continues(tokens: &[TokenTree], at: usize) -> bool {
    let before = |steps: usize| at.checked_sub(steps).and_then(|at| tokens.get(at));
    let is_range = is_punct(before(2), '.');
    match before(1) {
        Some(TokenTree::Punct(punct)) => match punct.as_char() {
            '.' => !is_range,
            '\'' => punct.spacing() == Spacing::Joint,
            ':' => is_punct(before(2), ':'),
            _ => false,
        },
        Some(TokenTree::Ident(ident)) => ident == "fn",
        _ => false,
    }
}

/// Whether the group at `at` belongs to `#[…]` or `#![…]`.
fn is_attribute(tokens: &[TokenTree], at: usize) -> bool {
    let before = |steps: usize| at.checked_sub(steps).and_then(|at| tokens.get(at));
    is_punct(before(1), '#') || (is_punct(before(1), '!') && is_punct(before(2), '#'))
}

/// Adds what an attribute mentions; serde takes paths as texts.
fn attribute(tokens: TokenStream, found: &mut Mentions) {
    let is_serde = tokens.clone().into_iter().next().is_some_and(|token| token.to_string() == "serde");
    if is_serde {
        texts(tokens, found);
    } else {
        mentions(tokens, found);
    }
}

fn texts(tokens: TokenStream, found: &mut Mentions) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => texts(group.stream(), found),
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                if let Ok(tokens) = text.trim_matches('"').parse::<TokenStream>() {
                    mentions(tokens, found);
                }
            }
            _ => {}
        }
    }
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

/// An identifier without its `r#`.
pub(super) fn plain(ident: &Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").map_or_else(|| text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paths in a piece of code, as text.
    fn paths_of(code: &str) -> Vec<String> {
        let mut found = Mentions::default();
        mentions(code.parse().unwrap(), &mut found);
        found.paths.iter().map(|path| path.join("::")).collect()
    }

    #[test]
    fn paths_are_found_in_code_macros_and_serde_attributes() {
        assert_eq!(paths_of("a::b(c)"), ["a::b", "c"]);
        assert_eq!(paths_of("format!(\"{}\", crate::text::shown(x))"), ["format", "crate::text::shown", "x"]);
        assert_eq!(paths_of("#[serde(with = \"crate::hex\")] x: u8"), ["crate::hex", "u8"]);
        assert_eq!(paths_of("Vec::<super::Line>::new()"), ["Vec", "super::Line"]);
        assert_eq!(paths_of("..Limits::default()"), ["Limits::default"]);
    }

    #[test]
    fn fields_methods_lifetimes_and_names_of_functions_are_no_paths() {
        assert_eq!(paths_of("a.b.c()"), ["a"]);
        assert_eq!(paths_of("fn name(x: &'static str)"), ["fn", "str"]);
        assert_eq!(paths_of("<A as B>::c"), ["A", "as", "B"]);
    }

    #[test]
    fn imports_in_function_bodies_are_found() {
        let mut found = Mentions::default();
        mentions("{ use a::{b, c}; fn f() -> impl Sized + use<'_> {} }".parse().unwrap(), &mut found);
        assert_eq!(found.imports.len(), 1);
    }
}
