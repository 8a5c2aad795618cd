//! Compiles the screens. Debug information stays in, so that tests find elements by role and label.

fn main() {
    let configuration = slint_build::CompilerConfiguration::new()
        .with_style("fluent-light".into())
        .with_debug_info(true);
    slint_build::compile_with_config("app.slint", configuration)
        .expect("the screens compile, or the build stops here with the compiler's message");
}
