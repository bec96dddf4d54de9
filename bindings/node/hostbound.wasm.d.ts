/** The engine, compiled by the runtime or the bundler that resolves the import. */
declare const module: WebAssembly.Module
export default module
