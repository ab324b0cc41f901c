//! `bindgen MODULE.wasm OUT_DIR`: the JavaScript and the wasm of target `web`.

use std::env::args;
use std::error::Error;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let (Some(module), Some(out)) = (args().nth(1), args().nth(2)) else {
        return Err("usage: bindgen MODULE.wasm OUT_DIR".into());
    };
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).web(true)?.typescript(true).omit_default_module_path(false);
    Ok(bindgen.generate(out)?)
}
