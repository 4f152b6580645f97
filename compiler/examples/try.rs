//! t
use seqwright_compiler::*;
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let mut sources = source::Sources::default();
    let (program, diagnostics) = check::program::read(&mut sources, &|_, _| Err("no".into()), &path, &text);
    for d in &diagnostics { print!("{}", diagnostic::render(d, &sources, false)); }
    match check::check(&program, None, &Default::default(), check::Missing::Refuse) {
        Ok(model) => { let g = graph::build(&model, &model.results.clone()); let g= pass::optimise(g); let f = fuse::fuse(g); println!("{}", f.print()); println!("{}", kernel::lower(&f).print()) }
        Err(all) => for d in &all { print!("{}", diagnostic::render(d, &sources, false)); }
    }
}
