//! Tells the linker how the binary gets small.
use std::env::{var, var_os};

/// Equal functions, of which generic code has many, become one, and relocations are packed. Only where Rust brings its
/// own linker, which knows how; another one that was chosen may not.
#[expect(clippy::disallowed_methods, reason = "a build script is told everything by the environment")]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| var(name).is_ok_and(|text| text == value);
    let own_linker = var_os("RUSTC_LINKER").is_none() && is("CARGO_ENCODED_RUSTFLAGS", "");
    if own_linker && is("PROFILE", "release") && is("TARGET", "x86_64-unknown-linux-gnu") {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all,-z,pack-relative-relocs");
    }
}
