/** What the wasm module is made from. */
export type ModuleBytes = BufferSource | WebAssembly.Module | Response;
/** Where the module comes from: its bytes, a response, or a promise of one. */
export type Source = ModuleBytes | Promise<ModuleBytes>;
