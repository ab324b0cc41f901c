//! `#[test]` for a module of tests: the function, and an export that calls it.

use proc_macro::{TokenStream, TokenTree};

/// Stands for the compiler's own `#[test]`, which needs a harness that prints and unwinds. A wasm
/// module without a system can do neither, so its host calls one export after the other:
/// `test MODULE::NAME`, without arguments or a result, which traps if the test fails.
#[proc_macro_attribute]
pub fn test(_: TokenStream, function: TokenStream) -> TokenStream {
    let name = name_of(function.clone());
    let export = format!(
        "const _: () = {{
            #[unsafe(export_name = concat!(\"test \", module_path!(), \"::{name}\"))]
            extern \"C\" fn exported() {{ crate::run({name}) }}
        }};"
    );
    let export: TokenStream = export.parse().expect("tokens");
    [function, export].into_iter().collect()
}

fn name_of(function: TokenStream) -> String {
    let mut tokens = function.into_iter();
    let is_fn =
        |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word.to_string() == "fn");
    assert!(tokens.any(|token| is_fn(&token)), "#[test] is for functions");
    tokens.next().expect("a name").to_string()
}
