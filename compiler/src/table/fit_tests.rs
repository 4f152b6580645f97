//! Tests of `fit.rs`: tables held against files.

use super::super::testing::{model, program, shown};
use super::super::{FileFormat, bindings, testing};
use super::*;

/// A model with weights `a` [2, 2, 4], its bias, `b` [3, 2, 2] and `head` [5, 3].
fn table_text(lines: &str) -> String {
    format!(
        "model M(x: [T, dim]; dim = 4) {{
  a = affine(x; heads = 2, head_dim = 2)
  b = linear(a; size = 3)
  head = linear(b; words = 5)
}}
checkpoint M {{ prefix \"m.\" optional\n{lines}\n}}"
    )
}

const LINES: &str = "\"a\" = a
\"c\"[0 .. 4] + \"d\" = a.bias
\"b\" = transpose(b)
\"head\" | \"tied\" = head";

fn tensors(list: &[(&str, &[usize])]) -> Shapes {
    list.iter().map(|(name, shape)| (name.to_string(), shape.to_vec())).collect()
}

fn fitted(text: &str, file: &Shapes) -> Result<Vec<String>, Vec<(String, String, String)>> {
    let (program, sources) = program(text);
    let model = model(&program, &sources, &[]);
    let table =
        bindings(&program, &model, FileFormat::Safetensors).unwrap_or_else(|all| panic!("{}", shown(&all, &sources)));
    match fit(&table, &model, file) {
        Ok(fit) => Ok(fit.reads.into_iter().map(|read| read.tensor).collect()),
        Err(all) => Err(all.into_iter().map(|one| testing::only(&[one], &sources)).collect()),
    }
}

fn mistake(lines: &str, file: &Shapes) -> String {
    let found = fitted(&table_text(lines), file).unwrap_err();
    let [(message, place, help)] = found.as_slice() else { panic!("not one: {found:?}") };
    format!("{message} @ {place} @ {help}")
}

fn good() -> Shapes {
    tensors(&[("m.a", &[4, 4]), ("c", &[4]), ("m.d", &[2, 2]), ("b", &[4, 3]), ("head", &[5, 3])])
}

fn changed(name: &str, shape: &[usize]) -> Shapes {
    let mut file = good();
    file.remove(name);
    file.insert(name.to_string(), shape.to_vec());
    file
}

#[test]
fn tensors_are_found_with_and_without_prefixes_and_by_other_names() {
    assert_eq!(fitted(&table_text(LINES), &good()).unwrap(), ["m.a", "c", "m.d", "b", "head"]);
    let mut tied = good();
    tied.remove("head");
    tied.insert("m.tied".to_string(), vec![1, 5, 3]);
    assert_eq!(fitted(&table_text(LINES), &tied).unwrap()[4], "m.tied");
    tied.insert("b".to_string(), vec![2, 2, 3]);
    assert!(fitted(&table_text(LINES), &tied).is_ok());
}

#[test]
fn a_tensor_may_be_read_again_for_want_of_another() {
    let text = "model M(x: [T, dim]; dim = 4) { a = linear(x; dim)  head = linear(a; dim) }
checkpoint M { \"a\" = a  \"head\" | \"a\" = head }";
    assert_eq!(fitted(text, &tensors(&[("a", &[4, 4])])).unwrap(), ["a", "a"]);
    let both = tensors(&[("a", &[4, 4]), ("head", &[4, 4])]);
    assert_eq!(fitted(text, &both).unwrap(), ["a", "head"]);
    let part = text.replace("\"head\" | \"a\"", "\"head\" | \"a\"[0 ..]");
    assert!(fitted(&part, &tensors(&[("a", &[4, 4])])).is_ok());
    let tall = part.replace("dim) }\n", "size = 5) }\n");
    let found = fitted(&tall, &tensors(&[("a", &[4, 4])])).unwrap_err();
    assert_eq!(found[0].0, "the tensor `a` is [4, 4]; [5, 4] is wanted here");
}

#[test]
fn shapes_that_do_not_fit_are_told_with_both_sides() {
    assert_eq!(
        mistake(LINES, &changed("b", &[3, 4])),
        "the tensor `b` is [3, 4]; [4, 3] is wanted here @ \"b\" \
         @ the file has it the other way round: `transpose(…)`"
    );
    assert!(mistake(LINES, &changed("c", &[5])).starts_with("the tensor `c` is [5]; [4] is wanted"));
    assert!(mistake(LINES, &changed("m.a", &[4, 5])).contains("is [4, 5]; [4, 4] is wanted"));
}

#[test]
fn missing_tensors_are_told_with_a_near_name() {
    let mut file = changed("b", &[4, 3]);
    file.remove("head");
    file.insert("haed".to_string(), vec![5, 3]);
    let found = fitted(&table_text(LINES), &file).unwrap_err();
    assert_eq!(found.len(), 2, "{found:?}");
    let wanted = "the checkpoint has no tensor `m.head` or `head` or `m.tied` or `tied`";
    assert_eq!((found[0].0.as_str(), found[0].2.as_str()), (wanted, "did you mean `haed`?"));
    assert_eq!(found[1].0, "nothing reads the tensor `haed` of the checkpoint");
    assert_eq!(found[1].1, "M");
}

#[test]
fn tensors_that_nobody_reads_are_listed_unless_ignored() {
    let mut file = good();
    for number in 0..12 {
        file.insert(format!("m.x.{number}"), vec![1]);
    }
    let found = mistake(LINES, &file);
    assert!(found.starts_with("nothing reads 12 tensors of the checkpoint: `m.x.0`, "), "{found}");
    assert!(found.contains("and 2 more") && found.contains("add `ignore \"m.x.0\"`"), "{found}");
    assert!(fitted(&table_text(&format!("{LINES}\nignore \"x.*\"")), &file).is_ok());
}

#[test]
fn a_line_that_fails_in_every_layer_is_told_once() {
    let text = "model M(x: [T, dim]; dim = 4) { repeat layer in 0..3 { x = linear(x; dim) } }
checkpoint M { repeat layer { \"a.{layer}\" = layer } }";
    let found = fitted(text, &tensors(&[("a.1", &[4, 4])])).unwrap_err();
    let wanted = "the checkpoint has no tensor `a.0` (and so for 1 more tensor of this line)";
    assert_eq!((found.len(), found[0].0.as_str()), (1, wanted));
    let found = fitted(text, &Shapes::new()).unwrap_err();
    assert!(found[0].0.ends_with("(and so for 2 more tensors of this line)"), "{found:?}");
}

#[test]
fn rows_read_twice_through_other_names_are_told() {
    let text = "model M(x: [T, dim]; dim = 2) { a = linear(x; dim)  b = linear(a; dim) }
checkpoint M { prefix \"m.\" optional \"w\"[0 ..] = a  \"w\"[2 ..] = b }";
    assert!(fitted(text, &tensors(&[("w", &[4, 2])])).is_ok());
    let found = fitted(text, &tensors(&[("w", &[6, 2])])).unwrap_err();
    assert_eq!(found[0].0, "the tensor `w` is [6, 2]; [4, 2] is wanted here");
    let text = text.replace("\"w\"[2 ..]", "\"m.w\"");
    let found = fitted(&text, &tensors(&[("m.w", &[2, 2])])).unwrap_err();
    assert_eq!(found[0].0, "rows of the tensor `m.w` are read twice");
}
