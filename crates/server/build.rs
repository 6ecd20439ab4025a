//! Has the program built again when the web client was: embedded files come and go with it.

fn main() {
    println!("cargo::rerun-if-changed=../../web/dist");
}
