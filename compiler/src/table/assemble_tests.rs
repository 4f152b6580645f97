//! Tests of `assemble.rs`: tensors made of numbered weights.

use super::super::testing::{model, program, shown};
use super::super::{FileFormat, bindings};
use super::*;

/// The tensors of a program whose weights' elements are numbered through in the order of the file.
fn made(text: &str, like: Option<&Shapes>) -> BTreeMap<String, Assembled> {
    let (program, sources) = program(text);
    let model = model(&program, &sources, &[]);
    let table =
        bindings(&program, &model, FileFormat::Safetensors).unwrap_or_else(|all| panic!("{}", shown(&all, &sources)));
    let mut next = 0.0;
    let mut number = || {
        next += 1.0;
        next
    };
    let values = model
        .weights()
        .map(|(id, value)| {
            let count = value.axes.iter().map(|axis| axis.size().unwrap()).product();
            (id, std::iter::repeat_with(&mut number).take(count).collect::<Vec<f32>>())
        })
        .collect();
    assemble(&table, &model, &values, like).unwrap()
}

const TEXT: &str = "model M(x: [T, dim]; dim = 2) { a = affine(x; size = 3)  b = linear(x; size) }
checkpoint M {
  prefix \"m.\" optional
  \"w\" = transpose(stack(a, b))
  \"c\"[.. 2 + 1] + \"d\" = a.bias
}";

#[test]
fn stacks_are_turned_and_sums_have_one_part() {
    let tensors = made(TEXT, None);
    let names: Vec<&str> = tensors.keys().map(String::as_str).collect();
    assert_eq!(names, ["m.c", "m.d", "m.w"]);
    let wide = &tensors["m.w"];
    assert_eq!(wide.shape, [2, 6]);
    // `a` is 1 2, 3 4, 5 6; its bias 7 8 9; `b` 10 11, 12 13, 14 15.
    let rows = [1.0, 3.0, 5.0, 10.0, 12.0, 14.0, 2.0, 4.0, 6.0, 11.0, 13.0, 15.0];
    assert_eq!(wide.elements, rows);
    assert_eq!(tensors["m.c"].elements, [7.0, 8.0, 9.0]);
    assert_eq!(tensors["m.d"], Assembled { shape: vec![3], elements: vec![0.0; 3] });
}

#[test]
fn names_and_shapes_of_another_checkpoint_are_kept() {
    let like =
        Shapes::from([("w".to_string(), vec![2, 2, 3]), ("m.c".to_string(), vec![1, 3]), ("d".to_string(), vec![4])]);
    let tensors = made(TEXT, Some(&like));
    let shapes: Vec<(&str, &[usize])> =
        tensors.iter().map(|(name, tensor)| (name.as_str(), &tensor.shape[..])).collect();
    let wanted: [(&str, &[usize]); 3] = [("d", &[3]), ("m.c", &[1, 3]), ("w", &[2, 2, 3])];
    assert_eq!(shapes, wanted);
}

#[test]
fn without_a_table_tensors_have_the_weights_axes() {
    let text = TEXT.split("checkpoint").next().unwrap();
    let tensors = made(&text.replace("(x; size = 3)", "(x; heads = 3, size = 1)"), None);
    assert_eq!(tensors["a"].shape, [3, 1, 2]);
    assert_eq!(tensors["a.bias"].shape, [3, 1]);
}

#[test]
fn weights_without_numbers_are_told() {
    let (program, sources) = program(TEXT);
    let model = model(&program, &sources, &[]);
    let table = bindings(&program, &model, FileFormat::Safetensors).unwrap();
    let first = model.weights().next().unwrap().0;
    let values = BTreeMap::from([(first, vec![1.0])]);
    let faults = assemble(&table, &model, &values, None).unwrap_err();
    assert_eq!(faults.len(), 3);
    assert_eq!(faults[0], "the weight `a` has 1 numbers, 6 are wanted");
}

#[test]
fn a_weight_that_shares_its_tensor_is_written_by_its_own_name() {
    let text = "model M(x: [T, dim]; dim = 2) { a = linear(x; dim)  head = linear(a; dim) }
checkpoint M { \"a\" = a  \"head\" | \"a\" = head }";
    let like = Shapes::from([("a".to_string(), vec![2, 2])]);
    for like in [None, Some(&like)] {
        let tensors = made(text, like);
        assert_eq!(tensors["a"].elements, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(tensors["head"].elements, [5.0, 6.0, 7.0, 8.0]);
    }
}
