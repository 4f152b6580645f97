//! t
use seqwright::{batch::*, session::*, weights::*, tiles::Instructions};
use std::collections::BTreeMap;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let cp = Checkpoint::open(a[2].as_ref()).unwrap();
    let io = Io::open(&std::path::Path::new(&a[2]).join("io.safetensors")).unwrap();
    let fail = |f: Failure| -> ! { print!("{}", f.render(false)); std::process::exit(1) };
    let names: Vec<String> = io.outputs.keys().filter(|k| *k != "greedy").cloned().collect();
    let req = Request { file: a[1].clone().into(), outputs: Some(names.clone()), ..Default::default() };
    let checked = check(&req, Some(&cp)).unwrap_or_else(|f| fail(f));
    let w = weights(&checked, Some(&cp)).unwrap_or_else(|f| fail(f));
    let mut lengths = BTreeMap::new();
    let mut ins = io.inputs.clone(); ins.remove("prompt");
    if let Some(l) = ins.remove("lengths") { if let Values::Integers(v) = l.values() { lengths.insert("T".to_string(), v.iter().map(|x| *x as usize).collect()); } }
    let batch = Batch::from_tensors(&checked.model, &ins, &lengths).unwrap_or_else(|e| fail(Failure::Inputs(e, checked.sources.clone())));
    for backend in [Backend::Interpreter, Backend::Cpu(Instructions::Avx2, 1), Backend::Cpu(Instructions::Emitted, 2)] {
        let r = Runner::new(&checked, &w, backend).unwrap_or_else(|f| fail(f));
        let t = std::time::Instant::now();
        let out = r.run(&batch).unwrap_or_else(|f| fail(f));
        let dt = t.elapsed();
        for ((n, id), rows) in r.outputs().iter().zip(&out) {
            let got = padded(&r.model().value(*id).axes, &batch, rows);
            let (Values::Floats(g), Values::Floats(e)) = (got.values(), io.outputs[n].values()) else { panic!() };
            assert_eq!(g.len(), e.len(), "{:?} {:?}", got.shape(), io.outputs[n].shape());
            let err = g.iter().zip(e).map(|(a, b)| if a.is_nan() {f32::INFINITY} else {(a - b).abs()}).fold(0f32, f32::max);
            println!("{:?} {n} {:?} err {err:e} {dt:?}", backend, got.shape());
        }
    }
}
