fn main() {
    napi_build::setup();
    // Threads of the pool sleep in this library's code. Node unloads an addon with the last worker thread that has loaded it.
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
